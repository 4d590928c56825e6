/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/ring.h"

#include "lib/vault/vault.h"

/* Memory comes from VM in pieces of a full pipe, and some of it stays. Only what root's pipes cannot
 * do without is taken of what is kept for services when memory is short. */
#define PIPE_PAGES (RING_LIMIT / PAGE_BYTES)
static struct pages of_root = {.limit = UINT64_MAX,
                               .slab_pages = PIPE_PAGES,
                               .keep = 4,
                               .needed = true},
                    of_users = {.limit = UINT64_MAX, .slab_pages = PIPE_PAGES, .keep = 4},
                    big = {.limit = UINT64_MAX, .slab_pages = PIPE_PAGES, .keep = 4};
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
        return run_allocate(&big, count, run, &is_zero);
    *run = (struct run){.data = region_allocate(&big, count), .pages = count};
    return run->data != NULL;
}

static void bytes_free(struct run *run)
{
    freed = step;
    if (run->slab)
        run_free(&big, run);
    else if (run->data)
        region_free(&big, run->data, run->pages);
    *run = (struct run){0};
}

static struct pages *first_of(const struct ring *r)
{
    return r->share->uid ? &of_users : &of_root;
}

bool ring_init(struct ring *r, struct share *share)
{
    bool is_zero;

    *r = (struct ring){
        .size = RING_START, .limit = RING_LIMIT, .share = share, .given = freed == step ? step : 0};
    return run_allocate(first_of(r), RING_START / PAGE_BYTES, &r->first, &is_zero);
}

/* Back to what it always has. */
static void shrink(struct ring *r)
{
    share_give(r->share, SHARE_RINGS, r->size - RING_START);
    bytes_free(&r->more);
    r->size = RING_START;
}

void ring_free(struct ring *r)
{
    shrink(r);
    freed = step;
    run_free(first_of(r), &r->first);
}

static uint8_t *bytes_of(const struct ring *r)
{
    return r->size > RING_START ? r->more.data : r->first.data;
}

size_t ring_readable(const struct ring *r, size_t offset, size_t n, const uint8_t **at)
{
    size_t used = ring_used(r), start, whole;

    undo_verify_word(&r->size); /* and the limit */
    if (offset >= used)
        return 0;
    start = (r->head + offset) & (r->size - 1);
    whole = r->size - start;
    n = n < used - offset ? n : used - offset;
    *at = bytes_of(r) + start;
    return n < whole ? n : whole;
}

static void copy(uint8_t *to, const uint8_t *from, size_t n)
{
    vault_log(to, n);
    vault_copy(to, from, n);
}

/* Everything in order at the start of another. */
static bool resize(struct ring *r, size_t size)
{
    size_t used = ring_used(r), at = r->head & (r->size - 1), whole = r->size - at;
    uint64_t given =
        size == RING_START || freed == step ? step : 0; /* else nobody had it in this step */
    struct run more = {0};
    uint8_t *to = r->first.data;

    if (size > r->size && !share_take(r->share, SHARE_RINGS, size - r->size))
        return false;
    if (size > RING_START && !bytes_allocate(size, &more)) {
        if (size > r->size)
            share_give(r->share, SHARE_RINGS, size - r->size);
        return false;
    }
    if (size < r->size)
        share_give(r->share, SHARE_RINGS, r->size - size);
    if (size > RING_START)
        to = more.data;
    whole = whole < used ? whole : used;
    copy(to, bytes_of(r) + at, whole);
    copy(to + whole, bytes_of(r), used - whole);
    bytes_free(&r->more);
    r->more = more;
    r->size = (uint32_t)size;
    r->head = 0;
    r->tail = used;
    r->given = given;
    return true;
}

bool ring_reserve(struct ring *r, size_t n)
{
    size_t used = ring_used(r), size;

    undo_verify_word(&r->size); /* and the limit */
    size = r->size;
    while (size < used + n && size < r->limit)
        size *= 2;
    while (size > r->size && !resize(r, size)) /* less is better than none */
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
    size_t used, start, room;

    ring_reserve(r, n);
    used = ring_used(r);
    room = r->size > used ? r->size - used : 0;
    if (used >= r->limit || room == 0)
        return 0;
    start = r->tail & (r->size - 1);
    *at = bytes_of(r) + start;
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
            shrink(r);
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
    if (r->size > size && !resize(r, size))
        return false;
    r->limit = size;
    return true;
}
