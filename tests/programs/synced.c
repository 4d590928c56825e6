/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes lines into files that it opens so that each write is on the disk when it returns: in all ways that
 * there are to write, and a long one. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char many[3 << 20];

static int write_all(const char *name, int flags, ssize_t (*way)(int, const char *, size_t),
                     const char *text, size_t length)
{
    int fd = open(name, O_CREAT | O_WRONLY | flags, 0644);

    return fd < 0 || way(fd, text, length) != (ssize_t)length || close(fd);
}

static ssize_t by_write(int fd, const char *text, size_t length)
{
    return write(fd, text, length);
}

static ssize_t by_pwrite(int fd, const char *text, size_t length)
{
    return pwrite(fd, text, length, 0);
}

static ssize_t by_writev(int fd, const char *text, size_t length)
{
    struct iovec parts[2] = {{(void *)text, 1}, {(void *)(text + 1), length - 1}};

    return writev(fd, parts, 2);
}

int main(void)
{
    int failed;

    memset(many, 'm', sizeof many);
    failed = write_all("many", O_DSYNC, by_write, many, sizeof many);
    failed += write_all("append", O_SYNC | O_APPEND, by_write, "first\n", 6);
    failed += write_all("append", O_DSYNC | O_APPEND, by_writev, "second\n", 7);
    failed += write_all("write", O_SYNC, by_write, "one\n", 4);
    failed += write_all("pwrite", O_DSYNC, by_pwrite, "two\n", 4);
    return failed + write_all("pwrite", O_DSYNC, by_pwrite, "new\n", 4);
}
