/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c
/* Operations, their undoing after an error and after a death; checksums as mke2fs makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/fs/ext4/io.h"
#include "tests/unit/ext4_host.h"
#include "tests/unit/fake_machine.h"

enum { BOX_BYTES = 8 << 20 };

static char path[] = "/tmp/bardo-ext4-XXXXXX";

static void mount_fresh(unsigned block_size, const char *features)
{
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
    assert_int_equal(host_shell("truncate -s 64M %s && /sbin/mke2fs -q -F -t ext4 -b %u -O %s %s",
                                path, block_size, features, path),
                     0);
    host_mount(path, BOX_BYTES);
}

static void unmount(void)
{
    host_unmount();
    assert_int_equal(host_shell("/sbin/e2fsck -fn %s >/dev/null 2>&1", path), 0);
    unlink(path);
}

static int begin(void **state)
{
    host.misses = false;
    mount_fresh(4096, "none,has_journal,extent,64bit,metadata_csum,filetype,dir_index");
    return 0;
}

static int end(void **state)
{
    unmount();
    return 0;
}

static long root_mode(void *argument)
{
    struct inode i;
    long result = inode_get(EXT4_ROOT_INODE, &i);

    return result ? result : i.raw->mode;
}

/* All checksums that mke2fs has made are right, and come out the same when they are made anew. */
static void test_checksums(void **state)
{
    static const char *const features[] = {
        "none,has_journal,extent,64bit,metadata_csum,filetype,dir_index",
        "none,has_journal,extent,metadata_csum,filetype,metadata_csum_seed",
        "none,has_journal,extent,64bit,filetype,dir_index,flex_bg"};

    for (unsigned size = 1024; size <= 4096; size *= 2)
        for (unsigned f = 0; f < 3; f++) {
            mount_fresh(size, features[f]);
            for (uint32_t g = 0; g < volume.groups; g++) {
                uint8_t before[4096];
                struct buffer *b;
                struct group group;

                assert_int_equal(group_get(g, &group), 0);
                for (uint32_t n = 0; n < 2; n++) {
                    bool blocks = n == 0;
                    uint64_t at = blocks ? group.raw->block_bitmap_lo : group.raw->inode_bitmap_lo;

                    if (group.raw->flags & (blocks ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT))
                        continue;
                    assert_int_equal(
                        block_get(at, blocks ? KIND_BLOCK_BITMAP : KIND_INODE_BITMAP, g, &b), 0);
                }
                memcpy(before, buffer_data(group.buffer), size);
                if (volume.has_checksums) {
                    seal(group.buffer);
                    assert_memory_equal(before, buffer_data(group.buffer), size);
                }
            }
            assert_int_equal(host_look(root_mode, NULL), S_IFDIR | 0755);
            unmount();
        }
}

static void test_wrong_checksum(void **state)
{
    struct inode i;
    uint8_t *table;

    begin(state);
    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), 0);
    table = host.image + i.buffer->block * volume.block_size;
    cache_drop(i.buffer);
    table[volume.inode_size + 8]++;
    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), -EUCLEAN);
    table[volume.inode_size + 8]--;
    cache_drop(cache_find(i.buffer->block));
    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), 0);
    end(state);
}

static long touch(void *argument)
{
    struct inode i;
    long result = inode_get(EXT4_ROOT_INODE, &i);

    if (result == 0)
        result = inode_change(&i);
    if (result)
        return result;
    inode_set_time(&i, TIME_MODIFY, *(const uint64_t *)argument);
    box->now.counters.free_inodes -= 5;
    return -*(const int *)((const uint64_t *)argument + 1);
}

static uint64_t root_time(void)
{
    struct inode i;

    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), 0);
    return inode_time(&i, TIME_MODIFY);
}

/* An operation that ends with an error leaves nothing behind; one that does not, all. */
static void test_abort_and_commit(void **state)
{
    uint64_t before = root_time(), arguments[2] = {1700000000123456788u, ENOSPC};
    uint32_t inodes = box->now.counters.free_inodes;

    assert_int_equal(host_operation(touch, arguments), -ENOSPC);
    assert_true(root_time() == before);
    assert_int_equal(box->now.counters.free_inodes, inodes);
    assert_int_equal(box->now.running, 0);
    arguments[1] = 0;
    assert_int_equal(host_operation(touch, arguments), 0);
    assert_true(root_time() == 1700000000123456788u);
    assert_int_equal(box->now.counters.free_inodes, inodes - 5);
    assert_int_equal(box->now.running, 1);
    box->now.counters.free_inodes = inodes;
}

