/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls about signals. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

#define UNBLOCKABLE (bit_of(SIGKILL) | bit_of(SIGSTOP))

static bool good(uint64_t signal)
{
    return signal >= 1 && signal <= SIGNALS;
}

static long sys_rt_sigaction(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct process *p = t->process;
    const struct action *a;
    struct action new;

    if (!good(m->w[0]) || m->w[3] != 8 || (m->w[1] && (m->w[0] == SIGKILL || m->w[0] == SIGSTOP)))
        return -EINVAL;
    a = process_action(p, (int)m->w[0]);
    if (m->w[1] && read_user(t, m->w[1], &new, sizeof new) < 0)
        return -EFAULT;
    if (m->w[2] && write_user(t, m->w[2], a, sizeof *a) < 0)
        return -EFAULT;
    if (m->w[1])
        process_set_action(p, (int)m->w[0], new);
    if (m->w[1] && action_ignores(p, (int)m->w[0]))
        signals_discard(p, bit_of((int)m->w[0])); /* POSIX: blocked or not */
    return 0;
}

static long sys_rt_sigprocmask(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t set = 0, old = t->mask;

    if (m->w[3] != 8 || (m->w[1] && m->w[0] > SIG_SETMASK))
        return -EINVAL;
    if (m->w[1] && read_user(t, m->w[1], &set, sizeof set) < 0)
        return -EFAULT;
    if (m->w[2] && write_user(t, m->w[2], &old, sizeof old) < 0)
        return -EFAULT;
    if (!m->w[1])
        return 0;
    if (m->w[0] == SIG_BLOCK)
        set |= old;
    else if (m->w[0] == SIG_UNBLOCK)
        set = old & ~set;
    t->mask = set & ~UNBLOCKABLE;
    if (!signal_due(t))
        return 0;
    deliver_and_resume(t, 0);
    return SERVICE_NO_REPLY;
}

static long sys_rt_sigpending(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t pending = (t->pending | t->process->pending) & t->mask;

    return write_user(t, m->w[0], &pending, sizeof pending);
}

static void mask_for_now(struct thread *t, uint64_t set)
{
    t->saved_mask = t->mask;
    t->mask_saved = true;
    t->mask = set & ~UNBLOCKABLE;
}

static long pm_mask(struct message *m)
{
    const struct pm_mask_request *r = message_words(m);
    struct thread *t = thread_of((endpoint_t)r->thread);

    if (message_caller(m) != service_info()->vfs)
        return -EPERM;
    if (!t)
        return -ESRCH;
    if (r->begins) {
        mask_for_now(t, r->mask);
        signals_check(t);
    } else if (t->mask_saved) {
        t->mask = t->saved_mask;
        t->mask_saved = false;
        signals_check(t); /* what the call alone has blocked */
    }
    return 0;
}

static long sys_rt_sigsuspend(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t set;

    if (m->w[1] != 8)
        return -EINVAL;
    if (read_user(t, m->w[0], &set, sizeof set) < 0)
        return -EFAULT;
    mask_for_now(t, set);
    t->waits = WAIT_SUSPEND;
    if (signal_due(t))
        deliver_and_resume(t, -EINTR);
    return SERVICE_NO_REPLY;
}

static long sys_pause(struct message *m)
{
    thread_caller(m)->waits = WAIT_SUSPEND;
    return SERVICE_NO_REPLY;
}

/* What is pending already is taken without waiting, blocked as it is: that is what the call is for.
 * The signal is its result, and no handler runs. */
static long sys_rt_sigtimedwait(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t set, due, span = 0;
    int64_t time[2];

    if (m->w[3] != 8)
        return -EINVAL;
    if (read_user(t, m->w[0], &set, sizeof set) < 0 ||
        (m->w[2] && read_user(t, m->w[2], time, sizeof time) < 0))
        return -EFAULT;
    if (m->w[2] && time_of(time, NS_PER_SECOND, &span))
        return -EINVAL;
    set &= ~UNBLOCKABLE; /* a wait for all does not take them */
    due = (t->pending | t->process->pending) & set;
    if (due) {
        int signal = __builtin_ctzll(due) + 1;
        siginfo_t info = {.si_signo = signal, .si_code = SI_USER};

        info.si_pid = t->process->sender[signal];
        signal_taken(t, signal);
        if (m->w[1])
            write_user(t, m->w[1], &info, sizeof info);
        return signal;
    }
    if (m->w[2] && !span)
        return -EAGAIN;
    t->on.signal.set = set;
    t->on.signal.info = m->w[1];
    t->waits = WAIT_SIGNAL;
    t->deadline = m->w[2] ? time_after(clock_now(), span) : 0;
    timer_set();
    return SERVICE_NO_REPLY;
}

static long sys_sigaltstack(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct {
        uint64_t sp;
        uint32_t flags, pad;
        uint64_t size;
    } new = {0}, old = {t->alt_stack, 0, 0, t->alt_size};
    struct registers r;

    if (registers_get(t->endpoint, &r) < 0)
        return -EFAULT;
    old.flags = alternate_flags(t, r.rsp);
    if (m->w[0] && read_user(t, m->w[0], &new, sizeof new) < 0)
        return -EFAULT;
    if (m->w[1] && write_user(t, m->w[1], &old, sizeof old) < 0)
        return -EFAULT;
    if (!m->w[0])
        return 0;
    if (old.flags & SS_ONSTACK)
        return -EPERM;
    if (new.flags & ~(uint32_t)(SS_DISABLE | SS_ONSTACK))
        return -EINVAL;
    if (!(new.flags &SS_DISABLE) && new.size < MINSIGSTKSZ)
        return -ENOMEM;
    t->alt_stack = new.sp;
    t->alt_size = new.flags &SS_DISABLE ? 0 : new.size;
    return 0;
}

