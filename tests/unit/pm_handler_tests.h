/* SPDX-License-Identifier: BSD-2-Clause */
/* Directed tests of PM: handlers, their frames and flags, masks, the order of signals, waiting for
 * them. What is expected is signal(7), sigaction(2) and POSIX. */
#ifndef PM_HANDLER_TESTS_H
#define PM_HANDLER_TESTS_H

#include "tests/unit/pm_signals.h"

/* All registers come back, those of a call that was not made as well as the FPU's. */
static void handler_returns(void)
{
    struct registers before;
    uint8_t *fpu = two->fpu;
    siginfo_t *from;

    act(two, SIGUSR1, 0, bits(SIGUSR2, 0));
    two->has_fpu = true;
    memset(fpu, 0x5a, FPU_BYTES);
    two->r.rflags |= 0x400; /* direction: handlers begin without */
    two->r.r15 = 15, two->r.rbx = 7, two->r.rcx = 3;
    two->r.rax = SYS_read; /* it is in no call: nothing of that is one */
    before = two->r;
    must_be(kill_it(one, two, SIGUSR1), 0);
    must(in_handler(two, SIGUSR1));
    must_be(two->r.rflags & 0x400, 0);
    must(two->r.rsp + 128 < before.rsp); /* below the red zone */
    from = at(two, two->r.rsi);
    must_be(from->si_pid, process_of(one)->pid);
    must_be(from->si_code, SI_USER);
    must_be(mask_of(two), bits(SIGUSR1, SIGUSR2));
    memset(fpu, 0, FPU_BYTES);
    two->has_fpu = false;
    two->r.r15 = two->r.rbx = two->r.rcx = 0;
    handler_return(two);
    must(memcmp(&before, &two->r, sizeof before) == 0);
    must(two->has_fpu && fpu[0] == 0x5a && fpu[FPU_BYTES - 1] == 0x5a);
    must_be(mask_of(two), 0);
}

/* Several at once: the highest runs first, as the lowest is delivered first. */
static void order(void)
{
    act(two, SIGUSR1, 0, 0); /* 10 */
    act(two, SIGUSR2, 0, 0); /* 12 */
    act(two, SIGHUP, 0, bits(SIGUSR1, 0)); /* 1: USR1 has to wait */
    mask_change(two, SIG_BLOCK, bits(SIGUSR1, SIGUSR2) | bits(SIGHUP, 0));
    signal_it(two, SIGUSR2);
    signal_it(two, SIGUSR1);
    signal_it(two, SIGUSR1); /* it is pending already: once */
    signal_it(two, SIGHUP);
    must_be(two->r.rip, CODE_AT + 2);
    memset(at(two, AT_OLD), 0, 8);
    must_be(sys(two, SYS_rt_sigpending, AT_OLD), 0);
    must_be(*(uint64_t *)at(two, AT_OLD), bits(SIGUSR1, SIGUSR2) | bits(SIGHUP, 0));
    mask_change(two, SIG_UNBLOCK, bits(SIGUSR1, SIGUSR2) | bits(SIGHUP, 0));
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must(in_handler(two, SIGHUP)); /* what USR2 has interrupted at its first instruction */
    handler_return(two);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must_be(two->r.rip, CODE_AT + 2);
    must_be(two->r.rax, 0); /* of the sigprocmask() */
    must_be(mask_of(two), 0);
}

static void nodefer(void)
{
    act(two, SIGUSR1, 0, 0);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    two->r.rip += 2;
    signal_it(two, SIGUSR1); /* blocked in its own handler */
    must_be(two->r.rip, handler_of(SIGUSR1) + 2);
    handler_return(two);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    act(two, SIGUSR1, SA_NODEFER, 0);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    two->r.rip += 2;
    signal_it(two, SIGUSR1); /* at once */
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must_be(two->r.rip, handler_of(SIGUSR1) + 2);
    handler_return(two);
    must_be(mask_of(two), 0);
}

static void resethand(void)
{
    endpoint_t ep = two->ep;
    int status;

    act(two, SIGUSR1, SA_RESETHAND, 0);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    signal_it(two, SIGUSR1);
    must(is_dead(two, ep));
    must_be(wait_for(one, -1, 0, &status), 10001);
    must_be(status, SIGUSR1);
}

struct stack_of { /* stack_t */
    uint64_t sp;
    uint32_t flags, pad;
    uint64_t size;
};

