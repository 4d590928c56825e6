/* SPDX-License-Identifier: BSD-2-Clause */
/* Directed tests of PM: signals among threads, in calls that VFS and VM have, during vfork and exec;
 * timers, futexes, forks that fail. */
#ifndef PM_CALL_TESTS_H
#define PM_CALL_TESTS_H

#include "tests/unit/pm_stop_tests.h"

/* ---- threads ---- */

static void threads_stop(void)
{
    struct program *second = thread_begin(two), *third = thread_begin(two);

    sys_vfs(second, SYS_read, 0);
    must_be(sys(third, SYS_pause), WAITS);
    signal_it(two, SIGSTOP);
    must(stopped(two) && stopped(second) && stopped(third));
    signal_it(two, SIGCONT);
    must(!two->blocked && at_call_again(second, SYS_read));
    signal_it(two, SIGKILL);
    must(!two->ep && !second->ep && !third->ep);
}

/* A signal for the process goes to a thread that does not block it, and that goes on living. */
static void threads_choose(void)
{
    struct program *second = thread_begin(two);

    act(two, SIGUSR1, 0, bits(SIGUSR2, 0));
    act(two, SIGUSR2, 0, 0);
    mask_change(two, SIG_BLOCK, bits(SIGUSR1, 0));
    signal_it(two, SIGUSR1);
    must(in_handler(second, SIGUSR1) && !in_handler(two, SIGUSR1));
    handler_return(second);
    mask_change(second, SIG_BLOCK, bits(SIGUSR1, 0));
    signal_it(two, SIGUSR1);
    must(!in_handler(two, SIGUSR1) && !in_handler(second, SIGUSR1));
    mask_change(two, SIG_UNBLOCK, bits(SIGUSR1, 0));
    must(in_handler(two, SIGUSR1));
    handler_return(two);
}

/* The thread that was to take it ends, or blocks it in a handler: another takes it. */
static void threads_pass_on(void)
{
    struct program *second = thread_begin(two);

    act(two, SIGUSR1, 0, bits(SIGUSR2, 0));
    act(two, SIGUSR2, 0, 0);
    /* the second ends: VFS has it */
    call_begin(second, EP_PM, SYS_exit, (uint64_t[6]){0});
    pm_step();
    must(second->ep && second->peer == EP_VFS);
    must_be(server_signals(EP_OTHER, 10001, SIGUSR1), 0);
    world_settle();
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    /* the second is being taken back from VFS */
    second = thread_begin(two);
    mask_change(two, SIG_BLOCK, bits(SIGUSR1, 0));
    sys(two, SYS_pause);
    sys_vfs(second, SYS_read, 0);
    must_be(server_signals(EP_OTHER, 10001, SIGUSR1), 0);
    must(second->peer == EP_VFS && thread_of(second->ep)->cancelling);
    must_be(server_signals(EP_OTHER, 10001, SIGUSR2), 0); /* the other can at once */
    must(in_handler(two, SIGUSR2));
    world_settle();
    must(in_handler(second, SIGUSR1));
}

/* ---- calls that others have ---- */

static void in_vfs(void)
{
    endpoint_t ep = two->ep;

    act(two, SIGUSR1, 0, 0);
    act(two, SIGUSR2, SA_RESTART, 0);
    /* nothing of it was done: it is made again, whatever the flags */
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must(at_call_again(two, SYS_read));
    /* interrupted */
    vfs_finishes = false;
    vfs_cancel_result = -EINTR;
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    signal_it(two, SIGUSR1);
    handler_return(two);
    must_be(result_of(two), -EINTR);
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    signal_it(two, SIGUSR2);
    handler_return(two);
    must(at_call_again(two, SYS_read));
    must_be(sys_vfs(two, SYS_poll, 0), WAITS);
    signal_it(two, SIGUSR2);
    handler_return(two);
    must_be(result_of(two), -EINTR); /* never repeated */
    /* a part was done */
    vfs_cancel_result = 100;
    must_be(sys_vfs(two, SYS_write, 0), WAITS);
    signal_it(two, SIGUSR2);
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must_be(result_of(two), 100);
    /* ignored, or blocked: not even taken back */
    mask_change(two, SIG_BLOCK, bits(SIGUSR1, 0));
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    signal_it(two, SIGUSR1);
    signal_it(two, SIGWINCH);
    must(blocked_on(two, EP_VFS));
    vfs_answers(two, 5);
    must_be(result_of(two), 5);
    /* two on the way back */
    vfs_cancel_result = -EINTR;
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    must_be(server_signals(EP_OTHER, 10001, SIGUSR2), 0);
    must(two->peer == EP_VFS && !two->taken);
    must_be(server_signals(EP_OTHER, 10001, SIGKILL), 0);
    world_settle();
    must(is_dead(two, ep));
}

