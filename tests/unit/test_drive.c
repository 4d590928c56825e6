/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/block/writeonce/drive.c drivers/block/writeonce/disc.c lib/driver/wait.c lib/driver/ata.c
// includes: drivers/block/writeonce/image.c
// flags: -Itests/unit/host
/* A disc on a disk: the drive at its ports (drive.c), and the disc that is on it (image.c), over the
 * driver's death at any access and a cut of the power at any access. */
#include "tests/unit/fake_ata.h"

#include "drivers/block/writeonce/image.c"

#define MS 1000000ull
enum { BLOCKS = (DISK_SECTORS - FIRST_DATA) / 4 };

static struct block_unit unit;
static uint8_t bytes[DISC_BLOCK], found[DISC_BLOCK];

static int machine_begins(void **state)
{
    (void)state;
    memset(begun, 0, sizeof begun);
    memset(medium, 0, sizeof medium);
    memcpy(medium[0], "WORM", 4); /* as docs/disks.md has it */
    memset(medium[FIRST_DATA], 0xee, (DISK_SECTORS - FIRST_DATA) * SECTOR);
    chip_power_on();
    return 0;
}

static const struct disc *opens(void)
{
    int error = 0;
    const struct disc *disc;

    memset(&header, 0, sizeof header); /* a fresh driver */
    disc = image_open(&unit, &error);
    assert_non_null(disc);
    return disc;
}

static void assert_refused(int why)
{
    int error = 0;

    memset(&header, 0, sizeof header);
    assert_null(image_open(&unit, &error));
    assert_int_equal(error, why);
    assert_int_equal(chip.writes, 0);
}

/* ---- the drive ---- */

static void test_transfers(void **state)
{
    static uint8_t out[256 * SECTOR], in[256 * SECTOR];

    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i / SECTOR + 3 * i);
    assert_int_equal(drive_start(&unit), 0);
    assert_int_equal(unit.sectors, DISK_SECTORS);
    assert_string_equal(unit.serial, "S1");
    assert_true(drive_write(3, 40, out));
    assert_true(drive_flush());
    assert_int_equal(chip.flushes, 1);
    assert_memory_equal(medium[3], out, 40 * SECTOR);
    assert_int_equal(medium[2][0] | medium[43][0], 0);
    assert_true(drive_read(3, 40, in));
    assert_memory_equal(in, out, 40 * SECTOR);
    assert_true(drive_read(DISK_SECTORS - 256, 256, in)); /* as many as there is a number for */
    assert_memory_equal(in, medium[DISK_SECTORS - 256], sizeof in);
}

static void test_who_is_there(void **state)
{
    chip.is_absent = true;
    assert_int_equal(drive_start(&unit), -ENODEV);
    assert_int_equal(chip.resets, 0);
    chip.is_absent = false;
    chip.is_empty = true;
    FAKE_SLEEPS(300 * MS, assert_int_equal(drive_start(&unit), -ENODEV));
    chip.is_empty = false;
    chip.is_packet = true;
    assert_int_equal(drive_start(&unit), -ENODEV);
    chip.is_packet = false;
    chip.is_narrow = true;
    assert_int_equal(drive_start(&unit), -EOPNOTSUPP);
    chip.is_narrow = false;
    chip.is_mute = true;
    FAKE_SLEEPS(5000 * MS, assert_int_equal(drive_start(&unit), -EIO));
    chip.is_mute = false;
    chip.is_late = 200; /* a status of 0 just after a reset: a drive all the same */
    FAKE_SLEEPS(150 * MS, assert_int_equal(drive_start(&unit), 0));
}

/* It fails, and takes nothing after it along. */
static void test_bad_sector(void **state)
{
    assert_int_equal(drive_start(&unit), 0);
    chip.bad = 7;
    assert_false(drive_read(5, 2 + 4, found));
    assert_false(drive_write(7, 1, bytes));
    assert_true(drive_read(8, 4, found));
    chip.is_stuck = true;
    assert_false(drive_write(7, 1, bytes));
    assert_true(drive_read(8, 4, found));
    chip.is_mute = true;
    FAKE_SLEEPS(10 * MS, assert_false(drive_read(8, 1, found)));
    chip.is_mute = false;
    assert_true(drive_read(8, 1, found));
}

/* ---- the disc on it ---- */

