/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals on their way to a thread. To interrupt one it must be blocked in a call to us: it is when
 * it waits in PM; otherwise it is seized. A call that VFS or a server behind it has is taken back
 * first (VFS_CANCEL); the thread returns with PM_CANCELLED.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

static void interrupt(struct thread *t);

static bool default_ignores(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

static bool default_stops(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* init gets only what it handles, whoever sends it, itself too (signal(7), kill(2)). Its own faults
 * are exceptions, and end it. */
bool action_ignores(const struct process *p, int signal)
{
    uint64_t handler = process_action(p, signal)->handler;

    return handler == (uint64_t)SIG_IGN ||
           (handler == (uint64_t)SIG_DFL && (default_ignores(signal) || p->pid == INIT_PID));
}

/* The next signal for t that is not blocked; 0 none. Ignored ones are dropped on the way. */
static int next_signal(struct thread *t)
{
    struct process *p = t->process;
    uint64_t due;

    while ((due = (t->pending | p->pending) & ~t->mask)) {
        int signal = __builtin_ctzll(due) + 1;

        if (!action_ignores(p, signal))
            return signal;
        t->pending &= ~bit_of(signal);
        p->pending &= ~bit_of(signal);
    }
    return 0;
}

bool signal_due(struct thread *t)
{
    return next_signal(t) != 0;
}

void resume(struct thread *t, long result)
{
    thread_verify(t);
    wait_forget(t);
    ipc_reply_result(t->endpoint, result);
}

/* These are not repeated even by SA_RESTART (signal(7)). */
static bool never_restarted(uint64_t number)
{
    static const uint16_t calls[] = {SYS_nanosleep,     SYS_clock_nanosleep, SYS_pause,
                                     SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_poll,
                                     SYS_ppoll,         SYS_select,          SYS_pselect6,
                                     SYS_epoll_wait,    SYS_epoll_pwait};

    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i] == number)
            return true;
    return false;
}

/* The parent is told that p has stopped, or goes on. */
static void tell_of_stop(struct process *p)
{
    wait_check(p->parent);
    if (!(p->parent->actions[SIGCHLD].flags & SA_NOCLDSTOP))
        signal_process(p->parent, SIGCHLD, p->pid);
}

/* All threads, at the moment when t would go on. */
static void stop(struct thread *t, int signal)
{
    struct process *p = t->process;

    p->stopped = p->report_stop = true;
    p->report_continue = false;
    p->stop_signal = signal;
    for_threads (other)
        if (other->process == p && other != t)
            interrupt(other);
    if (p->parent)
        tell_of_stop(p);
}

/* Before its handler runs: what the interrupted call gives, or that it is made again. */
static void settle(struct registers *r, long result, bool restart)
{
    if (result == NOT_A_CALL)
        return;
    if (result == -CALL_AGAIN || (result == -EINTR && restart))
        r->rip -= 2; /* the syscall instruction; rax still holds the number */
    else
        r->rax = (uint64_t)result;
}

/* Runs one signal with a handler. */
static int run_handler(struct thread *t, int signal, long result)
{
    struct action a = *process_action(t->process, signal);
    struct registers r;
    int error = (int)registers_get(t->endpoint, &r);

    if (error)
        return error;
    settle(&r, result, (a.flags & SA_RESTART) && result != NOT_A_CALL && !never_restarted(r.rax));
    error = frame_push(t, &r, signal, &a);
    if (error)
        return error;
    t->mask_saved = false;
    t->mask |= a.mask & ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
    if (!(a.flags & SA_NODEFER))
        t->mask |= bit_of(signal);
    if (a.flags & SA_RESETHAND)
        t->process->actions[signal].handler = (uint64_t)SIG_DFL;
    return (int)registers_set(t->endpoint, &r);
}

/* Nothing ran: the call is made again, whatever the flags say. */
static void repeat(struct thread *t, long result)
{
    struct registers r;

    if (t->mask_saved) {
        t->mask = t->saved_mask;
        t->mask_saved = false;
        if (signal_due(t)) { /* it was blocked for the call only */
            deliver_and_resume(t, result);
            return;
        }
    }
    if ((result != -EINTR && result != -CALL_AGAIN) || registers_get(t->endpoint, &r) < 0) {
        resume(t, result);
        return;
    }
    r.rip -= 2;
    registers_set(t->endpoint, &r);
    resume(t, (long)r.rax);
}

