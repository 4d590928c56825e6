/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions of one address space: sorted, not overlapping, neighbours that are alike merged. Pure
 * logic; addresses are multiples of PAGE_SIZE and ends exclusive. Tables are of fixed size: -ENOMEM
 * when full, and then nothing has changed.
 */
#ifndef VM_REGION_H
#define VM_REGION_H

#include <stdbool.h>
#include <stdint.h>

#define REGIONS_MAX 512
#define REGIONS_CUT 2 /* more for a moment, while a range is cut out */

enum region_flag {
    REGION_SHARED = 1, /* MAP_SHARED: fork shares it for good */
    REGION_STACK = 2, /* grows down */
    REGION_HEAP = 4,
    REGION_FILE =
        8, /* contents of a file: VM_PROTECTION_FILE, ..._NEVER_WRITE, ..._NEVER_EXECUTE */
    REGION_NEVER_WRITE = 16,
    REGION_NEVER_EXECUTE = 32,
};

struct region {
    uint64_t start, end;
    uint32_t protection; /* Linux PROT_*, VM_PROTECTION_VAULT */
    uint32_t flags;
};

struct regions {
    uint32_t count;
    struct region r[REGIONS_MAX + REGIONS_CUT];
};

/* the one that holds address, or NULL */
struct region *region_find(struct regions *t, uint64_t address);
/* the first that ends above address, or NULL */
struct region *region_after(struct regions *t, uint64_t address);
bool region_free(struct regions *t, uint64_t start, uint64_t end); /* nothing lies there */
/* First gap of that length in [low, high); 0: none. */
uint64_t region_gap(struct regions *t, uint64_t length, uint64_t low, uint64_t high);
int region_add(struct regions *t, struct region new); /* the place must be free */
/* There is room for as many more. */
bool region_has_room(const struct regions *t, uint32_t more);
/* region_remove() would find room for what it leaves: cutting a part out of one makes one more. */
bool region_may_remove(struct regions *t, uint64_t start, uint64_t end);
/* and there would be room for so many in its place */
bool region_may_replace(struct regions *t, uint64_t start, uint64_t end, uint32_t by);
/* cuts out, splitting what sticks out */
int region_remove(struct regions *t, uint64_t start, uint64_t end);
/* Is the protection what mprotect(2) may make of all regions of that range? */
bool region_may_protect(struct regions *t, uint64_t start, uint64_t end, uint32_t protection);
/* New protection for a range; -ENOMEM also when part of it is in no region. */
int region_protect(struct regions *t, uint64_t start, uint64_t end, uint32_t protection);
uint64_t regions_bytes(const struct regions *t);
uint64_t regions_bytes_in(const struct regions *t, uint64_t start, uint64_t end);

#endif
