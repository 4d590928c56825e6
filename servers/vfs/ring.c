/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/ring.h"

#include "lib/vault/vault.h"

/*
 * Memory comes from VM in pieces of a full pipe, and some of it stays: when there is none any more,
 * pipes are to go on. Those with RING_START have theirs apart, which nobody big can take.
 */
static struct pages small = {.limit = UINT64_MAX, .slab_pages = 16, .keep = 4},
                    big = {.limit = UINT64_MAX, .slab_pages = 16, .keep = 4};
static uint64_t step = 1, freed; /* the present one; the last that gave pages back */

void ring_step_end(void)
{
    step++;
}

static bool bytes_allocate(size_t size, struct run *run)
{
    uint32_t count = (uint32_t)(size / PAGE_BYTES);
    bool is_zero;

    if (count <= RUN_PAGES_MAX)
        return run_allocate(count == 1 ? &small : &big, count, run, &is_zero);
    *run = (struct run){.data = region_allocate(&big, count), .pages = count};
    return run->data != NULL;
}

static void bytes_free(struct run *run)
{
    freed = step;
    if (run->slab)
        run_free(run->pages == 1 ? &small : &big, run);
    else if (run->data)
        region_free(&big, run->data, run->pages);
    *run = (struct run){0};
}

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
    if (r->size == 0)
        return;
    share_give(r->share, SHARE_RINGS, beyond(r->size));
    bytes_free(&r->run);
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
    *at = r->run.data + start;
    return n < whole ? n : whole;
}

static void copy(uint8_t *to, const uint8_t *from, size_t n)
{
    vault_log(to, n);
    vault_copy(to, from, n);
}

/* Everything in order at the start of a bigger one. */
static bool grow(struct ring *r, size_t size)
{
    size_t used = ring_used(r), first;
    uint64_t given = freed == step ? step : 0; /* else nobody had it in this step */
    struct run run;

    if (size > r->size && !share_take(r->share, SHARE_RINGS, beyond(size) - beyond(r->size)))
        return false;
    if (!bytes_allocate(size, &run)) {
        if (size > r->size)
            share_give(r->share, SHARE_RINGS, beyond(size) - beyond(r->size));
        return false;
    }
    if (size < r->size)
        share_give(r->share, SHARE_RINGS, beyond(r->size) - beyond(size));
    first = r->size ? r->size - (r->head & (r->size - 1)) : 0;
    first = first < used ? first : used;
    if (used) {
        copy(run.data, r->run.data + (r->head & (r->size - 1)), first);
        copy(run.data + first, r->run.data, used - first);
    }
    bytes_free(&r->run);
    *r = (struct ring){.run = run,
                       .size = (uint32_t)size,
                       .limit = r->limit,
                       .share = r->share,
                       .tail = used,
                       .given = given};
    return true;
}

bool ring_reserve(struct ring *r, size_t n)
{
    size_t used = ring_used(r), size = r->size ? r->size : RING_START;

    while (size < used + n && size < r->limit)
        size *= 2;
    while (size > r->size && size >= RING_START && !grow(r, size)) /* less is better than none */
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
    *at = r->run.data + start;
    room = room < r->size - start ? room : r->size - start;
    n = n < room ? n : room;
    if (r->given == step)
        vault_log(*at, n);
    return n;
}

void ring_consume(struct ring *r, size_t n)
{
    r->head += n;
    r->given = step;
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
