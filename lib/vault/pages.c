/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/vault/pages.h"

#include <stdlib.h>

#include "lib/vault/vault.h"

enum { WORDS = SLAB_PAGES / 64, TRIES = 16 };

struct slab {
    struct slab *next, *previous;
    uint8_t *data;
    uint32_t in_use;
    uint64_t used[WORDS]; /* bit: page in use */
    uint64_t dirty[WORDS]; /* bit: page has been used since it came from VM */
};

static uint32_t slab_pages(const struct pages *p)
{
    return p->slab_pages ? p->slab_pages : SLAB_PAGES;
}

static void list_add(struct slab **head, struct slab *s)
{
    s->previous = NULL;
    s->next = *head;
    if (*head)
        (*head)->previous = s;
    *head = s;
}

static void list_remove(struct slab **head, struct slab *s)
{
    if (s->previous)
        s->previous->next = s->next;
    else
        *head = s->next;
    if (s->next)
        s->next->previous = s->previous;
}

void *region_allocate(struct pages *p, uint64_t pages)
{
    void *region;

    if (pages == 0 || pages > p->limit || p->used > p->limit - pages)
        return NULL;
    region = vault_map(pages * PAGE_BYTES, p->needed);
    if (region)
        p->used += pages;
    return region;
}

void region_free(struct pages *p, void *region, uint64_t pages)
{
    vault_unmap(region, pages * PAGE_BYTES);
    p->used -= pages;
}

static struct slab *slab_make(struct pages *p)
{
    struct slab *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->data = region_allocate(p, slab_pages(p));
    if (!s->data) {
        free(s);
        return NULL;
    }
    list_add(&p->open, s);
    p->empty++;
    return s;
}

static uint64_t mask_of(uint32_t pages)
{
    return (1ull << pages) - 1; /* pages <= 16 */
}

/* The first aligned free run in s: its page, or -1. */
static int find_run(const struct slab *s, uint32_t among, uint32_t pages)
{
    uint64_t mask = mask_of(pages);

    for (unsigned at = 0; at < among; at += pages)
        if ((s->used[at / 64] >> at % 64 & mask) == 0)
            return (int)at;
    return -1;
}

static void take(struct pages *p, struct slab *s, unsigned at, uint32_t pages, struct run *run,
                 bool *is_zero)
{
    uint64_t mask = mask_of(pages) << at % 64;

    if (s->in_use == 0)
        p->empty--;
    s->used[at / 64] |= mask;
    s->in_use += pages;
    *is_zero = (s->dirty[at / 64] & mask) == 0;
    s->dirty[at / 64] |= mask;
    if (s->in_use == slab_pages(p)) {
        list_remove(&p->open, s);
        list_add(&p->full, s);
    }
    *run = (struct run){.slab = s, .data = s->data + (size_t)at * PAGE_BYTES, .pages = pages};
}

bool run_allocate(struct pages *p, uint32_t pages, struct run *run, bool *is_zero)
{
    struct slab *s = p->open;

    for (int tries = 0; s && tries < TRIES; s = s->next, tries++) {
        int at = find_run(s, slab_pages(p), pages);

        if (at >= 0) {
            take(p, s, (unsigned)at, pages, run, is_zero);
            return true;
        }
    }
    s = slab_make(p);
    if (!s)
        return false;
    take(p, s, 0, pages, run, is_zero);
    return true;
}

void run_free(struct pages *p, struct run *run)
{
    struct slab *s = run->slab;
    unsigned at;

    if (!run->data)
        return;
    at = (unsigned)((size_t)(run->data - s->data) / PAGE_BYTES);
    if (s->in_use == slab_pages(p)) {
        list_remove(&p->full, s);
        list_add(&p->open, s);
    }
    s->used[at / 64] &= ~(mask_of(run->pages) << at % 64);
    s->in_use -= run->pages;
    *run = (struct run){0};
    if (s->in_use > 0)
        return;
    if (p->empty >= (p->keep ? p->keep : 1)) { /* a file that comes and goes costs no mapping */
        list_remove(&p->open, s);
        region_free(p, s->data, slab_pages(p));
        free(s);
    } else {
        p->empty++;
    }
}
