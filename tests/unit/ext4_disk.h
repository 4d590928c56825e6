/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of the ext4 file server but its loop, on the host: a disk in memory below it whose requests
 * end in any order, and that notes what was written when. What the loop does is done by disk_pump()
 * between requests.
 */
#ifndef TESTS_EXT4_DISK_H
#define TESTS_EXT4_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "servers/fs/ext4/disk.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"
#include "servers/fs/ext4/zone.h"

enum { SLOTS = 24 };
#ifndef BOX_BYTES
#define BOX_BYTES (4 << 20)
#endif

struct disk disk;
static bool is_loud; /* log lines are shown */

/* ---- what the server has around it ---- */

void log_info(const char *format, ...)
{
    va_list list;

    if (!is_loud)
        return;
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
    (void)format;
    abort();
}

uint64_t time_now(void)
{
    static uint64_t now = 1700000000000000000u;

    return now += 1000;
}

bool turn_is_over(void)
{
    return false;
}

void turn_again(void)
{
}

long turn_wait(void)
{
    return EXT4_MISS;
}

uint64_t *request_note(void)
{
    static uint64_t note;

    note = 0;
    return &note;
}

void changes_made(void)
{
}

bool is_covered(uint64_t node)
{
    (void)node;
    return false;
}

long take_from_program(endpoint_t from, uint64_t address, void *local, size_t length)
{
    (void)from;
    memcpy(local, (void *)(uintptr_t)address, length);
    return 0;
}

long give_program(endpoint_t to, uint64_t address, const void *local, size_t length)
{
    (void)to;
    memcpy((void *)(uintptr_t)address, local, length);
    return 0;
}

static struct progress progress;
static uint64_t before, read_so_far;

uint64_t request_id(void)
{
    return 0;
}

uint64_t request_before(uint64_t length)
{
    uint64_t was = before;

    before += length;
    return was;
}

struct progress request_progress(void)
{
    return progress;
}

void request_record_progress(struct progress p)
{
    progress = p;
}

uint64_t request_read(uint64_t bytes)
{
    return read_so_far > bytes ? read_so_far - bytes : 0;
}

void request_has_read(uint64_t bytes)
{
    read_so_far = bytes;
}

long request_lock(uint64_t node)
{
    (void)node;
    return 0;
}

/* ---- the disk ---- */

static uint8_t *medium; /* as after all that has ended */
static struct event { /* that has ended: in this order */
    uint64_t offset;
    uint32_t length;
    bool is_flush, is_durable;
    uint8_t *data;
} * events;
static uint32_t event_count, event_room;
static bool records; /* events are noted */

static struct request {
    bool is_used, is_write, is_fua, is_flush;
    uint64_t block;
    uint32_t count;
    const void *memory; /* NULL: of buffers */
    struct buffer *list[IO_BLOCKS_MAX];
    void (*done)(int error);
} requests[SLOTS];

static struct request *request_new(void)
{
    for (struct request *r = requests; r < requests + SLOTS; r++)
        if (!r->is_used) {
            *r = (struct request){.is_used = true};
            return r;
        }
    return NULL;
}

static int32_t reading[1 << 16];
static uint32_t reading_count;

void io_read(struct buffer *b)
{
    b->state |= B_READING;
    reading[reading_count++] = (int32_t)buffer_index(b);
}

uint32_t io_write(struct buffer *const list[], uint32_t count)
{
    struct request *r = request_new();

    if (!r)
        return 0;
    r->is_write = true;
    r->block = list[0]->block;
    r->count = count;
    for (uint32_t n = 0; n < count; n++) {
        r->list[n] = list[n];
        list[n]->state |= B_WRITING;
        list[n]->changed = false;
        list[n]->issued = box->journal.sequence;
    }
    return count;
}

bool io_write_memory(const void *memory, uint64_t block, uint32_t count, bool fua,
                     void (*done)(int error))
{
    struct request *r = request_new();

    if (!r)
        return false;
    *r = (struct request){.is_used = true,
                          .is_write = true,
                          .is_fua = fua,
                          .block = block,
                          .count = count,
                          .memory = memory,
                          .done = done};
    return true;
}

bool io_flush(void (*done)(int error))
{
    struct request *r = request_new();

    if (r)
        *r = (struct request){.is_used = true, .is_flush = true, .done = done};
    return r != NULL;
}

static void note(uint64_t offset, const void *data, uint32_t length, bool is_durable)
{
    struct event *e;

    if (length && offset + length <= disk.bytes)
        memcpy(medium + offset, data, length);
    if (!records)
        return;
    if (event_count == event_room) {
        event_room = event_room ? 2 * event_room : 1024;
        events = realloc(events, event_room * sizeof *events);
    }
    e = &events[event_count++];
    *e = (struct event){offset, length, length == 0, is_durable, length ? malloc(length) : NULL};
    if (length)
        memcpy(e->data, data, length);
}

