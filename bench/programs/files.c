/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files PATH MB: how fast a disk (PATH is a device of MB megabytes) or a file system (PATH is a
 * directory) is. A line for each: BENCH what ns=... busy=... bytes=... count=...  busy: ns that the
 * processor was not idle, all processes together; 0 where the system does not tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 256 << 10, SMALL = 4096, RANDOM = 1000, SYNCED = 200, FILES = 500, ROUNDS = 4 };

static char buffer[PIECE];

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "files: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t busy(void)
{
    char line[80];
    unsigned long long ns = 0;
    FILE *f = fopen("/proc/bardo/kernel", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "busy_ns %llu", &ns) == 1)
            break;
    if (f)
        fclose(f);
    return ns;
}

static uint64_t began_ns, began_busy;

static void begin(void)
{
    began_busy = busy();
    began_ns = now();
}

static void told(const char *what, uint64_t bytes, unsigned count)
{
    uint64_t ns = now() - began_ns;

    printf("BENCH %s ns=%llu busy=%llu bytes=%llu count=%u\n", what, (unsigned long long)ns,
           (unsigned long long)(busy() - began_busy), (unsigned long long)bytes, count);
}

static void in_order(int fd, uint64_t bytes, int is_write)
{
    begin();
    check(lseek(fd, 0, SEEK_SET), "lseek");
    for (uint64_t done = 0; done < bytes; done += PIECE)
        check(is_write ? write(fd, buffer, PIECE) : read(fd, buffer, PIECE), "transfer");
    if (is_write)
        check(fsync(fd), "fsync");
    told(is_write ? "sequential_write" : "sequential_read", bytes, 0);
}

enum how { READ, WRITE, WRITE_SYNCED };

static void at_random(int fd, uint64_t bytes, enum how how)
{
    static const char *const names[] = {"random_read", "random_write", "random_sync_write"};
    uint64_t places = bytes / SMALL, x = 88172645463325252u;
    unsigned count = how == WRITE_SYNCED ? SYNCED : RANDOM;

    begin();
    for (unsigned n = 0; n < count; n++) {
        off_t at;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at = (off_t)(x % places * SMALL);
        check(how == READ ? pread(fd, buffer, SMALL, at) : pwrite(fd, buffer, SMALL, at),
              "transfer");
        if (how == WRITE_SYNCED)
            check(fsync(fd), "fsync");
    }
    if (how == WRITE)
        check(fsync(fd), "fsync");
    told(names[how], (uint64_t)count * SMALL, count);
}

static void create_and_delete(void)
{
    char name[32];

    begin();
    for (unsigned n = 0; n < ROUNDS * FILES; n++) {
        int fd;

        snprintf(name, sizeof name, "bench-%u", n % FILES);
        fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0644);
        check(fd, name);
        check(write(fd, "hello\n", 6), name);
        check(close(fd), name);
        for (unsigned old = 0; n % FILES == FILES - 1 && old < FILES; old++) {
            snprintf(name, sizeof name, "bench-%u", old);
            check(unlink(name), name);
        }
    }
    told("create_delete", 0, ROUNDS * FILES);
}

int main(int argc, char **argv)
{
    uint64_t bytes = argc == 3 ? strtoull(argv[2], NULL, 10) << 20 : 0;
    struct stat st;
    int fd;

    if (!bytes) {
        fprintf(stderr, "usage: files PATH MB\n");
        return 2;
    }
    check(stat(argv[1], &st), argv[1]);
    if (S_ISDIR(st.st_mode)) {
        check(chdir(argv[1]), argv[1]);
        fd = open("bench-data", O_CREAT | O_RDWR, 0644);
    } else {
        fd = open(argv[1], O_RDWR);
    }
    check(fd, argv[1]);
    memset(buffer, 'b', sizeof buffer);
    in_order(fd, bytes, 1);
    in_order(fd, bytes, 0);
    at_random(fd, bytes, READ);
    at_random(fd, bytes, WRITE);
    at_random(fd, bytes, WRITE_SYNCED);
    if (S_ISDIR(st.st_mode)) {
        create_and_delete();
        unlink("bench-data");
    }
    return 0;
}
