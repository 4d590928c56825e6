/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c
// sources: servers/fs/ext4/directory.c servers/fs/ext4/index.c servers/fs/ext4/hash.c
// sources: servers/fs/ext4/listing.c servers/fs/ext4/names.c servers/fs/ext4/orphan.c servers/fs/ext4/numbers.c
// sources: servers/fs/ext4/attribute.c servers/fs/ext4/data.c servers/fs/ext4/length.c
// sources: servers/fs/ext4/ahead.c servers/fs/ext4/journal.c servers/fs/ext4/commit.c
// sources: servers/fs/ext4/replay.c servers/fs/ext4/writeback.c servers/fs/ext4/mount.c
/*
 * Damaged images: bits are flipped in the super block, descriptors, bitmaps, inodes, extents,
 * directories and the journal, with checksums (which find most of it) and without. Then everything
 * is looked at and changed. It may fail with an error; it may not crash, hang, or leave its memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ext4_disk.h"

enum { IMAGE_BYTES = 4 << 20, SEEDS = 5000 /* of each kind of image */, SEEN_MAX = 200 };

static char path[] = "/tmp/bardo-fuzz-XXXXXX";
static uint8_t whole[IMAGE_BYTES], image[IMAGE_BYTES];
static const struct fs_user user = {.uid = 1000, .gid = 100};
static uint64_t seen[SEEN_MAX];
static uint32_t seen_count, mounted, errors;

static int shell(const char *format, ...)
{
    char command[2048];
    va_list list;
    int status;

    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Everything below a directory: nodes go to `seen`. */
static void look_around(uint64_t directory, unsigned depth)
{
    static struct fs_entry e;
    uint64_t cookie = 0;

    for (unsigned n = 0; n < 300; n++) {
        uint64_t node;

        if (SERVE(name_next(directory, cookie, &e)) != 1)
            break;
        cookie = e.cookie;
        if (SERVE(name_find(directory, e.name, &node)) != 0)
            continue;
        if (seen_count < SEEN_MAX)
            seen[seen_count++] = node;
        if (S_ISDIR(e.mode) && depth < 3)
            look_around(node, depth + 1);
    }
}

static void look_at(uint64_t node)
{
    static uint8_t data[100000];
    static char text[5000];
    struct fs_attributes attributes;
    struct fs_transfer t = {.address = (uintptr_t)data, .length = sizeof data};

    if (SERVE(file_attributes(node, &attributes)) != 0) {
        errors++;
        return;
    }
    if (S_ISLNK(attributes.mode))
        SERVE(file_link_text(node, text, sizeof text));
    if (SERVE(file_read(node, &t)) < 0)
        errors++;
    t.offset = attributes.size > 3000 ? attributes.size - 3000 : 0;
    SERVE(file_read(node, &t));
    SERVE(file_seek(node, 0, 4 /* SEEK_HOLE */));
}

static void change(uint64_t node)
{
    static uint8_t data[20000];
    struct fs_transfer t = {.address = (uintptr_t)data, .length = (uint64_t)rand() % sizeof data};
    struct fs_set set = {.mask = ATTRIBUTE_MODE, .mode = 0600};
    uint64_t made;
    char name[32];

    t.offset = (uint64_t)rand() % 100000;
    SERVE(file_write(node, &t));
    SERVE(file_truncate(node, (uint64_t)rand() % 50000));
    SERVE(file_set_attributes(node, &set));
    snprintf(name, sizeof name, "n%d", rand() % 1000);
    SERVE(name_create(node, name, rand() % 2 ? S_IFREG | 0644 : S_IFDIR | 0755, 0, user, &made));
    SERVE(name_rename(EXT4_ROOT_INODE, "small", node, name));
    SERVE(name_unlink(EXT4_ROOT_INODE, rand() % 2 ? "big" : "d0", rand() % 2));
}

/* A bit somewhere in the metadata that matters; or anywhere in the first 400 kB. */
static void flip(void)
{
    uint32_t at = (uint32_t)rand() % 4 ? (uint32_t)rand() % (400 << 10)
                                       : EXT4_SUPER_OFFSET + (uint32_t)rand() % 1024;

    for (unsigned tries = 0; tries < 200 && image[at & ~1023u] == 0; tries++)
        at = (uint32_t)rand() % IMAGE_BYTES;
    image[at] ^= (uint8_t)(1u << rand() % 8);
}

static void try_one(unsigned seed)
{
    srand(seed);
    memcpy(image, whole, IMAGE_BYTES);
    for (int n = 1 + rand() % 4; n > 0; n--)
        flip();
    if (seed % 50 == 0)
        memset(image + IMAGE_BYTES / 2, 0, IMAGE_BYTES / 2);
    if (disk_mount(image, seed % 77 ? IMAGE_BYTES : IMAGE_BYTES / 2) != 0) {
        errors++;
        return;
    }
    mounted++;
    seen_count = 0;
    look_around(EXT4_ROOT_INODE, 0);
    for (uint32_t n = 0; n < seen_count; n++)
        look_at(seen[n]);
    for (uint32_t n = 0; n < 4 && seen_count; n++)
        change(seen[(uint32_t)rand() % seen_count]);
    disk_sync();
    for (unsigned turns = 0; turns < 100000 && SERVE(mount_end()) == EXT4_MISS; turns++)
        ;
}

static void fuzz(const char *options)
{
    int fd = mkstemp(strcpy(path + sizeof path - 7, "XXXXXX") - (sizeof path - 7));

    assert_int_equal(
        shell("rm -rf %s %s.d; mkdir -p %s.d/d0/e %s.d/many; cd %s.d; head -c 70000 /dev/urandom "
              ">big; echo hello >small; ln -s small link; for n in $(seq 150); do echo $n "
              ">many/a-rather-long-name-$n; done; truncate -s 500K holes; echo x >>holes; truncate "
              "-s %d %s; /sbin/mke2fs -q -F -t ext4 -b 1024 %s -d . %s && /sbin/e2fsck -fyD %s "
              ">/dev/null 2>&1; rm -r %s.d",
              path, path, path, path, path, IMAGE_BYTES, path, options, path, path, path),
        0);
    close(fd);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, whole, IMAGE_BYTES), IMAGE_BYTES);
    close(fd);
    unlink(path);
    mounted = errors = 0;
    for (unsigned seed = 0; seed < SEEDS; seed++)
        try_one(seed);
    print_message("%s: %u of %u mounted, %u errors\n", options, mounted, SEEDS, errors);
    assert_true(mounted > SEEDS / 10 && errors > SEEDS / 10);
}

static void test_without_checksums(void **state)
{
    fuzz("-O ^metadata_csum,^resize_inode -J size=1");
}

static void test_with_checksums(void **state)
{
    fuzz("-O metadata_csum,^resize_inode -J size=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_checksums),
                                       cmocka_unit_test(test_with_checksums)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
