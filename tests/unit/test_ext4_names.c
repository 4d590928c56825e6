/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c
// sources: servers/fs/ext4/directory.c servers/fs/ext4/index.c servers/fs/ext4/hash.c
// sources: servers/fs/ext4/listing.c servers/fs/ext4/names.c servers/fs/ext4/orphan.c servers/fs/ext4/numbers.c
// sources: servers/fs/ext4/attribute.c
/* Directories and what is done in them, judged by e2fsck and debugfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/fs/ext4/directory.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"
#include "tests/unit/ext4_host.h"

enum { BOX_BYTES = 12 << 20 };

static char path[] = "/tmp/bardo-ext4-XXXXXX";
static const struct fs_user user = {.uid = 1000, .gid = 100};

/* What the file server has around it. */
long commit_room(void)
{
    return 0;
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

/* Run as the server does: again after each miss. */
#define AGAIN(call)                                                                                \
    __extension__({                                                                                \
        long result_;                                                                              \
        for (;;) {                                                                                 \
            cache_run_begin();                                                                     \
            result_ = (call);                                                                      \
            if (result_ != EXT4_MISS)                                                              \
                break;                                                                             \
            host_bring();                                                                          \
        }                                                                                          \
        result_;                                                                                   \
    })

static void mount_fresh(unsigned block_size, const char *options, const char *size)
{
    strcpy(path + sizeof path - 7, "XXXXXX");
    close(mkstemp(path));
    assert_int_equal(
        host_shell("rm -f %s; truncate -s %s %s && /sbin/mke2fs -q -F -t ext4 -b %u %s %s", path,
                   size, path, block_size, options, path),
        0);
    host_mount(path, BOX_BYTES);
    orphans_release();
}

static void check(void)
{
    host_commit();
    assert_int_equal(host_shell("/sbin/e2fsck -fn %s >%s.log 2>&1 || { cat %s.log >&2; false; }",
                                path, path, path),
                     0);
}

static void unmount(void)
{
    check();
    host_unmount();
    host_shell("rm -f %s %s.log", path, path);
}

static uint64_t find(uint64_t directory, const char *name)
{
    uint64_t node = 0;
    long result = AGAIN(name_find(directory, name, &node));

    return result == 0 ? node : 0;
}

static uint64_t make(uint64_t directory, const char *name, uint32_t mode)
{
    uint64_t node = 0;

    assert_int_equal(AGAIN(name_create(directory, name, mode, 0, user, &node)), 0);
    return node;
}

static void name_of(char *out, unsigned n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz\xe4\xf6\xfc";
    unsigned length = 8 + n % 40;

    snprintf(out, 80, "%u.", n);
    for (unsigned at = (unsigned)strlen(out); at < length; at++)
        out[at] = letters[(n * 7 + at * at) % (sizeof letters - 1)], out[at + 1] = 0;
}

/* Each once, and no others: how many. */
static unsigned listed(uint64_t directory, uint8_t *seen, unsigned limit)
{
    static struct fs_entry e;
    uint64_t cookie = 0;
    unsigned count = 0;

    memset(seen, 0, limit);
    for (;;) {
        unsigned n;
        long result = AGAIN(name_next(directory, cookie, &e));

        assert_in_range(result, 0, 1);
        if (result == 0)
            return count;
        assert_true(e.cookie > cookie && (int64_t)e.cookie > 0);
        cookie = e.cookie;
        if (sscanf(e.name, "%u.", &n) == 1) {
            assert_in_range(n, 0, limit - 1);
            assert_int_equal(seen[n]++, 0);
            count++;
        }
    }
}

static void fill_and_empty(unsigned names)
{
    uint64_t d = make(EXT4_ROOT_INODE, "many", S_IFDIR | 0755);
    uint8_t *seen = malloc(names);
    char name[80];

    for (unsigned n = 0; n < names; n++) {
        name_of(name, n);
        assert_int_equal(AGAIN(name_link(d, name, find(EXT4_ROOT_INODE, n % 4 ? "a" : "b"))), 0);
    }
    check();
    assert_int_equal(listed(d, seen, names), names);
    for (unsigned n = 0; n < names; n++) {
        name_of(name, n);
        assert_int_not_equal(find(d, name), 0);
    }
    assert_int_equal(find(d, "not there"), 0);
    name_of(name, 5);
    assert_int_equal(AGAIN(name_link(d, name, find(EXT4_ROOT_INODE, "a"))), -EEXIST);
    for (unsigned n = 0; n < names; n += 2) {
        name_of(name, n);
        assert_int_equal(AGAIN(name_unlink(d, name, false)), 0);
    }
    assert_int_equal(listed(d, seen, names), names / 2);
    check();
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "many", true)), -ENOTEMPTY);
    for (unsigned n = 1; n < names; n += 2) {
        name_of(name, n);
        assert_int_equal(AGAIN(name_unlink(d, name, false)), 0);
    }
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "many", true)), 0);
    AGAIN(orphans_step());
    free(seen);
}

