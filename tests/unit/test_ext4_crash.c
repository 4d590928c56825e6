/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c
// sources: servers/fs/ext4/directory.c servers/fs/ext4/index.c servers/fs/ext4/hash.c
// sources: servers/fs/ext4/listing.c servers/fs/ext4/names.c servers/fs/ext4/orphan.c servers/fs/ext4/numbers.c
// sources: servers/fs/ext4/attribute.c servers/fs/ext4/data.c servers/fs/ext4/length.c
// sources: servers/fs/ext4/ahead.c
// sources: servers/fs/ext4/journal.c servers/fs/ext4/commit.c servers/fs/ext4/replay.c
// sources: servers/fs/ext4/writeback.c servers/fs/ext4/mount.c
/*
 * Power failures. A workload runs on a disk with a volatile write cache, and every write is noted.
 * Then the power fails: what was written before the last flush is there, of what came after any
 * part. e2fsck replays the journal and must find nothing; whatever had been synced is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "tests/unit/ext4_disk.h"

enum { IMAGE_BYTES = 12 << 20, CUTS = 1000, FILES = 40 };

static char path[] = "/dev/shm/bardo-crash-XXXXXX";
static uint8_t *base, *image, *stored; /* stored: the file's own pages */
static const struct fs_user user = {.uid = 1000, .gid = 100};

/* A file with known contents that was synced when event_count was `since`, and changed or removed
 * after event `until`. */
static struct promise {
    char name[32];
    uint32_t since, until, size, seed;
} promises[4000];
static uint32_t promise_count;

