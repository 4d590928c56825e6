/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is in /proc: one table. */
#ifndef PROC_ROWS_H
#define PROC_ROWS_H

#include "lib/fs/fs.h"
#include "servers/fs/proc/files.h"

/* Directories come before what is in them; the number of a row is its place. */
enum row_number {
    ROOT,
    PROCESS,
    PROCESS_FD,
    SYS,
    SYS_KERNEL,
    SYS_VM,
    NET,
    BARDO,
    CORPSE,
    DIRECTORIES
};

struct row {
    const char *name; /* NULL: not by name (a pid, a descriptor) */
    int in; /* the directory's row */
    uint32_t mode;
    file_writer write;
    const char *target; /* of a symbolic link that is always the same */
    long (*read)(struct fs_transfer *t); /* not text, but this */
    long (*store)(struct fs_transfer *t); /* for writing */
};

extern const struct row rows[];
extern const int row_count;

#endif
