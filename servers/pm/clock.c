/* SPDX-License-Identifier: BSD-2-Clause */
/* What time it is, and how much of it has been used. */
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "servers/pm/pm.h"

#define NS 1000000000ull
#define TICKS 100 /* per second, in times() */

static int64_t realtime_offset; /* ns: realtime - clock_now() */

uint64_t now_real(void)
{
    if (!realtime_offset) {
        struct kernel_info info;

        if (kernel_info(&info) == 0)
            realtime_offset = (int64_t)(info.realtime_boot * NS);
    }
    return clock_now() + (uint64_t)realtime_offset;
}

static uint64_t cpu_of(const struct thread *t)
{
    struct slot_status status;

    return slot_status(t->endpoint, &status) == 0 ? status.cpu_ns : 0;
}

static uint64_t cpu_of_process(const struct process *p)
{
    uint64_t sum = p->cpu_ns;

    for_threads(t) if (t->process == p) sum += cpu_of(t);
    return sum;
}

static long clock_read(struct thread *t, uint64_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *ns = now_real();
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
        *ns = cpu_of(t);
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

static long set_real(struct thread *t, uint64_t address, uint64_t multiply)
{
    uint64_t time[2];

    if (t->process->who.euid)
        return -EPERM;
    if (read_user(t, address, time, sizeof time) < 0)
        return -EFAULT;
    if (time[1] * multiply >= NS || time[0] > ~0ull / 4 / NS)
        return -EINVAL;
    realtime_offset = (int64_t)(time[0] * NS + time[1] * multiply - clock_now());
    return 0;
}

static long sys_clock_settime(struct message *m)
{
    return m->w[0] == CLOCK_REALTIME ? set_real(thread_caller(m), m->w[1], 1) : -EINVAL;
}

static long sys_settimeofday(struct message *m)
{
    return m->w[0] ? set_real(thread_caller(m), m->w[0], 1000) : 0;
}

static long sys_gettimeofday(struct message *m)
{
    return m->w[0] ? write_time(thread_caller(m), m->w[0], now_real(), 1000) : 0;
}

static long sys_time(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t seconds = now_real() / NS;

    if (m->w[0] && write_user(t, m->w[0], &seconds, sizeof seconds) < 0)
        return -EFAULT;
    return (long)seconds;
}

static long sys_times(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t v[4] = {cpu_of_process(t->process) * TICKS / NS, 0,
                     t->process->children_ns * TICKS / NS, 0};

    if (m->w[0] && write_user(t, m->w[0], v, sizeof v) < 0)
        return -EFAULT;
    return (long)(clock_now() * TICKS / NS);
}

static long sys_getrusage(struct message *m)
{
    struct thread *t = thread_caller(m);
    int who = (int32_t)m->w[0];
    uint64_t ns = who == RUSAGE_SELF     ? cpu_of_process(t->process)
                  : who == RUSAGE_THREAD ? cpu_of(t)
                                         : t->process->children_ns;
    uint64_t usage[18] = {ns / NS, ns % NS / 1000}; /* Linux's struct rusage */

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    return write_user(t, m->w[1], usage, sizeof usage);
}

PM_TABLE(clock_calls, {SYS_clock_gettime, sys_clock_gettime}, {SYS_clock_getres, sys_clock_getres},
         {SYS_clock_settime, sys_clock_settime}, {SYS_settimeofday, sys_settimeofday},
         {SYS_gettimeofday, sys_gettimeofday}, {SYS_time, sys_time}, {SYS_times, sys_times},
         {SYS_getrusage, sys_getrusage})
