/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c
/* Allocation and extent trees against a model, judged by e2fsck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ext4_host.h"

enum { BOX_BYTES = 12 << 20, SPAN = 6000, FILES = 3, FIRST_FILE = 12 };

static char path[] = "/tmp/bardo-ext4-XXXXXX";
static struct cell {
    uint64_t physical;
    bool unwritten;
} model[FILES][SPAN];

static void mount_fresh(unsigned block_size, const char *options, const char *size)
{
    char tree[64];

    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
    snprintf(tree, sizeof tree, "%s.d", path);
    assert_int_equal(host_shell("mkdir %s; cd %s; touch 0 1 2; rm -f %s; truncate -s %s %s && "
                                "/sbin/mke2fs -q -F -t ext4 -b %u %s -d %s %s; rm -r %s",
                                tree, tree, path, size, path, block_size, options, tree, path,
                                tree),
                     0);
    memset(model, 0, sizeof model);
    host_mount(path, BOX_BYTES);
}

static void unmount(void)
{
    host_unmount();
    assert_int_equal(host_shell("/sbin/e2fsck -fn %s >%s.log 2>&1 || { cat %s.log >&2; false; }",
                                path, path, path),
                     0);
    host_shell("rm -f %s %s.log", path, path);
}

struct task {
    uint32_t file, logical, count;
    bool unwritten;
    uint64_t physical;
};

static long add(void *argument)
{
    struct task *t = argument;
    struct inode i;
    uint64_t goal, end;
    uint32_t got;
    long result = inode_get(FIRST_FILE + t->file, &i);

    if (result == 0)
        result = extent_goal(&i, t->logical, &goal);
    if (result == 0)
        result = blocks_allocate(goal, t->count, &t->physical, &got);
    if (result == 0)
        result = extent_insert(&i, t->logical, t->physical, got, t->unwritten);
    if (result)
        return result;
    t->count = got;
    end = (uint64_t)(t->logical + got) * volume.block_size;
    if (end > inode_size(&i))
        inode_set_size(&i, end);
    return 0;
}

static long finish(void *argument)
{
    const struct task *t = argument;
    struct inode i;
    long result = inode_get(FIRST_FILE + t->file, &i);

    return result ? result : extent_written(&i, t->logical, t->count);
}

static long cut(void *argument)
{
    const struct task *t = argument;
    struct inode i;
    long result = inode_get(FIRST_FILE + t->file, &i);

    if (result == 0)
        result = extent_truncate(&i, t->logical, t->count);
    if (result == 0 && inode_change(&i) == 0)
        inode_set_size(&i, (uint64_t)t->logical * volume.block_size);
    return result;
}

static struct task now;

static long look(void *argument)
{
    struct extent_map *out = argument;
    struct inode i;
    long result = inode_get(FIRST_FILE + now.file, &i);

    return result ? result : extent_find(&i, now.logical, SPAN, out);
}

static void compare(uint32_t file)
{
    const struct cell *m = model[file];

    for (uint32_t n = 0; n < SPAN;) {
        struct extent_map map;

        now = (struct task){.file = file, .logical = n};
        assert_int_equal(host_look(look, &map), 0);
        assert_true(map.count >= 1);
        for (uint32_t k = 0; k < map.count && n + k < SPAN; k++) {
            assert_true(m[n + k].physical == (map.physical ? map.physical + k : 0));
            assert_int_equal(m[n + k].unwritten, map.unwritten);
        }
        n += map.count;
    }
}

static void step_add(struct task *t)
{
    struct cell *m = model[t->file];
    uint32_t n = 0;

    while (n < t->count && t->logical + n < SPAN && !m[t->logical + n].physical)
        n++;
    if (n == 0)
        return;
    t->count = n;
    assert_int_equal(host_operation(add, t), 0);
    for (n = 0; n < t->count; n++)
        m[t->logical + n] = (struct cell){t->physical + n, t->unwritten};
}

static void step_finish(struct task *t)
{
    struct cell *m = model[t->file];
    uint32_t n = 0;

    while (n < t->count && t->logical + n < SPAN && m[t->logical + n].unwritten)
        n++;
    t->count = n;
    assert_int_equal(host_operation(finish, t), 0);
    while (n)
        m[t->logical + --n].unwritten = false;
}

static void step_cut(struct task *t)
{
    long result;

    t->count = 20;
    do
        result = host_operation(cut, t);
    while (result == 1);
    assert_int_equal(result, 0);
    memset(&model[t->file][t->logical], 0, (SPAN - t->logical) * sizeof(struct cell));
}

static void random_steps(unsigned seed, unsigned steps)
{
    srand(seed);
    for (unsigned n = 0; n < steps; n++) {
        struct task t = {.file = (uint32_t)rand() % FILES,
                         .logical = (uint32_t)rand() % SPAN,
                         .count = 1 + (uint32_t)rand() % 5,
                         .unwritten = rand() % 3 == 0};
        int what = rand() % 100;

        if (what < 60)
            step_add(&t);
        else if (what < 99)
            step_finish(&t);
        else
            step_cut(&t);
        if (n % 500 == 0) {
            host_commit();
            compare(t.file);
        }
    }
    for (uint32_t f = 0; f < FILES; f++)
        compare(f);
}

static void test_random(void **state)
{
    static const char *const options[] = {"", "-O ^metadata_csum,^64bit", "-O ^flex_bg -g 2048"};

    for (unsigned size = 1024; size <= 4096; size *= 4)
        for (unsigned n = 0; n < 3; n++) {
            mount_fresh(size, options[n], "64M");
            host.misses = n == 0;
            random_steps(size + n, 8000);
            unmount();
        }
    host.misses = false;
}

/* Backwards, one apart: nothing joins, the tree is as deep as it gets. */
static void test_fragments(void **state)
{
    mount_fresh(1024, "", "64M");
    for (uint32_t n = SPAN; n >= 2; n -= 2)
        step_add(&(struct task){.file = 0, .logical = n - 2, .count = 1});
    compare(0);
    for (uint32_t n = 1; n < SPAN; n += 2)
        step_add(&(struct task){.file = 0, .logical = n, .count = 1});
    compare(0);
    host_commit();
    assert_int_equal(host_shell("/sbin/e2fsck -fn %s >/dev/null 2>&1", path), 0);
    step_cut(&(struct task){.file = 0, .logical = 0});
    compare(0);
    unmount();
}

