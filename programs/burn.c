/* SPDX-License-Identifier: BSD-2-Clause */
/* burn: writes a file to a device that can be written once, and says clearly what has become of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "abi/burner.h"

static const char usage[] =
    "usage: burn [-a] [-n] FILE DEVICE\n"
    "       burn -s DEVICE\n"
    "\n"
    "Writes FILE to a write-once DEVICE (/dev/wo0; 'service up writeonce' makes one), and compares "
    "it.\n"
    "  -a  append it to what is on the disc (without: the disc must be blank)\n"
    "  -n  do not compare\n"
    "  -s  show how much is written, how much is free, and how often somebody wanted to write "
    "again\n"
    "      what is written\n"
    "\n"
    "Status 1: it is not on the disc as it should be. When the device's driver dies the disc is\n"
    "spoiled from the place on where it was: burn the file to another one, or append it.\n";

#define PIECE 65536u
static uint8_t piece[PIECE], compared[PIECE];

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "burn: %s: %s\n", what, why);
    exit(1);
}

static void get_state(int fd, const char *name, struct burner_state *state, uint64_t *size)
{
    if (ioctl(fd, BURNER_GET_STATE, state) < 0)
        fail(name, errno == ENOTTY || errno == EINVAL ? "is no device that is written once"
                                                      : strerror(errno));
    if (ioctl(fd, BLKGETSIZE64, size) < 0)
        fail(name, strerror(errno));
}

static int show(const char *name)
{
    struct burner_state state;
    uint64_t size;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        fail(name, strerror(errno));
    get_state(fd, name, &state, &size);
    printf("%s: %lu bytes written, %lu free, %lu sectors refused that were written before\n", name,
           (unsigned long)state.next, (unsigned long)(size - state.next),
           (unsigned long)state.refused);
    close(fd);
    return 0;
}

/* As much as there is, up to PIECE, filled up with zeros to a whole block. */
static size_t read_piece(int fd, const char *name, uint64_t block)
{
    size_t n = 0;
    ssize_t k;

    while (n < PIECE && (k = read(fd, piece + n, PIECE - n)) != 0) {
        if (k < 0)
            fail(name, strerror(errno));
        n += (size_t)k;
    }
    k = (ssize_t)((n + block - 1) / block * block);
    memset(piece + n, 0, (size_t)k - n);
    return (size_t)k;
}

static _Noreturn void spoiled(int fd, const char *name, uint64_t begin, uint64_t at, int error)
{
    struct burner_state state;

    fprintf(stderr, "burn: %s: %s\n", name, strerror(error));
    if (ioctl(fd, BURNER_GET_STATE, &state) == 0)
        fprintf(stderr,
                "burn: of the file the first %lu bytes are on the disc for certain; it is spoiled "
                "from there to byte %lu, and nothing was written twice\n",
                (unsigned long)(at - begin), (unsigned long)state.next);
    exit(1);
}

static uint64_t burn(int from, const char *file, int to, const char *name, uint64_t begin,
                     uint64_t block)
{
    uint64_t at = begin;
    size_t n;

    while ((n = read_piece(from, file, block)) != 0) {
        ssize_t written = pwrite(to, piece, n, (off_t)at);

        if (written != (ssize_t)n)
            spoiled(to, name, begin, at + (written > 0 ? (uint64_t)written : 0),
                    written < 0 ? errno : EIO);
        at += n;
    }
    if (fsync(to) < 0)
        spoiled(to, name, begin, at, errno);
    return at;
}

static void compare(int from, const char *file, int to, const char *name, uint64_t begin,
                    uint64_t block)
{
    uint64_t at = begin;
    size_t n;

    if (lseek(from, 0, SEEK_SET) < 0)
        fail(file, strerror(errno));
    if (ioctl(to, BLKFLSBUF) < 0) /* what the system has in memory would prove nothing */
        fail(name, strerror(errno));
    for (; (n = read_piece(from, file, block)) != 0; at += n)
        if (pread(to, compared, n, (off_t)at) != (ssize_t)n || memcmp(piece, compared, n) != 0)
            fail(name, "what is on the disc is not what was written");
}

/* What is written cannot be taken back: all that may be wrong with file, disc or sizes is found out
 * before the first block. */
int main(int argc, char **argv)
{
    bool appends = false, compares = true, shows = false;
    struct burner_state state;
    uint64_t size, end;
    int option, from, to;
    off_t length;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "ans")) != -1) {
        appends |= option == 'a';
        compares &= option != 'n';
        shows |= option == 's';
        if (option == '?')
            break;
    }
    if (option == '?' || argc - optind != (shows ? 1 : 2)) {
        fputs(usage, stderr);
        return 2;
    }
    if (shows)
        return show(argv[optind]);
    from = open(argv[optind], O_RDONLY | O_CLOEXEC);
    length = from < 0 ? -1 : lseek(from, 0, SEEK_END);
    if (length < 0 || lseek(from, 0, SEEK_SET) < 0)
        fail(argv[optind], strerror(errno));
    to = open(argv[optind + 1], O_RDWR | O_CLOEXEC);
    if (to < 0)
        fail(argv[optind + 1], strerror(errno));
    get_state(to, argv[optind + 1], &state, &size);
    if (state.block == 0 || state.block > PIECE || PIECE % state.block)
        fail(argv[optind + 1], "has blocks of an impossible size");
    if (state.next != 0 && !appends)
        fail(argv[optind + 1], "is not blank (-a: append)");
    if ((uint64_t)length > size - state.next)
        fail(argv[optind + 1], "there is too little room on the disc; nothing was written");
    end = burn(from, argv[optind], to, argv[optind + 1], state.next, state.block);
    if (compares)
        compare(from, argv[optind], to, argv[optind + 1], state.next, state.block);
    printf("%lu bytes at %lu\n", (unsigned long)(end - state.next), (unsigned long)state.next);
    return 0;
}
