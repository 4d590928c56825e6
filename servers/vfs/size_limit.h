/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RLIMIT_FSIZE (setrlimit(2), write(2), ftruncate(2)): no regular file is made larger than that by
 * writing, truncating or allocating; what is larger already is left alone. PM tells the limit
 * (VFS_FILE_LIMIT); it lies with the descriptors, so a fork inherits it and an exec keeps it. Memory that
 * is mapped needs no limit: nothing grows by it.
 */
#ifndef VFS_SIZE_LIMIT_H
#define VFS_SIZE_LIMIT_H

#include "servers/vfs/segments.h"

/* May it be that a write of `s` at `offset` (with O_APPEND: at the end) would go beyond it? Most do not, and
 * are an ordinary request. */
bool size_limit_near(const struct client *c, const struct file *f, uint64_t offset,
                     const struct segments *s);
/* It may: what would lie beyond is cut off (s->left). Nobody else may write the file meanwhile, as its end
 * is looked up here. 0; else the call is over: SIGXFSZ has been sent and this is the handler's result, or an
 * error of the server's. */
long size_limit_write(struct client *c, struct file *f, uint64_t offset, struct segments *s);
/* A regular file is about to be `length` bytes long at least: 0, or as above. */
long size_limit_grow(struct client *c, struct server *s, uint64_t node, uint64_t length);

#endif
