/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AHCI driver, but now and then it lies: every `every`-th write of data goes to a wrong place,
 * is not done at all, or has a bit wrong; every `every`-th read brings another block; or after so
 * many requests it does nothing any more, alive as it is, or says that its disk is gone (pulled: and
 * so does each fresh copy; replug: the second one finds it again, and all is well); or none of them does anything once the disk's last sector is written; or it calls every `every`-th read wrong, or lets it fail as often as
 * `disk` tries it. Which of these, a test says in the serial number of the disk, "lie-KIND-EVERY";
 * other disks are served well. And what it says of its disk is not nice to read.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/block/ahci/chip.h"
#include "lib/rt/log.h"

#define AWAY 0x80000000u

static struct block_driver liar;
static uint32_t never, dropped; /* slots that are not done, and ended or not */
static uint32_t misread; /* slots that bring another block: of these requests */
static struct block_request asked[BLOCK_SLOTS];
static const struct excuse {
    const char *kind;
    enum block_status status;
    unsigned times;
} excuses[] = {{"gone", BLOCK_GONE, 1},
               {"pulled", BLOCK_GONE, 1},
               {"replug", BLOCK_GONE, 1},
               {"refuse", BLOCK_INVALID, 1},
               {"fail", BLOCK_ERROR, 3}};
static struct {
    const struct excuse *excuse; /* for those in `dropped`; NULL: all is well */
    uint64_t sector; /* of the read that was refused, ... */
    unsigned left; /* ... and is to be so often again */
} refusal;
static unsigned count, every;
static char kind[16];
static struct block_queue elsewhere; /* where nobody asks for anything */

/* The first disk that asks for lies. */
static bool is_told_to(const struct block_device *d, unsigned unit)
{
    char serial[21] = "";

    memcpy(serial, d->queue->unit[unit].serial, 20);
    return sscanf(serial, "lie-%15[a-z]-%u", kind, &every) == 2 && every;
}

static bool is_quiet(void)
{
    return strcmp(kind, "stop") == 0 || strcmp(kind, "deaf") == 0;
}

static bool lie(struct block_device *d, unsigned k, struct block_request *r)
{
    if (is_quiet()) {
        never |= 1u << k;
        if (strcmp(kind, "deaf") == 0)
            d->queue = &elsewhere;
        return true;
    }
    if (strcmp(kind, "misread") == 0) {
        misread |= 1u << k;
        asked[k] = *r;
    } else {
        log_info("lies about %u sectors from %llu", r->sectors, (unsigned long long)r->sector);
    }
    if (strcmp(kind, "drop") == 0) {
        dropped |= 1u << k;
        return true;
    }
    if (strcmp(kind, "flip") == 0) /* what lies in its own queue, it reaches itself */
        d->memory[r->segment[0].address - d->physical + 77] ^= 4;
    else
        r->sector += 8;
    return ahci_driver.issue(d, k, r);
}

/* Is this read to be refused? */
static bool has_excuse(const struct block_request *r)
{
    if (refusal.left)
        return r->sector == refusal.sector && refusal.left--;
    if (++count < every)
        return false;
    count = 0;
    refusal.sector = r->sector;
    refusal.left = refusal.excuse->times - 1;
    return true;
}

/* It is a lie from when the block is there on: how long the disk takes is not the finder's affair. */
static void tell_misread(uint32_t done)
{
    for (uint32_t rest = done & misread; rest; rest &= rest - 1) {
        const struct block_request *r = &asked[__builtin_ctz(rest)];

        log_info("lied about %u sectors from %llu", r->sectors, (unsigned long long)r->sector);
    }
    misread &= ~done;
}

/* A set of units that are gone for good; it outlives the driver. */
static volatile uint32_t *pulled_of(const struct block_device *d)
{
    return (volatile uint32_t *)(d->chip + BLOCK_CHIP_SIZE) - 1;
}