static void test_many(void **state)
{
    static const char *const options[] = {"", "-O ^metadata_csum", "-O ^dir_index",
                                          "-O large_dir,^64bit"};

    for (unsigned size = 1024; size <= 4096; size *= 4)
        for (unsigned n = 0; n < 4; n++) {
            mount_fresh(size, options[n], "64M");
            host.misses = n == 1;
            make(EXT4_ROOT_INODE, "a", S_IFREG | 0644);
            make(EXT4_ROOT_INODE, "b", S_IFREG | 0644);
            fill_and_empty(n == 2 ? 1000 : 7000);
            unmount();
        }
    host.misses = false;
}

static void test_hundred_thousand(void **state)
{
    mount_fresh(4096, "", "64M");
    make(EXT4_ROOT_INODE, "a", S_IFREG | 0644);
    make(EXT4_ROOT_INODE, "c", S_IFREG | 0644); /* one file has 65,000 links at most */
    {
        uint64_t d = make(EXT4_ROOT_INODE, "many", S_IFDIR | 0755), a, c;
        uint8_t *seen = malloc(100000);
        char name[80];

        a = find(EXT4_ROOT_INODE, "a");
        c = find(EXT4_ROOT_INODE, "c");
        for (unsigned n = 0; n < 100000; n++) {
            name_of(name, n);
            assert_int_equal(AGAIN(name_link(d, name, n & 1 ? a : c)), 0);
        }
        assert_int_equal(listed(d, seen, 100000), 100000);
        free(seen);
    }
    unmount();
}

/* The hashes are those of debugfs. */
static void test_hashes(void **state)
{
    static const char *const names[] = {
        "a",
        "lost+found",
        "a name with blanks and 32 bytes....",
        "\xc3\xa4\xc3\xb6\xc3\xbc and more of the same kind, really",
        "0123456789abcdef",
        "0123456789abcdefg"};
    static const char *const kinds[] = {"legacy",          "half_md4",          "tea",
                                        "legacy_unsigned", "half_md4_unsigned", "tea_unsigned"};
    const char *uuid = "01234567-89ab-cdef-0123-456789abcdef";
    static const uint8_t raw[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

    memcpy(volume.hash_seed, raw, sizeof raw);
    for (unsigned k = 0; k < 3; k++)
        for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
            struct hash h = hash_name(k, &(struct name){names[n], (uint32_t)strlen(names[n])});
            unsigned major = 0, minor = 0;
            char command[256];
            FILE *pipe;

            snprintf(command, sizeof command,
                     "/sbin/debugfs -R 'dx_hash -h %s -s %s \"%s\"' 2>/dev/null | sed 's/.* is //'",
                     kinds[k], uuid, names[n]);
            pipe = popen(command, "r");
            assert_int_equal(fscanf(pipe, "%x (minor %x)", &major, &minor), 2);
            pclose(pipe);
            assert_int_equal(h.major, major);
            assert_int_equal(h.minor, minor);
            if (n != 3) { /* with characters above 127 alone there is a difference */
                struct hash other = hash_name(k + HASH_UNSIGNED,
                                              &(struct name){names[n], (uint32_t)strlen(names[n])});

                assert_memory_equal(&h, &other, sizeof h);
            }
        }
}

