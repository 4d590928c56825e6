/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UNDO_SUBJECT_H
#define UNDO_SUBJECT_H

#include <stdint.h>

enum { WORDS = 64, BYTES = 1024, ITEMS = 16, LARGE = 4, SHORTS = 33, SUBJECT_KINDS = 9 };

struct subject_item {
    uint32_t flag : 1, three : 3, many : 28;
    unsigned __int128 wide;
    struct subject_item *next, *back;
};

struct subject_large {
    uint64_t first, middle[40], last;
};

extern struct subject_memory {
    uint64_t words[WORDS];
    uint8_t bytes[BYTES];
    uint16_t shorts[SHORTS];
    uint32_t ints[SHORTS];
    struct subject_item items[ITEMS];
    struct subject_large large[LARGE];
    uint64_t sum;
    uint64_t other;
    void (*function)(unsigned, uint64_t);
    char text[64];
    /* not undone: */
    uint64_t unlogged[4], shared;
} subject;

void subject_run(unsigned kind, unsigned n, uint64_t x);
unsigned subject_calls(void); /* of subject_run, but those that were undone */

#endif
