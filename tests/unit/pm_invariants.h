/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds of PM's tables, and between them and the kernel, whenever PM waits for a message. */
#ifndef PM_INVARIANTS_H
#define PM_INVARIANTS_H

#include "tests/unit/pm_others.h"

static void not_so(const char *what, const struct process *p, const struct thread *t)
{
    fprintf(stderr, "process %d (state %d, %u threads, stopped %d, pending %lx)", p ? p->pid : 0,
            p ? (int)p->state : 0, p ? p->threads : 0, p ? p->stopped : 0,
            p ? (unsigned long)p->pending : 0);
    if (t)
        fprintf(stderr, ", thread %d (%d: waits %d, cancelling %d, in exec %d, ending %d)", t->tid,
                t->endpoint, (int)t->waits, t->cancelling, t->in_exec, t->ending);
    fprintf(stderr, "\n");
    panic("not so: %s", what);
}

#define holds(condition, p, t)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            not_so(#condition, p, t);                                                              \
    } while (0)

static bool process_in_table(const struct process *p)
{
    return p >= processes && p < processes + PROCESSES && p->state != PROCESS_UNUSED;
}

static void process_holds(const struct process *p)
{
    unsigned n = 0;

    for_threads (t)
        n += t->process == p;
    holds(n == p->threads, p, NULL);
    holds((p->state == PROCESS_ZOMBIE) == (n == 0), p, NULL);
    holds(p->pid == INIT_PID || p->parent, p, NULL);
    for (int signal = 1; signal <= SIGNALS; signal++) {
        const struct action *a = &p->actions[signal];

        holds((p->actions_set & bit_of(signal)) ||
                  !(a->handler || a->flags || a->restorer || a->mask),
              p, NULL);
    }
    holds(!p->parent || process_in_table(p->parent), p, NULL);
    holds(!p->parent || p->parent->state != PROCESS_ZOMBIE, p, NULL);
    holds(process_with_pid(p->pid) == p, p, NULL); /* no second one */
    holds(p->state == PROCESS_ALIVE || !p->interval_next, p, NULL);
    holds(!p->interval_next || (alarm_at && alarm_at <= p->interval_next) || notified_bits, p,
          NULL);
}

/* Where the kernel has it is where PM believes it to be. */
static void place_holds(const struct thread *t)
{
    const struct program *at = program_of(t->endpoint);
    bool waits_here;

    holds(at, t->process, t);
    waits_here = at->blocked && at->taken && at->peer == EP_PM;
    holds(waits_here == (t->waits != WAIT_NONE), t->process, t);
    holds(t->waits != WAIT_KILL, t->process, t);
    if (t->ending)
        holds(at->blocked && at->peer == EP_VFS && at->message.type == VFS_EXIT, t->process, t);
    else if (t->cancelling)
        holds(at->blocked &&
                  ((at->peer == EP_VFS && at->message.type == VFS_CANCEL) ||
                   (at->peer == EP_PM && !at->taken && at->message.type == PM_CANCELLED)),
              t->process, t);
    holds(at->known_to_vm, t->process, t);
}

static void waiting_holds(struct thread *t)
{
    struct process *p = t->process;

    holds(!t->deadline || (alarm_at && alarm_at <= t->deadline) || notified_bits, p, t);
    holds(t->waits != WAIT_SLEEP || t->deadline, p, t);
    holds(t->waits != WAIT_FUTEX || t->on.futex.space == p, p, t);
    if (t->waits == WAIT_SIGNAL)
        holds(!((t->pending | p->pending) & t->on.signal.set), p, t);
    if (t->waits == WAIT_VFORK) {
        const struct thread *child = t->on.vfork.child;

        holds(child->process && process_in_table(child->process), p, t);
        holds(child->process->parent == p, p, t);
    }
}

/* As signal_due(), and changes nothing: what is ignored counts, for it should not be pending. */
static bool due(const struct thread *t)
{
    return (t->pending | t->process->pending) & ~t->mask;
}

/* One is coming that takes what is for the process. */
static bool another_takes(const struct process *p)
{
    for_threads (t)
        if (t->process == p && t->cancelling && due(t))
            return true;
    return false;
}

static void signals_hold(struct thread *t)
{
    struct process *p = t->process;
    bool on_its_way = t->ending || t->cancelling || t->in_exec || t->waits == WAIT_VFORK;

    holds(!(t->mask & (bit_of(SIGKILL) | bit_of(SIGSTOP))), p, t);
    holds(!((t->pending | p->pending) & bit_of(SIGKILL)), p, t);
    holds(p->state != PROCESS_ENDING || t->ending, p, t);
    if (p->state != PROCESS_ALIVE || on_its_way)
        return;
    holds(p->stopped == (t->waits == WAIT_STOPPED), p, t);
    holds(p->stopped || !due(t) || another_takes(p), p, t); /* nobody would tell it */
}

/* Beyond the ends nothing is used, and before them something. */
static void ends_hold(void)
{
    for (struct process *p = processes + table_ends.processes; p < processes + PROCESSES; p++)
        holds(p->state == PROCESS_UNUSED, p, NULL);
    for (struct thread *t = threads + table_ends.threads; t < threads + THREADS; t++)
        holds(!t->process, t->process, t);
    holds(!table_ends.processes || processes[table_ends.processes - 1].state != PROCESS_UNUSED,
          NULL, NULL);
    holds(!table_ends.threads || threads[table_ends.threads - 1].process, NULL, NULL);
}

static void all_holds(void)
{
    unsigned slots = 0;

    ends_hold();
    for_processes (p)
        process_holds(p);
    for_threads (t) {
        slots++;
        holds(process_in_table(t->process), t->process, t);
        holds(thread_of(t->endpoint) == t, t->process, t);
        holds(thread_with_tid(t->tid) == t, t->process, t);
        place_holds(t);
        waiting_holds(t);
        signals_hold(t);
    }
    holds(slots == slots_used, NULL, NULL);
}

#endif
