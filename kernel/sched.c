/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs. Ready processes stand in a queue for each priority; the one that runs stands in none. A process that has just been woken goes
 * into `woken` first, so that a call runs on straight into a waiting server, and a reply straight back, without
 * touching a queue.
 *
 * A service with a CPU budget that has used it up in this period of 100 ms stands at the lowest priority until the
 * period ends. Times here are in TSC ticks.
 */
#include "kernel/kernel.h"
#include "kernel/lock.h"

#define TURN_MS 10
#define PERIOD_MS 100

struct slot *current;
uint64_t context_switches;
volatile int kernel_lock_word;
static struct list ready[PRIORITIES];
static uint32_t ready_mask; /* bit: queue not empty */
static struct slot *woken;
static uint64_t since; /* when `current` began to run (or the CPU to idle) */
static uint64_t turn, period; /* in ticks */
static uint64_t timer_at = ~0ull, timer_ticks = ~0ull; /* what the timer is set to, in ns and as TSC */
static bool somebody_over; /* some process is over its budget */
static bool idle;

void sched_start(void)
{
    for (unsigned i = 0; i < PRIORITIES; i++)
        list_init(&ready[i]);
    turn = arch_tsc_hz / 1000 * TURN_MS;
    period = arch_tsc_hz / 1000 * PERIOD_MS;
    since = arch_tsc();
}

static void enqueue(struct slot *s, bool first)
{
    struct list *queue = &ready[s->ready_priority];

    list_insert(&s->link, first ? queue->next : queue);
    ready_mask |= 1u << s->ready_priority;
}

void sched_remove(struct slot *s)
{
    if (woken == s)
        woken = NULL;
    if (list_empty(&s->link))
        return;
    list_remove(&s->link);
    if (list_empty(&ready[s->ready_priority]))
        ready_mask &= ~(1u << s->ready_priority);
}

void sched_ready(struct slot *s)
{
    s->state = SLOT_READY;
    if (s->stopped || s == current)
        return;
    if (woken)
        enqueue(s, false);
    else
        woken = s;
}

/* Charge what `current` has used since last time. */
static void account(uint64_t now)
{
    struct slot *s = current;
    uint64_t used = now - since;

    since = now;
    if (!s || idle)
        return;
    s->cpu_ticks += used;
    if (!s->budget_permille)
        return;
    if (now - s->budget_period >= period) {
        s->budget_period = now;
        s->budget_used = 0;
    }
    s->budget_used += used;
    if (s->budget_used > period / 1000 * s->budget_permille && s->ready_priority == s->priority) {
        s->over_budget++;
        s->ready_priority = PRIORITIES - 1;
        somebody_over = true;
    }
}

/* Those whose period has ended are what they were. */
static void budgets_renew(uint64_t now)
{
    somebody_over = false;
    for (unsigned i = 1; i < slots_top; i++) {
        struct slot *s = &slots[i];
        bool queued;

        if (s->state == SLOT_FREE || s->ready_priority == s->priority)
            continue;
        if (now - s->budget_period < period) {
            somebody_over = true;
            continue;
        }
        queued = s->state == SLOT_READY && s != current && s != woken && !list_empty(&s->link);
        if (queued)
            sched_remove(s);
        s->budget_period = now;
        s->budget_used = 0;
        s->ready_priority = s->priority;
        if (queued)
            enqueue(s, false);
    }
}

void sched_timer(void)
{
    uint64_t now = arch_tsc();

    timer_at = timer_ticks = ~0ull;
    account(now);
    if (somebody_over)
        budgets_renew(now);
}

uint64_t ticks_to_ns(uint64_t ticks)
{
    return arch_scale(ticks, 1000000000, arch_tsc_hz);
}

static uint64_t ns_to_ticks(uint64_t ns)
{
    return arch_scale(ns, arch_tsc_hz, 1000000000);
}

/* The timer must go off by `when` (ns); an earlier setting does no harm and is left. */
static void timer_by(uint64_t when)
{
    if (when >= timer_at)
        return;
    timer_at = when;
    timer_ticks = ns_to_ticks(when);
    timer_ticks = timer_ticks < ~0ull - arch_tsc_boot ? timer_ticks + arch_tsc_boot : ~0ull;
    arch_timer_set(when);
}

/* While s runs: for deadlines and alarms, and at the end of its turn when that matters to anybody. */
static void timer_for(const struct slot *s)
{
    timer_by(clock_earliest);
    if ((ready_mask || s->budget_permille || somebody_over) && timer_ticks > s->turn_end)
        timer_by(ticks_to_ns(s->turn_end - arch_tsc_boot));
}

static struct slot *pick(struct slot *s)
{
    struct slot *best = woken;
    bool runs = s && s->state == SLOT_READY && !s->stopped;

    woken = NULL;
    if (runs && arch_tsc() >= s->turn_end && (ready_mask >> s->ready_priority & 1)) {
        enqueue(s, false); /* its turn is over */
        runs = false;
    }
    if (runs && (!best || s->ready_priority <= best->ready_priority)) {
        if (best)
            enqueue(best, false);
        best = s;
    } else if (runs)
        enqueue(s, true);
    if (ready_mask) {
        unsigned first = (unsigned)__builtin_ctz(ready_mask);

        if (!best || first < best->ready_priority) {
            if (best)
                enqueue(best, true);
            best = list_entry(ready[first].next, struct slot, link);
            sched_remove(best);
        }
    }
    return best;
}

static void switch_to(struct slot *next)
{
    uint64_t now = arch_tsc();

    account(now);
    context_switches++;
    next->turn_end = now + turn;
    current = next;
    arch_switch_to(next);
}

struct slot *sched_next(struct slot *s)
{
    struct slot *next = woken;

    if (s == current && s && !s->stopped && clock_earliest >= timer_at) {
        /* The two common cases: nothing has changed; a call or reply that goes straight to the one it has woken. */
        if (s->state == SLOT_READY && !next && !(ready_mask & ((2u << s->ready_priority) - 1)))
            return s;
        if (s->state != SLOT_READY && next && !(ready_mask & ((1u << next->ready_priority) - 1))) {
            woken = NULL;
            switch_to(next);
            if (ready_mask || next->budget_permille)
                timer_for(next);
            return next;
        }
    }
    while (!(next = pick(current))) {
        account(arch_tsc());
        idle = true;
        timer_by(clock_earliest);
        kernel_leave();
        arch_idle();
        kernel_enter();
        since = arch_tsc();
        idle = false;
    }
    if (next != current)
        switch_to(next);
    else if (arch_tsc() >= next->turn_end)
        next->turn_end = arch_tsc() + turn;
    timer_for(next);
    return next;
}

void sched_forget(struct slot *s)
{
    sched_remove(s);
    if (current == s)
        current = NULL;
}