/* Killed, and in the hands of a server that keeps it, or has answered it so that it runs: VFS has it
 * taken back, and meanwhile it makes no child that nobody has killed. */
static void kept_by_a_server(void)
{
    endpoint_t ep = two->ep;

    must_be(server_names(EP_VFS, PM_TAKE_BACK, ep), -ESRCH); /* it lives */
    must_be(sys_vfs(two, SYS_read, 0), WAITS);
    must_be(server_signals(EP_OTHER, 10001, SIGKILL), 0);
    must(two->peer == EP_VFS && two->message.type == VFS_EXIT);
    two->taken = true;
    must_be(reply_to(EP_VFS, ep, &(struct message){0}), 0);
    must(!two->blocked);
    call_begin(two, EP_PM, SYS_fork, (uint64_t[6]){0});
    pm_step();
    must(two->blocked && two->peer == EP_PM);
    must_be(server_names(EP_OTHER, PM_TAKE_BACK, ep), -EPERM);
    must_be(server_names(EP_VFS, PM_TAKE_BACK, ep), 0);
    must(two->peer == EP_VFS && two->message.type == VFS_EXIT);
    world_settle();
    must(is_dead(two, ep));
}

/* (It is in a call just now.) */
static void act_later(struct program *p, int signal)
{
    process_set_action(process_of(p), signal,
                       (struct action){handler_of(signal), SA_RESTORER, RESTORER_AT, 0});
}

static struct message mask_request(const struct program *p, uint64_t begins, uint64_t mask)
{
    return message_of(PM_MASK, (struct pm_mask_request){(uint64_t)p->ep, begins, mask});
}

/* ppoll(), and what of it may be repeated. */
static void mask_of_a_call(void)
{
    struct message m;

    act(two, SIGUSR1, 0, 0);
    mask_change(two, SIG_SETMASK, bits(SIGUSR1, 0));
    signal_it(two, SIGUSR1);
    must_be(sys_vfs(two, SYS_ppoll, 0), WAITS);
    vfs_finishes = false;
    vfs_cancel_result = -EINTR;
    m = mask_request(two, 1, bits(SIGUSR2, 0));
    must_be(server_calls(EP_VFS, &m), 0);
    world_settle();
    must(in_handler(two, SIGUSR1));
    must_be(mask_of(two), bits(SIGUSR1, SIGUSR2));
    handler_return(two);
    must_be(mask_of(two), bits(SIGUSR1, 0));
    must_be(result_of(two), -EINTR);
    must_be(sys_vfs(two, SYS_ppoll, 0), WAITS);
    m = mask_request(two, 1, bits(SIGUSR2, 0));
    must_be(server_calls(EP_VFS, &m), 0);
    must_be(mask_of(two), bits(SIGUSR2, 0));
    act_later(two, SIGUSR2);
    signal_it(two, SIGUSR2);
    must(blocked_on(two, EP_VFS));
    m = mask_request(two, 0, 0);
    must_be(server_calls(EP_VFS, &m), 0);
    must_be(mask_of(two), bits(SIGUSR1, 0));
    world_settle(); /* what only the call has blocked is taken when it is over */
    must(in_handler(two, SIGUSR2));
    m = mask_request(two, 1, 0);
    must_be(server_calls(EP_OTHER, &m), -EPERM);
}

/* VM has it: what VM has answered since is the result; else it is made again. A page fault: nothing
 * of it is to be seen. */
static void in_vm(void)
{
    act(two, SIGUSR1, 0, 0);
    must_be(sys_vm(two, SYS_mremap, 0), WAITS);
    signal_it(two, SIGUSR1); /* VM has not received it */
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must(at_call_again(two, SYS_mremap));
    must_be(sys_vm(two, SYS_mremap, 0), WAITS);
    two->taken = true;
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    must_be(reply_to(EP_VM, two->ep, &(struct message){.type = 4096}), -ENOTREADY);
    handler_return(two);
    must(at_call_again(two, SYS_mremap));
    two->kind = CALL_FAULT;
    send(two, EP_VM, 0, (struct message){.type = MESSAGE_PAGE_FAULT, .w = {0x1234000}});
    two->taken = true;
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must(!two->blocked && two->r.rip == CODE_AT);
}

