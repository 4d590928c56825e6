/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bad news from drivers: a request failed, a disk is gone. It is told to nobody until it is clear
 * that it is not the driver that is ill (doubt.h).
 *
 * A place of a disk may be bad, and then no fresh driver is needed to know it: a read that fails is
 * done once more with another place that was read well of late. Where that succeeds the news is
 * true. (The same memory is used, so nobody may take it over meanwhile: the request has no cookie.)
 */
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/disk.h"

static bool may_believe(struct adapter *a, bool again, const char *what)
{
    enum doubt_verdict verdict = doubt_check(&a->doubt, clock_now(), a->client.incarnation, again);

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
            may_believe(a, doubted && doubted != a->client.incarnation, "a disk is not there now"))
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

    if (r->operation != BLOCK_READ || job->was_elsewhere || a->good_sectors[n] < r->sectors ||
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

bool news_of_request(struct adapter *a, int slot, uint32_t *status)
{
    struct job *job = &a->job[slot];
    bool again = job->doubted && job->doubted != a->client.incarnation;

    if (job->is_elsewhere) {
        bool good = *status == BLOCK_OK;

        come_home(a, slot);
        *status = job->status;
        if (good || job->late >= LATE_MAX)
            return true; /* it is that place that is bad */
    } else if (*status == BLOCK_OK) {
        note_good(a, slot);
        return true;
    } else if (!is_doubtful(a, slot, *status)) {
        return true;
    } else if (a->client.posted_ns[slot] < a->fresh_ns) { /* it may be a predecessor's word */
        block_post(&a->client, slot, clock_now());
        return false;
    } else if (go_elsewhere(a, slot, *status)) {
        return false;
    }
    if (may_believe(a, again, "a request cannot be done"))
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
    for (; held; held &= held - 1) {
        int slot = __builtin_ctz(held);

        a->job[slot].tries = 0;
        a->job[slot].was_elsewhere = false;
        block_post(&a->client, slot, clock_now());
    }
}

bool news_are_late(const struct adapter *a, uint64_t now)
{
    return a->client.held && now - a->doubt.since > DOUBT_PATIENCE;
}