/* Dates after 2038, as far as 34 bits of seconds reach. */
static void test_times(void **state)
{
    static const int64_t seconds[] = {0,          1,          INT32_MAX, (int64_t)INT32_MAX + 1,
                                      5000000000, 15032385535};

    for (unsigned n = 0; n < sizeof seconds / sizeof *seconds; n++) {
        uint64_t ns = (uint64_t)seconds[n] * 1000000000u, arguments[2] = {ns, 0};

        assert_int_equal(host_operation(touch, arguments), 0);
        assert_true(root_time() == ns);
        box->now.counters.free_inodes += 5;
    }
}

/* The server dies within an operation, at each of its steps: its successor finds the state before
 * it. */
static void test_death(void **state)
{
    uint64_t before = root_time();
    uint32_t inodes = box->now.counters.free_inodes;
    struct counters counters;
    struct inode i;
    struct buffer *fresh, *data;

    cache_run_begin();
    op_begin();
    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), 0);
    assert_int_equal(inode_change(&i), 0);
    inode_set_time(&i, TIME_MODIFY, 1);
    assert_int_equal(block_fresh(9000, KIND_EXTENTS, 0, &fresh), 0);
    assert_int_equal(block_fresh_data(9001, &data), 0);
    assert_int_equal(op_freed(9002, 3, true), 0);
    box->now.counters.free_inodes--;
    assert_true(box_is_sound(host.memory, BOX_BYTES, 1));
    assert_false(box_is_sound(host.memory, BOX_BYTES, 2));
    assert_true(box_adopt(host.memory, BOX_BYTES));
    counters = box->now.counters;
    assert_int_equal(counters.free_inodes, inodes);
    assert_true(root_time() == before);
    assert_null(cache_find(9000));
    assert_null(cache_find(9001));
    assert_int_equal(box->now.freed, 0);
    assert_int_equal(box->now.revokes, 0);
    assert_false(op_active());
}

/* After the store that commits: all of it is there, and what was freed is written by nobody. */
static void test_death_after_commit(void **state)
{
    uint64_t when = 1234567890u * 1000000000ull;
    struct buffer *data;
    struct inode i;

    cache_run_begin();
    op_begin();
    assert_int_equal(block_fresh_data(9001, &data), 0);
    op_commit();
    op_begin();
    assert_int_equal(inode_get(EXT4_ROOT_INODE, &i), 0);
    assert_int_equal(inode_change(&i), 0);
    inode_set_time(&i, TIME_MODIFY, when);
    assert_int_equal(op_freed(9001, 1, false), 0);
    box->op_done = box->op_current; /* the store, and then death */
    assert_true(box_adopt(host.memory, BOX_BYTES));
    assert_true(root_time() == when);
    assert_null(cache_find(9001));
    assert_ptr_equal(op_pending(8990, 100, &(uint32_t){0}), &box->freed[0]);
    assert_null(op_pending(9002, 100, &(uint32_t){0}));
    op_freed_until(box->journal.sequence);
    assert_null(op_pending(8990, 100, &(uint32_t){0}));
}

static void free_one(uint64_t first, uint32_t count)
{
    op_begin();
    assert_int_equal(op_freed(first, count, false), 0);
    op_commit();
}

/* What lies side by side becomes one extent, whatever the order; of one transaction only. */
static void test_freed_are_joined(void **state)
{
    uint32_t n = 0;

    free_one(9000, 2);
    free_one(9002, 1);
    free_one(9500, 4);
    free_one(8990, 10);
    free_one(9504, 1);
    assert_int_equal(box->now.freed, 2);
    assert_int_equal(box->freed[0].block, 8990);
    assert_int_equal(box->freed[0].count, 13);
    assert_int_equal(box->freed[1].count, 5);
    box->journal.sequence++;
    free_one(9003, 1);
    assert_int_equal(box->now.freed, 3);
    assert_ptr_equal(op_pending(9002, 2, &n), &box->freed[0]);
    assert_ptr_equal(op_pending(9002, 2, &n), &box->freed[2]);
    assert_null(op_pending(9002, 2, &n));
    op_freed_until(box->journal.sequence - 1);
    assert_int_equal(box->now.freed, 1);
    assert_int_equal(box->freed[0].block, 9003);
}

/* Garbage in the box is found out, or does no harm. */
static void test_garbage(void **state)
{
    uint8_t *saved = malloc(BOX_BYTES);

    memcpy(saved, host.memory, BOX_BYTES);
    for (unsigned seed = 0; seed < 300; seed++) {
        uint8_t *at = host.memory;

        srand(seed);
        for (unsigned n = 0; n < 64; n++)
            at[(unsigned)rand() % 100000] = (uint8_t)rand();
        if (box_is_sound(host.memory, BOX_BYTES, 1))
            box_adopt(host.memory, BOX_BYTES);
        memcpy(host.memory, saved, BOX_BYTES);
    }
    assert_true(box_adopt(host.memory, BOX_BYTES));
    free(saved);
}