static void test_written_once(void **state)
{
    const struct disc *disc = opens();

    assert_int_equal(disc->blocks, BLOCKS);
    assert_int_equal(disc_next(disc), 0);
    assert_int_equal(chip.writes, 0); /* to look at it leaves nothing on it */
    memset(bytes, 1, sizeof bytes);
    assert_true(image_write(0, bytes));
    assert_true(image_write(1, bytes));
    assert_true(image_flush());
    power_is_cut(0);
    disc = opens();
    assert_int_equal(disc->blocks, BLOCKS);
    assert_int_equal(disc_next(disc), 2);
    memset(bytes, 2, sizeof bytes);
    assert_false(image_write(1, bytes));
    assert_false(image_write(BLOCKS, bytes));
    assert_int_equal(opens()->refused, 2);
    assert_true(image_read(1, found));
    assert_int_equal(found[0] | found[DISC_BLOCK - 1], 1);
    assert_true(image_write(BLOCKS - 1, bytes)); /* its last byte is on the disk */
    assert_int_equal(disc_next(opens()), BLOCKS);
}

/* What has no label of ours is not written to, whatever it is. */
static void test_left_alone(void **state)
{
    struct disc *label = (struct disc *)medium[0];

    memset(medium[0], 0, 4); /* blank, but nobody said that it is a disc */
    assert_refused(-EOPNOTSUPP);
    memset(medium[0], 0xff, SECTOR);
    assert_refused(-EOPNOTSUPP);
    label->magic = DISC_MAGIC;
    label->blocks = BLOCKS + 1; /* a disc of a bigger disk */
    assert_refused(-EOPNOTSUPP);
    label->blocks = BLOCKS - 1;
    assert_int_equal(opens()->blocks, BLOCKS - 1);
    chip.is_narrow = true;
    assert_refused(-EOPNOTSUPP);
    chip.is_narrow = false;
    chip.is_absent = true;
    assert_refused(-ENODEV);
    chip.is_absent = false;
    chip.bad = 0;
    assert_refused(-EIO);
}

/* Without its mark a block is not begun, and one whose data did not come out is spent. */
static void test_bad_header(void **state)
{
    opens();
    chip.bad = 0;
    assert_false(image_write(0, bytes));
    assert_int_equal(begun[FIRST_DATA], 0);
    chip.bad = FIRST_DATA + 4 + 2;
    assert_false(image_write(1, bytes));
    assert_false(image_write(1, bytes));
    assert_int_equal(begun[FIRST_DATA + 4], 1);
}

/* ---- deaths ---- */

enum { FILLED = 3 };

static void fill(void)
{
    for (uint32_t block = 0; block < FILLED; block++) {
        memset(bytes, 0x10 + (int)block, sizeof bytes);
        assert_true(image_write(block, bytes));
    }
    assert_true(image_flush());
}

/* Whatever has come of block n, it is not begun once more; what was not begun can be. */
static void check_discs(void)
{
    uint32_t next = disc_next(opens());

    for (uint32_t block = 0; block < FILLED; block++) {
        bool is_spent = begun[FIRST_DATA + 4 * block] != 0;

        assert_true(!is_spent || block < next);
        memset(bytes, 0x20 + (int)block, sizeof bytes);
        assert_int_equal(image_write(block, bytes), block >= next);
        assert_true(image_read(block, found));
        for (unsigned i = 0; i < 4; i++) { /* whole sectors, and none of a later write */
            assert_int_equal(found[i * SECTOR], found[i * SECTOR + SECTOR - 1]);
            assert_true(found[i * SECTOR] == (block < next ? 0x10 : 0x20) + block ||
                        (block < next && found[i * SECTOR] == 0xee));
            assert_true(begun[FIRST_DATA + 4 * block + i] <= 1);
        }
    }
}

static void dies(void **state, bool power_too, uint64_t kept)
{
    volatile bool survived = false;

    for (volatile long n = 1; !survived; n++) {
        machine_begins(state);
        opens();
        fake_accesses_left = n;
        if (setjmp(fake_death) == 0) {
            fill();
            fake_accesses_left = -1;
            survived = true;
        }
        if (power_too)
            power_is_cut(kept);
        check_discs();
        assert_true(n < 20000);
    }
}

static void test_driver_dies_anywhere(void **state)
{
    dies(state, false, 0);
}

/* Of what was not on the medium everything is lost, or only the later, or only the earlier. */
static void test_power_is_cut_anywhere(void **state)
{
    static const uint64_t kept[] = {0, ~0ull, ~1ull, 1, 0xaaaaaaaaaaaaaaaa, 0x5555555555555555};

    for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
        dies(state, true, kept[i]);
}

#define DRIVE_TEST(f) cmocka_unit_test_setup(f, machine_begins)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVE_TEST(test_transfers),
        DRIVE_TEST(test_who_is_there),
        DRIVE_TEST(test_bad_sector),
        DRIVE_TEST(test_written_once),
        DRIVE_TEST(test_left_alone),
        DRIVE_TEST(test_bad_header),
        DRIVE_TEST(test_driver_dies_anywhere),
        DRIVE_TEST(test_power_is_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
