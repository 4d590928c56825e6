/* SPDX-License-Identifier: BSD-2-Clause */
/* The file server: its operations, and what is done when nobody asks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/disk.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"
#include "servers/fs/ext4/request.h"

enum { COVERED_MAX = 32, EXT4_MAGIC = 0xef53 };
#define COMMIT_NS 5000000000ull /* no change waits longer for its commit */

/* Of what takes long, a part is done, and then it is the turn of others: both in ns. */
#define TURN_NS 1000000ull
#define PAUSE_NS 500000ull
/* And of what is small, but comes without end: after so much of it, since it last had a pause, it rests for one. */
#define WORK_NS 3000000ull

static uint64_t covered[COVERED_MAX];
static uint64_t commit_at, pause_end, turn_end; /* ns; 0: not */
static bool pause_is_over; /* and what waits for that has not been run yet */
static uint64_t worked, counted_at; /* ns since the last pause, and until when they are counted */
static bool sleeps, rests;

/* ---- mount points ---- */

bool is_covered(uint64_t node)
{
    for (unsigned n = 0; n < COVERED_MAX; n++)
        if (covered[n] == node)
            return true;
    return false;
}

static long cover(uint64_t node, bool is_now)
{
    if (is_now && is_covered(node))
        return 0;
    for (unsigned n = 0; n < COVERED_MAX; n++)
        if (covered[n] == (is_now ? 0 : node)) {
            covered[n] = is_now ? node : 0;
            return 0;
        }
    return is_now ? -ENOSPC : -EINVAL;
}

/* ---- operations ---- */

static uint64_t number_of(uint64_t node)
{
    return (uint32_t)node;
}

/* Its size is 0 as soon as that is begun; as long as it goes on it is among the orphans. */
static long empty(uint64_t node, const struct inode *i)
{
    long unfinished = orphan_has(i);

    if (unfinished < 0)
        return unfinished;
    return unfinished || inode_size(i) ? file_truncate(node, 0) : 0;
}

static long open_file(uint64_t node, uint32_t flags, uint64_t *use)
{
    struct inode i;
    long result = node_inode(node, &i);

    *use = node;
    if (result == 0 && (flags & O_TRUNC) && S_ISREG(i.raw->mode))
        result = empty(node, &i);
    if (result == 0 && (flags & O_ACCMODE) != O_RDONLY && volume.read_only)
        result = -EROFS;
    if (result == 0)
        opened(node, 1);
    return result;
}

static long add_link(uint64_t directory, const char *name, uint64_t node, struct fs_user user)
{
    (void)user; /* it takes nothing of his: the directory's owner has the entry */
    return name_link(directory, name, node);
}

static void close_file(uint64_t node)
{
    opened(node, -1);
}

static void reopen(uint64_t node)
{
    if (node)
        opened(node, 1);
    else
        orphans_release();
}

static long get_xattr(uint64_t node, const char *name, void *value, size_t room)
{
    struct inode i;
    long result = node_inode(node, &i);

    if (result)
        return result;
    return *name ? xattr_get(&i, name, value, room) : xattr_list(&i, value, room);
}

/* A transaction is awaited. */
static long wait_for(uint32_t sequence)
{
    if (box->has_error)
        return -EIO;
    if (commit_is_done(sequence))
        return 0;
    missing = (struct missing){.what = MISSING_COMMIT};
    return EXT4_MISS;
}

static long sync_file(uint64_t node, const struct message *request)
{
    uint64_t *note = request_note();
    long result;
    int error;

    (void)node;
    (void)request;
    if (volume.read_only)
        return box->has_error ? -EIO : 0;
    if (*note == 0)
        *note = commit_all();
    result = *note ? wait_for((uint32_t)*note) : 0;
    if (result)
        return result;
    error = write_take_error();
    return -(long)error;
}

static long statistics(struct statfs *out)
{
    uint64_t overhead = 0, free = box->now.counters.free_blocks;

    *out = (struct statfs){.f_type = EXT4_MAGIC,
                           .f_bsize = (long)volume.block_size,
                           .f_frsize = (long)volume.block_size,
                           .f_blocks = volume.blocks - overhead,
                           .f_bfree = free,
                           .f_bavail =
                               free > volume.reserved_blocks ? free - volume.reserved_blocks : 0,
                           .f_files = volume.inodes,
                           .f_ffree = box->now.counters.free_inodes,
                           .f_namelen = FS_NAME_MAX,
                           .f_flags = volume.read_only ? ST_RDONLY : 0};
    return 0;
}

static long mounted(bool read_only)
{
    (void)read_only; /* it is in the parameters */
    if (mount_error())
        return mount_error();
    orphans_release(); /* nobody has anything open yet */
    return 0;
}

static void alarm_set(void)
{
    clock_alarm(pause_end && (!commit_at || pause_end < commit_at) ? pause_end : commit_at);
}

static void changed_later(void)
{
    if (commit_at)
        return;
    commit_at = clock_now() + COMMIT_NS;
    alarm_set();
}

static void work_begins(void);

void turn_begin(void)
{
    work_begins();
    turn_end = clock_now() + TURN_NS;
}

