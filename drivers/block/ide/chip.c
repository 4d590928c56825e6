/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the IDE driver (contract: lib/driver/blockdriver.h). A channel does one
 * command at a time, whichever of its two drives it is for. What that is stands in the channel's
 * order, a word in memory that outlives us; it is written before the chip is told, and taken back
 * after the chip has been read, before the request is completed. A successor that finds an order
 * and a channel at rest knows nothing of the outcome, so it gives the same command again, which
 * does no harm.
 *
 * A write that is to be on the medium when it is completed is two commands: the write, and a flush.
 *
 * While the channel may not interrupt, the bus master does not note the end of a command either.
 * So for commands that were given, or taken over, in that state the drive is asked.
 */
#include "drivers/block/ide/chip.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define US 1000ull
#define MS 1000000ull
#define SELECT_PATIENCE (10 * MS) /* for a drive at rest: ATA8-APT allows no more */
#define RESET_PATIENCE (1000 * MS) /* for drives that have been at work */
#define STATUS_PATIENCE (300 * MS) /* for a status that says that somebody is there */
#define READY_PATIENCE (5000 * MS) /* for a drive that spins up */

static const struct {
    uint16_t command, control; /* ports */
} place[IDE_CHANNELS] = {{0x1f0, 0x3f6}, {0x170, 0x376}};

static struct channel {
    bool is_quiet; /* the command under way was given while there were no interrupts */
} channels[IDE_CHANNELS];
static bool is_masked;
static uint32_t refused; /* slots that are finished without the chip; status filled in */

static struct ide_channel_memory *memory_of(const struct block_device *d, unsigned c)
{
    return (struct ide_channel_memory *)d->chip + c;
}

static uint32_t table_physical(const struct block_device *d, unsigned c)
{
    return (uint32_t)d->chip_physical + c * (uint32_t)sizeof(struct ide_channel_memory) +
           (uint32_t)offsetof(struct ide_channel_memory, region);
}

static uint32_t order_read(const struct block_device *d, unsigned c)
{
    return queue_read(&memory_of(d, c)->order);
}

static void order_write(const struct block_device *d, unsigned c, uint32_t order)
{
    queue_publish(&memory_of(d, c)->order, order);
}

static unsigned unit_of(uint32_t order)
{
    return order >> ORDER_UNIT_SHIFT & 3;
}

/* ---- registers ---- */

static uint8_t get(unsigned c, enum ide_register r)
{
    return pio_read8(place[c].command + r);
}

static void put(unsigned c, enum ide_register r, uint8_t value)
{
    pio_write8(place[c].command + r, value);
}

/* The status, without taking the interrupt back. */
static uint8_t peek(unsigned c)
{
    return pio_read8(place[c].control);
}

static unsigned master(const struct block_device *d, unsigned c, enum ide_bus_master r)
{
    return d->ports + c * MASTER_STRIDE + r;
}

static void master_clear(const struct block_device *d, unsigned c)
{
    uint8_t capable = pio_read8(master(d, c, MASTER_STATUS)) & MASTER_CAPABLE;

    pio_write8(master(d, c, MASTER_STATUS), capable | MASTER_ERROR | MASTER_INTERRUPT);
}

/* Until neither busy nor amid a transfer. */
static bool wait_idle(unsigned c, uint64_t patience)
{
    struct driver_wait wait = {.patience = patience};

    while (peek(c) & (STATUS_BSY | STATUS_DRQ))
        if (!driver_waits(&wait))
            return false;
    return true;
}

static bool select_drive(unsigned c, unsigned drive)
{
    put(c, IDE_DEVICE, (uint8_t)(DEVICE_LBA | drive << 4));
    peek(c); /* which takes longer than the status needs to be that drive's: 400 ns */
    return wait_idle(c, SELECT_PATIENCE);
}

static void set_quiet(bool quiet)
{
    is_masked = quiet;
    for (unsigned c = 0; c < IDE_CHANNELS; c++)
        pio_write8(place[c].control, quiet ? CONTROL_QUIET : 0);
}

