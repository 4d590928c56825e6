/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of inodes by a key of theirs, in the memory of this incarnation: it is as large as what it has needs. */
#ifndef EXT4_NUMBERS_H
#define EXT4_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

struct number {
    uint64_t key; /* 0: unused */
    uint32_t value;
    bool is_marked;
};

struct numbers {
    struct number *list;
    uint32_t size, used; /* at most half of it */
};

/* NULL: it has none. It stays there until the next numbers_put() or numbers_drop(). */
struct number *numbers_find(const struct numbers *t, uint64_t key);
struct number *numbers_put(struct numbers *t, uint64_t key); /* a new one is 0, not marked */
void numbers_drop(struct numbers *t, uint64_t key);
void numbers_clear(struct numbers *t);

#endif
