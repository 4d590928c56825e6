/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose blocks are checked (lib/block/integrity.h has the format). A request to such a disk
 * becomes an operation of the guard, which makes several requests to the drivers of it:
 *
 *     write: notes with the new sums, durably; then the data; on both disks of a pair
 *     read:  the data; each block against its sum; what is wrong again, or from the mirror
 *     flush: flush; then the notes that say so
 *
 * All sums are in memory while the server lives, so reading costs no request more, and a write that
 * a driver has dropped is found though its old contents had a right sum once.
 *
 * Many writes may be under way at once: all that come while a note is being written share the next
 * writing of it. A flush, or a write of a block that was written since the last one, begins when no
 * write is under way, and none begins before it has ended.
 *
 *     guard.c   the operations in general
 *     write.c   writes, flushes, notes
 *     mend.c    reads
 *     bounce.c  memory that the drivers reach
 *     load.c    finding such disks, reading their notes
 */
#ifndef DISK_GUARD_H
#define DISK_GUARD_H

#include "lib/block/integrity.h"
#include "servers/disk/disk.h"

enum { GUARDS_MAX = 8, GUARD_SECTORS = INTEGRITY_BLOCK / BLOCK_SECTOR };

enum guard_flag { /* of a block */
                  GUARD_UNFLUSHED = 1, /* its entry has two sums */
                  GUARD_EITHER = 2, /* it could not be written: it may have its old contents */
                  GUARD_BLAMED = 4, /* it was wrong more than once: no reason to complain of the
                                       driver again */
};

struct guard_note { /* what becomes of a note */
    uint64_t ended; /* generation that was written last, or could not be */
    bool is_failed; /* it could not */
    bool is_moving; /* it is being written */
    bool is_stale; /* the disk's is older than that in memory */
    bool is_dirty; /* it has entries with two sums */
};

struct guard {
    struct integrity_header header;
    struct guard_member {
        struct adapter *adapter; /* NULL: not there */
        unsigned unit;
        uint32_t complained; /* of this incarnation of its driver */
    } member[INTEGRITY_MEMBERS];
    struct integrity_note *note; /* as they are to be on the disk */
    struct guard_note *state; /* of these */
    unsigned moving; /* how many are */
    unsigned writing; /* operations whose sums are entered, and whose data is not all written */
    struct guard_op *flushing; /* who does; NULL: nobody */
    uint8_t *flags; /* by block: enum guard_flag */
    bool is_active; /* all is loaded */
    unsigned load_member;
    uint64_t load_next;
    struct guard_op *first, **end; /* in the order in which they came */
};

/* ---- guard.c ---- */
struct guard *guard_new(const struct integrity_header *h); /* NULL: no memory */
struct guard *guard_of(const struct adapter *a, unsigned unit); /* an active one, or NULL */
struct guard *guard_at(unsigned index);
/* The request in that slot, which is not posted: what done() will get in its place. */
struct job *guard_post(struct guard *g, struct adapter *a, const struct job *job,
                       const struct block_request *r);
bool guards_serve(void); /* true: something has moved */
void guard_drop(struct guard *g); /* its disk is not there any more */
/* The sum of what is in memory, for a block of it. */
bool guard_block_is_right(const struct guard *g, uint64_t block, const void *data);

/* ---- bounce.c ---- */
/* Memory of that adapter's for guards: 0, FS_LATER, or -ENOMEM: its queue is too small. */
long bounce_lend(struct adapter *a);

/* ---- load.c ---- */
/* 0: known now what it is (guard_of() says); FS_LATER. */
long guard_look(struct device *d);
bool guard_has(const struct device *d); /* it is a member, perhaps of one that is not active yet */
void guard_forget(struct device *d);

#endif