static void test_rename(void **state)
{
    uint64_t a, b, x, up;
    struct fs_attributes attributes;

    mount_fresh(1024, "", "16M");
    a = make(EXT4_ROOT_INODE, "a", S_IFDIR | 0755);
    b = make(EXT4_ROOT_INODE, "b", S_IFDIR | 0755);
    x = make(a, "x", S_IFREG | 0600);
    make(b, "y", S_IFREG | 0600);
    assert_int_equal(AGAIN(name_rename(a, "x", b, "y")), 0);
    assert_int_equal(find(b, "y"), x);
    assert_int_equal(find(a, "x"), 0);
    assert_int_equal(AGAIN(name_rename(b, "y", b, "z")), 0);
    assert_int_equal(AGAIN(name_rename(EXT4_ROOT_INODE, "b", a, "b")), 0);
    assert_int_equal(AGAIN(name_parent(b, &up)), 0);
    assert_int_equal(up, a);
    assert_int_equal(AGAIN(name_rename(EXT4_ROOT_INODE, "a", b, "a")), -EINVAL);
    make(EXT4_ROOT_INODE, "empty", S_IFDIR | 0755);
    assert_int_equal(AGAIN(name_rename(EXT4_ROOT_INODE, "empty", a, "b")), -ENOTEMPTY);
    assert_int_equal(AGAIN(name_rename(a, "b", EXT4_ROOT_INODE, "empty")), 0);
    assert_int_equal(AGAIN(name_rename(EXT4_ROOT_INODE, "nothing", a, "b")), -ENOENT);
    assert_int_equal(AGAIN(file_attributes(EXT4_ROOT_INODE, &attributes)), 0);
    assert_int_equal(attributes.links, 5); /* lost+found, a, empty */
    unmount();
}

/* A file that is open lives on without a name, and goes when it is closed. */
static void test_open_without_name(void **state)
{
    struct fs_attributes attributes;
    uint64_t x, free_before;

    mount_fresh(1024, "", "16M");
    make(EXT4_ROOT_INODE, "first", S_IFREG | 0600);
    free_before = box->now.counters.free_inodes;
    x = make(EXT4_ROOT_INODE, "x", S_IFREG | 0600);
    opened(x, 1);
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "x", false)), 0);
    assert_int_equal(AGAIN(file_attributes(x, &attributes)), 0);
    assert_int_equal(attributes.links, 0);
    assert_int_equal(AGAIN(orphans_step()), 0);
    assert_int_equal(box->now.counters.free_inodes, free_before - 1);
    assert_int_equal(box->now.counters.last_orphan, (uint32_t)x);
    opened(x, -1);
    assert_int_equal(AGAIN(orphans_step()), 0);
    assert_int_equal(box->now.counters.free_inodes, free_before);
    assert_int_equal(box->now.counters.last_orphan, 0);
    assert_int_equal(AGAIN(file_attributes(x, &attributes)), -ESTALE);
    unmount();
}

static void test_links_and_nodes(void **state)
{
    char text[5000], long_text[1000];
    struct fs_attributes attributes;
    uint64_t node;

    mount_fresh(1024, "", "16M");
    memset(long_text, 'l', sizeof long_text);
    for (unsigned n = 1; n < sizeof long_text; n = n * 5 / 3 + 1) {
        char name[16];

        snprintf(name, sizeof name, "l%u", n);
        long_text[n] = 0;
        assert_int_equal(AGAIN(name_symlink(EXT4_ROOT_INODE, name, long_text, user)), 0);
        assert_int_equal(AGAIN(file_link_text(find(EXT4_ROOT_INODE, name), text, sizeof text)), n);
        assert_memory_equal(text, long_text, n);
        long_text[n] = 'l';
    }
    assert_int_equal(
        AGAIN(name_create(EXT4_ROOT_INODE, "device", S_IFBLK | 0600, 0x812345, user, &node)), 0);
    assert_int_equal(AGAIN(file_attributes(node, &attributes)), 0);
    assert_int_equal(attributes.rdev, 0x812345);
    assert_int_equal(attributes.uid, user.uid);
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "l1", false)), 0);
    assert_int_equal(AGAIN(name_unlink(EXT4_ROOT_INODE, "device", false)), 0);
    unmount();
}

