/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The box: all that the file server knows and cannot read again from the disk. It lies in the
 * memory of the server's block queue, which outlives it, so a fresh incarnation goes on where its
 * predecessor was: same cache, same open transaction, nothing lost.
 *
 * What makes that possible is that every change is part of an *operation*. Before an operation
 * changes a block it puts the old contents aside (block_change()); it ends with one store. Until
 * then it can be undone, and is: by op_abort() after an error or when a block is not in memory yet
 * (the whole operation is run again when it is), and by box_adopt() after a death.
 *
 *     op_begin();
 *     ... block_get(), block_change(), block_fresh() ...
 *     result < 0 ? op_abort() : op_commit();
 *
 * Nothing yields between the two. So whoever looks at the blocks from outside an operation sees a
 * consistent file system, always.
 */
#ifndef EXT4_BOX_H
#define EXT4_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "servers/fs/ext4/code.h"

#define BOX_MAGIC 0x626f7834u /* "4xob" */
#define BOX_VERSION 4u

enum {
    UNDO_COPIES = 160, /* blocks that one operation may change */
    UNDO_FRESH = 512, /* blocks that it may add */
    REVOKES_MAX = 4096, /* in the running transaction */
    JOIN_MAX = 16, /* how many of the latest ones a freed extent is joined with, if it can be */
    FREED_MAX = 4096, /* extents freed in the running and the committing one */
    STAGE_BLOCKS =
        512, /* of one transaction in the journal: descriptors, copies, revokes, commit */
    RECORDS = 64, /* answers that are remembered */
    ANSWER_WORDS = 6,
    LIVE_MAX = 64, /* transactions in the journal */
};

enum buffer_state {
    B_VALID = 1, /* its contents are the block's */
    B_DIRTY = 2, /* data that the disk does not have yet */
    B_RUNNING = 4, /* metadata changed in the running transaction */
    B_READING = 16, /* being read; not valid */
    B_WRITING = 32, /* being written in place */
    B_CHECKED = 64, /* the checksum was right, or is ours to set */
    B_FAILED = 128, /* reading it failed: EIO to who asks next */
};

/* What a metadata block is, for its checksum (seal.c). */
enum kind {
    KIND_DATA,
    KIND_SUPER,
    KIND_GROUPS,
    KIND_BLOCK_BITMAP,
    KIND_INODE_BITMAP,
    KIND_INODES,
    KIND_EXTENTS,
    KIND_DIRECTORY,
    KIND_XATTR,
    KIND_JOURNAL
};

/* With a transaction's number where 0 means none: the numbers begin again, and 0 is one of them. */
#define SEQUENCE_IS (1ull << 32)

struct buffer {
    uint64_t block; /* number in the file system; with state 0: unused */
    uint32_t state; /* enum buffer_state */
    uint32_t kind; /* enum kind */
    uint32_t seed; /* of the checksum: that of the inode it belongs to; bitmaps: the group */
    uint64_t logged; /* SEQUENCE_IS | sequence of the last transaction that has it in the journal,
                        while that is not written in place; 0: none */
    uint64_t ordered; /* with B_DIRTY: SEQUENCE_IS | sequence of the transaction that may not commit
                         before it is on the disk; 0: none */
    /* from here on of this incarnation alone */
    uint32_t run; /* the last run of a request that got it: it stays while that lasts */
    int32_t next_hash; /* index; -1: none */
    int32_t next_io; /* of the same request to the disk */
    bool hashed; /* can be found by its block */
    bool used; /* since the clock's hand last came by */
    bool alone; /* reading it with others has failed: it may be one of them */
    bool changed; /* while it was being written: dirty again */
    bool has_code; /* `code` is that of its contents: whoever changes them says that it is not */
    struct block_code code;
    uint32_t issued; /* the running transaction when its write was begun */
    uint32_t
        verified; /* when `code` was compared: of the TSC, in units of cache_verify(); 0: it is to be */
};

struct counters { /* what changes with operations and is written to the super block with each
                     transaction */
    uint64_t free_blocks;
    uint32_t free_inodes, last_orphan;
};

struct freed { /* not to be used again before the transaction that freed it has committed */
    uint64_t block;
    uint32_t count, sequence;
};

