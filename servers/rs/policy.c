/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/rs/policy.h"

#define SHIFT_MAX 32

static void drop_old(struct policy *p, uint64_t now)
{
    while (p->count > 0) {
        uint64_t oldest = p->failure[(p->end + p->room - p->count) % p->room];

        if (oldest + p->limits.window > now)
            break;
        p->count--;
    }
}

/* With this one there were more than POLICY_CROWD in the last second. */
static bool is_crowded(const struct policy *p, uint64_t now)
{
    return p->count > POLICY_CROWD &&
           p->failure[(p->end + p->room - 1 - POLICY_CROWD) % p->room] + SECOND > now;
}

static uint64_t backoff(const struct policy *p)
{
    uint64_t delay;
    uint32_t beyond;

    if (p->count <= p->limits.free)
        return 0;
    beyond = p->count - p->limits.free - 1;
    delay = beyond < SHIFT_MAX ? p->limits.first << beyond : p->limits.most;
    return delay > p->limits.most ? p->limits.most : delay;
}

struct policy_verdict policy_failure(struct policy *p, uint64_t now)
{
    struct policy_verdict verdict = {0};

    drop_old(p, now);
    if (p->count == p->room)
        p->count--; /* the oldest gives way; the budget is spent in any case */
    p->failure[p->end] = now;
    p->end = (p->end + 1) % p->room;
    p->count++;
    verdict.failures = p->count;
    verdict.give_up = p->count > p->limits.budget;
    verdict.delay = backoff(p);
    if (verdict.delay < POLICY_CROWD_DELAY && is_crowded(p, now))
        verdict.delay = POLICY_CROWD_DELAY;
    return verdict;
}

uint32_t policy_failures(const struct policy *p, uint64_t now)
{
    struct policy left = *p;

    drop_old(&left, now);
    return left.count;
}

void policy_forgive(struct policy *p)
{
    p->count = 0;
}

uint64_t policy_lasts(const struct policy_limits *limits, uint64_t life)
{
    uint64_t failure[1 + 1024] = {0}, now = 0;
    struct policy p = {.limits = *limits, .failure = failure, .room = policy_room(limits)};
    struct policy_verdict v;

    if (p.room > sizeof failure / sizeof *failure)
        return ~0ull;
    for (uint32_t i = 0; i <= limits->budget; i++) {
        now += life;
        v = policy_failure(&p, now);
        if (v.give_up)
            return now;
        now += v.delay;
    }
    return ~0ull;
}

uint64_t policy_useless_life(const struct heartbeat *h)
{
    uint64_t spins = h->high + h->low; /* it is looked at twice in the low mark */

    return spins > START_BUSY ? spins : START_BUSY;
}

bool futile_failure(struct futile *f, uint64_t now, uint64_t lived, uint64_t useful)
{
    if (useful != f->useful || now - f->last > FUTILE_APART)
        f->lives = f->spent = 0;
    f->useful = useful;
    f->last = now;
    if (lived < FUTILE_LIFE)
        return false;
    f->lives++;
    f->spent += lived;
    return f->lives >= FUTILE_LIVES || (f->lives > 1 && f->spent + lived > FUTILE_TIME);
}

/* ---- looks ---- */

void looks_begin(struct looks *l, uint64_t now, uint64_t cpu_ns)
{
    *l = (struct looks){now, cpu_ns};
}

struct look looks_next(struct looks *l, uint64_t now, uint64_t cpu_ns, uint64_t period)
{
    struct look look = {.now = now, .elapsed = now - l->at, .used = cpu_ns - l->cpu};

    if (look.elapsed < period / 2)
        return (struct look){.now = now}; /* it stays in what the next one will see */
    if (look.elapsed > 2 * period)
        look.elapsed = look.used = 0;
    if (look.used > look.elapsed)
        look.used = look.elapsed;
    looks_begin(l, now, cpu_ns);
    return look;
}

/* ---- heartbeat ---- */

void pulse_begin(struct pulse *p)
{
    *p = (struct pulse){0};
}

static bool blocked(const struct slot_status *s)
{
    return s->state == SLOT_CALLING_STATE || s->state == SLOT_RECEIVING_ONE;
}