/* Blocks that are not in memory: the operation is run again, as often as it takes. */
static void test_misses(void **state)
{
    uint64_t arguments[2] = {77000000000u, 0};

    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].state)
            cache_drop(&buffers[n]);
    host.misses = true;
    host.missed = 0;
    assert_int_equal(host_operation(touch, arguments), 0);
    assert_int_equal(host.missed, 2);
    assert_true(root_time() == 77000000000u);
    box->now.counters.free_inodes += 5;
}

/* More blocks than buffers: those that are clean go, those in the transaction stay. */
static void test_cache_turns_over(void **state)
{
    uint64_t arguments[2] = {99000000000u, 0};
    struct buffer *b;

    assert_int_equal(host_operation(touch, arguments), 0);
    for (uint64_t block = 0; block < volume.blocks; block++) {
        cache_run_begin();
        assert_int_equal(block_get(block, KIND_DATA, 0, &b), 0);
        assert_memory_equal(buffer_data(b), host.image + block * 4096,
                            b->state & B_RUNNING ? 0 : 4096);
    }
    assert_true(root_time() == 99000000000u);
    assert_int_equal(block_get(volume.blocks, KIND_DATA, 0, &b), -EUCLEAN);
    box->now.counters.free_inodes += 5;
}

/* ---- scrubbing (scrub.c) ---- */

static void scrub_all(void)
{
    for (uint32_t n = 0; n < box->buffers; n++)
        cache_scrub_one();
}

static struct buffer *known_block(uint64_t block)
{
    struct buffer *b = cache_find(block);

    assert_non_null(b);
    assert_true(b->has_code);
    return b;
}

/* Each bit of a block that flips is put right, whether the disk has the block as it is or not. */
static void test_a_flipped_bit_is_put_right(void **state)
{
    uint8_t before[4096];
    struct buffer *b, *data;

    cache_run_begin();
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    op_begin();
    assert_int_equal(block_fresh_data(9001, &data), 0);
    for (unsigned n = 0; n < 4096; n++)
        ((uint8_t *)buffer_data(data))[n] = (uint8_t)(n * 7 + n / 256);
    op_commit();
    scrub_all();
    for (unsigned bit = 0; bit < 8 * 4096; bit += bit % 64 < 8 ? 1 : 57) {
        b = known_block(bit % 2 ? 9001 : 100);
        memcpy(before, buffer_data(b), 4096);
        ((uint8_t *)buffer_data(b))[bit / 8] ^= (uint8_t)(1u << bit % 8);
        host.mended = 0;
        scrub_all();
        assert_int_equal(host.mended, 1);
        assert_memory_equal(before, buffer_data(b), 4096);
    }
    cache_forget(9001, 1);
}

/* More than a bit: a block that the disk has is read again, what is nowhere else stays. */
static void test_more_than_a_bit(void **state)
{
    uint8_t before[4096];
    struct buffer *b, *data;

    cache_run_begin();
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    memcpy(before, buffer_data(b), 4096);
    op_begin();
    assert_int_equal(block_fresh_data(9001, &data), 0);
    op_commit();
    scrub_all();
    memset(buffer_data(b), 0x5a, 24);
    memset(buffer_data(data), 0x5a, 24);
    host.mended = 0;
    cache_run_begin();
    scrub_all();
    assert_int_equal(host.mended, 2);
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    assert_memory_equal(before, buffer_data(b), 4096);
    assert_non_null(cache_find(9001));
    assert_int_equal(*(uint8_t *)buffer_data(data), 0x5a);
    cache_forget(9001, 1);
}

/* What was compared a moment ago is not compared again. */
static void wait_a_moment(void)
{
    uint64_t end = __builtin_ia32_rdtsc() + (1 << 22);

    while (__builtin_ia32_rdtsc() < end)
        ;
}

/* In this run; there is a code of it. */
static struct buffer *get_scrubbed(uint64_t block, uint8_t contents[4096])
{
    struct buffer *b;

    cache_run_begin();
    assert_int_equal(block_get(block, KIND_DATA, 0, &b), 0);
    memcpy(contents, buffer_data(b), 4096);
    scrub_all();
    return b;
}