/* 0: it was never away; else AWAY, and how many copies until it is there again. */
static volatile uint32_t *away_of(const struct block_device *d)
{
    return pulled_of(d) - 2;
}

static bool issue_or_refuse(struct block_device *d, unsigned k, const struct block_request *r)
{
    bool is_replug = strcmp(kind, "replug") == 0;

    if (r->operation != BLOCK_READ || (is_replug && *away_of(d)) || !has_excuse(r))
        return ahci_driver.issue(d, k, r);
    dropped |= 1u << k;
    if (refusal.excuse->status == BLOCK_GONE)
        block_unit_set(d, r->unit, &(struct block_unit){0});
    if (strcmp(kind, "pulled") == 0 || is_replug)
        *pulled_of(d) |= 1u << r->unit;
    if (is_replug)
        *away_of(d) = AWAY | 2;
    return true;
}

static void find_excuse(void)
{
    for (size_t i = 0; i < sizeof excuses / sizeof *excuses; i++)
        if (strcmp(kind, excuses[i].kind) == 0)
            refusal.excuse = &excuses[i];
}

/* From when the last sector is written on, whichever copy. */
static bool is_dead(const struct block_device *d, const struct block_request *r)
{
    volatile uint32_t *dead = pulled_of(d) - 1;

    if (strcmp(kind, "dead") != 0)
        return false;
    *dead |=
        r->operation == BLOCK_WRITE && r->sector + r->sectors >= d->queue->unit[r->unit].sectors;
    return *dead;
}

static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    static struct block_request changed;
    bool wanted =
        is_quiet() || r->operation == (strcmp(kind, "misread") == 0 ? BLOCK_READ : BLOCK_WRITE);

    if (is_told_to(d, r->unit) && is_dead(d, r)) {
        never |= 1u << k;
        return true;
    }
    if (!is_told_to(d, r->unit) || strcmp(kind, "dead") == 0 || r->operation == BLOCK_FLUSH ||
        (r->flags & BLOCK_FUA) || r->sectors >= d->queue->unit[r->unit].sectors - r->sector - 8)
        return ahci_driver.issue(d, k, r);
    find_excuse();
    if (refusal.excuse)
        return issue_or_refuse(d, k, r);
    if (!wanted)
        return ahci_driver.issue(d, k, r);
    if (++count < every)
        return ahci_driver.issue(d, k, r);
    if (!is_quiet())
        count = 0;
    changed = *r;
    return lie(d, k, &changed);
}

static uint32_t finished(struct block_device *d)
{
    uint32_t done = dropped | (ahci_driver.finished(d) & ~never);

    tell_misread(done);
    for (uint32_t rest = dropped; rest; rest &= rest - 1)
        d->status[__builtin_ctz(rest)] = refusal.excuse ? refusal.excuse->status : BLOCK_OK;
    dropped = 0;
    return done;
}

static const char evil[41] = "x\n[    0.000001] rs: \033[31mall is well\033[2J";

/* The chip's half takes another model for another disk. */
static void call_all(struct block_device *d, const char *from, const char *to)
{
    for (unsigned n = 0; n < BLOCK_UNITS; n++)
        if (memcmp(d->queue->unit[n].model, from, strlen(from)) == 0)
            memcpy(d->queue->unit[n].model, to, sizeof d->queue->unit[n].model);
}

static int reset(struct block_device *d)
{
    static const char real[41] = "QEMU HARDDISK";
    int status;

    call_all(d, "x\n", real);
    status = ahci_driver.reset(d);
    call_all(d, real, evil);
    if ((*away_of(d) & ~AWAY) && --*away_of(d) == AWAY)
        *pulled_of(d) = 0;
    for (uint32_t rest = *pulled_of(d); rest; rest &= rest - 1)
        block_unit_set(d, (unsigned)__builtin_ctz(rest), &(struct block_unit){0});
    return status;
}

int main(void)
{
    liar = ahci_driver;
    liar.issue = issue;
    liar.finished = finished;
    liar.reset = reset;
    block_driver_run(&liar);
}