/* What of a look was its own time, what was waiting. */
static void pulse_count(struct pulse *p, const struct slot_status *s, const struct look *look)
{
    p->given |= look->used != 0;
    if (!blocked(s) && look->used != 0 && look->used >= look->elapsed / 4)
        p->busy += look->elapsed;
    else if (blocked(s) || p->given)
        p->silent += look->elapsed;
    /* else it was never let run: that is not its fault */
}

enum pulse_verdict pulse_check(struct pulse *p, const struct slot_status *s,
                               const struct look *look, const struct heartbeat *h)
{
    uint64_t silent;

    if (s->state == SLOT_RECEIVING || s->state == SLOT_STOPPED || s->receives != p->receives) {
        *p = (struct pulse){.receives = s->receives};
        return PULSE_ALIVE;
    }
    if (s->state == SLOT_FAULTED) /* nobody wanted to hear of its exception */
        return PULSE_STUCK;
    pulse_count(p, s, look);
    silent = p->silent + p->busy;
    if (p->busy >= h->high || silent >= PULSE_PATIENCE * h->high)
        return PULSE_STUCK;
    return p->busy >= h->low || silent >= PULSE_PATIENCE * h->low ? PULSE_SLOW : PULSE_WAIT;
}

bool pulse_start_over(struct pulse *p, const struct slot_status *s, const struct look *look,
                      uint64_t silent_least)
{
    uint64_t limit = silent_least > START_SILENT ? silent_least : START_SILENT;

    if (s->state == SLOT_READY)
        p->busy += look->used; /* what counts is the time that it was given */
    else
        p->silent += look->elapsed;
    if (s->state == SLOT_CALLING_STATE)
        limit *= START_CALLS;
    return p->busy >= START_BUSY || p->silent >= limit;
}

/* ---- shares of the CPU ---- */

uint32_t share_permille(uint32_t cpu, bool is_driver, bool is_client, bool is_essential)
{
    if (cpu != 0)
        return cpu;
    if (is_driver)
        return SHARE_DRIVER;
    if (is_client)
        return SHARE_CLIENT;
    return is_essential ? 0 : SHARE_SERVER;
}

void share_begin(struct share *s, uint64_t useful)
{
    *s = (struct share){.credit = (int64_t)SHARE_START, .useful = useful};
}

static int64_t burst_of(uint32_t permille)
{
    return (int64_t)(SHARE_BURST / 1000 * permille);
}

void share_ready(struct share *s, uint32_t permille)
{
    if (permille != 0 && s->credit > burst_of(permille))
        s->credit = burst_of(permille);
}

void share_check(struct share *s, const struct look *look, uint32_t permille, uint64_t useful,
                 bool is_strict)
{
    int64_t most = burst_of(permille), before = s->credit;
    uint64_t free = look->elapsed / 4000 * permille, used = look->used + look->vain;
    bool over = look->used > look->elapsed / 1000 * permille;

    if (look->elapsed == 0)
        return;
    s->credit += (int64_t)(look->elapsed / 1000 * permille) - (int64_t)used;
    if (s->credit > most &&
        s->credit > before) /* what was given for the start stays until it is used */
        s->credit = before > most ? before : most;
    if (s->credit < -most) /* what nobody else wanted is not held against it for ever */
        s->credit = -most;
    s->low = s->credit < 0 && (is_strict || useful == s->useful || look->vain > free);
    s->over = over ? s->over + look->elapsed : 0;
    s->useless = useful == s->useful ? less(s->useless + used, free) : 0;
    s->vain = less(s->vain + look->vain, free);
    s->useful = useful;
}

bool share_is_storm(const struct share *s)
{
    return s->useless >= SHARE_USELESS || s->vain >= SHARE_USELESS;
}

/* ---- floods of interrupts ---- */

void flood_begin(struct flood *f, uint64_t interrupts, uint64_t useful)
{
    *f = (struct flood){interrupts, useful, 0};
}

bool flood_check(struct flood *f, const struct look *look, uint64_t interrupts, uint64_t useful)
{
    uint64_t came = interrupts - f->interrupts;
    uint64_t due = (useful - f->useful) * FLOOD_EACH + look->elapsed / MS * FLOOD_RATE / 1000;

    f->interrupts = interrupts;
    f->useful = useful;
    if (look->elapsed == 0) /* too late a look, or too soon: it says nothing of a rate */
        return false;
    f->lasts = came > due ? f->lasts + look->elapsed : 0;
    return f->lasts >= FLOOD_LASTS;
}
