/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in the place of a chip's half (contract: lib/driver/blockdriver.h). A write takes its
 * time, block by block, as with a laser. What a predecessor was burning nobody goes on with: the
 * class library ends such requests (`once`), and who asked for them is told.
 */
#include "drivers/block/writeonce/burner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block/writeonce/disc.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

#define SECTORS (DISC_BLOCK / BLOCK_SECTOR) /* in a block */
#define TICK_NS 1000000u
enum { SPEED_DEFAULT = 4096, SPEED_MAX = 1 << 20 }; /* kB/s */

static struct disc *disc;
static uint32_t done; /* slots that have ended and not been reported */

static struct { /* the write under way */
    bool is_active;
    unsigned slot;
    struct block_request request;
    uint32_t blocks; /* of it that have been burnt */
    uint64_t since; /* clock when it began */
} burn;

static void show(struct block_device *d)
{
    volatile struct block_unit *u = &d->queue->unit[0];

    u->next = (uint64_t)disc_next(disc) * SECTORS;
    u->refused = disc->refused;
}

/* Block n of a request in memory, which may be of several pieces. */
static void copy_block(const struct block_device *d, const struct block_request *r, uint32_t n,
                       uint8_t *bytes, bool out)
{
    uint64_t skip = (uint64_t)n * DISC_BLOCK;
    uint32_t at = 0;

    for (uint32_t i = 0; i < r->segments && at < DISC_BLOCK; i++) {
        const struct block_segment *s = &r->segment[i];
        uint8_t *memory = d->memory + (s->address - d->physical);
        uint32_t length;

        if (skip >= s->length) {
            skip -= s->length;
            continue;
        }
        length = s->length - (uint32_t)skip;
        length = length < DISC_BLOCK - at ? length : DISC_BLOCK - at;
        memcpy(out ? memory + skip : bytes + at, out ? bytes + at : memory + skip, length);
        at += length;
        skip = 0;
    }
}

static void end(struct block_device *d, unsigned k, enum block_status status)
{
    d->status[k] = status;
    done |= 1u << k;
}

static void read_now(struct block_device *d, unsigned k, const struct block_request *r)
{
    uint8_t bytes[DISC_BLOCK];

    for (uint32_t n = 0; n < r->sectors / SECTORS; n++) {
        memcpy(bytes, disc_read(disc, (uint32_t)(r->sector / SECTORS) + n), sizeof bytes);
        copy_block(d, r, n, bytes, true);
    }
    end(d, k, BLOCK_OK);
}

/* The library has checked that it lies on the disc, and consists of whole blocks. A FLUSH waits for
 * what is under way. */
static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    if (r->operation == BLOCK_READ) {
        read_now(d, k, r);
        return true;
    }
    if (burn.is_active)
        return false;
    if (r->operation == BLOCK_FLUSH) {
        end(d, k, BLOCK_OK);
        return true;
    }
    burn.is_active = true;
    burn.slot = k;
    burn.request = *r;
    burn.blocks = 0;
    burn.since = clock_now();
    driver_wake_in(TICK_NS);
    return true;
}

static uint64_t speed(void)
{
    const char *text = strstr(service_info()->parameters, "speed=");
    long kb = text ? strtol(text + 6, NULL, 10) : 0;

    return kb > 0 && kb <= SPEED_MAX ? (uint64_t)kb : SPEED_DEFAULT;
}

/* As many blocks as the time since its beginning is worth. */
static void burn_on(struct block_device *d)
{
    const struct block_request *r = &burn.request;
    uint64_t due = (clock_now() - burn.since) / 1000 * speed() / (DISC_BLOCK * 1000ull);
    uint32_t all = r->sectors / SECTORS;
    uint8_t bytes[DISC_BLOCK];
    bool good = true;

    while (good && burn.blocks < all && burn.blocks < due) {
        copy_block(d, r, burn.blocks, bytes, false);
        good = disc_write(disc, (uint32_t)(r->sector / SECTORS) + burn.blocks, bytes);
        burn.blocks++;
    }
    show(d);
    if (good && burn.blocks < all) {
        driver_wake_in(TICK_NS);
        return;
    }
    burn.is_active = false;
    end(d, burn.slot, good ? BLOCK_OK : BLOCK_ERROR);
}

static uint32_t finished(struct block_device *d)
{
    uint32_t all;

    if (burn.is_active)
        burn_on(d);
    all = done;
    done = 0;
    return all;
}

static bool load(struct block_device *d)
{
    disc = d->size > BLOCK_RAM_OFFSET
               ? disc_load(d->memory + BLOCK_RAM_OFFSET, d->size - BLOCK_RAM_OFFSET)
               : NULL;
    return disc != NULL;
}

static bool adopt(struct block_device *d)
{
    d->issued = 0;
    if (!load(d))
        return block_mismatch(d, "there is no disc");
    show(d);
    return true;
}

static int reset(struct block_device *d)
{
    struct block_unit unit = {.flags = BLOCK_UNIT_PRESENT | BLOCK_UNIT_COPY | BLOCK_UNIT_ONCE,
                              .logical_size = DISC_BLOCK,
                              .physical_size = DISC_BLOCK,
                              .model = "write-once disc"};

    if (!load(d))
        return -ENOSPC; /* the manifest's queue is too small to hold one */
    unit.sectors = (uint64_t)disc->blocks * SECTORS;
    block_unit_set(d, 0, &unit);
    show(d);
    return 0;
}

static void nothing(struct block_device *d)
{
    (void)d; /* no interrupts: it looks at the clock */
}

const struct block_driver writeonce_driver = {
    .name = "writeonce",
    .kind = "wo",
    .once = true,
    .adopt = adopt,
    .reset = reset,
    .mask = nothing,
    .unmask = nothing,
    .issue = issue,
    .finished = finished,
};
