/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/driver/wait.c lib/driver/ata.c lib/block/client.c
// includes: drivers/block/ide/chip.c
// flags: -Itests/unit/host
/* The chip's half of the IDE driver against a PIIX with a disk on channel 0 and nothing else. */
#include <errno.h>

#include "tests/unit/fake_block.h"

#include "drivers/block/ide/chip.c"

static const struct block_driver *const driver = &ide_driver;

/* ---- the chip ---- */

enum { MASTERS = 0xc000, READY = 0x50 };

static struct {
    /* the channel */
    uint8_t registers[8], before[8]; /* as written last, and the time before */
    uint8_t control, status, error;
    bool irq; /* the drive's */
    /* its bus master */
    uint8_t command, master_status;
    uint32_t table;
    /* what is under way: 0, or a command */
    uint8_t running;
    uint16_t identity[ATA_IDENTITY_WORDS], words_left;
    bool is_packet, is_mute, is_narrow, ignores_commands;
    unsigned resets,
        is_late; /* so many times a status of 0 after a reset, as QEMU's drives on a busy host */
    unsigned silent;
} chip;

static void driver_forget(void)
{
    memset(channels, 0, sizeof channels);
    is_masked = false;
    refused = 0;
}

static void put_identity(void)
{
    uint16_t *w = chip.identity;

    memset(w, 0, sizeof chip.identity);
    memset(w + 10, ' ', 20);
    w[10] = 'S' << 8 | '1';
    w[11] = '2' << 8 | '3';
    w[83] = chip.is_narrow ? 0 : 1 << 10;
    w[85] = 1 << 5; /* a write cache */
    w[60] = w[100] = FAKE_SECTORS * BLOCK_SECTOR / fake_block;
    if (fake_block > BLOCK_SECTOR) {
        w[106] = 1 << 14 | 1 << 12;
        w[117] = fake_block / 2;
    }
}

static void chip_power_on(void)
{
    memset(&chip, 0, sizeof chip);
    chip.status = READY;
    chip.master_status = 0x60;
}

static bool is_selected(void)
{
    return !(chip.registers[IDE_DEVICE] & 0x10);
}

static void interrupt(void)
{
    if (chip.control & CONTROL_QUIET)
        return;
    chip.irq = true;
    chip.master_status |= MASTER_INTERRUPT;
}

static void end_command(bool is_good)
{
    chip.running = 0;
    chip.status = is_good ? READY : READY | STATUS_ERR;
    chip.error = is_good ? 0 : 0x40;
    chip.master_status &= (uint8_t)~MASTER_ACTIVE;
    interrupt();
}

static void begin_command(uint8_t command)
{
    if (chip.ignores_commands || !is_selected())
        return;
    assert_false(chip.status & (STATUS_BSY | STATUS_DRQ));
    chip.error = 0;
    switch (command) {
    case ATA_IDENTIFY:
        if (chip.is_packet) {
            chip.status = READY | STATUS_ERR;
            return;
        }
        put_identity();
        chip.words_left = ATA_IDENTITY_WORDS;
        chip.status = READY | STATUS_DRQ;
        interrupt();
        return;
    case ATA_READ_DMA_EXT:
    case ATA_WRITE_DMA_EXT:
        chip.running = command;
        chip.status = READY | STATUS_DRQ;
        return;
    case ATA_FLUSH_EXT:
        chip.running = command;
        chip.status = STATUS_BSY;
        return;
    }
    fail();
}

/* Both halves of a register of the task file. */
static uint64_t wide(unsigned r)
{
    return chip.registers[r];
}

static uint64_t task_sector(void)
{
    uint64_t sector = 0;

    assert_int_equal(chip.registers[IDE_DEVICE] & 0x40, 0x40);
    for (unsigned i = 0; i < 3; i++)
        sector |= wide(IDE_SECTOR + i) << 8 * i | (uint64_t)chip.before[IDE_SECTOR + i]
                                                      << (24 + 8 * i);
    return sector;
}

static void move_data(void)
{
    bool to_disk = chip.running == ATA_WRITE_DMA_EXT, is_good = true, is_last = false;
    uint64_t scale = fake_block / BLOCK_SECTOR, sector = task_sector() * scale, end;

    end = sector + (chip.registers[IDE_COUNT] | (unsigned)chip.before[IDE_COUNT] << 8) * scale;
    assert_int_equal(!(chip.command & MASTER_TO_MEMORY), to_disk);
    assert_int_equal(chip.table % 0x10000 / 0x1000 % 2, 1); /* it does not cross 64 KB */
    for (unsigned n = 0; !is_last; n++) {
        const struct ide_region *r = (void *)fake_dma(chip.table + 8 * n, 8);
        uint32_t bytes = r->bytes ? r->bytes : 0x10000;

        assert_true(r->address / 0x10000 == (r->address + bytes - 1) / 0x10000);
        is_good &= fake_move(sector, r->address, bytes, to_disk);
        sector += bytes / BLOCK_SECTOR;
        is_last = r->flags & REGION_LAST;
    }
    assert_int_equal(sector, end);
    end_command(is_good);
}

