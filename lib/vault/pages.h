/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of pages of a vault (vault.h): 1, 2, 4, 8 or 16 pages, aligned to their size, cut out of slabs
 * of up to 1 MB that come from VM. An empty slab goes back, but for some. Nothing here is ever moved.
 */
#ifndef VAULT_PAGES_H
#define VAULT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
#define RUN_PAGES_MAX 16u
#define SLAB_PAGES 256u

struct slab;

struct pages {
    uint64_t used, limit; /* pages of all slabs and reservations */
    uint32_t slab_pages; /* of a slab: a multiple of 16, at most SLAB_PAGES; 0: that */
    bool needed; /* as of vault_map() */
    uint32_t keep; /* so many empty slabs do not go back; 0: one */
    struct slab *open, *full; /* lists of slabs with and without a free page */
    unsigned empty; /* slabs without a page in use */
};

struct run {
    struct slab *slab;
    uint8_t *data; /* NULL: none */
    uint32_t pages;
};

/* pages: a power of two up to RUN_PAGES_MAX. *is_zero: the contents are known to be zero, else
 * anything. false: the limit is reached. */
bool run_allocate(struct pages *p, uint32_t pages, struct run *run, bool *is_zero);
void run_free(struct pages *p, struct run *run);

/* A mapping of its own, zeroed, of so many pages, that VM may lend on; NULL: the limit
 * is reached. */
void *region_allocate(struct pages *p, uint64_t pages);
void region_free(struct pages *p, void *region, uint64_t pages);

#endif
