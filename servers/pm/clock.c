/* SPDX-License-Identifier: BSD-2-Clause */
/* What time it is, and how much of it has been used. */
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "servers/pm/pm.h"

#define NS NS_PER_SECOND
#define TICK_NS (NS / 100) /* of times() */

static bool is_set; /* by a program, or once from the hardware's clock */

/* RS tells everybody: it has a page in each service. */
static long set_offset(int64_t ns)
{
    struct message m = message_of(RS_SET_REALTIME, (struct rs_set_realtime_request){.offset = ns});

    is_set = true;
    return ipc_call(service_info()->rs, &m);
}

/* ---- how much has been used ---- */

struct usage usage_in(const struct slot_status *s)
{
    return (struct usage){s->cpu_ns, s->paid_ns > s->cpu_ns ? s->paid_ns - s->cpu_ns : 0};
}

struct usage usage_sum(struct usage a, struct usage b)
{
    return (struct usage){a.user + b.user, a.system + b.system};
}

static struct usage usage_of_thread(const struct thread *t)
{
    struct slot_status status;

    return slot_status(t->endpoint, &status) == 0 ? usage_in(&status) : (struct usage){0};
}

struct usage usage_of(const struct process *p)
{
    struct usage sum = p->ended;

    for_threads (t)
        if (t->process == p)
            sum = usage_sum(sum, usage_of_thread(t));
    return sum;
}

uint64_t cpu_of_process(const struct process *p)
{
    struct usage u = usage_of(p);

    return u.user + u.system;
}

void usage_write(struct usage u, uint64_t to[4])
{
    to[0] = u.user / NS;
    to[1] = u.user % NS / 1000;
    to[2] = u.system / NS;
    to[3] = u.system % NS / 1000;
}

/* ---- clocks ---- */

static long clock_read(struct thread *t, uint64_t clock, uint64_t *ns)
{
    struct usage used;

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *ns = realtime_now();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = clock_now();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = cpu_of_process(t->process);
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        used = usage_of_thread(t);
        *ns = used.user + used.system;
        return 0;
    default:
        return -EINVAL;
    }
}

static long write_time(struct thread *t, uint64_t address, uint64_t ns, uint64_t divide)
{
    uint64_t time[2] = {ns / NS, ns % NS / divide};

    return write_user(t, address, time, sizeof time);
}

static long sys_clock_gettime(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t ns;
    long error = clock_read(t, m->w[0], &ns);

    return error ? error : write_time(t, m->w[1], ns, 1);
}

static long sys_clock_getres(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t ns;
    long error = clock_read(t, m->w[0], &ns);

    return error || !m->w[1] ? error : write_time(t, m->w[1], 1, 1);
}

static long set_real(struct thread *t, uint64_t address, uint64_t parts)
{
    int64_t time[2];
    uint64_t ns;

    if (t->process->who.euid)
        return -EPERM;
    if (read_user(t, address, time, sizeof time) < 0)
        return -EFAULT;
    /* Linux, too, leaves room for 30 years of running. */
    if (time_of(time, parts, &ns) || time[0] >= (int64_t)(SPAN_MOST / NS) - 30 * 365 * 24 * 3600)
        return -EINVAL;
    return set_offset((int64_t)(ns - clock_now()));
}

/* (Whatever the hardware says: nobody's time jumps but at the boot.) */
static long pm_first_time(struct message *m)
{
    const struct pm_first_time_request *r = message_words(m);
    uint64_t ns = r->ns, at = r->at, now = clock_now();

    if (thread_of(message_caller(m)))
        return -EPERM;
    if (is_set)
        return -EALREADY;
    if (ns >= SPAN_MOST / 2 || at > now)
        return -EINVAL;
    return set_offset((int64_t)(ns - at));
}

static long sys_clock_settime(struct message *m)
{
    return m->w[0] == CLOCK_REALTIME ? set_real(thread_caller(m), m->w[1], NS) : -EINVAL;
}

static long sys_settimeofday(struct message *m)
{
    return m->w[0] ? set_real(thread_caller(m), m->w[0], 1000000) : 0;
}

static long sys_gettimeofday(struct message *m)
{
    return m->w[0] ? write_time(thread_caller(m), m->w[0], realtime_now(), 1000) : 0;
}

static long sys_time(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t seconds = realtime_now() / NS;

    if (m->w[0] && write_user(t, m->w[0], &seconds, sizeof seconds) < 0)
        return -EFAULT;
    return (long)seconds;
}

static long sys_times(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct usage own = usage_of(t->process), children = t->process->children;
    uint64_t v[4] = {own.user / TICK_NS, own.system / TICK_NS, children.user / TICK_NS,
                     children.system / TICK_NS};

    if (m->w[0] && write_user(t, m->w[0], v, sizeof v) < 0)
        return -EFAULT;
    return (long)(clock_now() / TICK_NS);
}

static long sys_getrusage(struct message *m)
{
    struct thread *t = thread_caller(m);
    int who = (int32_t)m->w[0];
    uint64_t usage[RUSAGE_WORDS] = {0};

    if (who == RUSAGE_SELF)
        usage_write(usage_of(t->process), usage);
    else if (who == RUSAGE_THREAD)
        usage_write(usage_of_thread(t), usage);
    else if (who == RUSAGE_CHILDREN)
        usage_write(t->process->children, usage);
    else
        return -EINVAL;
    return write_user(t, m->w[1], usage, sizeof usage);
}

PM_TABLE(clock_calls, {SYS_clock_gettime, sys_clock_gettime}, {SYS_clock_getres, sys_clock_getres},
         {SYS_clock_settime, sys_clock_settime}, {SYS_settimeofday, sys_settimeofday},
         {SYS_gettimeofday, sys_gettimeofday}, {SYS_time, sys_time}, {SYS_times, sys_times},
         {SYS_getrusage, sys_getrusage}, {PM_FIRST_TIME, pm_first_time})
