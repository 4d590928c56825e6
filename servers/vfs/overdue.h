/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that do not come back, though they end by themselves: a file server that is alive, comes back
 * to its loop and answers others may have lost one, or may have come to a state in which it goes on with none.
 * Every few seconds those that have been out for as long are looked at. The kernel says whether the
 * program is still blocked on the server, which tells what was lost from what was answered; the server itself
 * whether it has the request (FILE_WAITS), and whether what that may wait for moves on: a slow disk is
 * waited for as long as it does anything, and one that does nothing is disk's to complain of, within some 40 s.
 *
 * The server is complained of and replaced, and the fresh copy asked again. A request that costs so
 * many copies their lives fails with EIO, as one does that a disk does not answer.
 *
 * Here is what is counted, without effects; ask.c asks and complains.
 */
#ifndef VFS_OVERDUE_H
#define VFS_OVERDUE_H

#include <stdbool.h>
#include <stdint.h>

#define OVERDUE_LOOK_NS 5000000000ull

struct overdue { /* of what a program waits for */
    bool
        ends; /* it ends by itself, whatever others do, and has not been answered as far as is known */
    uint32_t requests, seen; /* handed out so far; at the last look */
    unsigned looks; /* in which that one has not come back */
    uint64_t moves; /* as FILE_WAITS */
    unsigned complaints; /* because of it */
};

/* Another request: nobody is to blame for it yet. */
static inline void overdue_begin(struct overdue *o)
{
    o->complaints = 0;
}

/* A server has it, once more perhaps. */
static inline void overdue_handed(struct overdue *o, bool ends)
{
    o->requests++;
    o->ends = ends;
}

/* A look: has it been out for so long that somebody is to be asked about it? */
bool overdue_look(struct overdue *o);
/* What the server has answered to FILE_WAITS. What it is to be complained of for; NULL: for nothing yet. */
const char *overdue_judge(struct overdue *o, long answer, uint64_t moves);
/* It has cost too many their lives. */
bool overdue_is_hopeless(const struct overdue *o);

#endif
