/* SPDX-License-Identifier: BSD-2-Clause */
/* Long reads and writes, and who writes a file meanwhile. */
#ifndef VFS_PARTS_H
#define VFS_PARTS_H

#include <sys/stat.h>

#include "servers/vfs/segments.h"

/* A write of a file that is under way; of the caller's memory. */
struct writing {
    struct writing *next;
    struct server *server;
    uint64_t node;
    bool alone; /* in parts */
};

/* 0 and it has begun, or -EINTR. */
long writing_begin(struct client *c, struct writing *w, const struct file *f, bool alone);
void writing_end(struct writing *w);
/* Until nobody writes that file in parts: 0, -EINTR. For what does not stay with VFS. */
long writing_wait(struct client *c, struct server *s, uint64_t node);

/* Does the server say where a read or write has ended (FILE_READ, FILE_WRITE)? */
bool server_counts(const struct file *f, bool write);
bool parts_needed(const struct file *f, const struct segments *s);
/* The result of the whole; offset goes on. */
long parts_do(struct client *c, struct file *f, struct segments *s, bool write, uint64_t *offset);

/* What a request to change contents has besides the flags of open(): root's leave the bits. */
static inline uint64_t drops_ids(const struct client *c)
{
    return c->uid ? FILE_DROPS_IDS : 0;
}

#endif
