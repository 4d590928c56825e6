/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks to and from the disk: requests in the block queue. Nothing here waits; what has ended is
 * told by the functions below, from io_serve(). (The unit tests have their own io_*.)
 */
#ifndef EXT4_IO_H
#define EXT4_IO_H

#include "servers/fs/ext4/box.h"

/* Start reading a buffer: it is B_READING then. Neighbours are joined to one request. */
void io_read(struct buffer *b);
/* Write buffers of successive blocks in place: how many of them are B_WRITING then; 0: no slot just
 * now. */
uint32_t io_write(struct buffer *const list[], uint32_t count);
enum { IO_BLOCKS_MAX = 256 }; /* in one io_write() or io_write_memory() */
/* Write memory of the box, `count` blocks. fua: it is on the medium when it is done. False: no slot
 * just now. */
bool io_write_memory(const void *memory, uint64_t block, uint32_t count, bool fua,
                     void (*done)(int error));
/* Everything whose writing has ended before is on the medium when it is done. */
bool io_flush(void (*done)(int error));

/* ---- what is told ---- */

void cache_has_read(struct buffer *b, int error); /* cache.c */
void write_has_ended(struct buffer *b, int error); /* writeback.c */

#endif