static long fill(void *argument)
{
    struct task *t = argument;

    return add(t);
}

/* Until there is no space, to the last block; then it is all given back, after the commit. */
static void test_full(void **state)
{
    uint64_t before;
    struct task t = {.file = 1};
    long result;

    mount_fresh(1024, "-m 0", "8M");
    before = box->now.counters.free_blocks;
    for (;; t.logical += t.count) {
        t.count = 300;
        result = host_operation(fill, &t);
        if (result)
            break;
    }
    assert_int_equal(result, -ENOSPC);
    assert_int_equal(box->now.counters.free_blocks, 0);
    t.logical = 0;
    t.count = 1000;
    assert_int_equal(host_operation(cut, &t), 0);
    assert_int_equal(box->now.counters.free_blocks, before);
    host.missed = 0;
    t.count = 1;
    assert_int_equal(host_operation(fill, &t), 0);
    assert_int_equal(host.missed, 1); /* what was freed waited for the commit */
    unmount();
}

/* Block maps: as debugfs says. */
static void test_block_map(void **state)
{
    struct extent_map map;
    char command[128];
    uint32_t last = 12 + 256 + 256 * 256 + 77;

    host.read_only = true;
    mount_fresh(1024, "-O ^extent,^64bit,^metadata_csum,^has_journal", "64M");
    host_unmount();
    assert_int_equal(host_shell("truncate -s 68M %s.x; for n in 5 11 12 267 268 1000 65803 %u; do "
                                "printf x | dd of=%s.x bs=1024 seek=$n conv=notrunc 2>/dev/null; "
                                "done; /sbin/debugfs -w -R 'write %s.x x' %s 2>/dev/null; rm %s.x",
                                path, last, path, path, path, path),
                     0);
    host_mount(path, BOX_BYTES);
    for (uint32_t n = 0; n < 14; n++) {
        static const uint32_t places[] = {4,   5,   6,    11,   12,   13,    266,
                                          267, 268, 1000, 1001, 4000, 65803, 12 + 256 + 65536 + 77};
        uint64_t expected = 0;
        FILE *pipe;

        now = (struct task){.file = 3, .logical = places[n]};
        assert_int_equal(host_look(look, &map), 0);
        snprintf(command, sizeof command, "/sbin/debugfs -R 'bmap x %u' %s 2>/dev/null", places[n],
                 path);
        pipe = popen(command, "r");
        assert_int_equal(fscanf(pipe, "%lu", &expected), 1);
        pclose(pipe);
        assert_true(map.physical == expected);
    }
    host.read_only = false;
    host_shell("rm %s", path);
    munmap(host.image, host.size);
    free(host.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_block_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
