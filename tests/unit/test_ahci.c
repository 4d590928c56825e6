/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/driver/wait.c lib/driver/ata.c lib/block/client.c
// includes: drivers/block/ahci/chip.c
// flags: -Itests/unit/host
/* The chip's half of the AHCI driver against an adapter that behaves as AHCI 1.3.1 says. */
#include <errno.h>

#include "tests/unit/fake_block.h"

#include "drivers/block/ahci/chip.c"

static const struct block_driver *const driver = &ahci_driver;

/* ---- the adapter: ports 0 and 1, a disk on port 0 ---- */

enum { FAKE_PORTS = 2, BASE = 0x1000, CAUSE_FRAME = 1 << 0, CAUSE_BITS = 1 << 3, FAILED = 1 << 30 };
enum { PORT_WORDS = PORT_STRIDE / 4 };
#define SERR_EXCHANGED (1u << 26)

static struct {
    uint32_t ghc, is;
    uint32_t port[FAKE_PORTS][PORT_WORDS];
    uint32_t accepted[FAKE_PORTS]; /* queued commands; they are in SACT alone then */
    bool has_disk[FAKE_PORTS], is_failed[FAKE_PORTS];
    bool is_stuck, is_mute; /* never out of reset; the disk stays busy */
    bool has_no_queue, is_short;
    const char *serial;
} chip;

static uint32_t *reg(unsigned n, uint32_t offset)
{
    return &chip.port[n][offset / 4];
}

static void driver_forget(void)
{
    memset(ports, 0, sizeof ports);
    slots = 0;
}

static void raise_cause(unsigned n, uint32_t cause)
{
    *reg(n, PORT_IS) |= cause;
    if (*reg(n, PORT_IS) & *reg(n, PORT_IE))
        chip.is |= 1u << n;
}

static void link_reset(unsigned n)
{
    *reg(n, PORT_CI) = *reg(n, PORT_SACT) = chip.accepted[n] = 0;
    chip.is_failed[n] = false;
    *reg(n, PORT_SSTS) = chip.has_disk[n] ? 0x113 : 0;
    *reg(n, PORT_SIG) = chip.has_disk[n] ? SIGNATURE_ATA : ~0u;
    *reg(n, PORT_TFD) = chip.has_disk[n] ? 0x50 : 0x7f;
    if (chip.is_mute)
        *reg(n, PORT_TFD) = TFD_BSY;
    if (chip.has_disk[n]) {
        *reg(n, PORT_SERR) |= SERR_EXCHANGED;
        raise_cause(n, IS_PCS);
    }
}

static void chip_reset(void)
{
    memset(chip.port, 0, sizeof chip.port);
    chip.ghc = GHC_AE | (chip.is_stuck ? GHC_HR : 0);
    chip.is = 0;
    for (unsigned n = 0; n < FAKE_PORTS; n++)
        link_reset(n);
}

static void chip_power_on(void)
{
    memset(&chip, 0, sizeof chip);
    chip.has_disk[0] = true;
    chip.serial = "S123";
    chip_reset();
}

uint32_t fake_read(uintptr_t at, unsigned width)
{
    uint32_t offset = (uint32_t)(at - BASE);

    assert_int_equal(width, 4);
    switch (offset) {
    case HOST_CAP:
        return (chip.has_no_queue ? 0 : CAP_SNCQ) | (BLOCK_SLOTS - 1) << CAP_SLOTS_SHIFT;
    case HOST_GHC:
        return chip.ghc;
    case HOST_IS:
        return chip.is;
    case HOST_PI:
        return (1u << FAKE_PORTS) - 1;
    }
    assert_in_range(offset, PORTS, PORTS + FAKE_PORTS * PORT_STRIDE - 4);
    return *reg((offset - PORTS) / PORT_STRIDE, (offset - PORTS) % PORT_STRIDE);
}

static void do_command(unsigned n, unsigned slot);