/* How far the commit of a transaction has got (commit.c). */
enum commit_phase {
    COMMIT_IDLE,
    COMMIT_MARKING, /* the stage is complete; the buffers are told */
    COMMIT_WRITING, /* the stage to the journal, ordered data in place */
    COMMIT_FLUSHING,
    COMMIT_RECORDING, /* the commit record */
};

struct journal_state {
    uint32_t sequence; /* of the running transaction */
    uint32_t committed; /* of the last that is on the disk */
    uint32_t head; /* block of the journal where the next commit begins */
    uint32_t tail, tail_sequence; /* what the journal's super block says: the oldest */
    uint32_t begin[LIVE_MAX]; /* where transaction n begins: at n % LIVE_MAX */
    uint32_t phase; /* enum commit_phase */
    uint32_t committing; /* the sequence of the transaction in the stage, from COMMIT_MARKING on */
    uint32_t staged; /* blocks in the stage, the commit record last */
    uint32_t members; /* buffers in the commit */
    uint32_t member[STAGE_BLOCKS];
};

/* What was answered to a request that changed something, so that it is not done twice. */
struct record {
    uint64_t id; /* of the request; 0: unused */
    uint64_t op; /* valid when that operation is complete */
    uint64_t answer[ANSWER_WORDS];
};

struct box {
    uint32_t magic, version;
    uint64_t mount; /* number of the mount that it belongs to */
    uint64_t size; /* bytes of the whole box */
    uint32_t block_size, buffers;

    /* the operation */
    uint64_t op_done; /* number of the last that is complete: writing this commits it */
    uint64_t op_current; /* other than op_done: it can be undone */
    uint32_t undo_copies, undo_fresh;
    struct {
        uint32_t buffer, state, kind, seed;
    } undo[UNDO_COPIES]; /* old contents: box_undo(n) */
    uint32_t fresh[UNDO_FRESH]; /* buffers */
    struct op_state { /* restored as a whole */
        struct counters counters;
        uint32_t revokes, freed, running; /* running: blocks in the running transaction */
    } now, before;

    struct record record[RECORDS];

    uint64_t revoke[REVOKES_MAX];
    struct freed freed[FREED_MAX];

    struct journal_state journal;
    uint32_t journal_features; /* enum journal_feature */
    uint8_t super[1024]; /* as at mounting: a successor works out the volume from it */
    uint32_t is_mounted; /* all above is in order: a successor goes on from here */
    uint32_t has_error; /* the journal could not be written: nothing is changed any more */
};

/* What is stored before it is there before what is stored after it: a death may come between any two
 * instructions, and the compiler would choose their order. */
static inline void box_fence(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- setting up ---- */

/* Whether what lies at `memory` is a box of this mount that can be gone on with. */
bool box_is_sound(const void *memory, size_t size, uint64_t mount);
/* An empty one: as many buffers as fit. False: too little memory. */
bool box_make(void *memory, size_t size, uint64_t mount, uint32_t block_size);
/* Go on with what is there: undoes the operation in progress; reads in progress are forgotten,
 * writes will be made again. Returns false when it does not check out. */
bool box_adopt(void *memory, size_t size);

extern struct box *box;
extern struct buffer *buffers; /* box->buffers of them */

void *buffer_data(const struct buffer *b);
static inline uint32_t buffer_index(const struct buffer *b)
{
    return (uint32_t)(b - buffers);
}
void *box_stage(uint32_t n); /* block n of the commit that is being written */

/* ---- operations ---- */

/* Is there room in the running transaction for any operation? Else EXT4_MISS, for a commit. */
long op_room(void);
void op_begin(void);
void op_commit(void);
void op_abort(void);
bool op_active(void);
/* The operation has freed these blocks. From its end on they are not written any more; metadata is
 * revoked in the journal; nobody gets them before the transaction has committed. 0, or EXT4_MISS
 * when the lists are full. */
long op_freed(uint64_t first, uint32_t count, bool is_metadata);
/* Does that range contain blocks that wait for their transaction? The next such extent from *n on
 * (0 to begin with), in no order; or NULL. */
const struct freed *op_pending(uint64_t first, uint32_t count, uint32_t *n);
void op_freed_until(uint32_t sequence); /* that transaction has committed */
/* In the operation: what the request will be answered. Id 0: it need not be remembered. */
void op_record(uint64_t id, const uint64_t answer[ANSWER_WORDS]);
/* What it was answered, if it has been done. NULL: it has not. */
const uint64_t *op_recorded(uint64_t id);

#endif
