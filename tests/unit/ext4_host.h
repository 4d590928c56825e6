/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ext4 file server's inner parts on the host: an image file made by mke2fs, in memory, with the
 * real block cache and the real operations over it, and e2fsck as the judge. There is no journal:
 * host_commit() writes everything in place.
 */
#ifndef TESTS_EXT4_HOST_H
#define TESTS_EXT4_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/super.h"
#include "servers/fs/ext4/zone.h"

static struct host {
    uint8_t *image;
    size_t size;
    void *memory;
    size_t memory_size;
    bool read_only;
    bool misses; /* every block that is read for the first time is a miss */
    unsigned missed;
    unsigned mended; /* blocks that the scrubbing found changed */
} host;

uint64_t time_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void log_info(const char *format, ...)
{
    va_list list;

    host.mended += strstr(format, "flipped") || strstr(format, "by itself");
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

void log_always(const char *format, ...)
{
    (void)format;
}

void panic(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    abort();
}

static void host_fill(struct buffer *b)
{
    memcpy(buffer_data(b), host.image + b->block * volume.block_size, volume.block_size);
    b->state = (b->state & ~(uint32_t)B_READING) | B_VALID;
}

static void host_read(struct buffer *b)
{
    if (host.misses)
        b->state |= B_READING;
    else
        host_fill(b);
}

/* Run a shell command: its exit status. Output goes to stderr when `loud`. */
static int host_shell(const char *format, ...)
{
    char command[1024];
    va_list list;
    int status;

    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Mount the image as it is in memory. memory: bytes of the box. */
static void host_begin(size_t memory)
{
    static const struct cache_io io = {.read = host_read};
    bool misses = host.misses;
    struct ext4_super *s = (void *)(host.image + EXT4_SUPER_OFFSET);
    char why[160];

    if (super_take(s, host.size, host.read_only, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    host.memory_size = memory;
    host.memory = aligned_alloc(4096, memory);
    if (!host.memory || !box_make(host.memory, memory, 1, volume.block_size))
        abort();
    box->op_done = box->op_current = 1;
    box->journal.sequence = 1;
    box->is_mounted = 1;
    super_counters(s, &box->now.counters);
    cache_start(&io);
    cache_run_begin();
    zones_forget();
    host.misses = false;
    if (zones_load() < 0)
        abort();
    host.misses = misses;
}

/* Mount the image file. */
static void host_mount(const char *path, size_t memory)
{
    int fd = open(path, O_RDWR);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    host.size = (size_t)st.st_size;
    host.image = mmap(NULL, host.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    host_begin(memory);
}

/* Have the image be as it was, and mount it again. (To map and copy all of it costs more
 * than most tests.) */
static inline void host_go_back(const uint8_t *saved)
{
    enum { PIECE = 4096 };

    free(host.memory);
    for (size_t at = 0; at < host.size; at += PIECE)
        if (memcmp(host.image + at, saved + at, PIECE))
            memcpy(host.image + at, saved + at, PIECE);
    host_begin(host.memory_size);
}

static void host_put_super(void)
{
    struct ext4_super *s = (void *)(host.image + EXT4_SUPER_OFFSET);

    super_put_counters(s, &box->now.counters);
    s->checksum = crc32c(~0u, s, offsetof(struct ext4_super, checksum));
}

/* All that the transaction has changed goes to the image. */
static void host_commit(void)
{
    static const enum kind order[] = {KIND_BLOCK_BITMAP,
                                      KIND_INODE_BITMAP}; /* before KIND_GROUPS */

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t n = 0; n < box->buffers; n++)
            if (buffers[n].state & B_RUNNING &&
                (buffers[n].kind == order[0] || buffers[n].kind == order[1]) == (pass == 0))
                seal(&buffers[n]);
    for (uint32_t n = 0; n < box->buffers; n++) {
        struct buffer *b = &buffers[n];

        if (!(b->state & (B_RUNNING | B_DIRTY)))
            continue;
        memcpy(host.image + b->block * volume.block_size, buffer_data(b), volume.block_size);
        b->state &= ~(uint32_t)(B_RUNNING | B_DIRTY);
    }
    host_put_super();
    op_freed_until(box->journal.sequence++);
    box->now.revokes = box->now.running = 0;
}

static void host_unmount(void)
{
    host_commit();
    munmap(host.image, host.size);
    free(host.memory);
}

/* What was missing is there now. */
static void host_bring(void)
{
    host.missed++;
    if (missing.what == MISSING_BLOCK) {
        struct buffer *b = cache_find(missing.block);

        if (b && (b->state & B_READING))
            host_fill(b);
    } else {
        host_commit();
    }
}

/* Whoever changes a block without saying so is found here: nothing has changed by itself. */
static inline void host_scrub(void)
{
    unsigned before = host.mended;

    for (unsigned n = 0; n < 16; n++)
        cache_scrub_one();
    if (host.mended != before)
        abort();
}

/* An operation, run as the server does it: again after each miss. */
static inline long host_operation(long (*work)(void *), void *argument)
{
    for (;;) {
        long result;

        host_scrub();
        cache_run_begin();
        result = op_room();
        if (result == 0) {
            op_begin();
            result = work(argument);
            if (result >= 0)
                op_commit();
            else
                op_abort();
        }
        if (result != EXT4_MISS)
            return result;
        host_bring();
    }
}

/* Something that changes nothing. */
static inline long host_look(long (*work)(void *), void *argument)
{
    for (;;) {
        long result;

        host_scrub();
        cache_run_begin();
        result = work(argument);
        if (result != EXT4_MISS)
            return result;
        host_bring();
    }
}

#endif