static void write_command(unsigned n, uint32_t value)
{
    uint32_t before = *reg(n, PORT_CMD);

    value &= ~(uint32_t)(CMD_CR | CMD_FR);
    if (value & CMD_FRE)
        value |= CMD_FR;
    if (value & CMD_ST) {
        assert_true(before & CMD_FRE); /* AHCI 10.3.1 */
        value |= CMD_CR;
    } else {
        *reg(n, PORT_CI) = *reg(n, PORT_SACT) = chip.accepted[n] = 0;
        chip.is_failed[n] = false;
    }
    *reg(n, PORT_CMD) = value;
}

static void write_issue(unsigned n, uint32_t value)
{
    uint32_t plain;

    assert_true(*reg(n, PORT_CMD) & CMD_ST);
    assert_int_equal(value & (*reg(n, PORT_CI) | chip.accepted[n]), 0);
    chip.accepted[n] |= value & *reg(n, PORT_SACT);
    *reg(n, PORT_CI) |= value & ~*reg(n, PORT_SACT);
    plain = *reg(n, PORT_CI) & ~*reg(n, PORT_SACT);
    assert_true(!plain || !*reg(n, PORT_SACT)); /* queued commands and others never meet */
    assert_true(!(plain & (plain - 1))); /* our driver gives one of the others at a time */
    if (fake_starting) /* IDENTIFY */
        do_command(n, (unsigned)__builtin_ctz(value));
}

static void write_port(unsigned n, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case PORT_IS:
    case PORT_SERR:
        *reg(n, offset) &= ~value;
        return;
    case PORT_CMD:
        write_command(n, value);
        return;
    case PORT_CI:
        write_issue(n, value);
        return;
    case PORT_SACT:
        *reg(n, offset) |= value;
        return;
    case PORT_SCTL:
        if (value == 0 && *reg(n, offset) == 1)
            link_reset(n);
        *reg(n, offset) = value;
        return;
    case PORT_CLB:
    case PORT_FB:
        assert_false(*reg(n, PORT_CMD) & (CMD_ST | CMD_FRE));
        assert_int_equal(value % (offset == PORT_CLB ? 1024 : 256), 0);
    }
    *reg(n, offset) = value;
}

void fake_write(uintptr_t at, unsigned width, uint32_t value)
{
    uint32_t offset = (uint32_t)(at - BASE);

    assert_int_equal(width, 4);
    if (offset == HOST_GHC) {
        if (value & GHC_HR)
            chip_reset();
        else
            chip.ghc = value;
    } else if (offset == HOST_IS) {
        chip.is &= ~value;
    } else {
        assert_in_range(offset, PORTS, PORTS + FAKE_PORTS * PORT_STRIDE - 4);
        write_port((offset - PORTS) / PORT_STRIDE, (offset - PORTS) % PORT_STRIDE, value);
    }
}

/* ---- what it does ---- */

static void put_identity(uint16_t *w)
{
    memset(w, 0, 512);
    memset(w + 10, ' ', 20);
    for (unsigned i = 0; chip.serial[i]; i++)
        ((char *)(w + 10))[i ^ 1] = chip.serial[i];
    w[83] = 1 << 10;
    w[85] = 1 << 5; /* a write cache */
    w[100] = FAKE_SECTORS * BLOCK_SECTOR / fake_block;
    if (fake_block > BLOCK_SECTOR) {
        w[106] = 1 << 14 | 1 << 12;
        w[117] = fake_block / 2;
    }
    w[76] = chip.has_no_queue ? 0 : 1 << 8;
}

static uint64_t sector_of(const uint8_t *frame)
{
    return frame[4] | frame[5] << 8 | frame[6] << 16 | (uint64_t)frame[8] << 24 |
           (uint64_t)frame[9] << 32 | (uint64_t)frame[10] << 40;
}

