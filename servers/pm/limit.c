/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of resources (getrlimit(2)). RLIMIT_NPROC counts the threads and zombies of a user; root
 * is not held to it. Apart from all limits the last slots of the tables are root's, so that several
 * users together cannot keep it from helping itself. Services need no reserve here: the kernel has
 * more slots than there can be threads of programs, with those that are about to be.
 *
 * RLIMIT_CPU: a process that computes all the time reaches its limit after what is left of it, no
 * sooner; so the clock is set for then, and looked at again.
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

enum { FILES_MAX = 1024, PROCESSES_RESERVED = 32, THREADS_RESERVED = 64 };
#define USER_PROCESSES (PROCESSES / 2)
#define CPU_CHECK_NS 20000000ull /* not more often than so */

_Static_assert(THREADS + 128 < ENDPOINT_SLOTS, "services have slots that no program can take");
_Static_assert(LIMITS == RLIM_NLIMITS, "pm.h");

void limits_default(struct limit limits[LIMITS])
{
    for (unsigned i = 0; i < LIMITS; i++)
        limits[i] = (struct limit){RLIM_INFINITY, RLIM_INFINITY};
    limits[RLIMIT_STACK].soft = VM_STACK_LIMIT;
    limits[RLIMIT_NOFILE] = (struct limit){FILES_MAX, FILES_MAX};
    limits[RLIMIT_CORE].soft = 0;
    limits[RLIMIT_NPROC] = (struct limit){USER_PROCESSES, USER_PROCESSES};
    limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct limit){0, 0};
}

/* A fork that takes several parts has a slot and a space from the first on, though nobody knows of a
 * child yet: it counts as what it will be. */
static bool forks(const struct thread *t)
{
    return t->waits == WAIT_FORK;
}

static unsigned used_by(uint32_t uid)
{
    unsigned n = 0;

    for_processes (p)
        if (p->who.ruid == uid)
            n += p->threads ? p->threads : 1;
    for_threads (t)
        n += t->process->who.ruid == uid && forks(t);
    return n;
}

bool limits_allow_thread(const struct process *p, bool new_process)
{
    unsigned processes_used = 0, threads_used = 0;

    if (!p->who.ruid || !p->who.euid)
        return true;
    for_processes (any)
        processes_used++;
    for_threads (any) {
        threads_used += 1 + forks(any);
        processes_used += forks(any);
    }
    if (threads_used + THREADS_RESERVED >= THREADS ||
        (new_process && processes_used + PROCESSES_RESERVED >= PROCESSES))
        return false;
    return used_by(p->who.ruid) < p->limits[RLIMIT_NPROC].soft;
}

/* ---- RLIMIT_CPU ---- */

/* When a process that has used so much may have reached what comes next; 0: never. */
static uint64_t next_check(const struct process *p, uint64_t used)
{
    uint64_t soft = time_of_seconds(p->limits[RLIMIT_CPU].soft),
             hard = time_of_seconds(p->limits[RLIMIT_CPU].hard), next = soft;

    if (p->limits[RLIMIT_CPU].soft == RLIM_INFINITY)
        return 0;
    if (p->cpu_warned_ns && p->cpu_warned_ns + NS_PER_SECOND > next)
        next = p->cpu_warned_ns + NS_PER_SECOND;
    if (hard < next && p->limits[RLIMIT_CPU].hard != RLIM_INFINITY)
        next = hard;
    next = next > used ? next - used : 0;
    return time_after(clock_now(), next > CPU_CHECK_NS ? next : CPU_CHECK_NS);
}

void limits_watch_cpu(struct process *p)
{
    bool watched = p->cpu_check;

    p->cpu_check = next_check(p, cpu_of_process(p));
    if (watched || p->cpu_check)
        timer_set();
}

