/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/disk/partition.c
/* Partition tables, as sfdisk writes them and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "servers/disk/partition.h"

enum { SECTORS = 65536, NOT_NOW = -11 };

static uint8_t disk[SECTORS * 512];
static struct partition table[PARTITIONS_MAX];
static unsigned reads, refuse_after, beyond, block = 512;

static long read_disk(void *context, uint64_t sector, uint8_t bytes[512])
{
    assert_true(sector < SECTORS);
    if (++reads > refuse_after)
        return NOT_NOW;
    memcpy(bytes, disk + sector * 512, 512);
    return 0;
}

static long look(void)
{
    reads = 0;
    refuse_after = 2000;
    return partitions_read(read_disk, NULL, SECTORS, block, table, &beyond);
}

/* What a tool makes of its input, on the disk. */
static void make_by(const char *tool, const char *script)
{
    static char command[20000];
    char path[] = "/tmp/bardo-partition-XXXXXX";
    int fd = mkstemp(path);
    FILE *f;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof disk), 0);
    close(fd);
    snprintf(command, sizeof command, "printf '%s' | /sbin/%s %s >/dev/null", script, tool, path);
    assert_int_equal(system(command), 0);
    f = fopen(path, "rb");
    assert_int_equal(fread(disk, 1, sizeof disk, f), sizeof disk);
    fclose(f);
    unlink(path);
}

static void make(const char *script)
{
    make_by("sfdisk -q --no-reread", script);
}

static void assert_partition(unsigned n, uint64_t first, uint64_t sectors)
{
    assert_int_equal(table[n - 1].first, first);
    assert_int_equal(table[n - 1].sectors, sectors);
}

static void test_none(void **state)
{
    memset(disk, 0, sizeof disk);
    assert_int_equal(look(), 0);
    for (unsigned n = 1; n <= PARTITIONS_MAX; n++)
        assert_partition(n, 0, 0);
}

static void test_mbr(void **state)
{
    make("label: "
         "dos\\n2048,4096,83\\n8192,1000,82\\n10240,40000,5\\n12288,2048,83\\n16384,100,83\\n");
    assert_int_equal(look(), 0);
    assert_partition(1, 2048, 4096);
    assert_partition(2, 8192, 1000);
    assert_partition(3, 10240, 40000);
    assert_partition(4, 0, 0);
    assert_partition(5, 12288, 2048);
    assert_partition(6, 16384, 100);
    assert_partition(7, 0, 0);
}

static void test_gpt(void **state)
{
    make("label: gpt\\nfirst-lba: 2048\\n2048,4096\\n8192,1000\\nstart=12288,size=2048\\n");
    assert_int_equal(look(), 0);
    assert_partition(1, 2048, 4096);
    assert_partition(2, 8192, 1000);
    assert_partition(3, 12288, 2048);
    assert_partition(4, 0, 0);
    memset(disk + 512, 0xff, 512); /* the copy at the end */
    assert_int_equal(look(), 0);
    assert_partition(2, 8192, 1000);
    memset(disk + sizeof disk - 512, 0xff, 512);
    assert_int_equal(look(), 0);
    assert_partition(1, 0, 0);
}

static void make_many(const char *label, unsigned first, unsigned count)
{
    static char script[16384];
    int n = snprintf(script, sizeof script, "%s", label);

    for (unsigned i = 0; i < count; i++)
        n += snprintf(script + n, sizeof script - (size_t)n, "%u,8\\n", first + i * 64);
    make(script);
}

/* All of a full GPT; of one with more entries the number of those that are left out. */
static void test_many_gpt(void **state)
{
    make_many("label: gpt\\nfirst-lba: 2048\\n", 2048, PARTITIONS_MAX);
    assert_int_equal(look(), 0);
    for (unsigned n = 1; n <= PARTITIONS_MAX; n++)
        assert_partition(n, 2048 + (n - 1) * 64, 8);
    assert_int_equal(beyond, 0);
    make_many("label: gpt\\ntable-length: 256\\nfirst-lba: 2048\\n", 2048, PARTITIONS_MAX + 7);
    assert_int_equal(look(), 0);
    assert_partition(PARTITIONS_MAX, 2048 + (PARTITIONS_MAX - 1) * 64, 8);
    assert_int_equal(beyond, 7);
}

static void test_many_logical(void **state)
{
    make_many("label: dos\\n2048,60000,5\\n", 2064, 56);
    assert_int_equal(look(), 0);
    for (unsigned n = 5; n < 61; n++)
        assert_partition(n, 2064 + (n - 5) * 64, 8);
    assert_partition(61, 0, 0);
    assert_int_equal(beyond, 0);
}

/* A disk whose blocks have 4096 bytes: of so many is what its tables count. */
static void test_big_blocks(void **state)
{
    block = 4096;
    make_by("fdisk -b 4096", "g\\nn\\n1\\n256\\n+99\\nn\\n40\\n1000\\n+0\\nw\\n");
    assert_int_equal(look(), 0);
    assert_partition(1, 256 * 8, 100 * 8);
    assert_partition(40, 1000 * 8, 8); /* its entry is in the table's second block */
    memset(disk + 4096, 0, 512); /* the second header, in the last block */
    assert_int_equal(look(), 0);
    assert_partition(1, 256 * 8, 100 * 8);
    make_by("fdisk -b 4096", "o\\nn\\np\\n1\\n256\\n+99\\nn\\ne\\n2\\n1000\\n+"
                             "2999\\nn\\nl\\n2000\\n+9\\nn\\nl\\n3000\\n+19\\nw\\n");
    assert_int_equal(look(), 0);
    assert_partition(1, 256 * 8, 100 * 8);
    assert_partition(2, 1000 * 8, 3000 * 8);
    assert_partition(5, 2000 * 8, 10 * 8);
    assert_partition(6, 3000 * 8, 20 * 8);
    block = 0x80000000u; /* what no driver should say */
    assert_int_equal(look(), 0);
    block = 512;
}

/* A reader that has not got a sector yet ends it with its own error, at every point. */
static void test_not_now(void **state)
{
    make("label: gpt\\nfirst-lba: 2048\\n2048,4096\\n8192,1000\\n");
    look();
    for (unsigned n = reads; n-- > 0;) {
        reads = 0;
        refuse_after = n;
        assert_int_equal(partitions_read(read_disk, NULL, SECTORS, block, table, &beyond), NOT_NOW);
    }
}

/* Logical partitions that follow each other in a circle; numbers that reach beyond the disk. */
static void test_nonsense(void **state)
{
    uint32_t next;

    make("label: dos\\n10240,40000,5\\n12288,2048,83\\n16384,100,83\\n");
    memcpy(&next, disk + 10240 * 512 + 446 + 16 + 8, sizeof next);
    memcpy(disk + (10240 + next) * 512 + 446 + 16, disk + 10240 * 512 + 446 + 16, 16);
    assert_int_equal(look(), 0);
    for (unsigned seed = 0; seed < 20000; seed++) {
        srand(seed);
        for (unsigned i = 0; i < 8; i++)
            disk[446 + rand() % 66] = (uint8_t)rand();
        disk[510] = 0x55;
        disk[511] = 0xaa;
        assert_int_equal(look(), 0);
        for (unsigned n = 0; n < PARTITIONS_MAX; n++)
            assert_true(table[n].first + table[n].sectors <= SECTORS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),     cmocka_unit_test(test_mbr),
        cmocka_unit_test(test_gpt),      cmocka_unit_test(test_big_blocks),
        cmocka_unit_test(test_not_now),  cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_many_gpt), cmocka_unit_test(test_many_logical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
