/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vm/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Index of the first region that ends above address. */
static uint32_t index_of(const struct regions *t, uint64_t address)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (t->r[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct region *region_after(struct regions *t, uint64_t address)
{
    uint32_t i = index_of(t, address);

    return i < t->count ? &t->r[i] : NULL;
}

struct region *region_find(struct regions *t, uint64_t address)
{
    struct region *r = region_after(t, address);

    return r && r->start <= address ? r : NULL;
}

bool region_free(struct regions *t, uint64_t start, uint64_t end)
{
    struct region *r = region_after(t, start);

    return !r || r->start >= end;
}

uint64_t region_gap(struct regions *t, uint64_t length, uint64_t low, uint64_t high)
{
    for (uint32_t i = index_of(t, low); i < t->count && t->r[i].start < high; i++) {
        if (t->r[i].start >= low && t->r[i].start - low >= length)
            return low;
        low = t->r[i].end;
    }
    return low < high && high - low >= length ? low : 0;
}

static void insert(struct regions *t, uint32_t at, struct region new)
{
    memmove(&t->r[at + 1], &t->r[at], (t->count - at) * sizeof *t->r);
    t->r[at] = new;
    t->count++;
}

static void erase(struct regions *t, uint32_t at)
{
    t->count--;
    memmove(&t->r[at], &t->r[at + 1], (t->count - at) * sizeof *t->r);
}

static bool alike(const struct region *a, const struct region *b)
{
    return a->end == b->start && a->protection == b->protection && a->flags == b->flags &&
           !(a->flags & REGION_STACK);
}

/* Merge region i with its neighbours. */
static void merge(struct regions *t, uint32_t i)
{
    if (i + 1 < t->count && alike(&t->r[i], &t->r[i + 1])) {
        t->r[i].end = t->r[i + 1].end;
        erase(t, i + 1);
    }
    if (i > 0 && alike(&t->r[i - 1], &t->r[i])) {
        t->r[i - 1].end = t->r[i].end;
        erase(t, i);
    }
}

int region_add(struct regions *t, struct region new)
{
    uint32_t i = index_of(t, new.start);

    if (!region_has_room(t, 1))
        return -ENOMEM;
    insert(t, i, new);
    merge(t, i);
    return 0;
}

/* Make `at` a boundary between regions; there must be room for one more. */
static void split(struct regions *t, uint64_t at)
{
    struct region *r = region_find(t, at);
    struct region upper;

    if (!r || r->start == at)
        return;
    upper = *r;
    upper.start = at;
    r->end = at;
    r->flags &= ~(uint32_t)REGION_STACK; /* only the upper part still grows down... into nothing */
    insert(t, (uint32_t)(r - t->r) + 1, upper);
}

bool region_has_room(const struct regions *t, uint32_t more)
{
    return t->count + more <= REGIONS_MAX;
}

static bool is_cut(struct regions *t, uint64_t at)
{
    const struct region *r = region_find(t, at);

    return r && r->start != at;
}

/* What is left of those at its ends, and none of those that it has a part of. */
bool region_may_replace(struct regions *t, uint64_t start, uint64_t end, uint32_t by)
{
    uint32_t first = index_of(t, start), i = first;

    while (i < t->count && t->r[i].start < end)
        i++;
    return t->count + is_cut(t, start) + is_cut(t, end) + by <= REGIONS_MAX + (i - first);
}

bool region_may_remove(struct regions *t, uint64_t start, uint64_t end)
{
    return region_may_replace(t, start, end, 0);
}

int region_remove(struct regions *t, uint64_t start, uint64_t end)
{
    if (!region_may_remove(t, start, end))
        return -ENOMEM;
    split(t, start);
    split(t, end);
    for (uint32_t i = index_of(t, start); i < t->count && t->r[i].start < end;)
        erase(t, i);
    return 0;
}

bool region_may_protect(struct regions *t, uint64_t start, uint64_t end, uint32_t protection)
{
    uint32_t never = (protection & PROT_WRITE ? REGION_NEVER_WRITE : 0) |
                     (protection & PROT_EXEC ? REGION_NEVER_EXECUTE : 0);

    for (uint32_t i = index_of(t, start); i < t->count && t->r[i].start < end; i++)
        if (t->r[i].flags & never)
            return false;
    return true;
}

int region_protect(struct regions *t, uint64_t start, uint64_t end, uint32_t protection)
{
    uint64_t at = start;

    if (!region_has_room(t, 2))
        return -ENOMEM;
    for (uint32_t i = index_of(t, start); at < end; i++) {
        if (i == t->count || t->r[i].start > at)
            return -ENOMEM;
        at = t->r[i].end;
    }
    split(t, start);
    split(t, end);
    for (uint32_t i = index_of(t, start); i < t->count && t->r[i].start < end; i++)
        t->r[i].protection = protection;
    for (uint32_t i = index_of(t, start); i < t->count && t->r[i].start <= end;) {
        uint32_t before = t->count;

        merge(t, i);
        if (t->count == before)
            i++;
    }
    return 0;
}

uint64_t regions_bytes_in(const struct regions *t, uint64_t start, uint64_t end)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        uint64_t from = t->r[i].start > start ? t->r[i].start : start;
        uint64_t to = t->r[i].end < end ? t->r[i].end : end;

        sum += from < to ? to - from : 0;
    }
    return sum;
}

uint64_t regions_bytes(const struct regions *t)
{
    return regions_bytes_in(t, 0, UINT64_MAX);
}
