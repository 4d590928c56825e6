/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block cache: blocks of the file system in memory, metadata and file data alike, by their
 * number on the disk.
 *
 * To look at a block: block_get(). When it is not in memory the answer is EXT4_MISS: pass that up;
 * the request is run again from its beginning when the block has come. Never hold a buffer over a
 * return to the main loop. Buffers that the current run has got stay valid until it ends.
 *
 * To change one (metadata, within an operation): block_change() first. To begin using a newly
 * allocated metadata block: block_fresh().
 */
#ifndef EXT4_CACHE_H
#define EXT4_CACHE_H

#include "servers/fs/ext4/box.h"

/* Not now: what it waits for is noted in `missing`. The same as FS_LATER (lib/fs/fs.h). */
#define EXT4_MISS (-0x7fffffffL)

/* What the run waits for after EXT4_MISS. */
enum missing_what {
    MISSING_NOTHING,
    MISSING_BLOCK,
    MISSING_MEMORY,
    MISSING_COMMIT,
    MISSING_TURN, /* another request comes first */
    MISSING_PAUSE, /* nothing: it has taken long, and others come first */
    MISSING_MOUNT, /* the file system is not ready yet */
};
extern struct missing {
    enum missing_what what;
    uint64_t block;
} missing;
long miss_commit(void); /* something that only a commit can give: notes it, returns EXT4_MISS */

/* Reads and writes are started through these (main.c; the tests have their own). */
struct cache_io {
    /* Start reading block b->block and those after it that are worth while; marks them B_READING.
     * A simple one may read at once: then B_VALID. */
    void (*read)(struct buffer *b);
};
void cache_start(const struct cache_io *io);
void cache_start_again(const struct cache_io *io); /* after box_adopt(), which has made the lists */
void cache_run_begin(void); /* a request begins, or is run again */

/*
 * The block, valid. kind and seed are what its checksum is checked with, once. 0; EXT4_MISS; -EIO;
 * -EUCLEAN: the checksum is wrong, or the number lies outside the file system.
 */
long block_get(uint64_t block, enum kind kind, uint32_t seed, struct buffer **out);
/* The same of a file's data without its being compared before: cache_was_right() is due after it has been used. */
long block_get_data(uint64_t block, struct buffer **out);
/* Before changing it. 0, or -EFBIG: the operation has become too big. */
long block_change(struct buffer *b);
/* A block that the operation has just allocated for metadata: zeroed, part of the transaction. */
long block_fresh(uint64_t block, enum kind kind, uint32_t seed, struct buffer **out);
/* The same for file data: zeroed, dirty, ordered; its contents are not journaled. */
long block_fresh_data(uint64_t block, struct buffer **out);
/* It will be wanted soon: reads it when it is not in memory and there is room. */
void block_ahead(uint64_t block, enum kind kind);
/* A block of data that is overwritten from end to end: its contents do not matter, and it is not
 * B_VALID when they were not in memory. 0, or EXT4_MISS. */
long block_overwrite(uint64_t block, struct buffer **out);
/* There is something to do that does not follow from the end of a request to the disk. */
extern bool work_is_wanted;
/* Data that a commit may wait for has been written, or is not wanted any more. */
extern bool ordered_has_changed;
/* In memory already? NULL: no. Does not count as use. */
struct buffer *cache_find(uint64_t block);
/* A buffer for a block that is not in memory, state 0, in the hash. NULL: all are in use. */
struct buffer *cache_take(uint64_t block);
void cache_enter(struct buffer *b); /* it has got its block: can be found from now on */
void cache_drop(struct buffer *b); /* its contents are worth nothing: unused from now on */
void cache_forget(uint64_t first,
                  uint32_t count); /* the blocks belong to nobody: none is written */
/* Its contents are about to be others, or are: its code is none any more, and is soon made anew. */
void cache_changed(struct buffer *b);
struct buffer *
cache_next_changed(void); /* the one that has waited longest for a code; NULL: none */
/* Between two operations, before a run: what has changed by itself is put right (scrub.c). */
void cache_scrub(void);
/* After a request, before the next: what has changed gets its code, as long as that does not take too much. */
void cache_give_codes(void);
/* Before it is looked at: a bit that has flipped since there is a code is put right. Not again within a
 * millisecond or two. False: it is gone, to be read again. */
bool cache_verify(struct buffer *b);
uint32_t cache_moment(void); /* what `verified` is then, never 0 */
/* Now, before a part of it changes: the rest gets a code with that as it is. */
void cache_mend(struct buffer *b);
/* Now, after it has been copied somewhere: so nothing can flip between the comparison and the use. False: what was copied is wrong, and
 * is to be copied once more; it is mended, or gone, to be read again. */
bool cache_was_right(struct buffer *b);
bool cache_scrub_one(void); /* the next one now; false: there is none */
/* It can be read again, and nobody has got it in this run. */
bool cache_may_go(const struct buffer *b);
/* The lists of this incarnation, made anew from the buffers. */
void cache_rebuild(void);

#endif