static long stack_set(struct program *p, struct stack_of s)
{
    memcpy(at(p, AT_STACK_T), &s, sizeof s);
    return sys(p, SYS_sigaltstack, AT_STACK_T);
}

static void alternate_stack(void)
{
    struct stack_of old;
    uint64_t before = two->r.rsp, inner;

    must_be(stack_set(two, (struct stack_of){AT_ALTERNATE, 0, 0, 100}), -ENOMEM);
    must_be(stack_set(two, (struct stack_of){AT_ALTERNATE, 4, 0, ALTERNATE_SIZE}), -EINVAL);
    must_be(stack_set(two, (struct stack_of){AT_ALTERNATE, 0, 0, ALTERNATE_SIZE}), 0);
    act(two, SIGUSR1, SA_ONSTACK, 0);
    act(two, SIGUSR2, SA_ONSTACK, 0);
    act(two, SIGHUP, 0, 0);
    signal_it(two, SIGHUP);
    must(in_handler(two, SIGHUP) && before - two->r.rsp < 0x1000);
    handler_return(two);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    must(two->r.rsp - AT_ALTERNATE < ALTERNATE_SIZE);
    inner = two->r.rsp;
    must_be(sys(two, SYS_sigaltstack, 0, AT_STACK_T), 0);
    memcpy(&old, at(two, AT_STACK_T), sizeof old);
    must(old.sp == AT_ALTERNATE && old.size == ALTERNATE_SIZE && old.flags == SS_ONSTACK);
    must_be(stack_set(two, (struct stack_of){0, SS_DISABLE, 0, 0}), -EPERM); /* it is on it */
    signal_it(two, SIGUSR2); /* goes on below */
    must(in_handler(two, SIGUSR2));
    must(two->r.rsp < inner && two->r.rsp > AT_ALTERNATE);
    handler_return(two);
    handler_return(two);
    must_be(two->r.rsp, before);
    must_be(stack_set(two, (struct stack_of){0, SS_DISABLE, 0, 0}), 0);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1) && before - two->r.rsp < 0x1000);
}

static void masks(void)
{
    endpoint_t ep = two->ep;

    mask_change(two, SIG_SETMASK, ~0ull);
    must_be(mask_of(two), ~(bit_of(SIGKILL) | bit_of(SIGSTOP)));
    mask_change(two, SIG_UNBLOCK, bits(SIGUSR1, 0));
    must_be(mask_of(two) & bits(SIGUSR1, SIGUSR2), bits(SIGUSR2, 0));
    must_be(sys(two, SYS_rt_sigprocmask, 3, AT_SET, 0, 8), -EINVAL);
    must_be(sys(two, SYS_rt_sigprocmask, 0, AT_SET, 0, 4), -EINVAL);
    must_be(sys(two, SYS_rt_sigprocmask, 0, 1, 0, 8), -EFAULT);
    must_be(sys(two, SYS_rt_sigaction, SIGKILL, AT_ACTION, 0, 8), -EINVAL);
    must_be(sys(two, SYS_rt_sigaction, SIGSTOP, AT_ACTION, 0, 8), -EINVAL);
    must_be(sys(two, SYS_rt_sigaction, 65, AT_ACTION, 0, 8), -EINVAL);
    must_be(sys(two, SYS_rt_sigaction, 0, AT_ACTION, 0, 8), -EINVAL);
    signal_it(two, SIGKILL);
    must(is_dead(two, ep));
}

/* POSIX: a pending signal that is set to be ignored is discarded, blocked or not. */
static void ignoring_discards(void)
{
    act(two, SIGUSR1, 0, 0);
    mask_change(two, SIG_BLOCK, bits(SIGUSR1, SIGCHLD));
    signal_it(two, SIGUSR1);
    signal_thread_of(two, SIGUSR1);
    signal_it(two, SIGCHLD);
    act_at(two, SIGUSR1, (uint64_t)SIG_IGN, 0, 0);
    act_at(two, SIGCHLD, (uint64_t)SIG_DFL, 0, 0);
    act(two, SIGUSR1, 0, 0);
    act(two, SIGCHLD, 0, 0);
    mask_change(two, SIG_UNBLOCK, bits(SIGUSR1, SIGCHLD));
    must_be(two->r.rip, CODE_AT + 2);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
}

