/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bad news from drivers: a request failed, a disk is gone. It is told to nobody until it is clear
 * that it is not the driver that is ill (doubt.h).
 *
 * A place of a disk may be bad, and then no fresh driver is needed to know it: a read of which the
 * device says that it has failed is done once more with another place that was read well of late,
 * and then with its own. Where the one succeeds and the other does not, the news is true, as long as
 * it was one driver that did all that. (The same memory is used, so nobody may take it over
 * meanwhile: the request has no cookie.) Of all else that is said of a request, that there is no
 * disk, or no such sector, another place tells nothing: a driver is ill as a rule that says so.
 *
 * Only one that has set its device up anew knows better than the one before it: one that has adopted
 * it has the disks from its predecessor, by the queue.
 */
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/disk.h"

/* It says so, and `before` it (0: nobody) another one did, too. */
static bool is_confirmed(const struct adapter *a, uint32_t before)
{
    return before && before != a->client.incarnation && a->is_reset;
}

/* No fresh driver has come to be asked, in all that time. */
static bool is_alone(struct adapter *a, uint64_t now)
{
    if (!doubt_is_late(&a->doubt, now, a->client.incarnation))
        return false;
    if (!driver_is_away(a))
        return true;
    a->doubt.since = now; /* one is about to: its device may take long to come up */
    return false;
}

static bool may_believe(struct adapter *a, uint32_t before, const char *what)
{
    uint64_t now = clock_now();
    uint32_t by = a->client.incarnation;
    enum doubt_verdict verdict = doubt_check(&a->doubt, now, by, is_confirmed(a, before));

    if (verdict == DOUBT_WAIT && is_alone(a, now))
        verdict = doubt_check(&a->doubt, now, by, true);
    if (verdict == DOUBT_COMPLAIN) {
        log_info("driver %.16s says that %s: a fresh one is asked", a->place.driver, what);
        service_complain(a->place.driver, a->client.driver, COMPLAINT_USELESS);
    }
    return verdict == DOUBT_BELIEVE;
}

/* ---- disks ---- */

static bool is_same(const struct block_unit *a, const struct block_unit *b)
{
    return a->flags == b->flags && a->sectors == b->sectors && a->logical_size == b->logical_size &&
           strncmp(a->model, b->model, sizeof a->model) == 0 &&
           strncmp(a->serial, b->serial, sizeof a->serial) == 0;
}

static void take_unit(struct adapter *a, unsigned n, const struct block_unit *said)
{
    uint32_t generation = a->unit[n].generation;

    a->unit[n] = *said;
    a->unit[n].generation = generation + 1;
    a->good_sectors[n] = 0;
    a->unit_doubted[n] = 0;
}

void news_of_units(struct adapter *a)
{
    for (unsigned n = 0; n < BLOCK_UNITS && a->client.incarnation; n++) {
        struct block_unit said = *(const volatile struct block_unit *)&a->client.queue->unit[n];
        uint32_t doubted = a->unit_doubted[n];

        if (is_same(&said, &a->unit[n])) {
            a->unit_doubted[n] = 0;
            continue;
        }
        a->unit_doubted[n] = a->client.incarnation;
        if (!(a->unit[n].flags & BLOCK_UNIT_PRESENT) ||
            may_believe(a, doubted, "a disk is not there now"))
            take_unit(a, n, &said);
    }
}

/* ---- requests ---- */

/* What the news should not be, as far as we know. */
static bool is_doubtful(struct adapter *a, int slot, uint32_t status)
{
    const struct job *job = &a->job[slot];
    uint32_t flags = a->unit[block_request(&a->client, slot)->unit % BLOCK_UNITS].flags;

    if (job == a->probe || job->late >= LATE_MAX || status == BLOCK_LOST ||
        adapter_must_not_repeat(a, slot))
        return false;
    if (status == BLOCK_GONE)
        return flags & BLOCK_UNIT_PRESENT;
    return status != BLOCK_READ_ONLY || !(flags & BLOCK_UNIT_READ_ONLY);
}

/* The read goes to another place. False: none is known. */
static bool go_elsewhere(struct adapter *a, int slot, uint32_t status)
{
    struct block_request *r = block_request(&a->client, slot);
    struct job *job = &a->job[slot];
    unsigned n = r->unit % BLOCK_UNITS;

    if (r->operation != BLOCK_READ || status != BLOCK_ERROR || job->was_elsewhere ||
        a->good_sectors[n] < r->sectors ||
        (a->good[n] < r->sector + r->sectors && r->sector < a->good[n] + r->sectors))
        return false;
    job->sector = r->sector;
    job->cookie = r->cookie;
    job->status = status;
    job->is_elsewhere = job->was_elsewhere = true;
    r->sector = a->good[n];
    r->cookie = 0;
    block_post(&a->client, slot, clock_now());
    return true;
}

static void come_home(struct adapter *a, int slot)
{
    struct block_request *r = block_request(&a->client, slot);
    struct job *job = &a->job[slot];

    r->sector = job->sector;
    r->cookie = job->cookie;
    job->is_elsewhere = false;
}

/* As though nobody had been asked yet. */
static void ask_anew(struct adapter *a, int slot)
{
    struct job *job = &a->job[slot];

    job->tries = 0;
    job->was_elsewhere = job->was_well_elsewhere = false;
    block_post(&a->client, slot, clock_now());
}

/* The longest of the last ones, since as much must be read there. */
static void note_good(struct adapter *a, int slot)
{
    const struct block_request *r = block_request(&a->client, slot);
    unsigned n = r->unit % BLOCK_UNITS;

    if (r->operation != BLOCK_READ || (r->sectors < a->good_sectors[n] && a->good_age[n]++ < 64))
        return;
    a->good[n] = r->sector;
    a->good_sectors[n] = r->sectors;
    a->good_age[n] = 0;
}

/* True: the driver is not asked any more, it is to be believed or not. */
static bool has_been_asked(struct adapter *a, int slot, uint32_t status, bool is_well_elsewhere)
{
    struct job *job = &a->job[slot];

    if (is_well_elsewhere) { /* is it that place that is bad, or was the driver ill for a moment? */
        job->was_well_elsewhere = true;
        block_post(&a->client, slot, clock_now());
        return false;
    }
    return !go_elsewhere(a, slot, status);
}

bool news_of_request(struct adapter *a, int slot, uint32_t *status)
{
    struct job *job = &a->job[slot];
    bool was_elsewhere = job->is_elsewhere, is_well = *status == BLOCK_OK;

    if (was_elsewhere) {
        come_home(a, slot);
        *status = job->status;
    } else if (is_well) {
        note_good(a, slot);
        return true;
    }
    if (!is_doubtful(a, slot, *status))
        return true;
    if (a->client.posted_ns[slot] < a->fresh_ns) { /* it may be a predecessor's word */
        ask_anew(a, slot);
        return false;
    }
    if (job->was_well_elsewhere && *status == BLOCK_ERROR)
        return true; /* that place is bad */
    if (!has_been_asked(a, slot, *status, was_elsewhere && is_well))
        return false;
    if (may_believe(a, job->doubted, "a request cannot be done"))
        return true;
    job->doubted = a->client.incarnation;
    job->status = *status;
    a->client.held |= 1u << slot;
    return false;
}

void news_ask_again(struct adapter *a)
{
    uint32_t held = a->client.held;

    a->client.held = 0;
    for (; held; held &= held - 1)
        ask_anew(a, __builtin_ctz(held));
}

bool news_are_late(struct adapter *a, uint64_t now)
{
    return (a->client.held & ~dma_stopped(a)) && is_alone(a, now);
}
