/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's side of a read or write: one buffer, or the segments of a vector, as one stream of
 * bytes. */
#ifndef VFS_SEGMENTS_H
#define VFS_SEGMENTS_H

#include "servers/vfs/vfs.h"

struct segments {
    size_t left; /* bytes in all */
    unsigned at, count; /* the present segment */
    struct segment {
        uint64_t address, length;
    } * segment, one;
};

/* 0, -EFAULT, -EINVAL, -ENOMEM. segments_end() is needed after any result. */
long segments_begin(struct client *c, struct segments *s, const struct io *io);
void segments_end(struct segments *s);
/* The next n bytes (n <= left) from or to the program: 0, -EFAULT (nothing is counted). */
long segments_read(struct client *c, struct segments *s, void *local, size_t n);
/* The same into a vault (lib/vault), where nothing is logged. */
long segments_read_vault(struct client *c, struct segments *s, void *vault, size_t n);
/* From anywhere. */
long segments_write(struct client *c, struct segments *s, const void *local, size_t n);

/* Nobody reads what it writes: SIGPIPE, and -EPIPE or what is done. Returns the handler's result. */
long segments_broken(struct client *c, long done);

#endif
