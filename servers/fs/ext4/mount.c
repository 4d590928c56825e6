/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "abi/proto/file.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/disk.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"
#include "servers/fs/ext4/super.h"
#include "servers/fs/ext4/zone.h"

static uint64_t number; /* of the mount */
static char device[16];
static bool read_only, may_adopt, was_adopted, has_replayed;
static long failure;
static char why[160];

/* ---- the steps: 1 the next one, EXT4_MISS, -errno ---- */

static bool is_posted, is_dirty; /* of a step that takes several turns */
static bool ended; /* the one request of a step */
static int ended_error;

static void has_ended(int error)
{
    ended = true;
    ended_error = error;
}

/* Post once, then wait for has_ended(). */
static long post(bool (*begin)(void (*done)(int error)))
{
    if (!is_posted) {
        ended = false;
        is_posted = begin(has_ended);
    }
    if (!is_posted || !ended)
        return EXT4_MISS;
    is_posted = false;
    return ended_error ? -(long)ended_error : 1;
}

static long attach(void)
{
    long result = disk_attached();

    if (result < 0)
        snprintf(why, sizeof why, "there is no such device");
    return result == 0 ? EXT4_MISS : result;
}

/* Nothing is written any more to the memory that is made anew. */
static long drain(void)
{
    return disk_has_orphans() ? EXT4_MISS : 1;
}

static const struct cache_io cache_operations = {.read = io_read};

/* A box to read the super block with, whatever the size of the blocks: such as every disk can do.
 */
static long begin_reading(void)
{
    volume = (struct volume){.block_size = 4096, .block_shift = 12, .blocks = disk.bytes >> 12};
    if (!box_make(disk.memory, disk.size, number, 4096)) {
        snprintf(why, sizeof why, "there is no memory");
        return -ENOMEM;
    }
    cache_start(&cache_operations);
    zones_forget();
    journal_forget();
    commit_forget();
    write_forget();
    return 1;
}

static long read_super(void)
{
    static struct ext4_super s;
    struct buffer *b;
    long result = block_get(0, KIND_DATA, 0, &b);

    if (result) {
        snprintf(why, sizeof why, "its super block cannot be read");
        return result;
    }
    memcpy(&s, (const uint8_t *)buffer_data(b) + EXT4_SUPER_OFFSET, sizeof s);
    result = super_take(&s, disk.bytes, read_only, why, sizeof why);
    if (result)
        return result;
    if (!read_only && disk.read_only) {
        snprintf(why, sizeof why, "the disk is write-protected");
        return -EROFS;
    }
    if (!box_make(disk.memory, disk.size, number, volume.block_size))
        return -ENOMEM;
    box->op_done = box->op_current = 1;
    super_counters(&s, &box->now.counters);
    memcpy(box->super, &s, sizeof s);
    cache_start(&cache_operations);
    return 1;
}

static long load_journal(void)
{
    return volume.compatible & COMPAT_JOURNAL ? journal_load(why, sizeof why) : 0;
}

static long find_journal(void)
{
    long result = load_journal();

    return result ? result : 1;
}

static bool needs_replay(void)
{
    return (volume.incompatible & INCOMPAT_RECOVER) && (volume.compatible & COMPAT_JOURNAL) &&
           !has_replayed;
}

static long replay_journal(void)
{
    long result = 0;

    if (!needs_replay())
        return 1;
    if (disk.read_only) {
        snprintf(why, sizeof why, "its journal must be replayed, and the disk is write-protected");
        return -EROFS;
    }
    if (journal.start)
        result = replay(why, sizeof why);
    if (result == EXT4_MISS && missing.what == MISSING_MEMORY)
        write_want(WRITE_ALL);
    return result ? result : 1;
}

static long write_all(void)
{
    write_want(WRITE_ALL);
    write_step();
    if (!write_is_clean() || !disk_is_quiet())
        return EXT4_MISS;
    return write_take_error() ? -EIO : 1;
}

static long write_replayed(void)
{
    return needs_replay() ? write_all() : 1;
}

static long flush_replayed(void)
{
    return needs_replay() ? post(io_flush) : 1;
}

/* The journal is empty now. Then all is read anew. */
static long close_replayed(void)
{
    long result;

    if (!needs_replay())
        return 1;
    box->journal.sequence = journal.sequence;
    box->journal.head = journal.first;
    result = post(journal_close);
    if (result == 1)
        has_replayed = true;
    return result;
}

static long load_zones(void)
{
    long result = zones_load();

    if (result == -EUCLEAN)
        snprintf(why, sizeof why, "its group descriptors make no sense");
    return result ? result : 1;
}

static long open_journal(void)
{
    struct journal_state *j = &box->journal;

    if (volume.read_only)
        return 1;
    journal.features |= JOURNAL_REVOKES |
                        (volume.incompatible & INCOMPAT_64BIT ? JOURNAL_64BIT : 0) |
                        (volume.has_checksums ? JOURNAL_CSUM_V3 : 0);
    j->sequence = j->tail_sequence = journal.sequence ? journal.sequence : 1;
    j->committed = j->sequence - 1;
    j->head = j->tail = journal.first;
    return post(journal_open);
}