/* A short sleep is no pause: others of our priority may have worked meanwhile. */
static void work_begins(void)
{
    uint64_t now = clock_now();

    if (!sleeps)
        return;
    sleeps = false;
    if (now - counted_at >= PAUSE_NS)
        worked = 0;
    counted_at = now;
}

static void work_count(void)
{
    uint64_t now = clock_now();

    worked += now - counted_at;
    counted_at = now;
    if (worked < WORK_NS || rests)
        return;
    worked = 0;
    rests = true;
    turn_again();
}

bool turn_rests(void)
{
    return rests;
}

bool turn_is_over(void)
{
    return clock_now() >= turn_end;
}

void turn_again(void)
{
    if (pause_end)
        return;
    pause_end = clock_now() + PAUSE_NS;
    alarm_set();
}

bool turn_pauses(void)
{
    return pause_end != 0;
}

long turn_wait(void)
{
    turn_again();
    missing = (struct missing){.what = MISSING_PAUSE};
    return EXT4_MISS;
}

void changes_made(void)
{
    changed_later();
}

uint64_t time_now(void)
{
    return realtime_now();
}

long give_program(endpoint_t program, uint64_t address, const void *from, size_t length)
{
    return copy_to(program, address, from, length);
}

long take_from_program(endpoint_t program, uint64_t address, void *to, size_t length)
{
    return copy_from(program, address, to, length);
}

/* ---- between requests ---- */

static void background(void)
{
    long result;

    cache_scrub();
    cache_run_begin();
    result = orphans_step();
    if (result == EXT4_MISS && missing.what == MISSING_COMMIT)
        commit_want();
    if (result == EXT4_MISS && missing.what == MISSING_MEMORY)
        write_want(WRITE_ALL);
    if (volume.read_only)
        return;
    commit_step();
    journal_step();
    write_step();
}

/* Something that requests may wait for has changed. */
static bool step(void)
{
    bool was_ready = mount_is_ready() || mount_error();
    uint32_t committed = was_ready && box ? box->journal.committed : 0;

    if (mount_error())
        return false;
    if (mount_is_ready())
        background();
    else
        mount_step();
    return was_ready ? committed != box->journal.committed : mount_is_ready() || mount_error();
}

/* VFS shows it in /proc/mounts. Each incarnation says it once. */
static bool is_failed, is_told;

static void tell_failure(void)
{
    if (is_failed || !mount_is_ready() || !box->has_error)
        return;
    is_failed = true;
    ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}

static uint64_t next_event(void)
{
    if (!is_failed || is_told)
        return 0;
    is_told = true;
    return FILE_IS_READ_ONLY;
}

static void work(bool happened)
{
    work_is_wanted = false;
    do {
        happened |= step();
        if (happened)
            requests_retry();
    } while (happened && step());
}

static void idle(void)
{
    work_begins();
    turn_begin();
    while (!rests) {
        bool happened = disk_serve() | pause_is_over;

        pause_is_over = false;
        if (happened || work_is_wanted || !mount_is_ready())
            work(happened);
        work_count();
        if (disk_settle())
            break;
    }
    tell_failure();
    cache_give_codes();
    work_count();
    sleeps = true;
}

static void notified(uint64_t bits)
{
    uint64_t now = clock_now();

    if (!(bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        return;
    if (pause_end && pause_end <= now) {
        pause_end = 0;
        pause_is_over = true;
        rests = false;
    }
    if (!commit_at || commit_at > now) {
        alarm_set();
        return;
    }
    commit_at = 0;
    alarm_set();
    if (!mount_is_ready() || volume.read_only)
        return;
    commit_want();
    write_want(WRITE_DATA);
}

int main(void)
{
    static struct fs_operations operations = {
        .attributes = file_attributes,
        .child = name_find,
        .parent = name_parent,
        .number = number_of,
        .next = name_next,
        .link_text = file_link_text,
        .open = open_file,
        .close = close_file,
        .read = file_read,
        .write = file_write,
        .truncate = file_truncate,
        .set_attributes = file_set_attributes,
        .create = name_create,
        .symlink = name_symlink,
        .link = add_link,
        .unlink = name_unlink,
        .rename = name_rename,
        .cover = cover,
        .statfs = statistics,
        .ready = next_event,
        .cancel = request_cancel,
        .waits = request_waits,
        .sync = sync_file,
        .allocate = file_allocate,
        .seek = file_seek,
        .xattr = get_xattr,
        .mounted = mounted,
        .unmount = mount_end,
        .reopen = reopen,
        .traits = TRAIT_REMEMBERS | TRAIT_FINISHES,
        .begin = request_begin,
        .later = request_later,
        .notified = notified,
        .idle = idle,
    };
    const struct service_info *info = service_info();
    char key[32];

    mount_begin(info->parameters, info->adopt);
    mount_step(); /* with what a predecessor has left it is ready, or nearly so */
    operations.root = EXT4_ROOT_INODE;
    operations.device = mount_device();
    operations.adopted = mount_was_adopted();
    snprintf(key, sizeof key, "fs/%s", info->name);
    if (service_publish(key) < 0)
        panic("%s is published by somebody else", key);
    changed_later(); /* what a predecessor has left to commit */
    fs_serve(&operations);
}
