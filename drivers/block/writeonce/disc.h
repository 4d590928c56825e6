/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device: a disc whose sectors can be written once. It is memory, and outlives its driver, as a
 * disc does; or it is on a disk (image.h). It does not trust the driver: a sector that was begun is
 * never written again, and who tries is counted.
 */
#ifndef WRITEONCE_DISC_H
#define WRITEONCE_DISC_H

#include <stdbool.h>
#include <stdint.h>

#define DISC_BLOCK 2048u /* bytes, as of a CD */
#define DISC_HEADER 0x10000u /* bytes of struct disc, which the blocks are behind */
#define DISC_MAGIC 0x4d524f57u /* "WORM" */

struct disc {
    uint32_t magic;
    uint32_t blocks; /* on it */
    uint64_t refused; /* blocks that were to be written again */
    uint8_t written[DISC_HEADER - 16]; /* a bit for each */
};
_Static_assert(sizeof(struct disc) == DISC_HEADER, "as it is on a disk");

uint32_t disc_fit(uint64_t size); /* blocks of a disc in so many bytes */
/* A disc in `size` bytes of memory: the one that is there or, if there is none, a blank one. NULL:
 * too little memory for one block. */
struct disc *disc_load(void *memory, uint64_t size);
uint32_t disc_next(const struct disc *disc); /* the first block that is blank, and all behind it */
/* The block is as good as written. False: it was before, or is none; that is counted. */
bool disc_mark(struct disc *disc, uint32_t block);
/* False: it was written before; nothing has been done. */
bool disc_write(struct disc *disc, uint32_t block, const uint8_t bytes[DISC_BLOCK]);
const uint8_t *disc_read(const struct disc *disc, uint32_t block);

#endif