/* Nobody gets what has flipped because the hand has not come by since: it is put right, or read again. */
static void test_what_is_asked_for_is_right(void **state)
{
    uint8_t before[4096];
    struct buffer *b = get_scrubbed(100, before);

    for (unsigned bytes = 1; bytes < 30; bytes += 23) {
        b = known_block(100);
        for (unsigned n = 0; n < bytes; n++)
            ((uint8_t *)buffer_data(b))[1000 + n] ^= 0x10;
        host.mended = 0;
        wait_a_moment();
        cache_run_begin();
        assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
        assert_int_equal(host.mended, 1);
        assert_memory_equal(before, buffer_data(b), 4096);
        scrub_all();
    }
}

/* It flips after it was compared, and before it is copied, or is part of a block that is changed: who has copied it asks once more, and gets what is
 * right, or it is gone, to be read again. */
static void test_what_was_used_is_compared(void **state)
{
    struct buffer *b;

    cache_run_begin();
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    scrub_all();
    for (unsigned n = 0; n < 20; n++) {
        assert_int_equal(block_get_data(100, &b), 0);
        assert_true(cache_was_right(b));
        ((uint8_t *)buffer_data(b))[777] ^= 4;
        assert_int_equal(block_get_data(100, &b), 0);
        assert_false(cache_was_right(b));
        assert_true(cache_was_right(b));
        assert_memory_equal(buffer_data(b), host.image + 100 * 4096, 4096);
    }
    ((uint8_t *)buffer_data(b))[777] ^= 5;
    assert_false(cache_was_right(b));
    assert_null(cache_find(100));
    assert_int_equal(block_get_data(100, &b), 0);
    assert_true(cache_was_right(b));
    assert_memory_equal(buffer_data(b), host.image + 100 * 4096, 4096);
}

/* The same of metadata of which an operation changes another part, so that the code is made anew. */
static void test_what_changes_is_compared(void **state)
{
    uint8_t before[4096];
    struct buffer *b = get_scrubbed(100, before);

    assert_true(cache_was_right(b));
    ((uint8_t *)buffer_data(b))[4000] ^= 16;
    op_begin();
    assert_int_equal(block_change(b), 0);
    ((uint8_t *)buffer_data(b))[0] ^= 255;
    op_commit();
    assert_memory_equal((uint8_t *)buffer_data(b) + 1, before + 1, 4095);
}

/* After a request what it has changed, and what has been read of metadata, has its code, when no time was spent on that for a while. */
static void test_codes_are_given_at_once(void **state)
{
    struct buffer *b;

    fake_pages_begin();
    while (cache_next_changed())
        ;
    cache_run_begin();
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    scrub_all();
    usleep(100000);
    cache_changed(b);
    cache_give_codes();
    assert_true(b->has_code);
    usleep(100000);
    b->kind = KIND_INODES;
    cache_has_read(b, 0);
    assert_false(b->has_code);
    cache_give_codes();
    assert_true(b->has_code);
    b->kind = KIND_DATA;
}

/* What an operation has changed gets its code before all others, once, and no more than that many. */
static void test_what_has_changed_gets_a_code_soon(void **state)
{
    struct buffer *b, *other;

    while (cache_next_changed())
        ;
    cache_run_begin();
    assert_int_equal(block_get(100, KIND_DATA, 0, &b), 0);
    assert_int_equal(block_get(101, KIND_DATA, 0, &other), 0);
    scrub_all();
    for (unsigned n = 0; n < 1000; n++) {
        cache_changed(b);
        assert_false(b->has_code);
        cache_changed(other);
    }
    for (unsigned n = 0; n < 1024; n++)
        assert_ptr_equal(cache_next_changed(), n % 2 ? other : b);
    assert_null(cache_next_changed());
    cache_changed(b);
    scrub_all();
    assert_null(cache_next_changed()); /* it has one already */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_wrong_checksum),
        cmocka_unit_test_setup_teardown(test_abort_and_commit, begin, end),
        cmocka_unit_test_setup_teardown(test_times, begin, end),
        cmocka_unit_test_setup_teardown(test_death, begin, end),
        cmocka_unit_test_setup_teardown(test_death_after_commit, begin, end),
        cmocka_unit_test_setup_teardown(test_freed_are_joined, begin, end),
        cmocka_unit_test_setup_teardown(test_garbage, begin, end),
        cmocka_unit_test_setup_teardown(test_misses, begin, end),
        cmocka_unit_test_setup_teardown(test_cache_turns_over, begin, end),
        cmocka_unit_test_setup_teardown(test_a_flipped_bit_is_put_right, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_used_is_compared, begin, end),
        cmocka_unit_test_setup_teardown(test_what_changes_is_compared, begin, end),
        cmocka_unit_test_setup_teardown(test_codes_are_given_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_more_than_a_bit, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_asked_for_is_right, begin, end),
        cmocka_unit_test_setup_teardown(test_what_has_changed_gets_a_code_soon, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