/* False: an error. */
static bool transfer(struct ahci_header *h, const struct ahci_table *t, bool is_queued)
{
    const uint8_t *frame = t->command;
    uint32_t scale = fake_block / BLOCK_SECTOR;
    uint64_t first = sector_of(frame) * scale, sector = first;
    uint32_t count = is_queued ? frame[3] | frame[11] << 8 : frame[12] | frame[13] << 8;
    bool to_disk = h->flags & HEADER_WRITE, is_good = true;

    for (uint32_t i = 0; i < h->regions; i++) {
        uint32_t bytes = t->region[i].last + 1;

        is_good &= fake_move(sector, t->region[i].address, bytes, to_disk);
        sector += bytes / BLOCK_SECTOR;
        if (!is_queued && !chip.is_short)
            h->transferred += bytes;
    }
    assert_int_equal(sector, first + count * scale);
    return is_good;
}

static void end_command(unsigned n, unsigned slot, bool is_queued, bool is_good)
{
    if (!is_good) {
        chip.is_failed[n] = true;
        *reg(n, PORT_TFD) = 0x4041;
        raise_cause(n, FAILED | (is_queued ? CAUSE_BITS : 0));
        return;
    }
    *reg(n, PORT_CI) &= ~(1u << slot);
    chip.accepted[n] &= ~(1u << slot);
    *reg(n, PORT_SACT) &= ~(1u << slot);
    raise_cause(n, is_queued ? CAUSE_BITS : CAUSE_FRAME);
}

static void do_command(unsigned n, unsigned slot)
{
    struct ahci_header *h = (void *)fake_dma(*reg(n, PORT_CLB) + 32 * slot, 32);
    const struct ahci_table *t = (void *)fake_dma(h->table, 128 + 16 * h->regions);
    const uint8_t *frame = t->command;
    bool is_queued = *reg(n, PORT_SACT) >> slot & 1, is_good = true;

    assert_int_equal(h->flags & 31, 5);
    assert_int_equal(h->table % 128, 0);
    assert_int_equal(frame[0], 0x27);
    assert_int_equal(frame[1], 0x80);
    assert_int_equal(is_queued, frame[2] == ATA_READ_QUEUED || frame[2] == ATA_WRITE_QUEUED);
    switch (frame[2]) {
    case ATA_IDENTIFY:
        put_identity((uint16_t *)fake_dma(t->region[0].address, 512));
        break;
    case ATA_FLUSH_EXT:
        fake_flushes++;
        break;
    case ATA_READ_QUEUED:
    case ATA_WRITE_QUEUED:
        assert_false(chip.has_no_queue);
        assert_int_equal(frame[12] >> 3, slot);
        assert_int_equal(frame[7] & 0x40, 0x40);
        fake_flushes += frame[7] >> 7;
        goto moves;
    case ATA_WRITE_DMA_FUA_EXT:
        fake_flushes++;
        goto moves;
    case ATA_READ_DMA_EXT:
    case ATA_WRITE_DMA_EXT:
    moves:
        assert_int_equal(!!(h->flags & HEADER_WRITE),
                         frame[2] != ATA_READ_DMA_EXT && frame[2] != ATA_READ_QUEUED);
        is_good = transfer(h, t, is_queued);
        break;
    default:
        fail();
    }
    end_command(n, slot, is_queued, is_good);
}

/* The highest slot first. */
static void chip_work(unsigned most)
{
    uint32_t given;

    for (; most && (given = *reg(0, PORT_CI) | chip.accepted[0]) && !chip.is_failed[0] &&
           !chip.is_mute;
         most--)
        do_command(0, 31 - (unsigned)__builtin_clz(given));
}

/* ---- its own tests ---- */

static void plug(bool is_there, const char *serial)
{
    chip.has_disk[0] = is_there;
    chip.serial = serial;
    *reg(0, PORT_CI) = *reg(0, PORT_SACT) = chip.accepted[0] = 0;
    *reg(0, PORT_SSTS) = is_there ? 0x113 : 0;
    *reg(0, PORT_TFD) = 0x7f;
    *reg(0, PORT_SERR) |= SERR_EXCHANGED;
    raise_cause(0, IS_PRCS | IS_PCS);
    fake_starting = true; /* what it is asked now is answered at once */
}