static void vforking(void)
{
    struct program *child;
    endpoint_t ep = one->ep;
    long pid = sys(one, SYS_vfork);
    struct thread *t = thread_of(one->ep);

    must_be(pid, WAITS);
    must_be(t->waits, WAIT_VFORK);
    child = program_with(10002);
    must(child && !child->blocked);
    act(child, SIGUSR2, 0, 0);
    process_set_action(t->process, SIGUSR1,
                       (struct action){handler_of(SIGUSR1), SA_RESTORER, RESTORER_AT, 0});
    signal_it(one, SIGUSR1); /* waits until the child has a program */
    must_be(result_of(one), WAITS);
    signal_it(one, SIGTSTP);
    must_be(result_of(one), WAITS);
    signal_it(one, SIGCONT);
    exec_begin(child);
    signal_it(child, SIGHUP); /* comes in exec: after it */
    must(child->ep);
    exec_end(child, "child");
    must(!child->ep);
    must(in_handler(one, SIGUSR1));
    handler_return(one);
    must_be(result_of(one), 10002);
    /* it ends while the child has not */
    must_be(sys(one, SYS_vfork), WAITS);
    child = program_with(10003);
    signal_it(one, SIGKILL);
    must(is_dead(one, ep));
    must(process_of(child)->parent == process_with_pid(INIT_PID));
    sys(child, SYS_exit_group, 0);
    must(!child->ep);
}

static void executing(void)
{
    struct program *second = thread_begin(two);

    act(two, SIGUSR1, 0, 0);
    act_at(two, SIGUSR2, (uint64_t)SIG_IGN, 0, 0);
    mask_change(two, SIG_SETMASK, bits(SIGHUP, 0));
    signal_it(two, SIGWINCH);
    must_be(stack_set(two, (struct stack_of){AT_ALTERNATE, 0, 0, ALTERNATE_SIZE}), 0);
    exec_begin(two);
    world_settle();
    must(!second->ep && process_of(two)->threads == 1);
    exec_end(two, "new");
    must(!two->blocked && two->r.rip == CODE_AT && two->r.rsp == STACK_AT);
    must_be(process_of(two)->actions[SIGUSR1].handler, 0);
    must_be(process_of(two)->actions[SIGUSR2].handler, (uint64_t)SIG_IGN);
    must_be(mask_of(two), bits(SIGHUP, 0));
    must_be(thread_of(two->ep)->alt_size, 0);
    must(strcmp(two->name, "new") == 0 && strcmp(process_of(two)->name, "new") == 0);
    exec_begin(two);
    signal_it(two, SIGKILL);
    must(!two->ep);
}

static void interval_set(struct program *p, int64_t first_ms, int64_t every_ms)
{
    int64_t t[2][2] = {{every_ms / 1000, every_ms % 1000 * 1000},
                       {first_ms / 1000, first_ms % 1000 * 1000}};

    memcpy(at(p, AT_TIME), t, sizeof t);
    must_be(sys(p, SYS_setitimer, 0, AT_TIME, 0), 0);
}

static void timers(void)
{
    act(two, SIGALRM, 0, 0);
    must_be(sys(two, SYS_alarm, 2), 0);
    time_pass(NS_PER_SECOND);
    must_be(sys(two, SYS_alarm, 5), 1);
    time_pass(6 * NS_PER_SECOND);
    must(in_handler(two, SIGALRM));
    handler_return(two);
    interval_set(two, 100, 10);
    must_be(sys(two, SYS_pause), WAITS);
    for (unsigned n = 0; n < 5; n++) {
        time_pass(n ? 10000000 : 100000000);
        must(in_handler(two, SIGALRM));
        handler_return(two);
        must_be(result_of(two), n ? 0 : -EINTR);
        two->r.rax = 0;
    }
    time_pass(10000000);
    must(in_handler(two, SIGALRM));
    two->used_ns++;
    time_pass(1000000000); /* those that came meanwhile are one more, since it is blocked */
    handler_return(two);
    must(in_handler(two, SIGALRM));
    handler_return(two);
    must(!in_handler(two, SIGALRM));
    interval_set(two, 0, 0);
    time_pass(1000000000);
    must(!in_handler(two, SIGALRM));
}

