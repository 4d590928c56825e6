/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work with files: some are written anew, some copied from another, some read, and always compared
 * with what they must contain. A file whose writing failed may contain anything until it has been
 * written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "campaign.h"

enum { FILES = 16, LENGTH_MAX = 96 << 10 };

static struct {
    uint64_t a, b; /* its contents: pattern(a, b) */
    unsigned length;
    bool known;
} files[FILES];

static uint8_t found[LENGTH_MAX + 1], expected[LENGTH_MAX];
static const char *device;
static bool mounted;

static uint64_t chance(uint64_t below)
{
    static uint64_t state = 7;

    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

static const char *name_of(unsigned n)
{
    static char name[32];

    snprintf(name, sizeof name, "/mnt/file%u", n);
    return name;
}

bool files_mount(const char *from)
{
    device = from;
    mounted = mount(from, "/mnt", "ext4", 0, NULL) == 0;
    return mounted;
}

/* Bytes, or -1. */
static ssize_t read_whole(unsigned n)
{
    int fd = open(name_of(n), O_RDONLY);
    ssize_t bytes, all = 0;

    if (fd < 0)
        return -1;
    while ((bytes = read(fd, found + all, sizeof found - (size_t)all)) > 0)
        all += bytes;
    close(fd);
    return bytes < 0 ? -1 : all;
}

static bool compare(struct progress *p, unsigned n)
{
    ssize_t length = read_whole(n);

    if (length < 0) {
        p->errors++;
        return false;
    }
    pattern(expected, files[n].length, files[n].a, files[n].b);
    if ((size_t)length == files[n].length && memcmp(found, expected, files[n].length) == 0)
        return true;
    p->wrong++;
    return false;
}

static bool write_whole(struct progress *p, unsigned n, const uint8_t *bytes, unsigned length)
{
    int fd = open("/mnt/new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool ok = fd >= 0 && write(fd, bytes, length) == (ssize_t)length && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    ok = ok && rename("/mnt/new", name_of(n)) == 0;
    p->errors += !ok;
    return ok;
}

static void write_anew(struct progress *p, unsigned n)
{
    static uint64_t version;

    files[n].a = n;
    files[n].b = ++version;
    files[n].length = 1 + (unsigned)chance(LENGTH_MAX);
    pattern(expected, files[n].length, files[n].a, files[n].b);
    files[n].known = write_whole(p, n, expected, files[n].length);
}

static void copy(struct progress *p, unsigned from, unsigned to)
{
    if (from == to || !files[from].known || !compare(p, from))
        return;
    files[to] = files[from];
    files[to].known = write_whole(p, to, found, files[from].length);
}

void files_work(struct progress *p)
{
    unsigned n = (unsigned)chance(FILES);

    if (!mounted)
        return;
    if (!files[n].known || chance(4) == 0)
        write_anew(p, n);
    else if (chance(3) == 0)
        copy(p, n, (unsigned)chance(FILES));
    else
        compare(p, n);
}

static bool unmount(void)
{
    mounted = mounted && umount("/mnt") != 0;
    return !mounted;
}

void files_check(struct progress *p)
{
    if (!unmount() || !files_mount(device)) {
        p->errors++;
        return;
    }
    for (unsigned n = 0; n < FILES; n++)
        if (files[n].known)
            compare(p, n);
    p->errors += !unmount();
}
