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
 * The server dies at any point of a commit, and what it had posted ends without anybody looking.
 * Its successor goes on with the commit by itself: all that drives it here are requests that end.
 * An alarm would come too late for one that is killed again before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/ext4_disk.h"
#include "tests/unit/ext4_succession.h"

enum { IMAGE_BYTES = 12 << 20, FILES = 20, ROUNDS = 300 };

static char path[] = "/tmp/bardo-death-XXXXXX";
static uint8_t *image;
static const struct fs_user user = {.uid = 1000, .gid = 100};
static uint64_t nodes[FILES];

static int shell(const char *format)
{
    char command[256];

    snprintf(command, sizeof command, format, path);
    return system(command);
}

static void write_some(unsigned n)
{
    static uint8_t data[60000];
    struct fs_transfer t = {.address = (uintptr_t)data, .length = (uint64_t)(rand() % 60000)};
    char name[16];

    memset(data, rand(), sizeof data);
    snprintf(name, sizeof name, "file-%u", n);
    if (!nodes[n])
        assert_int_equal(
            SERVE(name_create(EXT4_ROOT_INODE, name, S_IFREG | 0644, 0, user, &nodes[n])), 0);
    else
        assert_int_equal(SERVE(file_truncate(nodes[n], 0)), 0);
    assert_int_equal(SERVE(file_write(nodes[n], &t)), t.length);
}

static bool goes_on(uint32_t sequence)
{
    for (unsigned turns = 0; turns < 1000 && !commit_is_done(sequence); turns++) {
        disk_work();
        disk_pump();
    }
    return commit_is_done(sequence);
}

static void test_death_in_commit(void **state)
{
    unsigned seen = 0;

    srand(2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t sequence;

        for (int n = rand() % 6; n >= 0; n--)
            write_some((unsigned)rand() % FILES);
        sequence = commit_all();
        for (unsigned n = 0; n < round % 50; n++) {
            disk_work();
            disk_pump();
        }
        seen |= 1u << box->journal.phase;
        succeed();
        if (sequence && !goes_on(sequence))
            fail_msg("round %u: the commit stands still in phase %u", round, box->journal.phase);
    }
    assert_true(seen >> COMMIT_WRITING & 1 && seen >> COMMIT_RECORDING & 1);
}

static int begin(void **state)
{
    int fd = mkstemp(path);

    image = malloc(IMAGE_BYTES);
    if (fd < 0 || ftruncate(fd, IMAGE_BYTES) || shell("/sbin/mke2fs -q -F -t ext4 -b 1024 %s") ||
        pread(fd, image, IMAGE_BYTES, 0) != IMAGE_BYTES)
        return -1;
    close(fd);
    return (int)disk_mount(image, IMAGE_BYTES);
}

static int end(void **state)
{
    int fd = open(path, O_WRONLY), status;

    disk_sync();
    while (SERVE(mount_end()) != 0)
        ;
    if (pwrite(fd, image, IMAGE_BYTES, 0) != IMAGE_BYTES)
        return -1;
    close(fd);
    status = shell("/sbin/e2fsck -fn %s");
    shell("rm -f %s");
    free(image);
    free(disk.memory);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_death_in_commit, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