/* A sleeper whom nothing but stopping interrupts sleeps on: until then. 0: it is none. */
static uint64_t asleep_until(const struct thread *t)
{
    if (t->waits == WAIT_SLEEP)
        return t->deadline;
    return t->waits == WAIT_STOPPED ? t->on.sleep.until : 0;
}

/* All that is due is delivered before the thread runs again: each further signal finds it at the
 * first instruction of the handler before, so the last one runs first. One that stops ends the
 * round, and what the call gives is kept until it goes on. */
void deliver_and_resume(struct thread *t, long result)
{
    struct process *p = t->process;
    uint64_t until = asleep_until(t);
    int signal;

    wait_forget(t);
    while (!p->stopped && (signal = next_signal(t))) {
        uint64_t handler = process_action(p, signal)->handler;

        signal_taken(t, signal);
        if (handler != (uint64_t)SIG_DFL) {
            if (until)
                sleep_tell_left(t, until);
            until = 0;
            if (run_handler(t, signal, result) < 0) {
                process_end(p, SIGSEGV);
                return;
            }
            if (!signal_due(t)) {
                resume(t, 0); /* rax: 0 in the handler */
                signals_pass_on(p); /* what it blocks now */
                return;
            }
            result = NOT_A_CALL; /* the next one interrupts the first instruction of the handler */
            continue;
        }
        if (signal != SIGSTOP && default_stops(signal) && group_is_orphaned(processes, p->pgid))
            continue;
        if (default_stops(signal)) {
            stop(t, signal);
            break;
        }
        process_end(p, signal);
        return;
    }
    if (p->stopped) {
        t->waits = WAIT_STOPPED;
        t->deadline = 0;
        t->on.sleep.until = until;
        t->on.sleep.result = result;
        return;
    }
    if (until)
        sleep_again(t, until);
    else if (result == NOT_A_CALL)
        resume(t, 0);
    else
        repeat(t, result);
    signals_pass_on(p);
}

void signals_pass_on(struct process *p)
{
    for_threads (t)
        if (t->process == p && p->pending && p->state == PROCESS_ALIVE && !p->stopped)
            signals_check(t);
}

void signals_discard(struct process *p, uint64_t set)
{
    p->pending &= ~set;
    for_threads (t)
        if (t->process == p)
            t->pending &= ~set;
}

/* t has been seized in a call that we or VM had: carried out in the meantime, or not at all. */
static void take_back(struct thread *t)
{
    struct message late = {0};

    deliver_and_resume(t, ipc_late_answer(t->endpoint, &late) == 0 && !message_via(&late)
                              ? (long)late.type
                              : -CALL_AGAIN);
}

/* A signal is due for t, or its process must stop: make it come here. */
static void interrupt(struct thread *t)
{
    struct message m = {.type = VFS_CANCEL};
    uint64_t server = 0;
    long how;

    thread_verify(t);
    if (t->ending || t->cancelling || t->in_exec || t->waits == WAIT_STOPPED ||
        t->waits == WAIT_VFORK || t->waits == WAIT_FORK)
        return;
    if (t->waits != WAIT_NONE) {
        deliver_and_resume(t, t->waits == WAIT_KILL ? 0 : -EINTR);
        return;
    }
    how = slot_seize(t->endpoint, &server);
    if (how == SEIZED_RUNNING || how == SEIZED_FAULT)
        deliver_and_resume(t, NOT_A_CALL);
    else if (how == SEIZED_SYSCALL) {
        if ((endpoint_t)server == service_info()->self || (endpoint_t)server == service_info()->vm)
            take_back(t);
        else {
            t->cancelling = true;
            if (ipc_forward(t->endpoint, service_info()->vfs, &m) < 0) {
                t->cancelling = false;
                deliver_and_resume(t, -CALL_AGAIN);
            }
        }
    }
}

void signals_check(struct thread *t)
{
    if (signal_due(t))
        interrupt(t);
}

static long pm_cancelled(struct message *m)
{
    const struct pm_cancelled_request *r = message_words(m);
    struct thread *t = thread_of(message_caller(m));

    if (!t || message_via(m) != service_info()->vfs)
        return -EPERM;
    t->cancelling = false;
    deliver_and_resume(t, r->is_over ? r->result : -CALL_AGAIN);
    return SERVICE_NO_REPLY;
}

static void go_on(struct process *p)
{
    if (!p->stopped)
        return;
    p->stopped = p->report_stop = false;
    p->report_continue = true;
    for_threads (t)
        if (t->process == p && t->waits == WAIT_STOPPED)
            deliver_and_resume(t, t->on.sleep.result);
    if (p->parent)
        tell_of_stop(p);
}

