/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal, in the format of jbd2 (the kernel's documentation, "Journal (jbd2)"), data ordered.
 *
 * A transaction is all that complete operations have changed between two commits. To commit it, its
 * blocks are copied to the stage in the form that they have in the journal (commit.c), so that
 * operations go on at once in the next transaction. When the stage, and the file data that the
 * transaction makes reachable, are on the disk, the commit record is written. From then on the
 * blocks may be written in place (writeback.c); when all of a transaction are, its place in the
 * journal is free again: the tail moves.
 *
 * Where a step is known in the box, a fresh incarnation takes it up from there.
 */
#ifndef EXT4_JOURNAL_H
#define EXT4_JOURNAL_H

#include "servers/fs/ext4/box.h"
#include "servers/fs/ext4/format.h"

/* ---- journal.c: where it lies, what its super block says ---- */

extern struct journal {
    uint32_t first, end; /* blocks of the journal that the log goes round in */
    uint32_t features; /* enum journal_feature */
    uint32_t seed; /* of its checksums */
    uint32_t start, sequence; /* as found at mounting: where replay begins; start 0: nothing */
    uint8_t uuid[16];
} journal;

/* Find it and check its super block. 0, EXT4_MISS (again), -EUCLEAN or -EINVAL with `why`. */
long journal_load(char *why, size_t room);
void journal_forget(void);
uint64_t journal_place(uint32_t block); /* on the disk */
uint32_t journal_next(uint32_t block, uint32_t count); /* further on, going round */
uint32_t journal_run(uint32_t block, uint32_t want); /* how many from there lie in a row */
uint32_t journal_room(void); /* blocks that the next commit may take */
uint32_t journal_live(void); /* transactions that are in the journal, with the running one */
/* Its super block, with that tail, into a block of memory. start 0: empty. */
void journal_fill_super(void *block, uint32_t start, uint32_t sequence);
/* The blocks before the oldest that is needed are free: the tail moves on. From time to time. */
void journal_step(void);
bool journal_is_quiet(void); /* no tail on its way */
/* It has nothing that is not in place: says so on the disk. Then done(). */
bool journal_close(void (*done)(int error));
/* The tail at mounting: an empty log from here on. */
bool journal_open(void (*done)(int error));
/* It could not be written: the file system can only be read from now on. */
void journal_failed(int error);

/* ---- commit.c ---- */

/* The running transaction is to be committed. */
void commit_want(void);
/* Everything so far on the disk: SEQUENCE_IS | the sequence to wait for in box->journal.committed,
 * 0: it is. */
uint64_t commit_all(void);
bool commit_is_done(uint32_t sequence);
long commit_room(void); /* is there room in the journal for an operation? Else EXT4_MISS */
void commit_step(void); /* after anything has ended, and after each operation */
bool commit_is_quiet(void); /* nothing to commit, nothing under way */
void commit_forget(void); /* nothing is under way: another file system */
void commit_adopt(void); /* goes on with what a predecessor has begun */

/* ---- writeback.c ---- */

enum write_back {
    WRITE_ORDERED, /* what a commit waits for */
    WRITE_DATA, /* all data */
    WRITE_ALL /* and metadata that has been committed */
};
void write_want(enum write_back what);
void write_step(void);
void write_forget(void);
/* So many blocks of data have become dirty: enough of them, and they are written. */
void write_dirtied(uint32_t blocks);
bool write_is_clean(void); /* nothing is dirty or waits to be written in place */
bool write_has_ordered(uint32_t sequence); /* data that this transaction waits for */
bool write_ordered_is_done(void); /* what the commit under way waits for */
extern bool write_unflushed; /* something was written since the last flush was begun */
int write_take_error(void); /* errno of data that was lost, told once */

/* ---- replay.c ---- */

/* What the journal has is put in place. 0: done; EXT4_MISS; -errno with `why`. */
long replay(char *why, size_t room);
/* 32 bits as the journal has them: the other way round. */
static inline uint32_t swap32(uint32_t n)
{
    return __builtin_bswap32(n);
}
/* Checksum of a block of the journal whose last four bytes (or those at `at`) are the checksum. */
uint32_t journal_block_sum(const void *block, size_t at);
uint32_t journal_tag_sum(const void *block, uint32_t sequence);
size_t journal_tag_size(void);

#endif
