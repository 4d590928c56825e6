/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/bardo/corpse: an ELF core file for each incarnation that died and that RS has kept,
 * NUMBER.NAME. Its notes are those of Linux (gdb reads them), and one of ours: owner "BARDO", text,
 * what else is known as lines "key value..." (docs/debugging.md). Its segments are read from the
 * dead one's memory as they are asked for. Root alone may open it: that memory may hold anything.
 */
#ifndef PROC_CORPSE_H
#define PROC_CORPSE_H

#include "lib/fs/fs.h"
#include "servers/fs/proc/files.h"

/* The number in a name of the directory, of a corpse that there is; 0: none. */
int corpse_named(const char *name);
/* The first with that number or a higher one: its number, and its name in the directory; 0: none. */
int corpse_next(int number, char *name, size_t room);
/* The file up to its segments; p->p.pid is the number of the corpse. */
void write_corpse(struct text *t, const struct process *p);
/* The rest: bytes read, from t->offset on, of the file that begins with `head`; -EIO: the memory has been given
 * back meanwhile. */
long corpse_read(int number, const struct text *head, struct fs_transfer *t);

#endif
