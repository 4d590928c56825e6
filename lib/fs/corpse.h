/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/bardo/corpse, and the same as /dev/bardo-corpse for when fs/proc is away: an ELF core file
 * for each incarnation that died and that RS has kept, NUMBER.NAME. Its notes are those of Linux
 * (gdb reads them), and one of ours: owner "BARDO", text, what else is known as lines "key value..."
 * (docs/debugging.md). Its segments are read from the dead one's memory as they are asked for. Root
 * alone may open it: that memory may hold anything. For servers whom RS gives it (abi/proto/rs.h,
 * RS_CORPSE).
 */
#ifndef FS_CORPSE_H
#define FS_CORPSE_H

#include "lib/fs/fs.h"
#include "lib/fs/text.h"

/* What the program with that endpoint is called, into out; false: there is no such program. */
typedef bool (*corpse_namer)(endpoint_t endpoint, char *out, size_t room);

/* The number in a name of the directory, of a corpse that there is; 0: none. */
int corpse_named(const char *name);
/* The first with that number or a higher one: its number, and its name in the directory; 0: none. */
int corpse_next(int number, char *name, size_t room);
/* The file up to its segments. namer NULL: programs have no names. */
void corpse_write(struct text *t, int number, corpse_namer namer);
/* The rest: bytes read, from t->offset on, of the file that begins with `head`; -EIO: the memory has
 * been given back meanwhile. */
long corpse_read(int number, const struct text *head, struct fs_transfer *t);

#endif
