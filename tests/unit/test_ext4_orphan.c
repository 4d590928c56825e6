/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c servers/fs/ext4/length.c servers/fs/ext4/numbers.c
// sources: servers/fs/ext4/directory.c servers/fs/ext4/index.c servers/fs/ext4/hash.c
// sources: servers/fs/ext4/listing.c servers/fs/ext4/names.c servers/fs/ext4/attribute.c
// includes: servers/fs/ext4/orphan.c
/* Many orphans: what each costs is counted in blocks that are looked at; the list is compared with a model, and judged by e2fsck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/fs/ext4/orphan.c"

#include "servers/fs/ext4/mounts.h"
#include "tests/unit/ext4_host.h"

enum { BOX_BYTES = 12 << 20, MANY = 2000, PART_BLOCKS = 200 };

static char path[] = "/tmp/bardo-ext4-XXXXXX";
static const struct fs_user user = {.uid = 1000, .gid = 100};

/* What the file server has around it. */
static bool is_over; /* each turn */
static unsigned waits;

long commit_room(void)
{
    return 0;
}

bool turn_is_over(void)
{
    return is_over;
}

void turn_again(void)
{
}

long turn_wait(void)
{
    waits++;
    missing.what = MISSING_PAUSE;
    return EXT4_MISS;
}

void changes_made(void)
{
}

bool is_covered(uint64_t node)
{
    return false;
}

uint64_t request_id(void)
{
    return 0;
}

uint64_t *request_note(void)
{
    static uint64_t note;

    note = 0;
    return &note;
}

long request_lock(uint64_t node)
{
    return 0;
}

static bool counts;
static uint32_t most; /* blocks that a run has got: what it went through */

static void count_blocks(void)
{
    uint32_t run = 0, blocks = 0;

    for (uint32_t n = 0; counts && n < box->buffers; n++) {
        if (!buffers[n].state || buffers[n].run < run)
            continue;
        blocks = buffers[n].run > run ? 1 : blocks + 1;
        run = buffers[n].run;
    }
    most = blocks > most ? blocks : most;
}

/* Run as the server does: again after each miss. */
#define AGAIN(call)                                                                                \
    __extension__({                                                                                \
        long result_;                                                                              \
        for (unsigned runs_ = 0;; runs_++) {                                                       \
            assert_true(runs_ < 5000);                                                             \
            cache_run_begin();                                                                     \
            result_ = (call);                                                                      \
            count_blocks();                                                                        \
            if (result_ != EXT4_MISS)                                                              \
                break;                                                                             \
            if (missing.what != MISSING_PAUSE)                                                     \
                host_bring();                                                                      \
        }                                                                                          \
        result_;                                                                                   \
    })

static void mount_fresh(void)
{
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
    assert_int_equal(
        host_shell("truncate -s 24M %s && /sbin/mke2fs -q -F -t ext4 -b 1024 -N 6000 %s", path,
                   path),
        0);
    host_mount(path, BOX_BYTES);
    orphans_release();
    assert_int_equal(AGAIN(orphans_step()), 0);
    counts = false;
}

static void count_from_now(bool is_wanted)
{
    counts = is_wanted;
    most = 0;
}

/* e2fsck finds these many orphans, and nothing else that is wrong. */
static void check(unsigned orphans)
{
    host_commit();
    assert_int_equal(
        host_shell("cp %s %s.copy && { /sbin/e2fsck -fy %s.copy >%s.log 2>&1; test $? -le 1; } && "
                   "test $(grep -cE '^(Clearing|Truncating) orphaned inode' %s.log) = %u && "
                   "! grep -qE 'Fix|Clear\\?|IGNORED|Invalid|differences' %s.log && "
                   "/sbin/e2fsck -fn %s.copy >%s.log2 2>&1 || { cat %s.log >&2; false; }",
                   path, path, path, path, path, orphans, path, path, path, path),
        0);
}

static void unmount(unsigned orphans)
{
    check(orphans);
    while (table.used) /* nobody has anything open */
        for (uint32_t n = 0; n < table.size; n++)
            if (table.list && table.list[n].key)
                numbers_drop(&table, table.list[n].key);
    host_unmount();
    host_shell("rm -f %s %s.*", path, path);
}

static uint64_t make(unsigned n)
{
    uint64_t node = 0;
    char name[16];

    snprintf(name, sizeof name, "f%u", n);
    assert_int_equal(AGAIN(name_create(EXT4_ROOT_INODE, name, S_IFREG | 0600, 0, user, &node)), 0);
    return node;
}

