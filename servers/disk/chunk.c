/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of disks in the queues' memory. Written through: nothing is ever only here. */
#include <errno.h>

#include "servers/disk/disk.h"

static uint64_t uses;

void chunks_make(struct adapter *a)
{
    uint8_t *memory = (uint8_t *)a->client.queue + BLOCK_BUFFERS_OFFSET;
    uint64_t room = (a->client.size - BLOCK_BUFFERS_OFFSET) / CHUNK_BYTES;

    a->chunks = room < CHUNKS_MAX ? (unsigned)room : CHUNKS_MAX;
    for (unsigned n = 0; n < a->chunks; n++)
        a->chunk[n] = (struct chunk){.adapter = a, .memory = memory + n * (size_t)CHUNK_BYTES};
}

static bool is_moving(const struct chunk *c)
{
    return c->state == CHUNK_READING || c->state == CHUNK_WRITING;
}

/* What is on its way may have been read before whatever it is forgotten for. */
static void forget(struct chunk *c)
{
    if (is_moving(c))
        c->is_stale = true;
    else if (c->state != CHUNK_FAILED || !c->is_write)
        c->state = CHUNK_EMPTY;
}

void chunks_forget_part(struct adapter *a, unsigned unit, uint64_t first, uint64_t sectors)
{
    for (unsigned n = 0; n < a->chunks; n++) {
        uint64_t start = a->chunk[n].number * CHUNK_SECTORS;

        if (a->chunk[n].unit == unit && start < first + sectors && first < start + CHUNK_SECTORS)
            forget(&a->chunk[n]);
    }
}

void chunks_forget(struct adapter *a, unsigned unit)
{
    chunks_forget_part(a, unit, 0, UINT64_MAX);
}

uint8_t *chunks_lend(struct adapter *a)
{
    unsigned left = a->chunks - CHUNKS_LENT;

    if (a->orphans) /* a predecessor's requests may still move the memory */
        return NULL;
    for (unsigned n = left; n < a->chunks; n++)
        if (is_moving(&a->chunk[n]))
            return NULL;
    a->chunks = left;
    return a->chunk[left].memory;
}

static struct chunk *find(struct adapter *a, unsigned unit, uint64_t number)
{
    for (unsigned n = 0; n < a->chunks; n++) {
        struct chunk *c = &a->chunk[n];

        if (c->state != CHUNK_EMPTY && c->unit == unit && c->number == number)
            return c;
    }
    return NULL;
}

/* The one that has not been used for longest. None while a predecessor's requests may still move
 * the memory. */
static struct chunk *take(struct adapter *a, unsigned unit, uint64_t number)
{
    struct chunk *best = NULL;

    for (unsigned n = 0; n < a->chunks && !a->orphans; n++) {
        struct chunk *c = &a->chunk[n];

        if (!is_moving(c) && (!best || c->used < best->used))
            best = c;
    }
    if (!best)
        return NULL;
    best->state = CHUNK_EMPTY;
    best->unit = unit;
    best->number = number;
    best->error = 0;
    best->used = ++uses;
    return best;
}

static uint32_t sectors_of(const struct chunk *c)
{
    uint64_t all = unit_sectors(c->adapter, c->unit);
    uint64_t first = c->number * CHUNK_SECTORS;

    return all - first < CHUNK_SECTORS ? (uint32_t)(all - first) : CHUNK_SECTORS;
}

static void moved(struct job *job, int error)
{
    struct chunk *c = job->chunk;

    c->state = error ? CHUNK_FAILED : CHUNK_VALID;
    c->error = error;
    if (c->is_stale)
        forget(c);
    c->is_stale = false;
}

static bool post(struct chunk *c, uint32_t operation, uint64_t first, uint32_t sectors)
{
    struct block_request *r;
    struct job *job = adapter_begin(c->adapter, &r);
    uint64_t skip = first - c->number * CHUNK_SECTORS;

    if (!job)
        return false;
    r->operation = operation;
    r->unit = c->unit;
    r->sector = first;
    block_add(r, block_address(&c->adapter->client, c->memory) + skip * BLOCK_SECTOR,
              sectors * BLOCK_SECTOR);
    job->done = moved;
    job->chunk = c;
    c->state = operation == BLOCK_READ ? CHUNK_READING : CHUNK_WRITING;
    c->is_write = operation == BLOCK_WRITE;
    c->is_stale = false;
    adapter_post(c->adapter, job);
    return true;
}

static struct chunk *start_reading(struct adapter *a, unsigned unit, uint64_t number)
{
    struct chunk *c = take(a, unit, number);

    if (c && !post(c, BLOCK_READ, number * CHUNK_SECTORS, sectors_of(c)))
        c->state = CHUNK_EMPTY;
    return c;
}

long chunk_get(struct device *d, uint64_t sector, bool whole, struct chunk **out)
{
    uint64_t number = sector / CHUNK_SECTORS;
    struct chunk *c = find(d->adapter, d->unit, number);

    if (unit_is_gone(d->adapter, d->unit))
        return -ENXIO;
    if (c && c->state == CHUNK_FAILED) {
        c->state = CHUNK_EMPTY; /* the next one tries again */
        return -c->error;
    }
    if (!c && whole) {
        c = take(d->adapter, d->unit, number);
        if (c)
            c->state = CHUNK_VALID;
    } else if (!c) {
        start_reading(d->adapter, d->unit, number);
    }
    if (!c || c->state != CHUNK_VALID)
        return FS_LATER;
    c->used = ++uses;
    *out = c;
    return 0;
}

void chunk_ahead(struct device *d, uint64_t sector)
{
    uint64_t number = sector / CHUNK_SECTORS;

    if (sector < unit_sectors(d->adapter, d->unit) && !find(d->adapter, d->unit, number))
        start_reading(d->adapter, d->unit, number);
}

long chunk_write(struct chunk *c, uint64_t first, uint32_t sectors)
{
    /* whole blocks: the chunk is valid around what was changed */
    uint32_t block = unit_logical_size(c->adapter, c->unit) / BLOCK_SECTOR;
    uint64_t end = first + sectors + block - 1;

    first -= block > 1 ? first % block : 0;
    sectors = (uint32_t)((block > 1 ? end - end % block : end) - first);
    if (post(c, BLOCK_WRITE, first, sectors))
        return 0;
    c->state = CHUNK_EMPTY; /* it differs from the disk */
    return FS_LATER;
}
