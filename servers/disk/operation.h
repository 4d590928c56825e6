/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation on a checked disk, for guard.c, write.c, mend.c and bounce.c.
 *
 * Its memory is reached by the driver itself where that is possible: reads go straight there.
 * What is written must not change between the sum and the writing, so what lies in a file server's
 * memory goes through a buffer ("bounce"), and so does what another disk's driver does not reach;
 * then it is done in portions.
 */
#ifndef DISK_OPERATION_H
#define DISK_OPERATION_H

#include "servers/disk/guard.h"

enum {
    BLOCKS_MAX = BLOCK_TRANSFER_MAX / INTEGRITY_BLOCK,
    PORTION_MAX = BOUNCE_MAX / 2, /* blocks, with bounces: so that two can be under way */
    READS_MAX = 3,
    MEMBERS = INTEGRITY_MEMBERS
};

enum phase {
    PHASE_BEGIN, /* write: sums are not entered yet */
    PHASE_FLUSH, /* flush, or write of a block that was written since the last one */
    PHASE_NOTES,
    PHASE_DATA,
    PHASE_SETTLE, /* flush: notes with one sum for each block */
    PHASE_READ,
    PHASE_MIRROR, /* read: from the other disk */
    PHASE_REPAIR,
    PHASE_DONE,
};

struct guard_op {
    struct job job; /* whoever asked has filled it in */
    struct guard *guard;
    struct guard_op *next;
    struct adapter *home; /* in whose queue the memory lies; NULL: in a file server's */
    uint8_t *memory;
    uint64_t physical;
    uint32_t place[BLOCKS_MAX]; /* of each block, in bytes from there */
    uint32_t operation;
    uint64_t block;
    uint32_t count;
    uint32_t done, now; /* of these: before this portion, in it */
    enum phase phase;
    unsigned pending; /* requests to drivers */
    unsigned posted; /* of this phase: mask of members */
    uint64_t need[2]; /* generations of the portion's notes that have its sums */
    uint64_t next_note; /* PHASE_SETTLE */
    unsigned good, failed; /* members whose requests of this phase succeeded, or did not */
    int error;
    unsigned reads, from;
    unsigned members; /* write: that were there at its beginning */
    uint8_t *bounce[MEMBERS]; /* for the portion; NULL: not needed */
    struct adapter *bounce_of[MEMBERS];
    uint32_t bounced; /* blocks of each */
    bool wrong[BLOCKS_MAX]; /* of the portion */
    uint32_t mirror_at; /* of it: what comes from the mirror */
    bool is_repaired;
};

/* ---- guard.c ---- */
struct integrity_entry *guard_entry(const struct guard *g, uint64_t block);
bool guard_member_is_there(const struct guard *g, unsigned m);
/* Block n of the portion. */
static inline uint8_t *guard_data(const struct guard_op *op, uint32_t n)
{
    return op->memory + op->place[op->done + n];
}
/* A request for n blocks of the portion to the driver of that member. A bounce begins with the
 * first of these. False: no slot just now. */
bool guard_send(struct guard_op *op, unsigned m, uint32_t operation, uint32_t first, uint32_t n);
void guard_enter(struct guard_op *op, enum phase phase);
/* Another one under way that moves the same blocks. */
bool guard_is_written(const struct guard_op *op);
bool guard_is_repaired(const struct guard_op *op);

/* ---- bounce.c ---- */
/* Memory for the rest of an operation, or for the portion of it (op->now) that there is memory
 * for. False: none just now. */
bool bounce_take(struct guard_op *op, unsigned members);
void bounce_give_back(struct guard_op *op);
bool bounce_one(struct guard_op *op, unsigned m, uint32_t most); /* op->bounced blocks of one */
/* Does the driver reach the operation's memory, and stays that as it is? */
bool bounce_is_needless(const struct guard_op *op, unsigned m);

/* ---- write.c, mend.c: true: something has moved ---- */
bool guard_step_begin(struct guard_op *op);
bool guard_step_flush(struct guard_op *op);
bool guard_step_notes(struct guard_op *op);
bool guard_step_data(struct guard_op *op);
bool guard_step_settle(struct guard_op *op);
bool guard_step_read(struct guard_op *op);
bool guard_step_mirror(struct guard_op *op);
bool guard_step_repair(struct guard_op *op);

/* ---- write.c ---- */
struct note_write { /* of a note, to all members */
    struct guard *guard;
    uint64_t number;
    unsigned pending;
    bool is_good;
    struct adapter *adapter[MEMBERS];
    unsigned buffer[MEMBERS]; /* from 1 on */
};

#endif