/* Effects that come at once, blocked or not. True: there is nothing more to do. */
static bool immediate(struct process *p, int signal)
{
    const uint64_t stops = bit_of(SIGSTOP) | bit_of(SIGTSTP) | bit_of(SIGTTIN) | bit_of(SIGTTOU);

    if (p->state != PROCESS_ALIVE)
        return true;
    if (signal == SIGKILL) {
        if (p->pid != INIT_PID)
            process_end(p, SIGKILL);
        return true;
    }
    if (signal == SIGCONT) {
        signals_discard(p, stops);
        go_on(p);
    }
    if (stops & bit_of(signal))
        signals_discard(p, bit_of(SIGCONT));
    return false;
}

static bool waits_for_signal(const struct thread *t, int signal)
{
    return t->waits == WAIT_SIGNAL && (t->on.signal.set & bit_of(signal));
}

/* A thread in sigtimedwait takes the signal as its result. */
static bool taken_by_waiter(struct process *p, struct thread *only, int signal, int from)
{
    for_threads (t)
        if (t->process == p && (!only || t == only) && waits_for_signal(t, signal)) {
            siginfo_t info = {.si_signo = signal, .si_code = SI_USER};

            info.si_pid = from;
            signal_taken(t, signal);
            if (t->on.signal.info)
                write_user(t, t->on.signal.info, &info, sizeof info);
            resume(t, signal);
            return true;
        }
    return false;
}

/* To take a signal: one that can at once, and of those one that is not waiting. */
static bool better(const struct thread *t, const struct thread *than)
{
    bool can = !t->cancelling && !t->in_exec && t->waits != WAIT_VFORK,
         could = !than->cancelling && !than->in_exec && than->waits != WAIT_VFORK;

    return can == could ? t->waits == WAIT_NONE : can;
}

void signal_process(struct process *p, int signal, int from)
{
    struct thread *target = NULL;

    process_verify(p);
    if (immediate(p, signal) || taken_by_waiter(p, NULL, signal, from))
        return;
    p->sender[signal] = from;
    for_threads (t)
        if (t->process == p && !t->ending && !(t->mask & bit_of(signal)) &&
            (!target || better(t, target)))
            target = t;
    if (action_ignores(p, signal) && target)
        return;
    p->pending |= bit_of(signal);
    if (target)
        interrupt(target);
}

void signal_thread(struct thread *t, int signal, int from)
{
    struct process *p = t->process;

    if (immediate(p, signal) || taken_by_waiter(p, t, signal, from))
        return;
    p->sender[signal] = from;
    if (action_ignores(p, signal) && !(t->mask & bit_of(signal)))
        return;
    t->pending |= bit_of(signal);
    if (!(t->mask & bit_of(signal)))
        interrupt(t);
}

static int signal_of_vector(uint64_t vector)
{
    static const uint8_t signals[32] = {
        [0] = SIGFPE,  [1] = SIGTRAP, [3] = SIGTRAP, [4] = SIGSEGV,  [5] = SIGSEGV,
        [6] = SIGILL,  [11] = SIGBUS, [12] = SIGBUS, [13] = SIGSEGV, [14] = SIGSEGV,
        [16] = SIGFPE, [17] = SIGBUS, [19] = SIGFPE,
    };

    return vector < 32 && signals[vector] ? signals[vector] : SIGSEGV;
}

/* A program's exception: it is blocked to us, and repeats the instruction when it goes on. */
static long exception(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct process *p = t->process;
    int signal = signal_of_vector(m->w[0]);

    t->exception_address = m->w[0] == 14 ? m->w[2] : m->w[3];
    t->exception_code = m->w[1];
    p->sender[signal] = -1; /* the processor */
    if ((t->mask & bit_of(signal)) || process_action(p, signal)->handler == (uint64_t)SIG_IGN ||
        p->actions[signal].handler == (uint64_t)SIG_DFL) {
        process_end(p, signal); /* cannot be ignored: it would come again */
        return SERVICE_NO_REPLY;
    }
    t->pending |= bit_of(signal);
    deliver_and_resume(t, NOT_A_CALL);
    return SERVICE_NO_REPLY;
}

/* VFS had it and died. The system is about to stop; the call fails. */
static long bounced(struct message *m)
{
    return thread_of(message_caller(m)) ? -EIO : SERVICE_NO_REPLY;
}

PM_TABLE(deliver_calls, {PM_CANCELLED, pm_cancelled}, {MESSAGE_EXCEPTION, exception},
         {MESSAGE_BOUNCED, bounced})