static void remove_name(unsigned n)
{
    char name[16];

    snprintf(name, sizeof name, "f%u", n);
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, name, false)), 0);
}

/* Open, and without a name: in the list. */
static uint64_t make_orphan(unsigned n)
{
    uint64_t node = make(n);

    opened(node, 1);
    remove_name(n);
    return node;
}

/* ---- the model ---- */

static uint64_t expected[MANY + 10]; /* the last one is the list's first */
static unsigned count;

static void expect_list(void)
{
    uint32_t number = box->now.counters.last_orphan;
    struct inode i;

    for (unsigned n = count; n-- > 0; number = i.raw->dtime) {
        assert_int_equal(number, (uint32_t)expected[n]);
        assert_int_equal(AGAIN(inode_get(number, &i)), 0);
    }
    assert_int_equal(number, 0);
}

static void close_one(unsigned n)
{
    opened(expected[n], -1);
    memmove(&expected[n], &expected[n + 1], (--count - n) * sizeof *expected);
}

static void fill(unsigned many)
{
    for (count = 0; count < many; count++)
        expected[count] = make_orphan(count);
}

static void fresh_copy(void)
{
    orphans_release();
    assert_int_equal(AGAIN(orphans_step()), 0);
}

/* ---- what it costs ---- */

/* With two thousand of them it takes no more blocks than with none to delete one more, to cut one off, to close it. */
static void test_cost(void **state)
{
    uint32_t few;
    uint64_t node;

    mount_fresh();
    make(MANY + 1);
    expected[0] = make_orphan(MANY);
    count_from_now(true);
    remove_name(MANY + 1);
    opened(expected[0], -1);
    assert_int_equal(AGAIN(orphans_step()), 0);
    few = most;
    assert_true(few > 0);
    count_from_now(false);
    fill(MANY);
    expect_list();
    check(MANY);
    node = make(MANY);
    make(MANY + 1);
    count_from_now(true);
    assert_int_equal(AGAIN(file_truncate(node, 5000)), 0);
    assert_int_equal(AGAIN(file_truncate(node, 0)), 0);
    remove_name(MANY);
    make_orphan(MANY + 2);
    remove_name(MANY + 1);
    assert_in_range(most, 1, few + 8);
    for (unsigned turns = 0; count; turns++) {
        const unsigned places[] = {0, count - 1, count / 2};

        count_from_now(turns % 16 < 3);
        close_one(places[turns % 3]);
        assert_int_equal(AGAIN(orphans_step()), 0);
        assert_in_range(most, counts, few + 8);
        if (turns == MANY / 2)
            check(count + 1);
    }
    assert_int_equal(listed.used, 1);
    unmount(1);
}

/* A fresh copy goes through the list in parts, whoever asks first: the background, or a request. */
static void test_fresh_copy(void **state)
{
    mount_fresh();
    fill(MANY);
    for (unsigned late = 0; late < 4; late++) {
        is_over = late & 1;
        orphans_release();
        count_from_now(true);
        waits = 0;
        if (late & 2) {
            expected[count++] = make_orphan(MANY + late);
        } else {
            assert_int_equal(AGAIN(orphans_step()), 0);
            expect_list();
        }
        assert_in_range(most, 1, PART_BLOCKS);
        assert_in_range(waits, MANY / PART_MOST, MANY / PART_LEAST + 1);
    }
    is_over = counts = false;
    for (unsigned n = 0; n < 100; n++)
        close_one((unsigned)rand() % count);
    assert_int_equal(AGAIN(orphans_step()), 0);
    expect_list();
    unmount(count);
}

/* A disk that was not unmounted: nobody has them open. */
static void test_mounted(void **state)
{
    uint32_t free_inodes;

    mount_fresh();
    free_inodes = box->now.counters.free_inodes;
    fill(MANY);
    while (count)
        opened(expected[--count], -1);
    host_commit();
    free(host.memory);
    host_begin(BOX_BYTES);
    assert_int_equal(box->now.counters.last_orphan, (uint32_t)expected[MANY - 1]);
    count_from_now(true);
    orphans_release();
    for (is_over = true; box->now.counters.last_orphan;) {
        assert_int_equal(AGAIN(orphans_step()), 0);
        host_commit();
    }
    is_over = false;
    assert_in_range(most, 1, PART_BLOCKS);
    assert_int_equal(box->now.counters.free_inodes, free_inodes);
    unmount(0);
}

/* ---- whatever happens ---- */

