/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/bardo-corpse: what /proc/bardo/corpse has (lib/fs/corpse.h), for when fs/proc is away. An open
 * file is a handle with the text as it was then. Nodes from NODE_CORPSES up are ours.
 */
#ifndef DEV_CORPSES_H
#define DEV_CORPSES_H

#include "lib/fs/fs.h"

#define NODE_CORPSES (1ull << 24) /* the directory; + number: a file of it; above: an open one */

bool corpses_has(uint64_t node); /* any of these */
long corpses_attributes(uint64_t node, struct fs_attributes *out); /* -ESTALE */
long corpses_child(const char *name, uint64_t *node); /* of the directory */
long corpses_next(uint64_t cookie, struct fs_entry *out);
long corpses_open(uint64_t node, uint32_t flags, uint64_t *use); /* -ENFILE: 8 are open already */
void corpses_close(uint64_t node);
long corpses_read(uint64_t node, struct fs_transfer *t);

#endif
