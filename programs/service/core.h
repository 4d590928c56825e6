/* SPDX-License-Identifier: BSD-2-Clause */
/* A core file of /proc/bardo/corpse (servers/fs/proc/corpse.h), as it is read here. */
#ifndef SERVICE_CORE_H
#define SERVICE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core {
    int fd;
    char *head; /* up to the first segment */
    size_t head_size;
    char *story; /* the lines of the note "BARDO", NUL-terminated */
};

/* False: errno says why; ENOEXEC: it is no such file. */
bool core_open(struct core *core, const char *path);
void core_close(struct core *core);
/* From the dead one's memory: false: that is not there. */
bool core_read(const struct core *core, uint64_t address, void *to, size_t length);
/* The value of the line "KEY VALUE..." of its story, in a buffer that the next call overwrites; "": there is none. */
const char *core_value(const struct core *core, const char *key);
uint64_t core_number(const struct core *core, const char *key, int base);
uint64_t core_register(const struct core *core, const char *name);
/* The next line that begins with `key`, behind it, after the one that *at is in (NULL: the first), as
 * a copy in line[]; false: no more. */
bool core_line(const struct core *core, const char *key, const char **at, char *line, size_t room);

/* explain.c: all of it, as text for people. */
void explain(const struct core *core);

#endif