static void chip_work(unsigned most)
{
    if (most == 0 || chip.is_mute)
        return;
    if (chip.running == ATA_FLUSH_EXT) {
        fake_flushes++;
        end_command(true);
    } else if (chip.running && (chip.command & MASTER_START)) {
        move_data();
    }
}

static void soft_reset(void)
{
    chip.resets++;
    chip.running = 0;
    chip.words_left = 0;
    chip.irq = false;
    chip.status = chip.is_mute ? STATUS_BSY : READY;
    chip.silent = chip.is_late;
    memset(chip.registers, 0, IDE_DEVICE); /* as QEMU's: the drive stays selected */
}

/* ---- its registers ---- */

static uint32_t read_master(unsigned r)
{
    switch (r) {
    case MASTER_COMMAND:
        return chip.command;
    case MASTER_STATUS:
        return chip.master_status;
    case MASTER_TABLE:
        return chip.table;
    }
    fail();
    return 0;
}

uint32_t fake_read(uintptr_t at, unsigned width)
{
    static uint32_t other_table = 0;

    if (at >= MASTERS + MASTER_STRIDE) {
        other_table = 0;
        return other_table;
    }
    if (at >= MASTERS)
        return read_master((unsigned)(at - MASTERS));
    if (at == 0x376 || (at >= 0x170 && at < 0x178))
        return STATUS_NOBODY;
    if (at == 0x1f0) {
        assert_int_equal(width, 2);
        assert_true(chip.words_left > 0);
        if (--chip.words_left == 0)
            chip.status = READY;
        return chip.identity[ATA_IDENTITY_WORDS - 1 - chip.words_left];
    }
    assert_int_equal(width, 1);
    if (at == 0x1f0 + IDE_STATUS)
        chip.irq = false;
    if ((at == 0x1f0 + IDE_STATUS || at == 0x3f6) && chip.silent) {
        chip.silent--;
        return 0;
    }
    if (at == 0x1f0 + IDE_STATUS || at == 0x3f6)
        return is_selected() ? chip.status : 0;
    assert_int_equal(at, 0x1f0 + IDE_ERROR);
    return chip.error;
}

static void write_master(unsigned r, uint32_t value)
{
    switch (r) {
    case MASTER_COMMAND:
        if ((value & MASTER_START) && !(chip.command & MASTER_START))
            chip.master_status |= MASTER_ACTIVE;
        if (!(value & MASTER_START) && (chip.command & MASTER_START)) {
            if (chip.running && chip.running != ATA_FLUSH_EXT && !chip.is_mute)
                move_data(); /* it waits for what is on its way */
            chip.master_status &= (uint8_t)~MASTER_ACTIVE;
        }
        chip.command = (uint8_t)value;
        return;
    case MASTER_STATUS:
        chip.master_status &= (uint8_t) ~(value & (MASTER_ERROR | MASTER_INTERRUPT));
        return;
    case MASTER_TABLE:
        assert_false(chip.command & MASTER_START);
        chip.table = value;
        return;
    }
    fail();
}

void fake_write(uintptr_t at, unsigned width, uint32_t value)
{
    if (at >= MASTERS + MASTER_STRIDE || at == 0x376 || (at >= 0x170 && at < 0x178))
        return;
    if (at >= MASTERS) {
        write_master((unsigned)(at - MASTERS), value);
        return;
    }
    assert_int_equal(width, 1);
    if (at == 0x3f6) {
        if ((chip.control & CONTROL_RESET) && !(value & CONTROL_RESET))
            soft_reset();
        chip.control = (uint8_t)value;
        return;
    }
    assert_in_range(at, 0x1f1, 0x1f7);
    if (at == 0x1f0 + IDE_COMMAND) {
        begin_command((uint8_t)value);
        return;
    }
    chip.before[at - 0x1f0] = chip.registers[at - 0x1f0];
    chip.registers[at - 0x1f0] = (uint8_t)value;
}

/* ---- its own tests ---- */

static void assert_nobody(void)
{
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    for (unsigned n = 0; n < BLOCK_UNITS; n++)
        assert_false(fake_device.queue->unit[n].flags & BLOCK_UNIT_PRESENT);
}

static void test_drives_not_for_us(void **state)
{
    enum queue_driver_state how;

    chip.is_packet = true;
    assert_nobody();
    chip.is_packet = false;
    chip.is_narrow = true; /* 28-bit commands alone */
    assert_nobody();
    chip.is_narrow = false;
    chip.is_mute = true; /* never out of reset */
    FAKE_SLEEPS(READY_PATIENCE, assert_nobody());
    chip.is_mute = false;
    fake_device.ports = 0; /* no bus master */
    assert_int_equal(block_device_start(&fake_device, false, &how), -ENODEV);
}