/* Afterwards no DMA lands: stopping the bus master waits for what is on its way. */
static bool channel_reset(const struct block_device *d, unsigned c, uint64_t patience)
{
    uint8_t quiet = is_masked ? CONTROL_QUIET : 0;

    pio_write8(master(d, c, MASTER_COMMAND), 0);
    pio_write8(place[c].control, CONTROL_QUIET | CONTROL_RESET);
    driver_delay(5 * US); /* ATA8-APT: at least; and 2 ms after */
    pio_write8(place[c].control, quiet);
    driver_delay(2 * MS);
    master_clear(d, c);
    pio_write32(master(d, c, MASTER_TABLE), table_physical(d, c));
    return peek(c) != STATUS_NOBODY && wait_idle(c, patience);
}

/* ---- commands ---- */

/* The regions of a request, cut at multiples of 64 KB; false: out of the chip's reach. */
static bool put_regions(struct ide_region *region, const struct block_request *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->segments; i++) {
        uint64_t at = r->segment[i].address, end = at + r->segment[i].length;

        if (end > 1ull << 32)
            return false;
        while (at < end) {
            uint64_t next = (at | (REGION_MOST - 1)) + 1;

            if (next > end)
                next = end;
            region[n++] = (struct ide_region){(uint32_t)at, (uint16_t)(next - at), 0};
            at = next;
        }
    }
    region[n - 1].flags = REGION_LAST;
    return true;
}

static void put_task(unsigned c, uint8_t code, uint64_t sector, uint16_t count)
{
    put(c, IDE_COUNT, (uint8_t)(count >> 8));
    for (unsigned i = 0; i < 3; i++)
        put(c, IDE_SECTOR + i, (uint8_t)(sector >> (24 + 8 * i)));
    put(c, IDE_COUNT, (uint8_t)count);
    for (unsigned i = 0; i < 3; i++)
        put(c, IDE_SECTOR + i, (uint8_t)(sector >> 8 * i));
    put(c, IDE_COMMAND, code);
}

static void start_master(const struct block_device *d, unsigned c, uint32_t order)
{
    pio_write8(master(d, c, MASTER_COMMAND),
               MASTER_START | (order & ORDER_WRITE ? 0 : MASTER_TO_MEMORY));
}

/* False: the drive does not take it. */
static bool give(const struct block_device *d, unsigned c, uint32_t order, uint64_t sector,
                 uint16_t count)
{
    uint8_t code = order & ORDER_WRITE ? ATA_WRITE_DMA_EXT : ATA_READ_DMA_EXT;

    if (order & ORDER_FLUSH)
        code = ATA_FLUSH_EXT;
    dma_publish();
    order_write(d, c, order);
    channels[c].is_quiet = is_masked;
    if (!select_drive(c, unit_of(order) % IDE_DRIVES)) {
        order_write(d, c, 0);
        return false;
    }
    put_task(c, code, sector, count);
    if (!(order & ORDER_FLUSH))
        start_master(d, c, order);
    else if (is_masked)
        peek(c); /* for 400 ns the status may not be that of the new command */
    return true;
}

static bool refuse(struct block_device *d, unsigned slot, enum block_status status)
{
    d->status[slot] = status;
    refused |= 1u << slot;
    return true;
}

static bool issue(struct block_device *d, unsigned slot, const struct block_request *r)
{
    unsigned c = r->unit / IDE_DRIVES;
    uint32_t order = ORDER_GIVEN | slot | r->unit << ORDER_UNIT_SHIFT,
             scale = block_scale(d, r->unit);

    if (order_read(d, c))
        return false;
    if (r->operation == BLOCK_FLUSH)
        order |= ORDER_FLUSH;
    else if (!put_regions(memory_of(d, c)->region, r))
        return refuse(d, slot, BLOCK_INVALID);
    if (r->operation == BLOCK_WRITE)
        order |= ORDER_WRITE | (r->flags & BLOCK_FUA ? ORDER_FUA : 0);
    if (give(d, c, order, r->sector / scale, (uint16_t)(r->sectors / scale)))
        return true;
    log_info("channel %u, drive %u does not answer", c, r->unit % IDE_DRIVES);
    channel_reset(d, c, RESET_PATIENCE);
    return refuse(d, slot, BLOCK_ERROR);
}

