/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a driver store the bytes that it says have come, and where it says? What tty has taken it
 * covers with blanks (char_blank()), which nobody else can guess. So there are two signs of a driver
 * that stores elsewhere, or nothing at all:
 *   - blanks are handed on as bytes that have come;
 *   - the place that is the next to be written, or the one that was taken last, is a blank no
 *     more: who stores too far ahead, or behind, has written it, whether the line rests or not.
 * A byte may be a blank by chance, and a driver may be met between its store and its index. Neither
 * is so again and again. Pure logic.
 */
#ifndef TTY_BLANKS_H
#define TTY_BLANKS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/char_queue.h"

enum {
    BLANKS_WEIGHT = 4,
    BLANKS_MOST = 32, /* eight in a row, or every third for a while */
    BLANKS_AWAY = 1024, /* bytes that no driver is ahead of what it has published */
};

struct blanks {
    uint32_t key; /* what blanks are made with; nobody else knows it */
    uint32_t came; /* grows with each that comes */
    uint32_t around; /* grows with each look that finds a place written that is not to be */
    uint32_t look_from; /* index: from there on places ahead are blank, whoever was there before */
    uint32_t leftover; /* bytes still in the ring of one that was blamed */
    bool is_blamed; /* the driver that is there was found out */
};

/* A queue is new to us, with `taken` for our index; what is near to where its driver writes is left
 * as it is, since it may be at work already. */
void blanks_fill(const struct blanks *b, struct char_queue *q, uint32_t taken);
/* What lies from `from` to `to` has been taken. Before the index is published. */
void blanks_cover(const struct blanks *b, struct char_queue *q, uint32_t from, uint32_t to);
/* A driver begins at index `written`; `waiting` bytes are in the ring, which came before it. */
void blanks_begin(struct blanks *b, uint32_t written, uint32_t waiting);
/* Whether byte c in place `at` has come and is to be handed on. *found: the driver is found out. */
bool blanks_has_come(struct blanks *b, uint32_t at, uint8_t c, bool *found);
/* Bytes have come, and none of them is taken yet. Whether the driver is found out. */
bool blanks_look_around(struct blanks *b, const struct char_queue *q, uint32_t taken);

#endif
