/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VFS keeps for programs is limited, and no user has all of it: each that is not root half at
 * most, all together so much that root finds an eighth. The user who made a thing has it, whoever
 * uses it later.
 */
#ifndef VFS_SHARE_H
#define VFS_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum share_kind {
    SHARE_FILES, /* open files */
    SHARE_PATHS, /* bytes of their paths */
    SHARE_PIPES,
    SHARE_RINGS, /* bytes of what waits in pipes and sockets, beyond RING_START each */
    SHARE_SOCKETS, /* of this machine */
    SHARE_NET_SOCKETS, /* net has room for so many of each kind */
    SHARE_RECORDS, /* messages in them */
    SHARE_RIGHTS, /* open files on their way in messages */
    SHARE_LOCKS, /* ranges of bytes */
    SHARE_ITEMS, /* of epoll sets */
    SHARE_KINDS
};

struct share { /* what one user has */
    struct share *next;
    uint32_t uid;
    size_t has[SHARE_KINDS];
};

/* NULL: no memory. It stays as long as something is taken from it: take before anything that may
 * wait. */
struct share *share_of(uint32_t uid);
/* The same of who makes the call that is being carried out; of root when there is none (vfs.h). */
struct share *share_mine(void);
/* n more; s may be NULL: then nothing is given. False: the user, or everybody, has too many. */
bool share_take(struct share *s, enum share_kind kind, size_t n);
/* The same, whatever there is; s is not NULL. */
void share_take_anyway(struct share *s, enum share_kind kind, size_t n);
void share_give(struct share *s, enum share_kind kind, size_t n);

#endif
