/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in the place of a chip's half (contract: lib/driver/blockdriver.h). A request is done
 * where it is issued; one that the driver dies in is done again by its successor, as a whole.
 */
#include "drivers/block/ramdisk/memory.h"

#include <errno.h>
#include <string.h>

static uint32_t done; /* slots that have been done and not reported */

static uint8_t *contents(const struct block_device *d, uint64_t sector)
{
    return d->memory + BLOCK_RAM_OFFSET + sector * BLOCK_SECTOR;
}

static void move(const struct block_device *d, const struct block_request *r)
{
    uint8_t *at = contents(d, r->sector);

    for (uint32_t i = 0; i < r->segments; i++) {
        const struct block_segment *s = &r->segment[i];
        uint8_t *buffer = d->memory + (s->address - d->physical);

        /* a client may name the disk's own memory as its buffer: they may overlap */
        if (r->operation == BLOCK_READ)
            memmove(buffer, at, s->length);
        else
            memmove(at, buffer, s->length);
        at += s->length;
    }
}

static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    if (r->operation != BLOCK_FLUSH)
        move(d, r);
    d->status[k] = BLOCK_OK;
    done |= 1u << k;
    return true;
}

static uint32_t finished(struct block_device *d)
{
    uint32_t all = done;

    (void)d;
    done = 0;
    return all;
}

static bool adopt(struct block_device *d)
{
    d->issued = 0;
    return true;
}

static int reset(struct block_device *d)
{
    struct block_unit unit = {.flags = BLOCK_UNIT_PRESENT | BLOCK_UNIT_COPY,
                              .logical_size = BLOCK_SECTOR,
                              .physical_size = BLOCK_SECTOR,
                              .model = "RAM disk"};

    if (d->size < BLOCK_RAM_OFFSET + BLOCK_TRANSFER_MAX)
        return -ENOSPC; /* the manifest's queue is too small to hold a disk */
    unit.sectors = (d->size - BLOCK_RAM_OFFSET) / BLOCK_SECTOR;
    block_unit_set(d, 0, &unit);
    return 0;
}

static void nothing(struct block_device *d)
{
    (void)d; /* no interrupts */
}

const struct block_driver ramdisk_driver = {
    .name = "ramdisk",
    .kind = "ram",
    .adopt = adopt,
    .reset = reset,
    .mask = nothing,
    .unmask = nothing,
    .issue = issue,
    .finished = finished,
};