static int shell(const char *format, ...)
{
    char command[512];
    va_list list;
    int status;

    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void load(uint8_t *memory)
{
    int fd = open(path, O_RDWR);

    stored = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(stored, MAP_FAILED);
    memcpy(memory, stored, IMAGE_BYTES);
    close(fd);
}

/* Most of it is the same from one time to the next. */
static void store(const uint8_t *memory)
{
    enum { PIECE = 4096 };

    for (uint32_t at = 0; at < IMAGE_BYTES; at += PIECE)
        if (memcmp(stored + at, memory + at, PIECE))
            memcpy(stored + at, memory + at, PIECE);
}

static uint8_t byte_of(uint32_t seed, uint32_t at)
{
    return (uint8_t)(seed * 2654435761u + at * 40503u + (at >> 8));
}

static struct { /* as it is now */
    char name[32];
    uint64_t node; /* 0: not there */
    uint32_t size, seed;
    int promise; /* -1: none */
} files[FILES];

static void break_promise(uint32_t n)
{
    if (files[n].promise >= 0)
        promises[files[n].promise].until = event_count;
    files[n].promise = -1;
}

static void write_file(uint32_t n)
{
    static uint8_t data[300000];
    uint32_t size = (uint32_t)rand() % (rand() % 8 ? 5000 : sizeof data);
    struct fs_transfer t = {.address = (uintptr_t)data, .length = size};
    long result = 0;

    break_promise(n);
    if (!files[n].node) {
        snprintf(files[n].name, sizeof files[n].name, "file-%u-%d", n, rand() % 1000);
        result = SERVE(
            name_create(EXT4_ROOT_INODE, files[n].name, S_IFREG | 0644, 0, user, &files[n].node));
    } else if (rand() % 2) {
        result = SERVE(file_truncate(files[n].node, 0));
        files[n].size = 0;
    }
    assert_int_equal(result, 0);
    files[n].seed = (uint32_t)rand();
    for (uint32_t at = 0; at < size; at++)
        data[at] = byte_of(files[n].seed, at);
    result = SERVE(file_write(files[n].node, &t));
    if (result < (long)size) { /* a full disk */
        files[n].size = 0;
        files[n].seed = 0;
        assert_int_equal(SERVE(name_unlink(EXT4_ROOT_INODE, files[n].name, false)), 0);
        files[n].node = 0;
        return;
    }
    assert_int_equal(SERVE(file_truncate(files[n].node, size)), 0);
    files[n].size = size;
}

static void sync_all(void)
{
    disk_sync();
    for (uint32_t n = 0; n < FILES; n++)
        if (files[n].node && files[n].promise < 0 && promise_count < 4000) {
            files[n].promise = (int)promise_count;
            promises[promise_count] =
                (struct promise){"", event_count, UINT32_MAX, files[n].size, files[n].seed};
            strcpy(promises[promise_count++].name, files[n].name);
        }
}

static void step(void)
{
    uint32_t n = (uint32_t)rand() % FILES;
    char name[64];
    int what = rand() % 20;

    if (what < 9) {
        write_file(n);
    } else if (what < 12 && files[n].node) {
        break_promise(n);
        assert_int_equal(SERVE(name_unlink(EXT4_ROOT_INODE, files[n].name, false)), 0);
        files[n].node = 0;
    } else if (what < 14 && files[n].node) {
        break_promise(n);
        snprintf(name, sizeof name, "moved-%u-%d", n, rand() % 1000);
        if (SERVE(name_rename(EXT4_ROOT_INODE, files[n].name, EXT4_ROOT_INODE, name)) == 0)
            snprintf(files[n].name, sizeof files[n].name, "%.31s", name);
    } else if (what < 16) {
        uint64_t node;

        snprintf(name, sizeof name, "d%u", n);
        if (SERVE(name_create(EXT4_ROOT_INODE, name, S_IFDIR | 0755, 0, user, &node)) == -EEXIST)
            SERVE(name_unlink(EXT4_ROOT_INODE, name, true));
    } else if (what < 18) {
        for (int k = rand() % 30; k > 0; k--)
            disk_pump();
    } else if (what == 18) {
        sync_all();
    }
    disk_pump();
}

static void begin(void)
{
    memset(files, 0, sizeof files);
    for (uint32_t n = 0; n < FILES; n++)
        files[n].promise = -1;
    assert_int_equal(disk_mount(image, IMAGE_BYTES), 0);
    memcpy(base, image, IMAGE_BYTES);
    promise_count = 0;
    records = true;
}

static void record(unsigned steps)
{
    begin();
    for (unsigned n = 0; n < steps; n++)
        step();
    while (SERVE(mount_end()) != 0)
        ;
    records = false;
}

/* The disk as it is when the power fails after event `cut`. */
static void fail_at(uint32_t cut, bool any_part)
{
    uint32_t flushed = 0;

    memcpy(image, base, IMAGE_BYTES);
    for (uint32_t n = 0; n < cut; n++)
        if (events[n].is_flush)
            flushed = n;
    for (uint32_t n = 0; n < cut; n++) {
        const struct event *e = &events[n];

        if (e->length && (n < flushed || e->is_durable || !any_part || rand() % 2))
            memcpy(image + e->offset, e->data, e->length);
    }
}

static void expect_content(FILE *from, const struct promise *p, uint32_t cut)
{
    static uint8_t data[400000];
    char said[64], line[64];
    int length = snprintf(line, sizeof line, "debugfs: cat %s\n", p->name);

    if (fread(said, 1, (size_t)length, from) != (size_t)length ||
        memcmp(said, line, (size_t)length))
        fail_msg("cut %u: what is ahead of %s has another size", cut, p->name);
    assert_int_equal(fread(data, 1, p->size, from), p->size);
    for (uint32_t at = 0; at < p->size; at++)
        if (data[at] != byte_of(p->seed, at))
            fail_msg("cut %u: %s differs at byte %u", cut, p->name, at);
}

/* among: one of so many is looked at. (One debugfs for all: to start it costs more than it does.) */
static void check_promises(uint32_t cut, int among)
{
    static char command[64 * FILES];
    const struct promise *chosen[FILES];
    uint32_t count = 0;
    int length = snprintf(command, sizeof command, "printf '");
    FILE *pipe;

    for (uint32_t n = 0; n < promise_count; n++) {
        const struct promise *p = &promises[n];

        /* every one of them in some cuts, a few in each */
        if (p->since > cut || p->until <= cut || rand() % among)
            continue;
        assert_in_range(count, 0, FILES - 1);
        chosen[count++] = p;
        length += snprintf(command + length, sizeof command - (size_t)length, "cat %s\\n", p->name);
    }
    if (count == 0)
        return;
    snprintf(command + length, sizeof command - (size_t)length,
             "' | /sbin/debugfs -f - %s 2>/dev/null", path);
    pipe = popen(command, "r");
    for (uint32_t n = 0; n < count; n++)
        expect_content(pipe, chosen[n], cut);
    assert_int_equal(fgetc(pipe), EOF);
    pclose(pipe);
}

/* e2fsck replays the journal, and then finds nothing. */
static int judge(void)
{
    return shell(
        "/sbin/e2fsck -p -E journal_only %s >/dev/null 2>&1; exec /sbin/e2fsck -fn %s >%s.log 2>&1",
        path, path, path);
}

static int make(void **state)
{
    srand(1);
    base = malloc(IMAGE_BYTES);
    image = malloc(IMAGE_BYTES);
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
    assert_int_equal(shell("truncate -s %d %s && /sbin/mke2fs -q -F -t ext4 -b 1024 %s",
                           IMAGE_BYTES, path, path),
                     0);
    load(image);
    return 0;
}

static int clear(void **state)
{
    for (; event_count; event_count--)
        free(events[event_count - 1].data);
    shell("rm -f %s %s.log", path, path);
    munmap(stored, IMAGE_BYTES);
    free(base);
    free(image);
    return 0;
}

/* The number of the journal's next transaction, where mke2fs has put it. */
static void set_sequence(uint32_t sequence)
{
    for (uint32_t at = 0; at < IMAGE_BYTES; at += 1024) {
        struct journal_super *s = (struct journal_super *)(image + at);

        if (s->header.magic == __builtin_bswap32(JOURNAL_MAGIC)) {
            s->sequence = __builtin_bswap32(sequence);
            return;
        }
    }
    fail_msg("no journal");
}

/* The numbers of transactions begin again at 0, which is one like the others: what was synced is
 * there when the power fails right after, and the blocks of files are on the disk before. */
static void test_number_0(void **state)
{
    set_sequence((uint32_t)-8);
    begin();
    for (uint32_t n = 0; n < 20; n++) {
        write_file(n);
        sync_all();
    }
    assert_true(promise_count == 20 && box->journal.sequence < 100);
    for (uint32_t n = 0; n < promise_count; n++) {
        fail_at(promises[n].since, true);
        store(image);
        assert_int_equal(judge(), 0);
        check_promises(promises[n].since, 1);
    }
    records = false;
}

static void test_power_failures(void **state)
{
    uint32_t checked = 0, flushes = 0;

    record(1500);
    for (uint32_t n = 0; n < event_count; n++)
        flushes += events[n].is_flush;
    print_message("%u events, %u flushes, %u promises\n", event_count, flushes, promise_count);
    assert_true(promise_count > 50 && flushes > 50);
    for (uint32_t k = 0; k < CUTS; k++) {
        uint32_t cut = (uint32_t)rand() % (event_count + 1);
        int status;

        if (k % 3 == 0) /* right at a flush */
            while (cut < event_count && !events[cut].is_flush)
                cut++;
        fail_at(cut, k % 4 != 0);
        store(image);
        status = judge();
        if (status)
            shell("cat %s.log >&2; cp %s %s.bad", path, path, path);
        if (status)
            fail_msg("cut %u of %u (%u): e2fsck is not content", cut, event_count, k);
        check_promises(cut, 12);
        checked++;
    }
    assert_int_equal(checked, CUTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_number_0, make, clear),
        cmocka_unit_test_setup_teardown(test_power_failures, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
