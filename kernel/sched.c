/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs. Ready processes stand in a queue for each priority; the one that runs stands in none. A
 * process that has just been woken goes into `woken` first, so that a call runs on straight into a
 * waiting server, and a reply straight back, without touching a queue. The fast path (fast.c) does
 * the same for the most frequent of these without coming here.
 *
 * A service with a CPU budget that has used it up in this period of 100 ms stands at the lowest
 * priority until the period ends. Times here are in TSC ticks.
 */
#include "kernel/kernel.h"
#include "kernel/lock.h"

#define TURN_MS 10
#define PERIOD_MS 100
#define QUEUES ((1u << PRIORITIES) - 1)

struct slot *current;
uint64_t context_switches;
volatile int kernel_lock_word;
struct schedule schedule = {.timer = ~0ull};
static struct list ready[PRIORITIES];
static struct slot *woken;
static uint64_t period; /* of budgets */
static uint64_t timer_at = ~0ull; /* schedule.timer in ns */
static bool idle;

void sched_start(void)
{
    for (unsigned i = 0; i < PRIORITIES; i++)
        list_init(&ready[i]);
    schedule.turn = arch_tsc_hz / 1000 * TURN_MS;
    schedule.since = arch_tsc();
    period = arch_tsc_hz / 1000 * PERIOD_MS;
}

static void enqueue(struct slot *s, bool first)
{
    struct list *queue = &ready[s->ready_priority];

    list_insert(&s->link, first ? queue->next : queue);
    schedule.ready |= 1u << s->ready_priority;
}

void sched_remove(struct slot *s)
{
    if (woken == s)
        woken = NULL;
    if (list_empty(&s->link))
        return;
    list_remove(&s->link);
    if (list_empty(&ready[s->ready_priority]))
        schedule.ready &= ~(1u << s->ready_priority);
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
    uint64_t used = now - schedule.since;

    schedule.since = now;
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
        schedule.ready |= SOMEBODY_OVER;
    }
}

/* Those whose period has ended are what they were. */
static void budgets_renew(uint64_t now)
{
    schedule.ready &= ~SOMEBODY_OVER;
    for (unsigned i = 1; i < slots_top; i++) {
        struct slot *s = &slots[i];
        bool queued;

        if (s->state == SLOT_FREE || s->ready_priority == s->priority)
            continue;
        if (now - s->budget_period < period) {
            schedule.ready |= SOMEBODY_OVER;
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

    timer_at = schedule.timer = ~0ull;
    account(now);
    if (schedule.ready & SOMEBODY_OVER)
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
    schedule.timer = ns_to_ticks(when);
    schedule.timer =
        schedule.timer < ~0ull - arch_tsc_boot ? schedule.timer + arch_tsc_boot : ~0ull;
    arch_timer_set(when);
}

/* While s runs: for deadlines and alarms, and at the end of its turn when that matters
 * to anybody. */
static void timer_for(const struct slot *s)
{
    timer_by(clock_earliest);
    if ((schedule.ready || s->budget_permille) && schedule.timer > s->turn_end)
        timer_by(ticks_to_ns(s->turn_end - arch_tsc_boot));
}

static bool turn_over(const struct slot *s, uint64_t now)
{
    return now >= s->turn_end && (schedule.ready >> s->ready_priority & 1);
}

/* The best of the one that runs, the woken one and the queues. Equals take turns, also those who
 * call each other all the time: a turn goes on over calls, and who comes back from one when it is
 * over goes to the end. */
static struct slot *pick(struct slot *s)
{
    struct slot *best = woken;
    uint64_t now = arch_tsc();
    bool runs = s && s->state == SLOT_READY && !s->stopped;

    woken = NULL;
    if (best && ((runs && s->ready_priority <= best->ready_priority) || turn_over(best, now))) {
        enqueue(best, false);
        best = NULL;
    }
    if (runs && (best || turn_over(s, now)))
        enqueue(s, !turn_over(s, now));
    else if (runs)
        best = s;
    if (schedule.ready & QUEUES) {
        unsigned first = (unsigned)__builtin_ctz(schedule.ready);

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

    context_switches++;
    if (now >= next->turn_end)
        next->turn_end = now + schedule.turn;
    current = next;
}

/* The general case: looks at all there is, and idles while there is nothing. */
static __attribute__((noinline)) struct slot *choose(void)
{
    struct slot *next;

    account(arch_tsc()); /* first: who has used up its budget goes into another queue */
    while (!(next = pick(current))) {
        bool busy = frame_clear_ahead();

        idle = true;
        timer_by(clock_earliest);
        kernel_leave();
        arch_idle(!busy);
        kernel_enter();
        schedule.since = arch_tsc();
        idle = false;
    }
    if (next != current)
        switch_to(next);
    else if (arch_tsc() >= next->turn_end)
        next->turn_end = arch_tsc() + schedule.turn;
    timer_for(next);
    return next;
}

struct slot *sched_next(struct slot *s)
{
    struct slot *next = woken;
    uint64_t now = arch_tsc();

    if (s && !s->stopped && clock_earliest >= timer_at) {
        /* The two common cases: nothing has changed; a call or reply that goes straight to the one
         * it has woken. */
        if (s->state == SLOT_READY && !next && !(schedule.ready & ((2u << s->ready_priority) - 1)))
            return s;
        if (s->state != SLOT_READY && next && !((s->special | next->special) & SPECIAL_BUDGET) &&
            sched_straight(next, now)) {
            woken = NULL;
            sched_switch(s, next, now);
            return next;
        }
    }
    return choose();
}

void sched_forget(struct slot *s)
{
    sched_remove(s);
    if (current == s)
        current = NULL;
}
