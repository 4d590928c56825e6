/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/ring.h"

#include <stdlib.h>
#include <string.h>

static size_t beyond(size_t size)
{
    return size > RING_START ? size - RING_START : 0;
}

void ring_init(struct ring *r, struct share *share)
{
    *r = (struct ring){.limit = RING_LIMIT, .share = share};
}

void ring_free(struct ring *r)
{
    share_give(r->share, SHARE_RINGS, beyond(r->size));
    free(r->bytes);
    r->bytes = NULL;
    r->size = 0;
    r->head = r->tail = 0;
}

size_t ring_readable(const struct ring *r, size_t offset, size_t n, const uint8_t **at)
{
    size_t used = ring_used(r), start, whole;

    if (offset >= used)
        return 0;
    start = (r->head + offset) & (r->size - 1);
    whole = r->size - start;
    n = n < used - offset ? n : used - offset;
    *at = r->bytes + start;
    return n < whole ? n : whole;
}

/* Everything in order at the start of a bigger one. */
static bool grow(struct ring *r, size_t size)
{
    size_t used = ring_used(r), first;
    uint8_t *bytes;

    if (size > r->size && !share_take(r->share, SHARE_RINGS, beyond(size) - beyond(r->size)))
        return false;
    bytes = malloc(size);
    if (!bytes && size > r->size)
        share_give(r->share, SHARE_RINGS, beyond(size) - beyond(r->size));
    if (!bytes)
        return false;
    if (size < r->size)
        share_give(r->share, SHARE_RINGS, beyond(r->size) - beyond(size));
    first = r->size ? r->size - (r->head & (r->size - 1)) : 0;
    first = first < used ? first : used;
    if (used) {
        memcpy(bytes, r->bytes + (r->head & (r->size - 1)), first);
        memcpy(bytes + first, r->bytes, used - first);
    }
    free(r->bytes);
    *r = (struct ring){
        .bytes = bytes, .size = (uint32_t)size, .limit = r->limit, .share = r->share, .tail = used};
    return true;
}

bool ring_reserve(struct ring *r, size_t n)
{
    size_t used = ring_used(r), size = r->size ? r->size : RING_START;

    while (size < used + n && size < r->limit)
        size *= 2;
    while (size > r->size && !grow(r, size)) /* less is better than nothing */
        size /= 2;
    return r->size >= used + n;
}

void ring_retract(struct ring *r, size_t n)
{
    r->tail -= n;
    ring_consume(r, 0);
}

size_t ring_writable(struct ring *r, size_t n, uint8_t **at)
{
    size_t used = ring_used(r), start, room;

    ring_reserve(r, n);
    room = r->size > used ? r->size - used : 0;
    if (used >= r->limit || room == 0)
        return 0;
    start = r->tail & (r->size - 1);
    *at = r->bytes + start;
    room = room < r->size - start ? room : r->size - start;
    return n < room ? n : room;
}

void ring_consume(struct ring *r, size_t n)
{
    r->head += n;
    if (r->head == r->tail) {
        r->head = r->tail = 0;
        if (r->size > RING_START)
            ring_free(r);
    }
}

void ring_produce(struct ring *r, size_t n)
{
    r->tail += n;
}

bool ring_set_limit(struct ring *r, size_t limit)
{
    uint32_t size = RING_START;

    if (limit > RING_LIMIT_MAX)
        return false;
    while (size < limit)
        size *= 2;
    if (ring_used(r) > size)
        return false;
    if (r->size > size && !grow(r, size))
        return false;
    r->limit = size;
    return true;
}