void limits_check_cpu(struct process *p)
{
    const struct limit *l = &p->limits[RLIMIT_CPU];
    uint64_t used = cpu_of_process(p);

    if (l->hard != RLIM_INFINITY && used >= time_of_seconds(l->hard)) {
        p->cpu_check = 0;
        signal_process(p, SIGKILL, 0);
        return;
    }
    if (used >= time_of_seconds(l->soft) &&
        (!p->cpu_warned_ns || used >= p->cpu_warned_ns + NS_PER_SECOND)) {
        p->cpu_warned_ns = used; /* and once a second from now on */
        p->cpu_check = next_check(p, used);
        signal_process(p, SIGXCPU, 0);
        return;
    }
    p->cpu_check = next_check(p, used);
}

/* ---- the calls ---- */

/* VFS replies. */
static long limit_files(struct thread *t, struct process *p)
{
    struct message m = message_of(
        VFS_FILE_LIMIT, (struct vfs_file_limit_request){.files = p->limits[RLIMIT_NOFILE].soft,
                                                        .size = p->limits[RLIMIT_FSIZE].soft});
    struct vfs_file_limit_request *r = message_words(&m);

    for_threads (of)
        if (of->process == p)
            r->whose = (uint64_t)of->endpoint;
    return r->whose && ipc_forward(t->endpoint, service_info()->vfs, &m) == 0 ? SERVICE_NO_REPLY
                                                                              : 0;
}

static long limit_change(const struct thread *t, struct process *p, uint64_t resource,
                         const struct limit *new)
{
    struct limit *l = &p->limits[resource];

    if (new->soft > new->hard)
        return -EINVAL;
    if (new->hard > l->hard && t->process->who.euid)
        return -EPERM;
    if (resource == RLIMIT_NOFILE && new->hard > FILES_MAX)
        return -EPERM;
    *l = *new;
    if (resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK)
        memory_tell(p);
    if (resource == RLIMIT_CPU) {
        if (!l->soft)
            l->soft = 1; /* as Linux: at once, but not before it has run */
        p->cpu_warned_ns = 0;
        limits_watch_cpu(p);
    }
    return 0;
}

static bool may_limit(const struct process *from, const struct process *to)
{
    const struct credentials *a = &from->who, *b = &to->who;

    return from == to || !a->euid ||
           (a->ruid == b->ruid && a->ruid == b->euid && a->ruid == b->suid && a->rgid == b->rgid &&
            a->rgid == b->egid && a->rgid == b->sgid);
}

static long limits_call(struct thread *t, struct process *p, uint64_t resource, uint64_t new,
                        uint64_t old)
{
    struct limit before, set;
    long error;

    if (resource >= LIMITS)
        return -EINVAL;
    if (!may_limit(t->process, p))
        return -EPERM;
    before = p->limits[resource];
    if (new &&read_user(t, new, &set, sizeof set) < 0)
        return -EFAULT;
    error = new ? limit_change(t, p, resource, &set) : 0;
    if (!error && old && write_user(t, old, &before, sizeof before) < 0)
        error = -EFAULT;
    if (error || !new || (resource != RLIMIT_NOFILE && resource != RLIMIT_FSIZE))
        return error;
    return limit_files(t, p);
}

static long sys_getrlimit(struct message *m)
{
    struct thread *t = thread_caller(m);

    return m->w[1] ? limits_call(t, t->process, (uint32_t)m->w[0], 0, m->w[1]) : -EFAULT;
}

static long sys_setrlimit(struct message *m)
{
    struct thread *t = thread_caller(m);

    return m->w[1] ? limits_call(t, t->process, (uint32_t)m->w[0], m->w[1], 0) : -EFAULT;
}

static long sys_prlimit64(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct process *p = (int32_t)m->w[0] ? process_with_pid((int32_t)m->w[0]) : t->process;

    return p ? limits_call(t, p, (uint32_t)m->w[1], m->w[2], m->w[3]) : -ESRCH;
}

PM_TABLE(limit_calls, {SYS_getrlimit, sys_getrlimit}, {SYS_setrlimit, sys_setrlimit},
         {SYS_prlimit64, sys_prlimit64})
