/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What memory of programs is to look like, as plainly as mmap(2) and its family say it: for each page
 * of three places whether it is mapped, how protected, and what is in it. No tables, no faults, no
 * sharing but that of MAP_SHARED.
 */
#ifndef VM_REFERENCE_H
#define VM_REFERENCE_H

#include "tests/unit/vm_world.h"

enum { ARENA = 160, HEAP = 48, STACK = 32, CELLS = ARENA + HEAP + STACK };
#define HEAP_AT 0x10000000ull
#define STACK_FROM (VM_STACK_TOP - STACK * PAGE_SIZE)

struct cell { /* what is in a page; several have it when it is shared */
    unsigned users;
    uint64_t word;
};
struct expected {
    bool is_mapped, is_shared;
    uint32_t protection;
    struct cell *cell;
};
struct reference {
    unsigned users;
    struct expected page[CELLS];
    uint64_t brk;
};

static struct reference *references[SLOTS]; /* of slots */

static inline uint64_t address_of(unsigned i)
{
    if (i < ARENA)
        return MMAP_LOW + i * PAGE_SIZE;
    return i < ARENA + HEAP ? HEAP_AT + (i - ARENA) * PAGE_SIZE
                            : STACK_FROM + (i - ARENA - HEAP) * PAGE_SIZE;
}

static inline void cell_put(struct expected *e)
{
    if (e->is_mapped && --e->cell->users == 0)
        free(e->cell);
    *e = (struct expected){0};
}

static inline struct cell *cell_new(uint64_t word)
{
    struct cell *c = malloc(sizeof *c);

    *c = (struct cell){1, word};
    return c;
}

static inline void expect_map(struct reference *r, unsigned i, unsigned n, uint32_t protection,
                              bool is_shared)
{
    for (; n; n--, i++) {
        cell_put(&r->page[i]);
        r->page[i] = (struct expected){true, is_shared, protection, cell_new(0)};
    }
}

static inline void expect_none(struct reference *r, unsigned i, unsigned n)
{
    for (; n; n--, i++)
        cell_put(&r->page[i]);
}

static inline bool all_mapped(const struct reference *r, unsigned i, unsigned n)
{
    for (; n && r->page[i].is_mapped; n--)
        i++;
    return !n;
}

static inline bool none_mapped(const struct reference *r, unsigned i, unsigned n)
{
    for (; n && !r->page[i].is_mapped; n--)
        i++;
    return !n;
}

static inline struct reference *reference_fork(const struct reference *from)
{
    struct reference *r = calloc(1, sizeof *r);

    *r = *from;
    r->users = 1;
    for (unsigned i = 0; i < CELLS; i++) {
        struct expected *e = &r->page[i];

        if (e->is_mapped && e->is_shared)
            e->cell->users++;
        else if (e->is_mapped)
            e->cell = cell_new(e->cell->word);
    }
    return r;
}

static inline void reference_put(struct reference *r)
{
    if (--r->users)
        return;
    expect_none(r, 0, CELLS);
    free(r);
}

#endif