/* The super block in place: with or without "the journal must be replayed". */
static long write_super(bool is_open)
{
    struct ext4_super *s;
    struct buffer *b;
    long result = is_dirty ? 0 : block_get(volume.super_block, KIND_SUPER, 0, &b);

    if (result)
        return result;
    if (!is_dirty) {
        s = (void *)((uint8_t *)buffer_data(b) + volume.super_offset);
        s->feature_incompat &= ~(uint32_t)INCOMPAT_RECOVER;
        s->feature_incompat |= is_open ? INCOMPAT_RECOVER : 0;
        s->mnt_count = (uint16_t)(s->mnt_count + is_open);
        s->wtime = (uint32_t)(time_now() / 1000000000u);
        if (is_open)
            s->mtime = s->wtime;
        super_put_counters(s, &box->now.counters);
        seal(b);
        b->changed = true;
        cache_changed(b);
        b->state |= B_DIRTY;
        is_dirty = true;
    }
    result = write_all();
    if (result != EXT4_MISS)
        is_dirty = false;
    return result;
}

static long mark_open(void)
{
    return volume.read_only ? 1 : write_super(true);
}

static long flush_open(void)
{
    return volume.read_only ? 1 : post(io_flush);
}

static long ready(void)
{
    box_fence();
    box->is_mounted = 1;
    return 1;
}

/* ---- with what a predecessor has left ---- */

static long adopt_box(void)
{
    static struct ext4_super s;

    memcpy(&s, ((struct box *)disk.memory)->super, sizeof s);
    was_adopted = super_take(&s, disk.bytes, read_only, why, sizeof why) == 0 &&
                  box_adopt(disk.memory, disk.size) && disk_adopt();
    if (was_adopted && box->has_error)
        volume.read_only = true;
    cache_start_again(&cache_operations);
    return was_adopted ? 1 : -EAGAIN;
}

static long journal_again(void)
{
    long result = volume.read_only ? 0 : load_journal();

    if (result == 0)
        journal.features = box->journal_features;
    return result ? result : 1;
}

static long commit_again(void)
{
    commit_adopt();
    return 1;
}

static long note_features(void)
{
    box->journal_features = journal.features;
    return 1;
}

typedef long (*step_function)(void);
static const step_function fresh_steps[] = {attach,
                                            drain,
                                            begin_reading,
                                            read_super,
                                            find_journal,
                                            replay_journal,
                                            write_replayed,
                                            flush_replayed,
                                            close_replayed,
                                            begin_reading,
                                            read_super,
                                            find_journal,
                                            load_zones,
                                            open_journal,
                                            mark_open,
                                            flush_open,
                                            note_features,
                                            ready,
                                            NULL};
static const step_function adopt_steps[] = {attach,     adopt_box,    drain, journal_again,
                                            load_zones, commit_again, NULL};
static const step_function *at;

/* ---- the end ---- */

static long end_commit(void)
{
    commit_all();
    commit_step();
    return commit_is_quiet() ? 1 : EXT4_MISS;
}

static long end_write(void)
{
    long result = write_all();

    return result == 1 && !journal_is_quiet() ? EXT4_MISS : result;
}

static long end_close(void)
{
    return post(journal_close);
}

static long end_mark(void)
{
    return write_super(false);
}

static long end_flush(void)
{
    return post(io_flush);
}

static long end_forget(void)
{
    box->is_mounted = 0;
    return 1;
}

static const step_function end_steps[] = {end_commit, end_write, end_flush,  end_close,
                                          end_mark,   end_flush, end_forget, NULL};
static const step_function *end;

/* ---- */

static void parse(const char *parameters)
{
    static char text[256];
    char *rest = text;

    snprintf(text, sizeof text, "%s", parameters);
    for (char *word; (word = strsep(&rest, " ,")) != NULL;)
        if (strncmp(word, "mount=", 6) == 0)
            number = strtoull(word + 6, NULL, 10);
        else if (strncmp(word, "device=", 7) == 0)
            snprintf(device, sizeof device, "%s", word + 7);
        else if (strcmp(word, "ro") == 0)
            read_only = true;
        else if (strcmp(word, "noatime") == 0)
            volume.no_atime = true;
}

void mount_begin(const char *parameters, bool adopt)
{
    failure = 0;
    why[0] = 0;
    is_posted = is_dirty = has_replayed = was_adopted = read_only = false;
    end = end_steps;
    parse(parameters);
    disk_find_memory();
    may_adopt = adopt && box_is_sound(disk.memory, disk.size, number);
    disk_open(device, !read_only, may_adopt);
    at = may_adopt ? adopt_steps : fresh_steps;
}

static void fail(long error)
{
    if (at >= adopt_steps && at < adopt_steps + sizeof adopt_steps / sizeof *adopt_steps) {
        log_info("what the predecessor has left cannot be gone on with: mounting anew");
        at = fresh_steps;
        return;
    }
    failure = error;
    at = NULL;
    log_info("%s cannot be mounted: %s", device, *why ? why : strerror((int)-error));
}

void mount_step(void)
{
    while (at && *at) {
        long result;

        cache_run_begin();
        result = (*at)();
        if (result == EXT4_MISS)
            return;
        if (result == 1)
            at++;
        else
            fail(result);
    }
}

bool mount_is_ready(void)
{
    return at && !*at;
}

long mount_error(void)
{
    return failure;
}

bool mount_was_adopted(void)
{
    return was_adopted;
}

uint64_t mount_device(void)
{
    unsigned major_number = 0, minor_number = 0;

    sscanf(device, "%u:%u", &major_number, &minor_number);
    return makedev(major_number, minor_number);
}

bool mount_may_ask(uint32_t type)
{
    return type == FILE_REOPEN || type == FILE_CANCEL || type == FILE_UNMOUNT || type == FILE_MOUNT;
}

long mount_end(void)
{
    if (!mount_is_ready() || !box->is_mounted || volume.read_only)
        return box && box->has_error ? -EIO : 0;
    while (*end) {
        long result = (*end)();

        if (box->has_error)
            return -EIO;
        if (result != 1)
            return result;
        end++;
    }
    return 0;
}