static void test_pulled(void **state)
{
    int k[4];

    for (unsigned i = 0; i < 4; i++)
        k[i] = post(BLOCK_READ, 0, i, i * 0x1000, 1);
    serve();
    chip_work(1);
    plug(false, "");
    run(1);
    for (unsigned i = 0; i < 4; i++)
        assert_true(block_status(&fake_client, k[i]) == BLOCK_GONE || i == 3);
    assert_false(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
    fake_client.used = 0;
    k[0] = post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_status(k[0], BLOCK_GONE);
    block_free(&fake_client, k[0]);
    plug(true, "S456"); /* another one */
    serve();
    fake_starting = false;
    assert_true(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
    assert_string_equal(fake_device.queue->unit[0].serial, "S456");
    assert_int_equal(fake_device.queue->unit[0].generation, 3);
    k[0] = post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_status(k[0], BLOCK_OK);
}

/* It is pulled while no driver is there. */
static void test_pulled_unseen(void **state)
{
    int k = post(BLOCK_READ, 0, 0, 0, 1);

    serve();
    plug(false, "");
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    run(1);
    assert_status(k, BLOCK_GONE);
}

static void test_not_adopted(void **state)
{
    *reg(0, PORT_CMD) &= ~(uint32_t)(CMD_ST | CMD_CR);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    *reg(0, PORT_CLB) += 0x400;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    *reg(0, PORT_FBU) = 1;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    *reg(0, PORT_CI) = *reg(0, PORT_SACT) = 4; /* that nobody has ordered */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    raise_cause(0, FAILED);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.ghc = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
}

static void test_stuck(void **state)
{
    enum queue_driver_state how;

    FAKE_SLEEPS(FAKE_PORTS * MS + LINK_PATIENCE, driver_starts(false)); /* one has no disk */
    chip.is_stuck = true;
    driver_forget();
    FAKE_SLEEPS(RESET_PATIENCE,
                assert_int_equal(block_device_start(&fake_device, false, &how), -EIO));
    chip.is_stuck = false;
    chip.is_mute = true; /* a disk that never is ready: none */
    FAKE_SLEEPS(READY_PATIENCE, assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET));
    assert_false(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
}

/* A disk, or an adapter, without queued commands: one after the other. */
static void test_without_queue(void **state)
{
    chip.has_no_queue = true;
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    test_transfers(state);
    fake_client.used = 0;
    test_many(state);
}

/* It says that all is well, and has moved less than it should. */
static void test_short(void **state)
{
    int k;

    chip.has_no_queue = true;
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    k = post(BLOCK_READ, 0, 7, 0, 9);
    chip.is_short = true;
    run(1);
    assert_status(k, BLOCK_ERROR);
}

/* An error of the bus, with several under way: all are done in the end. */
static void test_bus_error(void **state)
{
    int k[5];

    for (unsigned i = 0; i < 5; i++)
        k[i] = post(BLOCK_READ, 0, 10 * i, i * 0x1000, 2);
    serve();
    chip_work(1);
    chip.is_failed[0] = true;
    raise_cause(0, 1u << 29);
    run(1);
    for (unsigned i = 0; i < 5; i++)
        assert_status(k[i], BLOCK_OK);
}

/* Interrupts: none while masked; enabled for all that matters. */
static void test_interrupts(void **state)
{
    assert_int_equal(chip.ghc & GHC_IE, GHC_IE);
    driver->mask(&fake_device);
    assert_int_equal(chip.ghc & GHC_IE, 0);
    post(BLOCK_READ, 0, 0, 0, 1);
    serve();
    chip_work(1);
    assert_int_equal(chip.is, 1);
    serve();
    assert_int_equal(chip.is, 0); /* or the next one would not be told */
    assert_int_equal(*reg(0, PORT_IS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TESTS,
        BLOCK_TEST(test_pulled),
        BLOCK_TEST(test_pulled_unseen),
        BLOCK_TEST(test_not_adopted),
        BLOCK_TEST(test_stuck),
        BLOCK_TEST(test_without_queue),
        BLOCK_TEST(test_short),
        BLOCK_TEST(test_bus_error),
        BLOCK_TEST(test_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
