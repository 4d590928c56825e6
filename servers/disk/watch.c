/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches over the drivers' progress (stall.h says what that is), and over the deadline of each
 * request; complains to RS, which replaces the driver and has the device reset.
 */
#include <errno.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/disk.h"

#define DEADLINE_NS 10000000000ull /* for a request: then its driver is complained of */
#define REST_NS 1000000000ull /* between looks while nothing is under way */
#define DOUBT_NS 5000000ull
#define REPORT_NS 2000000ull /* between looks while requests wait for an IOMMU's report to go */

static uint64_t alarm_at, look_at; /* clock; the alarm may come before the next look */

static void arm(uint64_t when)
{
    alarm_at = when;
    clock_alarm(when);
}

static bool is_any(bool (*wants)(const struct adapter *a))
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++)
        if (!adapters[i]->is_gone && wants(adapters[i]))
            return true;
    return false;
}

static bool is_expecting(const struct adapter *a)
{
    return a->client.used != 0;
}

static bool is_stopped(const struct adapter *a)
{
    return dma_stopped(a) != 0;
}

void watch_expect(void)
{
    uint64_t now = clock_now(), next;

    if ((look_at <= now || look_at > now + STALL_LOOK) && is_any(is_expecting))
        look_at = now + STALL_LOOK;
    next = look_at;
    if (is_any(is_stopped)) /* nobody tells when pci has looked */
        next = now + REPORT_NS;
    if (alarm_at <= now || alarm_at > next)
        arm(next);
}

void watch_ended(struct adapter *a, int slot, uint64_t now)
{
    const struct block_request *r = block_request(&a->client, slot);
    uint64_t since = a->client.posted_ns[slot];

    if (&a->job[slot] == a->probe)
        return;
    a->ended++;
    if (since < a->fresh_ns) /* what its predecessor has not done says nothing of the disk */
        since = a->fresh_ns;
    stall_learn(&a->stall, r->operation == BLOCK_FLUSH ? STALL_FLUSH : STALL_TRANSFER,
                now > since ? now - since : 0);
}

void watch_driver(struct adapter *a)
{
    if (a->seen == a->client.incarnation)
        return;
    a->seen = a->client.incarnation;
    a->fresh_ns = clock_now();
    a->is_reset = queue_read(&a->client.queue->header.driver_state) == QUEUE_DRIVER_RESET;
    news_ask_again(a);
}

/* ---- writes that stay ---- */

/* Has one got on? A burner is slow, is not to be hurried, and shows how far it is; a complaint would
 * spoil the disc. What counts is within the request, and lies ahead of what counted before. */
static bool is_burning_on(struct adapter *a, int slot)
{
    const struct block_request *r = block_request(&a->client, slot);
    uint64_t refused, next;

    if (!adapter_must_not_repeat(a, slot))
        return false;
    next = unit_next(a, r->unit % BLOCK_UNITS, &refused);
    if (next <= r->sector || next > r->sector + r->sectors || next <= a->job[slot].burnt)
        return false;
    a->job[slot].burnt = next;
    return true;
}

/* Then nobody is stuck, and what waits for it has all its time once more. */
static void look_at_burners(struct adapter *a, uint64_t now)
{
    uint32_t open = a->is_gone ? 0 : a->client.used & ~a->client.held;
    bool moves = false;

    for (uint32_t rest = open; rest; rest &= rest - 1)
        moves |= is_burning_on(a, __builtin_ctz(rest));
    if (!moves)
        return;
    a->ended++;
    for (uint32_t rest = open; rest; rest &= rest - 1)
        a->client.posted_ns[__builtin_ctz(rest)] = now;
}

/* ---- questions ---- */

static void answered(struct job *job, int error)
{
    (void)error;
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++)
        if (adapters[i]->probe == job)
            adapters[i]->probe = NULL;
}

/* No such operation: every driver says so, and need not ask its device. */
static void ask(struct adapter *a)
{
    struct block_request *r;
    struct job *job = adapter_begin(a, &r);

    if (!job)
        return;
    r->operation = 0;
    job->done = answered;
    a->probe = job;
    adapter_post_raw(a, job);
}

/* ---- complaints ---- */

/* Something has ended after all. The clock of a machine may run ahead of its disks while nobody
 * uses the processor; so the last look is one that uses it. */
static bool ends_after_all(struct adapter *a)
{
    uint64_t end = clock_now() + DOUBT_NS;

    do {
        if (block_finished(&a->client, clock_now()))
            return true;
    } while (clock_now() < end);
    return false;
}

static struct stall_view view_of(const struct adapter *a, uint64_t now)
{
    struct stall_view v = {.now = now,
                           .ended = a->ended,
                           .incarnation = a->client.incarnation,
                           .is_asked = a->probe != NULL};

    for (uint32_t rest = a->is_gone ? 0 : a->client.used & ~a->client.held; rest;
         rest &= rest - 1) {
        unsigned k = (unsigned)__builtin_ctz(rest);

        if (&a->job[k] != a->probe)
            v.is_open[a->client.request[k].operation == BLOCK_FLUSH ? STALL_FLUSH
                                                                    : STALL_TRANSFER] = true;
    }
    return v;
}

static void look(struct adapter *a, uint64_t now)
{
    struct stall_view v = view_of(a, now);
    enum stall_verdict verdict = stall_check(&a->stall, &v);

    if (verdict == STALL_PROBE)
        ask(a);
    if (verdict < STALL_IS_DEAF || ends_after_all(a))
        return;
    log_info("driver %.16s %s", a->place.driver,
             verdict == STALL_IS_DEAF ? "does not look at its queue any more"
                                      : "ends no request any more");
    service_complain(a->place.driver, a->client.driver, COMPLAINT_DEADLINE);
}

static void look_at_deadlines(struct adapter *a)
{
    uint64_t now = clock_now(); /* a question may just have been posted */
    bool late = false;

    for (uint32_t rest = a->is_gone ? 0 : a->client.used & ~a->client.held; rest;
         rest &= rest - 1) {
        int k = __builtin_ctz(rest);

        if (now - a->client.posted_ns[k] < DEADLINE_NS)
            continue;
        if (!late && ends_after_all(a))
            return;
        a->client.posted_ns[k] = now;
        late = true;
        if (++a->job[k].late >= LATE_MAX)
            block_abandon(&a->client, k);
    }
    if (late)
        service_complain(a->place.driver, a->client.driver, COMPLAINT_DEADLINE);
}

void watch_look(void)
{
    uint64_t now = clock_now();

    if (now < look_at)
        return;
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++) {
        look_at_burners(adapters[i], now);
        look(adapters[i], now);
        look_at_deadlines(adapters[i]);
        if (news_are_late(adapters[i], now))
            news_ask_again(adapters[i]); /* and believed in any case */
    }
    now = clock_now();
    look_at = now + (is_any(is_expecting) ? STALL_LOOK : REST_NS);
    arm(look_at);
}

void watch_soon(void)
{
    arm(clock_now());
}
