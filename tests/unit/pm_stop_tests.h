/* SPDX-License-Identifier: BSD-2-Clause */
/* Directed tests of PM: stopping and continuing, children and SIGCHLD, who may signal whom. */
#ifndef PM_STOP_TESTS_H
#define PM_STOP_TESTS_H

#include "tests/unit/pm_handler_tests.h"

#define WUNTRACED_ 2
#define WNOHANG_ 1
#define WCONTINUED_ 8

static bool stopped(struct program *p)
{
    return p->blocked && process_of(p)->stopped && thread_of(p->ep)->waits == WAIT_STOPPED;
}

static void stopping(void)
{
    int status;

    act(one, SIGCHLD, 0, 0);
    signal_it(two, SIGSTOP);
    must(stopped(two));
    must(in_handler(one, SIGCHLD));
    handler_return(one);
    must_be(wait_for(one, -1, WNOHANG_, &status), 0);
    must_be(wait_for(one, -1, WUNTRACED_, &status), 10001);
    must_be(status, SIGSTOP << 8 | 0x7f);
    must_be(wait_for(one, -1, WUNTRACED_ | WNOHANG_, &status), 0); /* once */
    act(one, SIGCHLD, SA_NOCLDSTOP, 0);
    signal_it(two, SIGCONT);
    must(!two->blocked && two->r.rip == CODE_AT); /* it was in no call: as it was */
    must_be(one->r.rip, CODE_AT + 2); /* SA_NOCLDSTOP: of continuing neither */
    must_be(wait_for(one, -1, WCONTINUED_, &status), 10001);
    must_be(status, 0xffff);
    signal_it(two, SIGTSTP); /* in a group of orphans: nobody would let it go on */
    must(!stopped(two));
    must_be(sys(two, SYS_setpgid, 0, 0), 0);
    signal_it(two, SIGTSTP);
    must(stopped(two) && one->r.rip == CODE_AT + 2);
    signal_it(two, SIGUSR1); /* waits until it goes on, and ends it then */
    must(stopped(two));
    signal_it(two, SIGCONT);
    must(!two->ep);
    must_be(wait_for(one, -1, 0, &status), 10001);
    must_be(status, SIGUSR1);
}

/* Who has stopped hangs up and goes on when the last one who could have let it go on ends; one that runs learns
 * nothing. */
static void orphaned_groups(void)
{
    struct program *stops = child_of(two), *runs = child_of(two), *beside = child_of(two);

    must_be(sys(two, SYS_setpgid, 0, 0), 0);
    must_be(sys(two, SYS_setpgid, 10002, 10002), 0);
    must_be(sys(two, SYS_setpgid, 10003, 10003), 0);
    must_be(sys(two, SYS_setpgid, 10004, 10002), 0);
    act(stops, SIGHUP, 0, 0);
    act(runs, SIGHUP, 0, 0);
    act(beside, SIGHUP, 0, 0);
    must_be(sys(two, SYS_setsid), -EPERM); /* it leads a group */
    signal_it(stops, SIGTSTP);
    signal_it(runs, SIGTSTP);
    signal_it(runs, SIGCONT);
    must(stopped(stops) && !stopped(runs));
    signal_it(two, SIGKILL);
    must(in_handler(stops, SIGHUP) && in_handler(beside, SIGHUP) && !in_handler(runs, SIGHUP));
    handler_return(stops);
    signal_it(stops, SIGTSTP);
    must(!stopped(stops));
}

/* The one that comes takes back the other that is pending, of the process and of each thread. */
static void stop_against_continue(void)
{
    mask_change(two, SIG_BLOCK, bits(SIGTSTP, SIGCONT));
    signal_it(two, SIGTSTP);
    signal_thread_of(two, SIGTSTP);
    signal_it(two, SIGCONT);
    must_be(process_of(two)->pending, bits(SIGCONT, 0));
    must_be(thread_of(two->ep)->pending, 0);
    signal_thread_of(two, SIGCONT);
    signal_it(two, SIGTSTP);
    must_be(process_of(two)->pending, bits(SIGTSTP, 0));
    must_be(thread_of(two->ep)->pending, 0);
}

/* SIGCONT's handler runs, after it goes on; a call that was stopped in is made again. */
static void continuing(void)
{
    child_of(two);
    act(two, SIGCONT, SA_RESTART, 0);
    must_be(sys(two, SYS_wait4, (uint64_t)-1), WAITS);
    signal_it(two, SIGSTOP);
    must(stopped(two));
    signal_it(two, SIGSTOP); /* again: nothing */
    must(stopped(two));
    signal_it(two, SIGCONT);
    must(in_handler(two, SIGCONT));
    handler_return(two);
    must(at_call_again(two, SYS_wait4));
}

/* A sleeper that was stopped sleeps until it would have, and no longer. */
static void sleeping_stopped(void)
{
    time_at_of(two, 10, 0);
    must_be(sys(two, SYS_nanosleep, AT_TIME, 0), WAITS);
    time_pass(6 * NS_PER_SECOND);
    signal_it(two, SIGSTOP);
    time_pass(2 * NS_PER_SECOND);
    must(stopped(two));
    signal_it(two, SIGCONT);
    if (at_call_again(two, SYS_nanosleep)) {
        call_again(two, EP_PM);
        world_settle();
    }
    must_be(result_of(two), WAITS);
    time_pass(3 * NS_PER_SECOND);
    must_be(result_of(two), 0);
}

