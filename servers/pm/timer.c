/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever has a deadline: sleepers, waits with a time-out, interval timers. One kernel alarm, set
 * to the earliest. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "servers/pm/pm.h"

#define NS NS_PER_SECOND
#define NOT_RUN_NS 10000000ull /* a program that has not run since is looked at so much later */

static uint64_t alarm_at; /* what the alarm is set to; 0 none */
static uint64_t look_at; /* refused.c; 0 none */

void timer_look(uint64_t when)
{
    look_at = when;
}

void timer_set(void)
{
    uint64_t earliest = calibrate_next(), part = parts_next(), look = look_at;

    if (part && (!earliest || part < earliest))
        earliest = part;
    if (look && (!earliest || look < earliest))
        earliest = look;
    for_threads (t)
        if (t->deadline && (!earliest || t->deadline < earliest))
            earliest = t->deadline;
    for_processes (p) {
        if (p->interval_next && (!earliest || p->interval_next < earliest))
            earliest = p->interval_next;
        if (p->cpu_check && (!earliest || p->cpu_check < earliest))
            earliest = p->cpu_check;
    }
    if (earliest != alarm_at)
        clock_alarm(alarm_at = earliest);
}

void wait_forget(struct thread *t)
{
    if (t->waits == WAIT_FORK)
        fork_give_up(t);
    t->waits = WAIT_NONE;
    t->deadline = 0;
}

static void expired(struct thread *t)
{
    static const int16_t results[] = {
        [WAIT_SLEEP] = 0, [WAIT_FUTEX] = -ETIMEDOUT, [WAIT_SIGNAL] = -EAGAIN, [WAIT_KILL] = 0};

    resume(t, results[t->waits]);
}

/*
 * As on Linux a timer goes on when its signal has been taken, so that one that nobody takes costs
 * nothing. And the program must have run since: whatever the period, we are not at work for it alone,
 * as we would be where handlers may interrupt themselves (SA_NODEFER).
 */
static void interval_expired(struct process *p, uint64_t now)
{
    uint64_t run = usage_of(p).user;

    if (p->interval_period && run == p->interval_run) {
        p->interval_next =
            time_next(time_after(now, NOT_RUN_NS), p->interval_next, p->interval_period);
        return;
    }
    p->interval_run = run;
    p->interval_due = p->interval_period ? p->interval_next : 0;
    p->interval_next = 0;
    signal_process(p, SIGALRM, 0);
}

void signal_taken(struct thread *t, int signal)
{
    struct process *p = t->process;

    t->pending &= ~bit_of(signal);
    p->pending &= ~bit_of(signal);
    if (signal != SIGALRM || !p->interval_due)
        return;
    p->interval_next = time_next(clock_now(), p->interval_due, p->interval_period);
    p->interval_due = 0;
    timer_set();
}

void timer_alarm(void)
{
    uint64_t now = clock_now();

    alarm_at = 0;
    calibrate();
    parts_alarm();
    for_threads (t) {
        undo_verify_word(&t->deadline);
        if (t->deadline && t->deadline <= now)
            expired(t);
    }
    for_processes (p) {
        undo_verify_word(&p->interval_next);
        if (p->interval_next && p->interval_next <= now)
            interval_expired(p, now);
    }
    for_processes (p)
        if (p->cpu_check && p->cpu_check <= now)
            limits_check_cpu(p);
    timer_set();
}

void sleep_again(struct thread *t, uint64_t until)
{
    if (until <= clock_now()) {
        resume(t, 0);
        return;
    }
    t->waits = WAIT_SLEEP;
    t->deadline = until;
    timer_set();
}

void sleep_tell_left(struct thread *t, uint64_t until)
{
    uint64_t at = clock_now(), ns = until > at ? until - at : 0, time[2] = {ns / NS, ns % NS};

    if (t->on.sleep.remaining)
        write_user(t, t->on.sleep.remaining, time, sizeof time);
}

static long sleep_until(struct thread *t, uint64_t when, uint64_t remaining)
{
    if (when <= clock_now())
        return 0;
    t->waits = WAIT_SLEEP;
    t->on.sleep.remaining = remaining;
    t->deadline = when;
    timer_set();
    return SERVICE_NO_REPLY;
}

static long read_time(struct thread *t, uint64_t address, uint64_t *ns)
{
    int64_t time[2];

    return read_user(t, address, time, sizeof time) < 0 ? -EFAULT : time_of(time, NS, ns);
}

static long sys_nanosleep(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t ns;
    long error = read_time(t, m->w[0], &ns);

    return error ? error : sleep_until(t, time_after(clock_now(), ns), m->w[1]);
}

static long sys_clock_nanosleep(struct message *m)
{
    struct thread *t = thread_caller(m);
    bool realtime = m->w[0] == CLOCK_REALTIME;
    uint64_t ns;
    long error = read_time(t, m->w[2], &ns);

    if (m->w[0] != CLOCK_REALTIME && m->w[0] != CLOCK_MONOTONIC && m->w[0] != CLOCK_BOOTTIME)
        return -EINVAL;
    if (error)
        return error;
    if (!(m->w[1] & TIMER_ABSTIME))
        return sleep_until(t, time_after(clock_now(), ns), m->w[3]);
    return sleep_until(t, time_at(clock_now(), realtime ? realtime_now() : clock_now(), ns), 0);
}

static uint64_t left(const struct process *p)
{
    uint64_t now = clock_now();

    if (!p->interval_next)
        return 0;
    return p->interval_next > now ? p->interval_next - now : 1000;
}

static void set_interval(struct process *p, uint64_t first, uint64_t period)
{
    p->interval_next = first ? time_after(clock_now(), first) : 0;
    p->interval_period = first ? period : 0;
    p->interval_due = 0;
    p->interval_run = UINT64_MAX;
    timer_set();
}

static long sys_alarm(struct message *m)
{
    struct process *p = thread_caller(m)->process;
    uint64_t before = left(p);

    set_interval(p, (m->w[0] & 0xffffffff) * NS, 0);
    return (long)((before + NS - 1) / NS);
}

static struct itimerval interval_of(const struct process *p)
{
    uint64_t l = left(p);

    return (struct itimerval){
        {(long)(p->interval_period / NS), (long)(p->interval_period % NS / 1000)},
        {(long)(l / NS), (long)(l % NS / 1000)}};
}

static long sys_getitimer(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct itimerval value = interval_of(t->process);

    return m->w[0] == ITIMER_REAL ? write_user(t, m->w[1], &value, sizeof value) : -EINVAL;
}

static long sys_setitimer(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct itimerval old = interval_of(t->process);
    int64_t new[2][2] = {0}; /* the interval, then the value */
    uint64_t period, first;

    if (m->w[0] != ITIMER_REAL)
        return -EINVAL;
    if (m->w[1] && read_user(t, m->w[1], new, sizeof new) < 0)
        return -EFAULT;
    if (time_of(new[0], 1000000, &period) || time_of(new[1], 1000000, &first))
        return -EINVAL;
    if (m->w[2] && write_user(t, m->w[2], &old, sizeof old) < 0)
        return -EFAULT;
    set_interval(t->process, first, period);
    return 0;
}

PM_TABLE(timer_calls, {SYS_nanosleep, sys_nanosleep}, {SYS_clock_nanosleep, sys_clock_nanosleep},
         {SYS_alarm, sys_alarm}, {SYS_getitimer, sys_getitimer}, {SYS_setitimer, sys_setitimer})