/* Calls that a handler interrupts: made again with SA_RESTART, but those that never are. */
static void restart(void)
{
    child_of(two);
    act(two, SIGUSR1, 0, 0);
    act(two, SIGUSR2, SA_RESTART, 0);
    must_be(sys(two, SYS_wait4, (uint64_t)-1), WAITS);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    handler_return(two);
    must_be(result_of(two), -EINTR);
    must_be(sys(two, SYS_wait4, (uint64_t)-1), WAITS);
    signal_it(two, SIGUSR2);
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must(at_call_again(two, SYS_wait4));
    call_again(two, EP_PM);
    world_settle();
    signal_it(two, SIGWINCH); /* ignored: it is not even interrupted */
    must_be(result_of(two), WAITS);
    signal_it(two, SIGUSR1);
    handler_return(two);
    must_be(sys(two, SYS_pause), WAITS);
    signal_it(two, SIGUSR2);
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must_be(result_of(two), -EINTR);
}

static void time_at_of(struct program *p, int64_t seconds, int64_t ns)
{
    int64_t t[2] = {seconds, ns};

    memcpy(at(p, AT_TIME), t, sizeof t);
}

/* nanosleep(2): never repeated after a handler, and what is left is told. */
static void sleeping(void)
{
    int64_t left[2];

    act(two, SIGUSR2, SA_RESTART, 0);
    time_at_of(two, 10, 0);
    must_be(sys(two, SYS_nanosleep, AT_TIME, AT_OLD), WAITS);
    time_pass(4 * NS_PER_SECOND);
    must_be(result_of(two), WAITS);
    signal_it(two, SIGUSR2);
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must_be(result_of(two), -EINTR);
    memcpy(left, at(two, AT_OLD), sizeof left);
    must((uint64_t)(left[0] * 1000000000 + left[1] - 5999000000) <= 1000000);
    must_be(sys(two, SYS_nanosleep, AT_TIME, AT_TIME), WAITS); /* both in one place */
    time_pass(3 * NS_PER_SECOND);
    signal_it(two, SIGUSR2);
    handler_return(two);
    memcpy(left, at(two, AT_TIME), sizeof left);
    must((uint64_t)(left[0] * 1000000000 + left[1] - 6999000000) <= 1000000);
    time_at_of(two, 1, 0);
    must_be(sys(two, SYS_clock_nanosleep, 1, 0, AT_TIME, AT_OLD), WAITS);
    time_pass(NS_PER_SECOND / 2);
    signal_it(two, SIGUSR2);
    handler_return(two);
    must_be(result_of(two), -EINTR);
    memcpy(left, at(two, AT_OLD), sizeof left);
    must(left[0] == 0 && left[1] > 490000000 && left[1] <= 500000000);
    must_be(sys(two, SYS_nanosleep, AT_TIME, 0), WAITS);
    time_pass(NS_PER_SECOND + 1);
    must_be(result_of(two), 0);
}

static void suspend(void)
{
    act(two, SIGUSR1, 0, 0);
    act(two, SIGUSR2, SA_RESTART, 0);
    mask_change(two, SIG_SETMASK, bits(SIGUSR1, 0));
    memcpy(at(two, AT_SET), &(uint64_t){bits(SIGUSR2, SIGKILL)}, 8);
    must_be(sys(two, SYS_rt_sigsuspend, AT_SET, 8), WAITS);
    must_be(mask_of(two), bits(SIGUSR2, 0));
    signal_it(two, SIGUSR2);
    must_be(result_of(two), WAITS);
    signal_it(two, SIGUSR1);
    must(in_handler(two, SIGUSR1));
    must_be(mask_of(two), bits(SIGUSR2, SIGUSR1)); /* of the suspending, and its own */
    handler_return(two);
    must(in_handler(two, SIGUSR2)); /* the mask of before does not block it */
    handler_return(two);
    must_be(result_of(two), -EINTR);
    must_be(mask_of(two), bits(SIGUSR1, 0));
    signal_it(two, SIGUSR1); /* pending before it suspends */
    must_be(sys(two, SYS_rt_sigsuspend, AT_SET, 8), 0);
    must(in_handler(two, SIGUSR1));
}

static long wait_for_signals(struct program *p, uint64_t set, int64_t seconds)
{
    memcpy(at(p, AT_SET), &set, sizeof set);
    time_at_of(p, seconds, 0);
    memset(at(p, AT_INFO), 0, sizeof(siginfo_t));
    return sys(p, SYS_rt_sigtimedwait, AT_SET, AT_INFO, seconds < 0 ? 0 : AT_TIME, 8);
}