static void children(void)
{
    endpoint_t ep = two->ep;
    int status;

    act(one, SIGCHLD, SA_NOCLDWAIT, 0);
    must_be(sys(one, SYS_wait4, (uint64_t)-1), WAITS);
    sys(two, SYS_exit_group, 3);
    must(is_dead(two, ep));
    must_be(process_with_pid(10001) != NULL, 0); /* no zombie */
    if (in_handler(one, SIGCHLD))
        handler_return(one);
    must_be(result_of(one), -ECHILD);
    act_at(one, SIGCHLD, (uint64_t)SIG_IGN, 0, 0);
    two = child_of(one);
    sys(two, SYS_exit_group, 3);
    must_be(wait_for(one, -1, 0, &status), -ECHILD);
    act(one, SIGCHLD, 0, 0);
    two = child_of(one);
    sys(two, SYS_exit_group, 3);
    must(in_handler(one, SIGCHLD));
    must_be(wait_for(one, -1, WNOHANG_, &status), 10003);
    must_be(status, 3 << 8);
    handler_return(one);
    /* a child without a signal: nobody is told, but it can be waited for */
    two = program_with(sys(one, SYS_clone, 0));
    must(two);
    sys(two, SYS_exit_group, 4);
    must_be(one->r.rip, CODE_AT + 2);
    must_be(wait_for(one, -1, (int)0x80000000u, &status), 10004);
}

/* Orphans go to init, dead ones too. */
static void orphans(void)
{
    struct program *third = child_of(two), *init = program_with(INIT_PID);
    int status;

    sys(third, SYS_exit_group, 1);
    sys(two, SYS_exit_group, 2);
    must(process_with_pid(10002)->state == PROCESS_ZOMBIE);
    must(process_with_pid(10002)->parent == process_of(init));
    must(process_with_pid(10001)->parent == process_of(one));
    must_be(wait_for(init, 10002, 0, &status), 10002);
    sys(one, SYS_exit_group, 2);
    must(process_with_pid(10001)->parent == process_of(init));
    must_be(wait_for(init, -1, 0, &status) > 0, 1);
    must_be(wait_for(init, -1, 0, &status) > 0, 1);
    must_be(wait_for(init, -1, 0, &status), -ECHILD);
    must_be(slots_used, 1);
}

static void permission(void)
{
    must_be(sys(one, SYS_kill, 12345, SIGTERM), -ESRCH);
    must_be(sys(one, SYS_kill, 10001, 65), -EINVAL);
    must_be(sys(one, SYS_kill, 10001, 0), 0);
    must_be(sys(two, SYS_setuid, 1000), 0);
    must_be(sys(two, SYS_kill, 10000, SIGTERM), -EPERM);
    must_be(sys(two, SYS_kill, 10000, SIGCONT), 0); /* of its session */
    must_be(sys(two, SYS_kill, 10, SIGTERM), -EPERM); /* a service */
    must_be(sys(two, SYS_tkill, 10000, SIGTERM), -EPERM);
    must_be(sys(two, SYS_tgkill, 10000, 10001, 0), -ESRCH);
    must_be(sys(two, SYS_tkill, 0, SIGTERM), -EINVAL);
    must_be(sys(one, SYS_kill, 1, SIGKILL), 0); /* init: nothing */
    must(program_with(INIT_PID));
    must_be(sys(one, SYS_kill, 1, SIGSTOP), 0);
    must(!program_with(INIT_PID)->blocked || !process_of(program_with(INIT_PID))->stopped);
    must_be(server_signals(EP_OTHER, 4711, SIGTERM), -ESRCH);
    must_be(sys(two, PM_SIGNAL, 10000, SIGTERM), -EINVAL); /* not for programs */
    /* kill(-1): all but init and itself */
    must_be(sys(one, SYS_kill, (uint64_t)-1, SIGKILL), 0);
    must(!two->ep && one->ep && program_with(INIT_PID));
}

static void groups(void)
{
    struct program *third = child_of(two);
    endpoint_t ep = third->ep;

    must_be(sys(two, SYS_setpgid, 0, 0), 0);
    must_be(sys(two, SYS_setpgid, 10002, 10001), 0);
    act(two, SIGUSR1, 0, 0);
    act(third, SIGUSR1, 0, 0);
    must_be(sys(two, SYS_kill, 0, SIGUSR1), 0); /* itself too, last */
    must(in_handler(two, SIGUSR1) && in_handler(third, SIGUSR1));
    handler_return(two);
    must_be(result_of(two), 0);
    must_be(sys(one, SYS_kill, (uint64_t)-10001, SIGKILL), 0);
    must(!two->ep && is_dead(third, ep) && one->ep);
    must_be(sys(one, SYS_kill, (uint64_t)-10001, 0), 0); /* zombies are there */
    must_be(sys(one, SYS_kill, (uint64_t)-4711, 0), -ESRCH);
}

/* To oneself: the call's result is there when the handler has returned. */
static void to_oneself(void)
{
    act(two, SIGUSR1, 0, 0);
    sys(two, SYS_kill, 10001, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must_be(result_of(two), 0);
    sys(two, SYS_tgkill, 10001, 10001, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must_be(result_of(two), 0);
    must_be(sys(two, SYS_kill, 10001, SIGSTOP), WAITS);
    must(stopped(two));
    signal_it(two, SIGCONT);
    must_be(result_of(two), 0);
    must_be(sys(two, SYS_tkill, 10001, SIGKILL), WAITS);
    must(!two->ep);
}

#endif
