/* SPDX-License-Identifier: BSD-2-Clause */
/* A table with open addressing. What comes behind one that goes moves up: no traces are left of it, with which the table would grow. */
#include "servers/fs/ext4/numbers.h"

#include <stddef.h>
#include <stdlib.h>

#include "lib/rt/log.h"

enum { FIRST_SIZE = 64, KEPT_SIZE = 1024 };

static uint32_t home_of(const struct numbers *t, uint64_t key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 33) & (t->size - 1);
}

/* Where it is, or would be. */
static struct number *place_of(const struct numbers *t, uint64_t key)
{
    uint32_t n = home_of(t, key);

    while (t->list[n].key && t->list[n].key != key)
        n = (n + 1) & (t->size - 1);
    return &t->list[n];
}

struct number *numbers_find(const struct numbers *t, uint64_t key)
{
    struct number *found = t->size ? place_of(t, key) : NULL;

    return found && found->key ? found : NULL;
}

static void grow(struct numbers *t)
{
    struct numbers old = *t;

    t->size = old.size ? 2 * old.size : FIRST_SIZE;
    t->list = calloc(t->size, sizeof *t->list);
    if (!t->list)
        panic("no memory for a table of %u inodes", t->size);
    for (uint32_t n = 0; n < old.size; n++)
        if (old.list[n].key)
            *place_of(t, old.list[n].key) = old.list[n];
    free(old.list);
}

struct number *numbers_put(struct numbers *t, uint64_t key)
{
    struct number *place = numbers_find(t, key);

    if (place)
        return place;
    if (2 * (t->used + 1) > t->size)
        grow(t);
    place = place_of(t, key);
    *place = (struct number){.key = key};
    t->used++;
    return place;
}

void numbers_drop(struct numbers *t, uint64_t key)
{
    struct number *place = numbers_find(t, key);
    uint32_t mask = t->size - 1, hole;

    if (!place)
        return;
    if (--t->used == 0 && t->size > KEPT_SIZE) {
        numbers_clear(t);
        return;
    }
    hole = (uint32_t)(place - t->list);
    for (uint32_t n = (hole + 1) & mask; t->list[n].key; n = (n + 1) & mask)
        if (((n - home_of(t, t->list[n].key)) & mask) >= ((n - hole) & mask)) {
            t->list[hole] = t->list[n];
            hole = n;
        }
    t->list[hole] = (struct number){0};
}

void numbers_clear(struct numbers *t)
{
    free(t->list);
    *t = (struct numbers){0};
}
