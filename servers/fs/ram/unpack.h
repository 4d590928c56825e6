/* SPDX-License-Identifier: BSD-2-Clause */
/* Fill a tree from a cpio archive. Later entries override earlier ones; contents stay in the
 * archive, which must live on. */
#ifndef RAM_UNPACK_H
#define RAM_UNPACK_H

#include "servers/fs/ram/tree.h"

/* 0, -EINVAL: the archive is damaged, -ENOSPC: what was read until then is there. */
long unpack(struct tree *t, const void *archive, size_t size);

#endif