/* ---- what is done ---- */

static bool has_ended(const struct block_device *d, unsigned c)
{
    uint8_t how = pio_read8(master(d, c, MASTER_STATUS));

    if (how & (MASTER_INTERRUPT | MASTER_ERROR))
        return (how & MASTER_ERROR) || !(peek(c) & STATUS_BSY);
    return channels[c].is_quiet && !(how & MASTER_ACTIVE) && !(peek(c) & (STATUS_BSY | STATUS_DRQ));
}

/* Clear all that the last command has left behind. Returns the status. */
static uint8_t settle(const struct block_device *d, unsigned c)
{
    uint8_t status;

    pio_write8(master(d, c, MASTER_COMMAND), 0);
    status = get(c, IDE_STATUS);
    master_clear(d, c);
    dma_observe();
    return status;
}

static bool succeeded(const struct block_device *d, unsigned c, uint32_t order)
{
    uint8_t how = pio_read8(master(d, c, MASTER_STATUS)), status = settle(d, c);
    bool stuck = (how & (MASTER_ERROR | MASTER_ACTIVE)) || (status & (STATUS_BSY | STATUS_DRQ));
    if (!stuck && !(status & (STATUS_ERR | STATUS_DF)))
        return true;
    log_info("channel %u, drive %u: error %#x (status %#x, bus master %#x)", c,
             unit_of(order) % IDE_DRIVES, get(c, IDE_ERROR), status, how);
    if (stuck && !channel_reset(d, c, RESET_PATIENCE))
        log_info("channel %u does not answer any more", c);
    return false;
}

static uint32_t channel_finished(struct block_device *d, unsigned c)
{
    uint32_t order = order_read(d, c), slot = order & ORDER_SLOT;
    bool good;

    if (!order || !has_ended(d, c))
        return 0;
    good = succeeded(d, c, order);
    if (good && (order & ORDER_FUA) && !(order & ORDER_FLUSH)) {
        good = give(d, c, order | ORDER_FLUSH, 0, 0);
        if (good)
            return 0;
        channel_reset(d, c, RESET_PATIENCE);
    }
    order_write(d, c, 0);
    d->status[slot] = good ? BLOCK_OK : BLOCK_ERROR;
    return 1u << slot;
}

static uint32_t finished(struct block_device *d)
{
    uint32_t done = refused;

    refused = 0;
    for (unsigned c = 0; c < IDE_CHANNELS; c++)
        done |= channel_finished(d, c);
    return done;
}

/* ---- start ---- */

/* What the drive says of itself; false: there is no disk, or none that we can drive. */
static bool identify(unsigned c, unsigned drive, struct block_unit *u)
{
    struct driver_wait wait = {.patience = READY_PATIENCE};
    uint16_t words[ATA_IDENTITY_WORDS];

    if (!select_drive(c, drive) || peek(c) == 0 || peek(c) == STATUS_NOBODY)
        return false;
    put(c, IDE_COMMAND, ATA_IDENTIFY);
    driver_delay(US);
    while (peek(c) & STATUS_BSY)
        if (!driver_waits(&wait))
            return false;
    if ((get(c, IDE_STATUS) & (STATUS_DRQ | STATUS_ERR)) != STATUS_DRQ)
        return false; /* nobody, or a drive with packet commands, which refuses this one */
    for (unsigned i = 0; i < ATA_IDENTITY_WORDS; i++)
        words[i] = pio_read16(place[c].command + IDE_DATA);
    *u = ata_unit(words);
    if (ata_is_wide(words) && block_size_is_good(u->logical_size))
        return true;
    log_info("channel %u, drive %u: no 48-bit commands, or blocks of %u bytes: not supported", c,
             drive, u->logical_size);
    return false;
}

