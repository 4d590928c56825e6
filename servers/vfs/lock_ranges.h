/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has locked which bytes of one file, for reading or writing. No kernel calls: tested on the
 * host. */
#ifndef VFS_LOCK_RANGES_H
#define VFS_LOCK_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "servers/vfs/share.h"

#define LOCK_END_MAX INT64_MAX /* to the end of the file, however far that is */

enum lock_kind { LOCK_KIND_NONE, LOCK_KIND_READ, LOCK_KIND_WRITE };

struct lock_range { /* an owner's ranges neither overlap nor, being of one kind, touch */
    struct lock_range *next;
    const void *owner;
    struct share *share; /* it is taken from there */
    int pid;
    enum lock_kind kind;
    uint64_t start, end; /* end: the last byte */
};

struct lock_ranges {
    struct lock_range *first;
};

/* The range of somebody else's, the lowest one, that does not go together with this one. NULL:
 * none. */
const struct lock_range *ranges_conflict(const struct lock_ranges *l, const void *owner,
                                         enum lock_kind kind, uint64_t start, uint64_t end);
/* From start to end the owner has that and nothing else. false: no memory, or too many ranges for
 * the share; nothing has changed. LOCK_KIND_NONE for all needs none. */
bool ranges_set(struct lock_ranges *l, struct share *share, const void *owner, int pid,
                enum lock_kind kind, uint64_t start, uint64_t end);
/* The owner has nothing any more: it had something. */
bool ranges_drop(struct lock_ranges *l, const void *owner);
/* Locks of the owner that are of another kind than `kind`. */
bool ranges_differ(const struct lock_ranges *l, const void *owner, enum lock_kind kind);

#endif