/* A status of 0 just after a reset does not mean that nobody is there. */
static void test_late_drive(void **state)
{
    chip.is_late = 200;
    FAKE_SLEEPS(150 * MS, assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET));
    assert_true(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET); /* one that knows of it, too */
    assert_true(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
}

/* Each channel is given its 2 ms after a reset, whether or not somebody is there; and no more, though
 * drive 1 was selected last, which is none. */
static void test_rests(void **state)
{
    uint64_t slept = fake_slept, begin = fake_now;

    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    slept = fake_slept - slept;
    assert_in_range(slept, IDE_CHANNELS * (2 * MS - DRIVER_SPIN), IDE_CHANNELS * 2 * MS + MS);
    assert_true(fake_now - begin - slept < MS); /* for all else: 256 words are read */
}

/* Memory on both sides of a multiple of 64 KB, and as much as a request may be. */
static void test_large(void **state)
{
    int k = block_slot(&fake_client);
    struct block_request *r = block_request(&fake_client, k);

    *r = (struct block_request){.operation = BLOCK_READ, .sector = 3};
    r->segment[r->segments++] = (struct block_segment){FAKE_BUFFERS + 0xfe00, 0x400, 0};
    r->segment[r->segments++] = (struct block_segment){FAKE_BUFFERS + 0x20000, 0x80000, 0};
    r->sectors = (0x400 + 0x80000) / BLOCK_SECTOR;
    block_post(&fake_client, k, 0);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0xfe00), fake_disk + 3 * BLOCK_SECTOR, 0x400);
    assert_memory_equal(buffer_at(0x20000), fake_disk + 5 * BLOCK_SECTOR, 0x80000);
}

static void test_not_adopted(void **state)
{
    chip.table += 0x1000;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.registers[IDE_DEVICE] = DEVICE_LBA;
    chip.running = ATA_FLUSH_EXT; /* that nobody has ordered */
    chip.status = STATUS_BSY;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
}

/* The drive stays busy from some time on: what it is asked then fails, and the driver lives. */
static void test_mute(void **state)
{
    int k;

    chip.is_mute = true;
    chip.status = STATUS_BSY;
    k = post(BLOCK_READ, 0, 0, 0, 1);
    FAKE_SLEEPS(SELECT_PATIENCE + RESET_PATIENCE, serve());
    assert_status(k, BLOCK_ERROR);
    assert_true(chip.resets > 1);
    block_free(&fake_client, k);
    chip.is_mute = false;
    soft_reset();
    k = post(BLOCK_READ, 0, 9, 0, 1);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0), fake_disk + 9 * BLOCK_SECTOR, BLOCK_SECTOR);
}

/* The bus master fails: the drive still wants data, so the channel is reset. */
static void test_bus_error(void **state)
{
    unsigned resets = chip.resets;
    int k = post(BLOCK_WRITE, 0, 0, 0, 1), other;

    serve();
    chip.master_status = (uint8_t)((chip.master_status & ~MASTER_ACTIVE) | MASTER_ERROR);
    chip.command = 0;
    other = post(BLOCK_READ, 0, 8, 0x1000, 1);
    run(1);
    assert_status(k, BLOCK_ERROR);
    assert_status(other, BLOCK_OK);
    assert_int_equal(chip.resets, resets + 1);
}

/* The drive says that it is done before all the memory was filled. */
static void test_short(void **state)
{
    int k = post(BLOCK_READ, 0, 0, 0, 9);

    serve();
    end_command(true);
    chip.master_status |= MASTER_ACTIVE;
    run(1);
    assert_status(k, BLOCK_ERROR);
}

/* While masked the bus master does not note the end of a command: the drive is asked. */
static void test_masked(void **state)
{
    int k;

    driver->mask(&fake_device);
    k = post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_false(chip.irq);
    block_free(&fake_client, k);
    driver->unmask(&fake_device);
    k = post(BLOCK_READ, 0, 0, 0, 1);
    serve();
    chip_work(1);
    assert_true(chip.irq);
    run(1);
    assert_false(chip.irq); /* or the next one would not come */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TESTS,
        BLOCK_TEST(test_drives_not_for_us),
        BLOCK_TEST(test_late_drive),
        BLOCK_TEST(test_rests),
        BLOCK_TEST(test_large),
        BLOCK_TEST(test_not_adopted),
        BLOCK_TEST(test_mute),
        BLOCK_TEST(test_bus_error),
        BLOCK_TEST(test_short),
        BLOCK_TEST(test_masked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