static bool has_disk(const struct block_device *d, unsigned c)
{
    uint32_t flags = 0;

    for (unsigned drive = 0; drive < IDE_DRIVES; drive++)
        flags |= d->queue->unit[c * IDE_DRIVES + drive].flags;
    return flags & BLOCK_UNIT_PRESENT;
}

/* A status of 0 is that of a channel with no drive, but also, for a moment after a reset, that of
 * QEMU's drives: they do it when the emulator comes round to it. So where there is, or may be, a
 * disk it is not believed at once. By ATA a reset selects drive 0; QEMU's keeps selected the one
 * that was, whose status is 0 when it is none, and takes no other before it has done the reset. */
static void wait_for_status(const struct block_device *d, unsigned c)
{
    struct driver_wait wait = {.patience = STATUS_PATIENCE};

    if (service_info()->incarnation > 1 && !has_disk(d, c))
        return;
    while (peek(c) == 0 && driver_waits(&wait))
        put(c, IDE_DEVICE, DEVICE_LBA);
    wait_idle(c, READY_PATIENCE);
}

static int reset(struct block_device *d)
{
    if (d->ports == 0)
        return -ENODEV; /* no bus master */
    is_masked = true;
    refused = 0;
    memset(channels, 0, sizeof channels);
    for (unsigned c = 0; c < IDE_CHANNELS; c++) {
        bool answers = channel_reset(d, c, READY_PATIENCE);

        if (answers)
            wait_for_status(d, c);
        order_write(d, c, 0);
        for (unsigned drive = 0; drive < IDE_DRIVES; drive++) {
            struct block_unit u = {0};

            if (!answers || !identify(c, drive, &u))
                u = (struct block_unit){0};
            block_unit_set(d, c * IDE_DRIVES + drive, &u);
        }
        master_clear(d, c);
    }
    return 0;
}

/* ---- taking over ---- */

/* The order must be for what the queue says. */
static bool order_agrees(const struct block_device *d, unsigned c, uint32_t order)
{
    unsigned k = order & ORDER_SLOT;

    return unit_of(order) / IDE_DRIVES == c &&
           queue_read(&d->queue->posted[k]) != d->queue->completed[k] &&
           d->queue->request[k].unit == unit_of(order);
}

static bool channel_adopt(struct block_device *d, unsigned c)
{
    uint32_t order = order_read(d, c);
    uint8_t how = pio_read8(master(d, c, MASTER_STATUS)), status = peek(c);
    bool works = (how & MASTER_ACTIVE) || (status & (STATUS_BSY | STATUS_DRQ));

    if (pio_read32(master(d, c, MASTER_TABLE)) != table_physical(d, c))
        return block_mismatch(d, "a channel is not as we would have left it");
    if (works && (!order || !order_agrees(d, c, order)))
        return block_mismatch(d, "a command is under way that nobody has ordered");
    if (!works && !(order && (how & MASTER_INTERRUPT) && order_agrees(d, c, order))) {
        order_write(d, c, 0); /* it was not given yet, or its result is lost: once more */
        settle(d, c);
        return true;
    }
    channels[c].is_quiet = true;
    if ((status & STATUS_DRQ) && !(order & ORDER_FLUSH) &&
        !(pio_read8(master(d, c, MASTER_COMMAND)) & MASTER_START))
        start_master(d, c, order); /* the drive was told, the bus master not yet */
    d->issued |= 1u << (order & ORDER_SLOT);
    return true;
}

static bool adopt(struct block_device *d)
{
    if (d->ports == 0)
        return block_mismatch(d, "no bus master");
    set_quiet(true);
    for (unsigned c = 0; c < IDE_CHANNELS; c++)
        if (has_disk(d, c) && !channel_adopt(d, c))
            return false;
    return true;
}

static void mask(struct block_device *d)
{
    (void)d;
    set_quiet(true);
}

static void unmask(struct block_device *d)
{
    (void)d;
    set_quiet(false);
}

const struct block_driver ide_driver = {
    .name = "ide",
    .kind = "hd",
    .adopt = adopt,
    .reset = reset,
    .mask = mask,
    .unmask = unmask,
    .issue = issue,
    .finished = finished,
};