static bool may_signal(const struct process *from, const struct process *to, int signal)
{
    const struct credentials *a = &from->who, *b = &to->who;

    return !a->euid || a->euid == b->ruid || a->euid == b->suid || a->ruid == b->ruid ||
           a->ruid == b->suid || (signal == SIGCONT && from->sid == to->sid);
}

/* A service: RS ends it and replaces it. */
static long kill_service(const struct process *from, int pid, int signal)
{
    struct message m = message_of(
        RS_KILL, (struct rs_kill_request){.pid = (uint64_t)pid, .signal = (uint64_t)signal});

    if (from->who.euid)
        return -EPERM;
    return ipc_call(service_info()->rs, &m);
}

static long kill_one(struct process *from, struct process *to, int signal)
{
    if (!may_signal(from, to, signal))
        return -EPERM;
    if (signal)
        signal_process(to, signal, from->pid);
    return 0;
}

static bool in_target(const struct process *from, const struct process *p, int pid)
{
    if (pid == -1)
        return p->pid != INIT_PID && p != from;
    return p->pgid == (pid == 0 ? from->pgid : -pid);
}

static long kill_group(struct process *from, int pid, int signal)
{
    long result = -ESRCH;
    int group = pid == 0 ? -from->pgid : pid; /* `from` may be gone before the end */

    for_processes (p) {
        long one;

        if (p == from || !in_target(from, p, group))
            continue;
        one = kill_one(from, p, signal);
        if (one == 0 || result == -ESRCH)
            result = one;
    }
    if (in_target(from, from, group)) /* itself last */
        result = kill_one(from, from, signal);
    return result;
}

/* After the caller may have signalled itself: it must not be replied to when it is no longer
 * running this call. */
static long sys_kill(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct process *from = t->process, *to;
    int pid = (int32_t)m->w[0], signal = (int32_t)m->w[1];
    endpoint_t ep = t->endpoint;
    long result;

    if (signal && !good((uint64_t)signal))
        return -EINVAL;
    if (pid > INIT_PID && pid <= PID_SERVICE_MAX)
        return kill_service(from, pid, signal);
    t->waits = WAIT_KILL; /* blocked to us: a signal to itself is delivered at the end */
    if (pid > 0) {
        to = process_with_pid(pid);
        result = !to ? -ESRCH : kill_one(from, to, signal);
    } else
        result = kill_group(from, pid, signal);
    if (thread_of(ep) != t || t->waits != WAIT_KILL)
        return SERVICE_NO_REPLY; /* its handler runs, or it is stopped or dead */
    t->waits = WAIT_NONE;
    return result;
}

static long signal_tid(struct message *m, int group, int tid, int signal)
{
    struct thread *t = thread_caller(m), *to = thread_with_tid(tid);

    if (tid <= 0 || (signal && !good((uint64_t)signal)))
        return -EINVAL;
    if (!to || (group && to->process->pid != group))
        return -ESRCH;
    if (!may_signal(t->process, to->process, signal))
        return -EPERM;
    if (!signal)
        return 0;
    if (to != t) {
        signal_thread(to, signal, t->process->pid);
        return 0;
    }
    if (signal == SIGKILL) {
        signal_process(t->process, SIGKILL, t->process->pid);
        return t->process->state == PROCESS_ALIVE ? 0 : SERVICE_NO_REPLY; /* init */
    }
    t->process->sender[signal] = t->process->pid;
    t->pending |= bit_of(signal);
    if (!signal_due(t))
        return 0;
    deliver_and_resume(t, 0);
    return SERVICE_NO_REPLY;
}

static long sys_tkill(struct message *m)
{
    return signal_tid(m, 0, (int32_t)m->w[0], (int32_t)m->w[1]);
}

static long sys_tgkill(struct message *m)
{
    return (int32_t)m->w[0] <= 0
               ? -EINVAL
               : signal_tid(m, (int32_t)m->w[0], (int32_t)m->w[1], (int32_t)m->w[2]);
}

/* From servers: SIGPIPE, SIGINT and the like. */
static long pm_signal(struct message *m)
{
    const struct pm_signal_request *r = message_words(m);
    int target = (int32_t)r->target, signal = (int32_t)r->signal;
    long result = -ESRCH;

    if (thread_of(message_caller(m)) || (signal && !good((uint64_t)signal)))
        return -EINVAL;
    if (r->thread) {
        struct thread *t = thread_of((endpoint_t)r->thread);

        if (!t)
            return -ESRCH;
        if (signal)
            signal_thread(t, signal, 0);
        return 0;
    }
    for_processes (p)
        if (p->state == PROCESS_ALIVE && (target > 0 ? p->pid == target : p->pgid == -target)) {
            if (signal) /* 0 only asks whether there is anybody */
                signal_process(p, signal, 0);
            result = 0;
        }
    return result;
}

PM_TABLE(signal_calls, {SYS_rt_sigaction, sys_rt_sigaction},
         {SYS_rt_sigprocmask, sys_rt_sigprocmask}, {SYS_rt_sigreturn, sys_rt_sigreturn},
         {SYS_rt_sigpending, sys_rt_sigpending}, {SYS_rt_sigsuspend, sys_rt_sigsuspend},
         {SYS_pause, sys_pause}, {SYS_rt_sigtimedwait, sys_rt_sigtimedwait},
         {SYS_sigaltstack, sys_sigaltstack}, {SYS_kill, sys_kill}, {SYS_tkill, sys_tkill},
         {SYS_tgkill, sys_tgkill}, {PM_SIGNAL, pm_signal}, {PM_MASK, pm_mask})
