/* SPDX-License-Identifier: BSD-2-Clause */
/* The rest: names of the system, prctl, power; and the list of processes for /proc. */
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "servers/pm/pm.h"

/* reboot(2) */
#define LINUX_REBOOT_MAGIC1 0xfee1dead
#define LINUX_REBOOT_MAGIC2 672274793
#define LINUX_REBOOT_MAGIC2A 85072278
#define LINUX_REBOOT_MAGIC2B 369367448
#define LINUX_REBOOT_MAGIC2C 537993216

static struct utsname system_name = {"Linux",    "bardo",  "6.1.0-bardo",
                                     "#1 Bardo", "x86_64", "(none)"};

static long sys_uname(struct message *m)
{
    return write_user(thread_caller(m), m->w[0], &system_name, sizeof system_name);
}

static long sys_sethostname(struct message *m)
{
    struct thread *t = thread_caller(m);
    char name[65] = "";

    if (t->process->who.euid)
        return -EPERM;
    if (m->w[1] > 64)
        return -EINVAL;
    if (m->w[1] && read_user(t, m->w[0], name, m->w[1]) < 0)
        return -EFAULT;
    memcpy(system_name.nodename, name, sizeof name);
    return 0;
}

static long sys_sysinfo(struct message *m)
{
    const struct kernel_info *k = kernel_info();
    struct sysinfo info = {.mem_unit = 1};

    info.uptime = (unsigned long)(clock_now() / 1000000000);
    info.totalram = k->frames_total * PAGE_SIZE;
    info.freeram = k->frames_free * PAGE_SIZE;
    for_processes (p)
        info.procs++;
    return write_user(thread_caller(m), m->w[0], &info, 112); /* Linux's, without musl's reserve */
}

static long sys_prctl(struct message *m)
{
    struct thread *t = thread_caller(m);
    char name[16] = "";

    switch (m->w[0]) {
    case PR_SET_NAME:
        if (read_user(t, m->w[1], name, sizeof name) < 0)
            return -EFAULT;
        name[15] = 0;
        if (t->tid == t->process->pid)
            memcpy(t->process->name, name, sizeof name);
        return 0;
    case PR_GET_NAME:
        return write_user(t, m->w[1], t->process->name, 16);
    case PR_SET_PDEATHSIG: /* accepted, not acted upon: nothing here depends on it */
    case PR_SET_DUMPABLE:
    case PR_SET_NO_NEW_PRIVS:
        return 0;
    case PR_GET_DUMPABLE:
        return 1;
    default:
        return -EINVAL;
    }
}

static long sys_set_tid_address(struct message *m)
{
    struct thread *t = thread_caller(m);

    t->clear_tid = m->w[0];
    return t->tid;
}

static long sys_reboot(struct message *m)
{
    struct message stop;

    if (thread_caller(m)->process->who.euid)
        return -EPERM;
    if ((uint32_t)m->w[0] != LINUX_REBOOT_MAGIC1 ||
        (m->w[1] != LINUX_REBOOT_MAGIC2 && m->w[1] != LINUX_REBOOT_MAGIC2A &&
         m->w[1] != LINUX_REBOOT_MAGIC2B && m->w[1] != LINUX_REBOOT_MAGIC2C))
        return -EINVAL;
    if ((uint32_t)m->w[2] == (uint32_t)RB_ENABLE_CAD || (uint32_t)m->w[2] == RB_DISABLE_CAD)
        return 0;
    if ((uint32_t)m->w[2] != (uint32_t)RB_AUTOBOOT &&
        (uint32_t)m->w[2] != (uint32_t)RB_HALT_SYSTEM &&
        (uint32_t)m->w[2] != (uint32_t)RB_POWER_OFF)
        return -EINVAL;
    stop = message_of(RS_SHUTDOWN,
                      (struct rs_shutdown_request){
                          .power = (uint32_t)m->w[2] == RB_AUTOBOOT ? POWER_RESET : POWER_OFF});
    return ipc_call(service_info()->rs, &stop);
}

static long sys_sched_getaffinity(struct message *m)
{
    uint64_t mask = 1;

    if (m->w[1] < sizeof mask)
        return -EINVAL;
    return write_user(thread_caller(m), m->w[2], &mask, sizeof mask) < 0 ? -EFAULT
                                                                         : (long)sizeof mask;
}

static long nothing(struct message *m)
{
    thread_caller(m);
    return 0;
}

static long sys_getpriority(struct message *m)
{
    thread_caller(m);
    return 20; /* nice 0, as the call codes it */
}

static long sys_rseq(struct message *m)
{
    thread_caller(m);
    return -ENOSYS; /* the C libraries do without */
}

/* R running, S waiting, T stopped, Z zombie */
static uint32_t state_of(const struct process *p, struct usage *used, endpoint_t *ep)
{
    uint32_t state = p->state == PROCESS_ZOMBIE ? 'Z' : 'S';

    *used = p->ended;
    *ep = 0;
    for_threads (t) {
        struct slot_status status;

        if (t->process != p || slot_status(t->endpoint, &status) < 0)
            continue;
        *used = usage_sum(*used, usage_in(&status));
        if (!*ep || t->tid == p->pid)
            *ep = t->endpoint;
        if (status.state == SLOT_READY)
            state = 'R';
    }
    return p->stopped ? 'T' : state;
}

/* In the order of the pids, and from `first` on: who has no room for all asks on behind the last
 * one, and misses none that lives throughout, whatever comes and goes meanwhile. */
static long pm_list(struct message *m)
{
    const struct pm_list_request *r = message_words(m);
    int from = (int32_t)r->first;
    uint64_t grant = r->grant, room = r->count, count = 0;

    if (thread_of(message_caller(m)))
        return -EPERM;
    for (; count < room; count++) {
        struct process *next = NULL;
        struct usage used;
        struct pm_process out = {0};
        long error;

        for_processes (p)
            if (p->pid >= from && (!next || p->pid < next->pid))
                next = p;
        if (!next)
            break;
        out = (struct pm_process){.pid = next->pid,
                                  .ppid = next->parent ? next->parent->pid : 0,
                                  .pgid = next->pgid,
                                  .sid = next->sid,
                                  .uid = (int)next->who.ruid,
                                  .gid = (int)next->who.rgid,
                                  .threads = (int)next->threads,
                                  .start_ns = next->start_ns};
        out.state = state_of(next, &used, &out.endpoint);
        out.user_ns = used.user;
        out.system_ns = used.system;
        memcpy(out.name, next->name, sizeof out.name);
        error = grant_to(message_caller(m), grant, count * sizeof out, &out, sizeof out);
        if (error)
            return error;
        from = next->pid + 1;
    }
    return (long)count;
}

PM_TABLE(info_calls, {SYS_uname, sys_uname}, {SYS_sethostname, sys_sethostname},
         {SYS_sysinfo, sys_sysinfo}, {SYS_prctl, sys_prctl},
         {SYS_set_tid_address, sys_set_tid_address}, {SYS_reboot, sys_reboot},
         {SYS_sched_getaffinity, sys_sched_getaffinity}, {SYS_sched_setaffinity, nothing},
         {SYS_sched_yield, nothing}, {SYS_set_robust_list, nothing}, {SYS_setpriority, nothing},
         {SYS_getpriority, sys_getpriority}, {SYS_rseq, sys_rseq}, {PM_LIST, pm_list})
