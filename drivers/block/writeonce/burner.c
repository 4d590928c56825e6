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

#include "drivers/block/writeonce/image.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

#define SECTORS (DISC_BLOCK / BLOCK_SECTOR) /* in a block */
#define TICK_NS 1000000u
enum { SPEED_DEFAULT = 4096, SPEED_MAX = 1 << 20 }; /* kB/s */

enum { BLOCKS_OF_DISK = 8 }; /* at a time, then we look for messages: some ms */
#define MODEL_MEMORY "write-once disc"
#define MODEL_DISK "write-once disc on a disk"

static const struct disc *disc;
static struct disc *in_memory; /* the same; NULL: it is on a disk */
static uint32_t done; /* slots that have ended and not been reported */

static struct { /* what is under way: a write, or a read of a disk */
    bool is_active;
    unsigned slot;
    struct block_request request;
    uint32_t blocks; /* of it that are done */
    uint64_t since; /* clock when it began */
} job;

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

static bool move_block(struct block_device *d, const struct block_request *r, uint32_t n)
{
    uint32_t block = (uint32_t)(r->sector / SECTORS) + n;
    bool good = true, reads = r->operation == BLOCK_READ;
    uint8_t bytes[DISC_BLOCK];

    if (!reads)
        copy_block(d, r, n, bytes, false);
    if (in_memory && reads)
        memcpy(bytes, disc_read(in_memory, block), sizeof bytes);
    else if (in_memory)
        good = disc_write(in_memory, block, bytes);
    else
        good = reads ? image_read(block, bytes) : image_write(block, bytes);
    if (reads)
        copy_block(d, r, n, bytes, true);
    return good;
}

/* The library has checked that it lies on the disc, and consists of whole blocks. A FLUSH waits for
 * what is under way, and a read of a disk, which does one thing at a time. */
static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    if (in_memory && r->operation == BLOCK_READ) {
        for (uint32_t n = 0; n < r->sectors / SECTORS; n++)
            move_block(d, r, n);
        end(d, k, BLOCK_OK);
        return true;
    }
    if (job.is_active)
        return false;
    if (r->operation == BLOCK_FLUSH) {
        end(d, k, in_memory || image_flush() ? BLOCK_OK : BLOCK_ERROR);
        return true;
    }
    job.is_active = true;
    job.slot = k;
    job.request = *r;
    job.blocks = 0;
    job.since = clock_now();
    driver_wake_in(TICK_NS);
    return true;
}

static uint64_t speed(void)
{
    const char *text = strstr(service_info()->parameters, "speed=");
    long kb = text ? strtol(text + 6, NULL, 10) : 0;

    return kb > 0 && kb <= SPEED_MAX ? (uint64_t)kb : SPEED_DEFAULT;
}

/* So many blocks are to be done now: of a write as many as the time since its beginning is worth. */
static uint64_t due(void)
{
    uint64_t worth = (clock_now() - job.since) / 1000 * speed() / (DISC_BLOCK * 1000ull),
             most = job.blocks + BLOCKS_OF_DISK;

    if (job.request.operation == BLOCK_READ)
        return most;
    return in_memory || worth < most ? worth : most;
}

static void go_on(struct block_device *d)
{
    const struct block_request *r = &job.request;
    uint32_t all = r->sectors / SECTORS;
    uint64_t until = due();
    bool good = true, reads = r->operation == BLOCK_READ;

    while (good && job.blocks < all && job.blocks < until)
        good = move_block(d, r, job.blocks++);
    if (good && job.blocks == all && !in_memory && !reads)
        good = image_flush();
    show(d);
    if (good && job.blocks < all) {
        driver_wake_in(reads ? 1 : TICK_NS);
        return;
    }
    job.is_active = false;
    end(d, job.slot, good ? BLOCK_OK : BLOCK_ERROR);
}

static uint32_t finished(struct block_device *d)
{
    uint32_t all;

    if (job.is_active)
        go_on(d);
    all = done;
    done = 0;
    return all;
}

static int take_memory(struct block_device *d)
{
    in_memory = d->size > BLOCK_RAM_OFFSET
                    ? disc_load(d->memory + BLOCK_RAM_OFFSET, d->size - BLOCK_RAM_OFFSET)
                    : NULL;
    disc = in_memory;
    return disc ? 0 : -ENOSPC; /* the manifest's queue is too small to hold one */
}

static int take_disk(struct block_unit *disk)
{
    int error = 0;

    in_memory = NULL;
    disc = image_open(disk, &error);
    return disc ? 0 : error;
}

static struct block_unit unit_of_disc(const struct block_unit *disk)
{
    struct block_unit unit = {.flags = BLOCK_UNIT_PRESENT | BLOCK_UNIT_COPY | BLOCK_UNIT_ONCE,
                              .sectors = (uint64_t)disc->blocks * SECTORS,
                              .logical_size = DISC_BLOCK,
                              .physical_size = DISC_BLOCK};

    strcpy(unit.model, in_memory ? MODEL_MEMORY : MODEL_DISK);
    memcpy(unit.serial, disk->serial, sizeof unit.serial);
    return unit;
}

/* Was it a disk that the predecessor had? Then no blank disc is ever put in its place. */
static bool had_disk(const struct block_device *d)
{
    return strncmp(d->queue->unit[0].model, MODEL_DISK, sizeof MODEL_DISK) == 0;
}

static bool adopt(struct block_device *d)
{
    struct block_unit disk = {0}, found, *had = &d->queue->unit[0];

    d->issued = 0;
    if ((had_disk(d) ? take_disk(&disk) : take_memory(d)) < 0)
        return block_mismatch(d, "there is no disc");
    found = unit_of_disc(&disk);
    if (found.sectors != had->sectors || memcmp(found.model, had->model, sizeof found.model) ||
        memcmp(found.serial, had->serial, sizeof found.serial))
        return block_mismatch(d, "another disc is in it");
    show(d);
    return true;
}

static int reset(struct block_device *d)
{
    struct block_unit disk = {0}, unit;
    int status = take_disk(&disk);

    if (status == -ENODEV)
        status = had_disk(d) ? -EIO : take_memory(d);
    if (status < 0)
        return status;
    unit = unit_of_disc(&disk);
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