static void taking(void)
{
    const siginfo_t *taken = at(two, AT_INFO);

    act(two, SIGUSR2, SA_RESTART, 0);
    mask_change(two, SIG_SETMASK, bits(SIGUSR1, SIGCHLD));
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), 0), -EAGAIN);
    signal_it(two, SIGUSR1);
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), 0), SIGUSR1);
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), 1), WAITS);
    must_be(kill_it(one, two, SIGUSR1), 0);
    must_be(result_of(two), SIGUSR1);
    must_be(taken->si_pid, process_of(one)->pid);
    must_be(taken->si_signo, SIGUSR1);
    must_be(process_of(two)->pending, 0);
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), 2), WAITS);
    time_pass(2 * NS_PER_SECOND + 1);
    must_be(result_of(two), -EAGAIN);
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), -1), WAITS);
    signal_it(two, SIGUSR2); /* another: its handler, and no repetition */
    must(in_handler(two, SIGUSR2));
    handler_return(two);
    must_be(result_of(two), -EINTR);
    must_be(wait_for_signals(two, bits(SIGUSR1, SIGCHLD), -1), WAITS);
    signal_it(two, SIGCHLD); /* though it would be ignored */
    must_be(result_of(two), SIGCHLD);
    must_be(sys(two, SYS_rt_sigtimedwait, 1, 0, 0, 8), -EFAULT);
    must_be(sys(two, SYS_rt_sigtimedwait, AT_SET, 0, 0, 4), -EINVAL);
}

/* SIGKILL and SIGSTOP cannot be waited for: a program that waits for all is stopped, and ended. */
static void not_taking(void)
{
    endpoint_t ep = two->ep;
    int status;

    must_be(wait_for_signals(two, ~0ull, -1), WAITS);
    signal_it(two, SIGSTOP);
    must_be(result_of(two), WAITS);
    must_be(wait_for(one, -1, 2 /* WUNTRACED */ | 1, &status), 10001);
    must_be(status, SIGSTOP << 8 | 0x7f);
    must(process_of(two)->stopped);
    signal_it(two, SIGKILL);
    must(is_dead(two, ep));
}

static void exceptions(void)
{
    endpoint_t ep = two->ep;
    siginfo_t *from;
    struct registers before;
    int status;

    act(two, SIGSEGV, 0, 0);
    before = two->r;
    program_faults(two, 14, 0xdead000);
    must(in_handler(two, SIGSEGV));
    from = at(two, two->r.rsi);
    must_be((uint64_t)from->si_addr, 0xdead000);
    must_be(from->si_code, SEGV_MAPERR);
    handler_return(two);
    must(memcmp(&before, &two->r, sizeof before) == 0); /* and makes it again */
    mask_change(two, SIG_BLOCK, bits(SIGSEGV, 0));
    program_faults(two, 14, 0xdead000); /* blocked: it cannot go on */
    must(is_dead(two, ep));
    must_be(wait_for(one, -1, 0, &status), 10001);
    must_be(status & 0x7f, SIGSEGV);
}

/* Stacks and frames that are not there. */
static void bad_frames(void)
{
    endpoint_t ep = two->ep;
    struct program *third = child_of(one), *fourth = child_of(one);
    endpoint_t ep3 = third->ep, ep4 = fourth->ep;
    uint64_t wide = ~0ull, frame;

    act(two, SIGUSR1, 0, 0);
    two->r.rsp = 0x100;
    signal_it(two, SIGUSR1);
    must(is_dead(two, ep));
    third->r.rsp = 0xffffffffffffffffull;
    sys(third, SYS_rt_sigreturn);
    must(is_dead(third, ep3));
    /* a mask that the handler has written may not hold what can't be blocked */
    act(fourth, SIGUSR1, 0, 0);
    signal_it(fourth, SIGUSR1);
    must(in_handler(fourth, SIGUSR1));
    frame = fourth->r.rdx; /* struct ucontext: its mask is its last word, behind 8 reserved ones */
    for (uint64_t n = 0; n < 40; n++)
        if (n > 36)
            memcpy(at(fourth, frame + n * 8), &wide, 8);
    handler_return(fourth);
    must_be(mask_of(fourth) & bits(SIGKILL, SIGSTOP), 0);
    must(fourth->ep == ep4);
}

#endif
