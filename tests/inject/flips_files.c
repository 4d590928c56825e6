/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files are written anew under another name and renamed, read and compared, listed, removed. One
 * whose writing failed is not known any more until it has been written again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flips.h"

enum { FILES = 12, LENGTH_MAX = 20000, PIECE = 7000, REST_US = 700 };

static struct {
    uint64_t version;
    unsigned length;
    bool known, there;
} files[FILES];

static uint8_t found[LENGTH_MAX + 1], expected[LENGTH_MAX];
static const char *directory, *device; /* device: NULL, or what is mounted there */

static const char *name_of(unsigned n)
{
    static char name[64];

    snprintf(name, sizeof name, "%s/file%u", directory, n);
    return name;
}

static ssize_t read_whole(unsigned n, off_t *size)
{
    int fd = open(name_of(n), O_RDONLY);
    struct stat status = {.st_size = -1};
    ssize_t bytes, all = 0;

    if (fd < 0)
        return -1;
    while ((bytes = read(fd, found + all, sizeof found - (size_t)all)) > 0)
        all += bytes;
    if (fstat(fd, &status) < 0)
        bytes = -1;
    *size = status.st_size;
    close(fd);
    return bytes < 0 ? -1 : all;
}

static void compare(struct progress *p, unsigned n)
{
    off_t size = 0;
    ssize_t length = read_whole(n, &size);

    if (length < 0) {
        p->errors++;
        return;
    }
    pattern(expected, files[n].length, n, files[n].version);
    if (size != length || (size_t)length != files[n].length ||
        memcmp(found, expected, files[n].length) != 0)
        p->wrong++;
}

static bool write_pieces(int fd, unsigned length, bool is_synced)
{
    unsigned done = 0;

    while (done < length) {
        unsigned n = length - done < PIECE ? length - done : PIECE;

        if (write(fd, expected + done, n) != (ssize_t)n)
            return false;
        done += n;
    }
    return !is_synced || fsync(fd) == 0;
}

static void write_anew(struct progress *p, unsigned n)
{
    static uint64_t version;
    char name[64];
    int fd;
    bool ok;

    files[n].version = ++version;
    files[n].length = 1 + (unsigned)chance(LENGTH_MAX);
    pattern(expected, files[n].length, n, version);
    snprintf(name, sizeof name, "%s/new", directory);
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ok = fd >= 0 && write_pieces(fd, files[n].length, chance(4) == 0);
    if (fd >= 0)
        close(fd);
    ok = ok && rename(name, name_of(n)) == 0;
    files[n].known = files[n].there = ok;
    p->errors += !ok;
}

static void remove_it(struct progress *p, unsigned n)
{
    if (unlink(name_of(n)) < 0) {
        p->errors++;
        files[n].known = false;
        return;
    }
    files[n].there = false;
    if (access(name_of(n), F_OK) == 0)
        p->wrong++;
}

static void list(struct progress *p)
{
    DIR *d = opendir(directory);
    unsigned there = 0, wanted = 0;
    const struct dirent *e;
    bool doubt = false;

    if (!d) {
        p->errors++;
        return;
    }
    while ((e = readdir(d)))
        there += strncmp(e->d_name, "file", 4) == 0;
    closedir(d);
    for (unsigned n = 0; n < FILES; n++) {
        wanted += files[n].there;
        doubt |= !files[n].known && files[n].version;
    }
    if (!doubt && there != wanted)
        p->wrong++;
}

static void check_all(struct progress *p)
{
    if (device && (umount(directory) < 0 || mount(device, directory, "ext4", 0, NULL) < 0)) {
        p->errors++;
        return;
    }
    for (unsigned n = 0; n < FILES; n++)
        if (files[n].known && files[n].there)
            compare(p, n);
    list(p);
    if (device && umount(directory) < 0)
        p->errors++;
}

static void prepare(const char *argument)
{
    device = strncmp(argument, "/dev/", 5) == 0 ? argument : NULL;
    directory = device ? "/mnt" : argument;
    mkdir(directory, 0700);
    while (device && mount(device, directory, "ext4", 0, NULL) < 0)
        usleep(REST_US);
}

void work_files(struct progress *p, const char *argument)
{
    prepare(argument);
    for (;;) {
        unsigned n = (unsigned)chance(FILES);

        unit_pause(p);
        if (p->check) {
            check_all(p);
            p->check = 0;
            for (;;)
                pause();
        }
        if (!files[n].known || !files[n].there || chance(3) == 0)
            write_anew(p, n);
        else if (chance(6) == 0)
            remove_it(p, n);
        else
            compare(p, n);
        if (chance(8) == 0)
            list(p);
        unit_done(p);
        usleep(REST_US);
    }
}
