/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes of megabytes: what one call writes lies together, whoever writes meanwhile. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "cases.h"

enum { MB = 1 << 20, BLOCK = 5 * MB / 2 + 77, WRITERS = 3, TIMES = 2, SMALL = 10 };

static char *memory(size_t size, int byte)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED);
    memset(at, byte, size);
    return at;
}

static void write_all(int fd, size_t size, int byte, int times)
{
    char *from = memory(size, byte);

    for (int i = 0; i < times; i++)
        CHECK(write(fd, from, size) == (ssize_t)size);
}

/* Large blocks are of capital letters, small ones of the same letters, small. */
static void lie_together(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END), at = 0;
    char *text = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

    CHECK(text != MAP_FAILED);
    while (at < size) {
        off_t length = text[at] < 'a' ? BLOCK : SMALL;
        char *block = text + at;

        CHECK(at + length <= size);
        CHECK(memcmp(block, block + 1, (size_t)length - 1) == 0);
        at += length;
    }
}

/* open again: each has an open file of its own. */
static void many_write(int flags, bool again)
{
    int fd = open("file", O_RDWR | O_CREAT | flags, 0644);
    pid_t writers[2 * WRITERS];
    struct stat s;

    CHECK(fd >= 0);
    for (int i = 0; i < 2 * WRITERS; i++)
        CHILD(writers[i])
        {
            int own = again ? open("file", O_RDWR | flags) : fd;

            if (i < WRITERS)
                write_all(own, BLOCK, 'A' + i, TIMES);
            else
                write_all(own, SMALL, 'a' + i, 200);
        }
    for (int i = 0; i < 2 * WRITERS; i++)
        check_child(writers[i]);
    CHECK(fstat(fd, &s) == 0 && s.st_size == WRITERS * (TIMES * BLOCK + 200 * SMALL));
    lie_together(fd);
    CHECK(unlink("file") == 0);
}

static void appended(void)
{
    many_write(O_APPEND, true);
}

static void at_a_shared_position(void)
{
    many_write(0, false);
}

static void vectors(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    struct iovec out[9], in[3];
    char *back = memory(8 * MB, 0);
    size_t size = 0;

    for (int i = 0; i < 9; i++) {
        out[i].iov_len = i == 4 ? 0 : 600000 + (size_t)i * 1000;
        out[i].iov_base = memory(out[i].iov_len + 1, 'a' + i);
        size += out[i].iov_len;
    }
    CHECK(writev(fd, out, 9) == (ssize_t)size);
    CHECK(lseek(fd, 0, SEEK_CUR) == (off_t)size);
    in[0] = (struct iovec){back, 3};
    in[1] = (struct iovec){back + 3, 2 * MB};
    in[2] = (struct iovec){back + 3 + 2 * MB, 5 * MB};
    CHECK(preadv(fd, in, 3, 0) == (ssize_t)size);
    for (int i = 0; i < 9; back += out[i++].iov_len)
        CHECK(memcmp(back, out[i].iov_base, out[i].iov_len) == 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == (off_t)size);
    CHECK(pwritev(fd, out, 9, 5 * MB) == (ssize_t)size);
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)size + 5 * MB);
    CHECK(unlink("file") == 0);
}

static void ends_early(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    char *buffer = memory(6 * MB, 'x');

    CHECK(write(fd, buffer, 3 * MB + 5) == 3 * MB + 5);
    CHECK(pread(fd, buffer, 6 * MB, MB) == 2 * MB + 5);
    CHECK(read(fd, buffer, 6 * MB) == 0);
    CHECK(lseek(fd, 1, SEEK_SET) == 1 && read(fd, buffer, 6 * MB) == 3 * MB + 4);
    FAILS(read(fd, buffer, (size_t)-1), EFAULT);
    FAILS(pwrite(fd, buffer, 2 * MB, -1), EINVAL);
    CHECK(unlink("file") == 0);
}

static void devices(void)
{
    char *buffer = memory(6 * MB, 'x'), *zero = memory(6 * MB, 0);
    int fd = open("/dev/zero", O_RDWR);

    CHECK(read(fd, buffer, 6 * MB) == 6 * MB && memcmp(buffer, zero, 6 * MB) == 0);
    CHECK(write(fd, buffer, 6 * MB) == 6 * MB);
    fd = open("/dev/urandom", O_RDONLY);
    CHECK(read(fd, buffer, 3 * MB) == 3 * MB && memcmp(buffer + 2 * MB, zero, MB) != 0);
}

RUN_CASES({"appended", appended}, {"at a shared position", at_a_shared_position},
          {"vectors", vectors}, {"ends early", ends_early}, {"devices", devices})