/* As on Linux a timer stands still until its signal is taken. It is not taken more often than the program runs. */
static void timers_taken(void)
{
    act_at(two, SIGALRM, (uint64_t)SIG_IGN, 0, 0);
    interval_set(two, 1, 1);
    time_pass(1000000);
    must_be(process_of(two)->interval_next, 0);
    act(two, SIGALRM, SA_NODEFER, 0);
    time_pass(1000000000);
    must(!in_handler(two, SIGALRM));
    interval_set(two, 1, 1);
    time_pass(1000000);
    must(in_handler(two, SIGALRM));
    two->r.rip = CODE_AT; /* by itself it would interrupt that handler, for ever */
    time_pass(5000000);
    must(!in_handler(two, SIGALRM));
    two->used_ns++;
    time_pass(10000000);
    must(in_handler(two, SIGALRM));
}

static void futexes(void)
{
    struct program *second = thread_begin(two);
    uint32_t value = 7;

    memcpy(at(two, AT_WORD), &value, sizeof value);
    must_be(sys(two, SYS_futex, AT_WORD, 0, 6), -EAGAIN);
    must_be(sys(two, SYS_futex, AT_WORD + 1, 0, 7), -EINVAL);
    must_be(sys(two, SYS_futex, AT_WORD, 0, 7), WAITS);
    must_be(sys(second, SYS_futex, AT_WORD, 1, 5), 1);
    must_be(result_of(two), 0);
    must_be(sys(two, SYS_futex, AT_WORD, 0, 7), WAITS);
    must_be(sys(second, SYS_futex, AT_WORD, 3 /* requeue */, 0, 1, AT_WORD + 4), 1);
    must_be(sys(second, SYS_futex, AT_WORD, 1, 5), 0);
    must_be(sys(second, SYS_futex, AT_WORD + 4, 1, 5), 1);
    time_at_of(two, 1, 0);
    must_be(sys(two, SYS_futex, AT_WORD, 0, 7, AT_TIME), WAITS);
    time_pass(NS_PER_SECOND + 1);
    must_be(result_of(two), -ETIMEDOUT);
    /* the end of a thread wakes who waits for it */
    must_be(sys(second, SYS_set_tid_address, AT_WORD), 10002);
    must_be(sys(two, SYS_futex, AT_WORD, 0, 7), WAITS);
    sys(second, SYS_exit, 0);
    must_be(result_of(two), 0);
    memcpy(&value, at(two, AT_WORD), sizeof value);
    must_be(value, 0);
}

/* Hundredths of a second, after as many years as a hundred times the ns has room for, and more. */
static void times_of_years(void)
{
    static const unsigned years[] = {1, 5, 6, 100, 292};

    for (unsigned i = 0; i < sizeof years / sizeof *years; i++) {
        now = years[i] * 365ull * 86400 * 1000000000 + 10000000;
        must_be(sys(two, SYS_times, 0), years[i] * 365ull * 86400 * 100 + 1);
        must_be(sys(two, SYS_time, 0), years[i] * 365ull * 86400);
    }
}

/* What is short at a fork leaves nothing behind. */
static void failing_forks(void)
{
    must_be(slots_used, 3);
    vm_failures = 1;
    must_be(sys(two, SYS_fork), -ENOMEM);
    vm_failures = 1;
    must_be(sys(two, SYS_vfork), -ENOMEM);
    must_be(slots_used, 3);
    must_be(process_of(two)->threads, 1);
    memcpy(at(two, AT_SET), (uint64_t[2]){1, 1}, 16);
    must_be(sys(two, SYS_setrlimit, 6 /* NPROC */, AT_SET), 0);
    must(sys(two, SYS_fork) > 0); /* root is not held to it */
    must_be(sys(two, SYS_setuid, 1000), 0);
    must_be(sys(two, SYS_fork), -EAGAIN);
    must_be(sys(two, SYS_clone, 0x10000), -EINVAL);
    must_be(sys(two, SYS_clone, 0x20000000), -EINVAL);
}

/* One that takes several parts counts from its first on: it has a slot. What it took is there again
 * when its parent ends. */
static void forks_in_parts(void)
{
    struct program *other = thread_begin(two), *third = thread_begin(two);
    unsigned before = slots_used;

    memcpy(at(two, AT_SET), (uint64_t[2]){5, 5}, 16);
    must_be(sys(two, SYS_setrlimit, 6 /* NPROC */, AT_SET), 0);
    must_be(sys(two, SYS_setuid, 1000), 0);
    vm_has_parts = true;
    must_be(sys(two, SYS_fork), WAITS);
    must_be(sys(other, SYS_fork), WAITS);
    must_be(sys(third, SYS_fork), -EAGAIN);
    must_be(slots_used, before + 2);
    vm_has_parts = false;
    must_be(sys(third, SYS_fork), -EAGAIN);
    must_be(sys(third, SYS_exit_group, 0), WAITS);
    must_be(slots_used, before - 3);
}

#endif
