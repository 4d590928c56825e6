/* SPDX-License-Identifier: BSD-2-Clause */
/* The super block. */
#ifndef EXT4_SUPER_H
#define EXT4_SUPER_H

#include "servers/fs/ext4/box.h"
#include "servers/fs/ext4/format.h"

/*
 * Fills in `volume` from the super block of a device of `bytes` bytes. 0; -EINVAL: no ext4, or
 * features that are not known; -EROFS: it can be mounted read-only alone; -EUCLEAN: it is damaged.
 * `why` says it in words: "it ...".
 */
long super_take(const struct ext4_super *s, uint64_t bytes, bool read_only, char *why, size_t room);
void super_counters(const struct ext4_super *s, struct counters *c);
void super_put_counters(struct ext4_super *s, const struct counters *c);

#endif