static void end_request(struct request *r)
{
    struct request ended = *r;
    uint32_t size = volume.block_size;

    r->is_used = false;
    if (ended.is_flush)
        note(0, NULL, 0, true);
    else if (ended.memory)
        note(ended.block * size, ended.memory, ended.count * size, ended.is_fua);
    for (uint32_t n = 0; !ended.memory && n < ended.count; n++) {
        note(ended.list[n]->block * size, buffer_data(ended.list[n]), size, false);
        write_has_ended(ended.list[n], 0);
    }
    if (ended.done)
        ended.done(0);
}

/* One request ends, any of them; all reads do. False: there was none. */
static bool end_some(void)
{
    uint32_t used[SLOTS], n = 0, reads = reading_count;

    for (uint32_t k = 0; k < reads; k++) {
        struct buffer *b = &buffers[reading[k]];
        uint64_t offset = b->block * volume.block_size;
        bool is_there = offset + volume.block_size <= disk.bytes;

        if (is_there)
            memcpy(buffer_data(b), medium + offset, volume.block_size);
        cache_has_read(b, is_there ? 0 : EIO);
    }
    reading_count = 0;
    for (uint32_t k = 0; k < SLOTS; k++)
        if (requests[k].is_used)
            used[n++] = k;
    if (n)
        end_request(&requests[used[(uint32_t)rand() % n]]);
    return n || reads;
}

void disk_find_memory(void)
{
    if (!disk.memory)
        disk.memory = aligned_alloc(4096, BOX_BYTES);
    disk.size = BOX_BYTES;
}

void disk_open(const char *device, bool wants_write, bool stays)
{
    (void)device;
    (void)wants_write;
    (void)stays;
}

long disk_attached(void)
{
    return 1;
}

bool disk_adopt(void)
{
    return true;
}

bool disk_has_orphans(void)
{
    return false;
}

bool disk_is_quiet(void)
{
    for (uint32_t k = 0; k < SLOTS; k++)
        if (requests[k].is_used)
            return false;
    return reading_count == 0;
}

/* ---- the loop ---- */

static void disk_work(void)
{
    cache_run_begin();
    orphans_step();
    if (volume.read_only)
        return;
    commit_step();
    journal_step();
    write_step();
}

/* Something ends, and what follows from it is done. False: there is nothing to wait for. */
static bool disk_pump(void)
{
    bool ended = end_some();

    if (mount_is_ready())
        disk_work();
    return ended || !disk_is_quiet();
}

/* Run as the server does it: again until it has what it needs. */
#define SERVE(call)                                                                                \
    __extension__({                                                                                \
        long result_;                                                                              \
        progress = (struct progress){0};                                                           \
        read_so_far = 0;                                                                           \
        for (unsigned turns_ = 0;; turns_++) {                                                     \
            cache_run_begin();                                                                     \
            before = 0;                                                                            \
            result_ = (call);                                                                      \
            if (result_ != EXT4_MISS)                                                              \
                break;                                                                             \
            if (missing.what == MISSING_MEMORY)                                                    \
                write_want(WRITE_ALL);                                                             \
            if (missing.what == MISSING_MEMORY || missing.what == MISSING_COMMIT)                  \
                commit_want();                                                                     \
            disk_work();                                                                           \
            disk_pump();                                                                           \
            if (turns_ > 200000)                                                                   \
                abort(); /* it hangs */                                                            \
        }                                                                                          \
        result_;                                                                                   \
    })

/* 0, or why it could not be mounted. */
static long disk_mount(uint8_t *image, uint64_t bytes)
{
    medium = image;
    disk.bytes = bytes;
    memset(requests, 0, sizeof requests);
    reading_count = 0;
    mount_begin("mount=1 device=8:0", false);
    for (unsigned turns = 0; !mount_is_ready() && !mount_error(); turns++) {
        mount_step();
        if (turns > 200000)
            abort();
        if (!mount_is_ready() && !mount_error())
            end_some();
        write_step();
    }
    if (mount_is_ready())
        orphans_release();
    return mount_error();
}

/* Everything so far is on the disk, as after fsync(). */
static long disk_sync(void)
{
    uint64_t sequence = commit_all();

    for (unsigned turns = 0; sequence && !commit_is_done((uint32_t)sequence) && !box->has_error;
         turns++) {
        disk_work();
        disk_pump();
        if (turns > 200000)
            abort();
    }
    return 0;
}

#endif