/* Flipped bits in directories: errors, but neither crashes nor endless loops. */
static void test_damaged(void **state)
{
    static uint8_t saved[16 << 20];
    char name[80];
    uint64_t d;

    mount_fresh(1024, "-O ^metadata_csum", "16M");
    make(EXT4_ROOT_INODE, "a", S_IFREG | 0644);
    d = make(EXT4_ROOT_INODE, "many", S_IFDIR | 0755);
    for (unsigned n = 0; n < 2000; n++) {
        name_of(name, n);
        assert_int_equal(AGAIN(name_link(d, name, find(EXT4_ROOT_INODE, "a"))), 0);
    }
    host_commit();
    memcpy(saved, host.image, host.size);
    for (unsigned seed = 0; seed < 500; seed++) {
        static struct fs_entry e;
        uint64_t cookie = 0, node;
        struct buffer *b;
        struct inode i;
        unsigned steps = 0;

        srand(seed);
        cache_run_begin();
        assert_int_equal(inode_get((uint32_t)d, &i), 0);
        for (unsigned flips = 0; flips < 3; flips++)
            if (directory_block(&i, (uint32_t)rand() % (rand() % 2 ? 2 : directory_blocks(&i)),
                                &b) == 0)
                ((uint8_t *)buffer_data(b))[rand() % (rand() % 2 ? 64 : 1024)] ^=
                    (uint8_t)(1u << rand() % 8);
        while (AGAIN(name_next(d, cookie, &e)) == 1 && steps++ < 20000)
            cookie = e.cookie;
        assert_in_range(steps, 0, 19999);
        for (unsigned n = 0; n < 20; n++) {
            name_of(name, (unsigned)rand() % 4000);
            AGAIN(name_find(d, name, &node));
            AGAIN(name_link(d, name, find(EXT4_ROOT_INODE, "a")));
            AGAIN(name_unlink(d, name, false));
        }
        host_commit();
        host_go_back(saved);
    }
    unmount();
}

static void set_super(const char *field, unsigned value)
{
    assert_int_equal(host_shell("/sbin/debugfs -w -R 'set_super_value %s %u' %s >%s.log 2>&1",
                                field, value, path, path),
                     0);
}

/* What inodes are to have beyond their first 128 bytes, and nobody's inode can have: as Linux the
 * server takes what it knows itself. An inode with that much would be refused by who made it. */
static void test_extra_size(void **state)
{
    static const struct {
        unsigned wanted, is;
    } cases[] = {{132, 32}, {65535, 32}, {130, 32}, {33, 32}, {30, 32},
                 {4, 32},   {0, 32},     {32, 32},  {64, 64}, {128, 128}};

    for (unsigned n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct fs_attributes attributes;
        struct inode i;
        uint64_t node;

        mount_fresh(1024, n % 2 ? "-O ^metadata_csum" : "-O metadata_csum", "16M");
        host_unmount();
        set_super("want_extra_isize", cases[n].wanted);
        host_mount(path, BOX_BYTES);
        orphans_release();
        node = make(EXT4_ROOT_INODE, "file", S_IFREG | 0644);
        make(make(EXT4_ROOT_INODE, "folder", S_IFDIR | 0755), "in it", S_IFREG | 0644);
        cache_run_begin();
        assert_int_equal(inode_get((uint32_t)node, &i), 0);
        assert_int_equal(i.raw->extra_isize, cases[n].is);
        assert_int_equal(AGAIN(file_attributes(node, &attributes)), 0);
        host_commit();
        set_super("want_extra_isize", 32); /* (e2fsck has its own opinion of that) */
        unmount();
    }
}

/* The first inode that is not for the file system itself: with none below, files could be made of
 * the journal's; with one beyond a group, the search for a free one would leave the bitmap. */
static void test_first_inode(void **state)
{
    static const unsigned wrong[] = {0, 1, 8, 10, 5000, 65280, ~0u};
    struct ext4_super *s;
    char why[160];

    mount_fresh(1024, "-O ^metadata_csum", "16M");
    s = (void *)(host.image + EXT4_SUPER_OFFSET);
    assert_int_equal(super_take(s, host.size, false, why, sizeof why), 0);
    for (unsigned n = 0; n < sizeof wrong / sizeof *wrong; n++) {
        s->first_ino = wrong[n];
        assert_int_equal(super_take(s, host.size, false, why, sizeof why), -EUCLEAN);
        assert_string_equal(why, "its first inode makes no sense");
    }
    s->first_ino = EXT4_FIRST_INODE;
    assert_int_equal(super_take(s, host.size, false, why, sizeof why), 0);
    unmount();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_hundred_thousand),
        cmocka_unit_test(test_links_and_nodes),
        cmocka_unit_test(test_open_without_name),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_extra_size),
        cmocka_unit_test(test_first_inode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
