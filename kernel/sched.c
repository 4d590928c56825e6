/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs. Ready processes stand in a queue for each priority; the one that runs stands in none. A
 * process that has just been woken goes into `woken` first, so that a call runs on straight into a
 * waiting server, and a reply straight back, without touching a queue. The fast path (fast.c) does
 * the same for the most frequent of these without coming here.
 *
 * Who may use how much of the CPU is RS's business, which looks at what each has used and sets
 * priorities. Times here are in TSC ticks.
 */
#include "kernel/kernel.h"
#include "kernel/lock.h"

/* Below the 10 ms that a call may keep others waiting (docs/bounds.md): it goes on over calls. */
#define TURN_MS 8

struct slot *current;
volatile int kernel_lock_word;
struct schedule schedule = {.timer = ~0ull};
static struct list ready[PRIORITIES];
static const struct slot *turns[PRIORITIES]; /* whose it is, of that priority */
static struct slot *woken;
static uint64_t timer_at = ~0ull; /* schedule.timer in ns */
static bool idle;

void sched_start(void)
{
    for (unsigned i = 0; i < PRIORITIES; i++)
        list_init(&ready[i]);
    schedule.turn = arch_tsc_hz / 1000 * TURN_MS;
    schedule.since = arch_tsc();
}

static void enqueue(struct slot *s, bool first)
{
    struct list *queue = &ready[s->priority];

    list_insert(&s->link, first ? queue->next : queue);
    schedule.ready |= 1u << s->priority;
}

void sched_remove(struct slot *s)
{
    if (woken == s)
        woken = NULL;
    if (list_empty(&s->link))
        return;
    list_remove(&s->link);
    if (list_empty(&ready[s->priority]))
        schedule.ready &= ~(1u << s->priority);
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
    if (current && !idle)
        sched_charge(current, now);
    schedule.since = now;
}

void sched_timer(void)
{
    uint64_t now = arch_tsc();

    timer_at = schedule.timer = ~0ull;
    account(now);
}

/* The timer is set anew, as it was meant by the old rate. */
long call_clock_rate(struct slot *s, const uint64_t *a)
{
    uint64_t now = arch_tsc(), ticks;

    (void)s;
    if (a[0] < arch_tsc_hz - arch_tsc_hz / 100 || a[0] > arch_tsc_hz + arch_tsc_hz / 100)
        return -EINVAL;
    ticks = arch_scale(now - kernel_page.tsc_boot, a[0], kernel_page.tsc_hz) + 1; /* never back */
    kernel_page.tsc_boot = now - ticks;
    kernel_page.tsc_hz = a[0];
    timer_at = schedule.timer = ~0ull;
    return 0;
}

uint64_t ticks_to_ns(uint64_t ticks)
{
    return arch_scale(ticks, 1000000000, arch_tsc_hz);
}

/* The timer must go off by `when` (ns); an earlier setting does no harm and is left. */
static void timer_by(uint64_t when)
{
    if (when >= timer_at)
        return;
    timer_at = when;
    schedule.timer = arch_clock_ticks(when);
    arch_timer_set(when);
}

/* While s runs: for deadlines and alarms, and at the end of its turn when that matters
 * to anybody. */
static void timer_for(const struct slot *s)
{
    uint64_t left = guard_left(s);

    timer_by(clock_earliest);
    if (left != ~0ull)
        timer_by(arch_clock(arch_tsc() + left));
    if (schedule.ready && schedule.timer > s->turn_end)
        timer_by(arch_clock(s->turn_end));
}

static bool turn_over(const struct slot *s, uint64_t now)
{
    return now >= s->turn_end && (schedule.ready >> s->priority & 1);
}

/* None of its equals has run since its turn began. */
static bool in_turn(const struct slot *s, uint64_t now)
{
    return turns[s->priority] == s && now < s->turn_end;
}

static struct slot *dequeue(unsigned priority)
{
    struct slot *s = list_entry(ready[priority].next, struct slot, link);

    sched_remove(s);
    return s;
}

/* The first of them, unless its turn has passed while it stood there: then it is the next one's. */
static struct slot *first_of(unsigned priority, uint64_t now)
{
    struct slot *s = dequeue(priority);

    if (turns[priority] != s || !turn_over(s, now))
        return s;
    enqueue(s, false);
    return dequeue(priority);
}

/* The best of the one that runs, the woken one and the queues. Equals take turns, also those who
 * call each other all the time: a turn goes on over calls, even if the server has others to answer
 * before it waits, or a call would cost as much as all turns of all equals. Who comes back from one
 * when its turn is over goes to the end. */
static struct slot *pick(struct slot *s)
{
    struct slot *best = woken;
    uint64_t now = arch_tsc();
    bool runs = s && s->state == SLOT_READY && !s->stopped;

    woken = NULL;
    if (best && ((runs && s->priority <= best->priority) || turn_over(best, now))) {
        enqueue(best, in_turn(best, now));
        best = NULL;
    }
    if (runs && (best || turn_over(s, now)))
        enqueue(s, !turn_over(s, now));
    else if (runs)
        best = s;
    if (schedule.ready) {
        unsigned first = (unsigned)__builtin_ctz(schedule.ready);

        if (!best || first < best->priority) {
            if (best)
                enqueue(best, true);
            best = first_of(first, now);
        }
    }
    return best;
}

static void switch_to(struct slot *next)
{
    uint64_t now = arch_tsc();

    kernel_page.info.context_switches++;
    if (now >= next->turn_end)
        next->turn_end = now + schedule.turn;
    turns[next->priority] = next;
    current = next;
}

/* The general case: looks at all there is, and idles while there is nothing. */
static __attribute__((noinline)) struct slot *choose(void)
{
    struct slot *next;

    account(arch_tsc());
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
        if (s->state == SLOT_READY && !next && !(schedule.ready & ((2u << s->priority) - 1)))
            return s;
        if (s->state != SLOT_READY && next && sched_straight(next, now)) {
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