/* A bit of what is remembered flips. */
static void flip(void)
{
    struct number *e = listed.size ? &listed.list[(unsigned)rand() % listed.size] : NULL;
    uint32_t bit = 1u << rand() % 13;

    switch (rand() % 4) {
    case 0:
        known.at ^= bit;
        break;
    case 1:
        known.last ^= bit;
        break;
    case 2:
        if (e && e->key && !numbers_find(&listed, e->key ^ bit) && (e->key ^ bit))
            e->key ^= bit;
        break;
    default:
        for (uint32_t n = 0; e && n < listed.size && !e->key; n++)
            e = &listed.list[n];
        if (e && e->key)
            e->value ^= bit;
    }
}

/* Operations that are undone, since a block was missing; copies that begin anew; and bits that flip. */
static void go_on(unsigned steps, bool flips)
{
    srand(7);
    mount_fresh();
    fill(40);
    host.misses = true;
    for (unsigned step = 0; step < steps; step++) {
        unsigned what = (unsigned)rand() % 16;

        if (flips && rand() % 4 == 0)
            flip();
        if (what < 7 && count < 80) {
            expected[count++] = make_orphan(step + 100);
        } else if (what < 13 && count) {
            close_one((unsigned)rand() % count);
            assert_int_equal(AGAIN(orphans_step()), 0);
            if (flips) /* one that was forgotten goes with a fresh copy */
                fresh_copy();
        } else if (what == 13) {
            uint64_t node = make(step + 100);

            assert_int_equal(AGAIN(file_truncate(node, 3000)), 0);
            assert_int_equal(AGAIN(file_truncate(node, 0)), 0);
            remove_name(step + 100);
        } else if (what == 14) {
            host_commit();
            free(host.memory);
            host_begin(BOX_BYTES);
            fresh_copy();
        } else {
            fresh_copy();
        }
        expect_list();
        if (step % 200 == 0)
            check(count);
    }
    host.misses = false;
    fresh_copy();
    while (count)
        close_one(0);
    assert_int_equal(AGAIN(orphans_step()), 0);
    unmount(0);
}

static void test_undone(void **state)
{
    go_on(2000, false);
}

static void test_flips(void **state)
{
    go_on(2000, true);
}

/* Lists that make no sense: nobody goes round for ever, and what can be deleted is. */
static void test_damaged(void **state)
{
    struct inode first, other;
    uint64_t node;

    mount_fresh();
    fill(5);
    node = make(10);
    make(11);
    cache_run_begin();
    assert_int_equal(inode_get((uint32_t)expected[0], &first), 0);
    first.raw->dtime = (uint32_t)expected[3]; /* a circle */
    orphans_release();
    assert_int_equal(AGAIN(orphans_step()), 0);
    opened(node, 1);
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "f10", false)), -EUCLEAN);
    close_one(4);
    assert_int_equal(AGAIN(orphans_step()), 0);
    assert_int_equal(box->now.counters.last_orphan, (uint32_t)expected[3]);
    first.raw->dtime = 0x7fffffff; /* no inode */
    fresh_copy();
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "f10", false)), -EUCLEAN);
    first.raw->dtime = 0;
    fresh_copy();
    remove_name(10); /* (not in the list, and its dtime says that it is:) */
    expected[count++] = node;
    assert_int_equal(inode_get((uint32_t)make(12), &other), 0);
    other.raw->dtime = (uint32_t)expected[1];
    remove_name(12);
    expect_list();
    unmount(count);
}

/* ---- the table ---- */

/* However many have been in it, it is as large as those that are need. */
static void test_table(void **state)
{
    static bool has[4096];
    struct numbers t = {0};
    uint32_t used = 0;

    for (unsigned n = 0; n < 1000000; n++) {
        unsigned key = 1 + (unsigned)rand() % 4095;
        const struct number *found = numbers_find(&t, key << 8);

        assert_int_equal(found != NULL, has[key]);
        if (has[key])
            assert_int_equal(found->value, key);
        if (!has[key] && used < 100)
            numbers_put(&t, key << 8)->value = key;
        else if (has[key])
            numbers_drop(&t, key << 8);
        else
            continue;
        has[key] = !has[key];
        used += has[key] ? 1 : -1u;
        assert_int_equal(t.used, used);
    }
    assert_in_range(t.size, 1, 512);
    numbers_clear(&t);
    for (uint64_t node = 1; node < 100000; node++) {
        opened(node, 1);
        opened(node, -1);
    }
    assert_in_range(table.size, 0, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost),    cmocka_unit_test(test_fresh_copy),
        cmocka_unit_test(test_mounted), cmocka_unit_test(test_undone),
        cmocka_unit_test(test_flips),   cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
