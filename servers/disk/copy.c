/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of file servers to a driver that reaches nothing but its own queue (BLOCK_UNIT_COPY):
 * their bytes go through buffers there. The request is copied too: where the bytes go must not
 * change while they are under way.
 */
#include <string.h>

#include "servers/disk/disk.h"

_Static_assert(BLOCK_BUFFERS_OFFSET + CHUNKS_MAX * CHUNK_BYTES + COPIES_MAX * BLOCK_TRANSFER_MAX <=
                   BLOCK_RAM_OFFSET,
               "the buffers end where a RAM disk begins");

void copies_make(struct adapter *a)
{
    const uint64_t first = BLOCK_BUFFERS_OFFSET + CHUNKS_MAX * CHUNK_BYTES;
    uint64_t room = a->client.size > first ? a->client.size - first : 0;

    for (unsigned n = 0; n < COPIES_MAX && room >= (n + 1ull) * BLOCK_TRANSFER_MAX; n++)
        a->copy[n].memory = (uint8_t *)a->client.queue + first + (size_t)n * BLOCK_TRANSFER_MAX;
}

bool copies_are_there(const struct adapter *a)
{
    return a->copy[0].memory != NULL;
}

static struct copy *free_one(struct adapter *a)
{
    for (unsigned n = 0; n < COPIES_MAX; n++)
        if (a->copy[n].memory && !a->copy[n].is_used)
            return &a->copy[n];
    return NULL;
}

bool copy_is_possible(struct adapter *a)
{
    /* a predecessor's requests may still use the buffers */
    return !a->orphans && free_one(a);
}

static void move(const struct copy *c, uint32_t operation)
{
    uint8_t *buffer = c->memory;

    for (uint32_t i = 0; i < c->request.segments; i++) {
        const struct block_segment *s = &c->request.segment[i];
        uint8_t *at = c->queue + (s->address - c->physical);

        if (operation == BLOCK_READ)
            memcpy(at, buffer, s->length);
        else
            memcpy(buffer, at, s->length);
        buffer += s->length;
    }
}

struct copy *copy_begin(struct adapter *a, const struct service_queue *from,
                        struct block_request *r)
{
    struct copy *c = free_one(a);

    c->is_used = true;
    c->queue = (uint8_t *)(uintptr_t)from->address;
    c->physical = from->physical;
    c->request = *r;
    if (r->operation == BLOCK_WRITE)
        move(c, BLOCK_WRITE);
    r->segments = r->sectors = 0;
    block_add(r, block_address(&a->client, c->memory), c->request.sectors * BLOCK_SECTOR);
    return c;
}

void copy_end(struct copy *c, int error)
{
    if (error == 0 && c->request.operation == BLOCK_READ)
        move(c, BLOCK_READ);
    c->is_used = false;
}
