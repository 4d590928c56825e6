/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mount's flags are called, and its line in /proc/mounts. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "servers/vfs/vfs.h"

static const struct {
    uint64_t flag;
    const char *name;
} names[] = {{MS_NOSUID, ",nosuid"}, {MS_NODEV, ",nodev"}, {MS_NOEXEC, ",noexec"}};

/* Paths have their blanks escaped, as getmntent(3) expects. */
static void put_path(char *text, size_t room, const char *path)
{
    size_t n = 0;

    for (; *path && n + 5 < room; path++)
        if (*path == ' ' || *path == '\t' || *path == '\n' || *path == '\\')
            n += (size_t)snprintf(text + n, room - n, "\\%03o", (unsigned char)*path);
        else
            text[n++] = *path;
    text[n] = 0;
}

/* The flags stand behind "rw" or "ro", as Linux has them. */
int mount_line(const struct mount *m, char *text, size_t room)
{
    char path[4 * sizeof m->path], flags[64] = "";

    put_path(path, sizeof path, m->path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (m->flags & names[i].flag)
            strcat(flags, names[i].name);
    return snprintf(text, room, "%s %s %s %.2s%s%s 0 0\n", m->source, path, m->type, m->options,
                    flags, m->options + 2);
}

/* (Those that are kept as MS_* have the same numbers.) */
uint64_t mount_shown(const struct mount *m)
{
    uint64_t flags = m->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);

    flags |= strncmp(m->options, "ro", 2) == 0 ? ST_RDONLY : 0;
    flags |= strstr(m->options, "noatime") ? ST_NOATIME : 0;
    return flags | (strstr(m->options, "relatime") ? ST_RELATIME : 0);
}
