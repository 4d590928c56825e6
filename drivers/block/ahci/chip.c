/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the AHCI driver (contract: lib/driver/blockdriver.h). Unit n is port n. Slot k
 * of the queue is command slot k of the port, so the port's SACT and CI tell a fresh driver what is
 * under way.
 *
 * Errors: when one queued command fails the port stops and does not say which it was. Then all that
 * were under way are *suspects*: after the port has been reset they are issued again, one at a time
 * and not queued, until the guilty one fails alone.
 */
#include "drivers/block/ahci/chip.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define MS 1000000ull
#define RESET_PATIENCE (1000 * MS) /* AHCI 10.4.3 */
#define LINK_PATIENCE (10 * MS) /* for a sign of a device */
#define READY_PATIENCE (5000 * MS) /* for a disk that is there */

static struct port {
    uint32_t queued, plain; /* slots under way, queued commands and others */
    uint32_t suspects;
    bool has_queue;
} ports[BLOCK_UNITS];
static unsigned slots; /* of the chip */

static uint32_t port_read(const struct block_device *d, unsigned n, uint32_t offset)
{
    return mmio_read32(d->registers, PORTS + n * PORT_STRIDE + offset);
}

static void port_write(const struct block_device *d, unsigned n, uint32_t offset, uint32_t value)
{
    mmio_write32(d->registers, PORTS + n * PORT_STRIDE + offset, value);
}

/* Until (register & mask) == value; false: not in time. */
static bool port_wait(const struct block_device *d, unsigned n, uint32_t offset, uint32_t mask,
                      uint32_t value, uint64_t patience)
{
    struct driver_wait wait = {.patience = patience};

    while ((port_read(d, n, offset) & mask) != value)
        if (!driver_waits(&wait))
            return false;
    return true;
}

static uint32_t list_physical(const struct block_device *d, unsigned n)
{
    return (uint32_t)d->chip_physical + n * CHIP_PORT;
}

static struct ahci_header *header_of(const struct block_device *d, unsigned n, unsigned slot)
{
    return (struct ahci_header *)(d->chip + n * CHIP_PORT) + slot;
}

static struct ahci_table *table_of(const struct block_device *d, unsigned slot)
{
    return (struct ahci_table *)(d->chip + CHIP_TABLES) + slot;
}

static uint32_t *giving_of(const struct block_device *d, unsigned n)
{
    return (uint32_t *)(d->chip + n * CHIP_PORT + CHIP_GIVING);
}

static bool is_present(const struct block_device *d, unsigned n)
{
    return d->queue->unit[n].flags & BLOCK_UNIT_PRESENT;
}

/* ---- commands ---- */

struct command {
    uint8_t code, device;
    uint64_t sector;
    uint16_t count, features;
    bool write;
};

/* A register frame, host to device (Serial ATA 10.5.5). */
static void put_frame(uint8_t *frame, const struct command *c)
{
    memset(frame, 0, 20);
    frame[0] = 0x27;
    frame[1] = 0x80; /* a command, not control */
    frame[2] = c->code;
    frame[3] = (uint8_t)c->features;
    frame[7] = c->device;
    frame[11] = (uint8_t)(c->features >> 8);
    frame[12] = (uint8_t)c->count;
    frame[13] = (uint8_t)(c->count >> 8);
    for (int i = 0; i < 3; i++) {
        frame[4 + i] = (uint8_t)(c->sector >> 8 * i);
        frame[8 + i] = (uint8_t)(c->sector >> (24 + 8 * i));
    }
}

static void put_command(const struct block_device *d, unsigned n, unsigned slot,
                        const struct command *c, const struct block_segment *segment,
                        unsigned segments)
{
    struct ahci_table *t = table_of(d, slot);
    uint64_t table = d->chip_physical + (uint64_t)((uint8_t *)t - d->chip);

    put_frame(t->command, c);
    for (unsigned i = 0; i < segments; i++)
        t->region[i] =
            (struct ahci_region){(uint32_t)segment[i].address, (uint32_t)(segment[i].address >> 32),
                                 0, segment[i].length - 1};
    *header_of(d, n, slot) = (struct ahci_header){
        .flags = 5 | (c->write ? HEADER_WRITE : 0),
        .regions = (uint16_t)segments,
        .table = (uint32_t)table,
        .table_high = (uint32_t)(table >> 32),
    };
}

/* As a queued command: the tag is the slot, and the count goes where the features were. */
static void queued_command(struct command *c, const struct block_request *r, unsigned slot,
                           uint32_t blocks)
{
    c->code = c->write ? ATA_WRITE_QUEUED : ATA_READ_QUEUED;
    c->features = (uint16_t)blocks;
    c->count = (uint16_t)(slot << 3);
    c->device = 0x40 | (c->write && (r->flags & BLOCK_FUA) ? 0x80 : 0);
}

static void plain_command(struct command *c, const struct block_request *r, uint32_t blocks)
{
    c->count = (uint16_t)blocks;
    c->device = 0x40; /* LBA */
    if (r->operation == BLOCK_FLUSH)
        c->code = ATA_FLUSH_EXT;
    else if (!c->write)
        c->code = ATA_READ_DMA_EXT;
    else
        c->code = r->flags & BLOCK_FUA ? ATA_WRITE_DMA_FUA_EXT : ATA_WRITE_DMA_EXT;
}

/*
 * A queued command is given by two registers: one says that it is under way, the other that it is
 * to begin, which the device takes back at once. So whoever dies between the two leaves a command
 * that looks as if it were under way, and is not; its successor is told that it may be so.
 */
static void give_queued(const struct block_device *d, unsigned n, uint32_t bit)
{
    queue_publish(giving_of(d, n), bit);
    port_write(d, n, PORT_SACT, bit);
    port_write(d, n, PORT_CI, bit);
    queue_publish(giving_of(d, n), 0);
}

/* Queued and other commands never meet; with suspects there is one command at a time. */
static bool issue(struct block_device *d, unsigned slot, const struct block_request *r)
{
    struct port *p = &ports[r->unit];
    bool queue = p->has_queue && r->operation != BLOCK_FLUSH && !p->suspects;
    uint32_t bit = 1u << slot, scale = block_scale(d, r->unit);
    struct command c = {.sector = r->sector / scale, .write = r->operation == BLOCK_WRITE};

    if (slot >= slots || p->plain || (!queue && p->queued))
        return false;
    if (queue)
        queued_command(&c, r, slot, r->sectors / scale);
    else
        plain_command(&c, r, r->sectors / scale);
    put_command(d, r->unit, slot, &c, r->segment, r->segments);
    *(queue ? &p->queued : &p->plain) |= bit;
    dma_publish();
    if (queue)
        give_queued(d, r->unit, bit);
    else
        port_write(d, r->unit, PORT_CI, bit);
    return true;
}

/* ---- a port's start and stop ---- */

static bool port_stop(const struct block_device *d, unsigned n)
{
    uint32_t command = port_read(d, n, PORT_CMD);

    port_write(d, n, PORT_CMD, command & ~(uint32_t)CMD_ST);
    return port_wait(d, n, PORT_CMD, CMD_CR, 0, 500 * MS); /* AHCI 10.1.2 */
}

static void port_begin(const struct block_device *d, unsigned n)
{
    uint32_t list = list_physical(d, n);

    port_write(d, n, PORT_CLB, list);
    port_write(d, n, PORT_CLBU, 0); /* queues lie below 4 GB */
    port_write(d, n, PORT_FB, list + CHIP_FRAMES);
    port_write(d, n, PORT_FBU, 0);
    port_write(d, n, PORT_SERR, ~0u);
    port_write(d, n, PORT_IS, ~0u);
    port_write(d, n, PORT_CMD, port_read(d, n, PORT_CMD) | CMD_FRE);
    port_write(d, n, PORT_CMD, port_read(d, n, PORT_CMD) | CMD_ST);
    port_write(d, n, PORT_IE, IE_WANTED);
    *giving_of(d, n) = 0;
    ports[n].queued = ports[n].plain = 0;
}

/* COMRESET cancels what is under way at once; afterwards no DMA lands. */
static bool port_reset(const struct block_device *d, unsigned n)
{
    port_write(d, n, PORT_IE, 0);
    port_stop(d, n);
    port_write(d, n, PORT_SCTL, 1);
    driver_delay(MS); /* at least so long: AHCI 10.4.2 */
    port_write(d, n, PORT_SCTL, 0);
    port_write(d, n, PORT_CMD, port_read(d, n, PORT_CMD) & ~(uint32_t)CMD_FRE);
    if (!port_wait(d, n, PORT_CMD, CMD_FR, 0, 500 * MS) ||
        !port_wait(d, n, PORT_SSTS, SSTS_DET, 3, LINK_PATIENCE)) {
        port_write(d, n, PORT_SERR, ~0u);
        port_write(d, n, PORT_IS, ~0u);
        port_write(d, n, PORT_IE, IS_PRCS | IS_PCS); /* one may come */
        return false;
    }
    port_begin(d, n);
    return port_wait(d, n, PORT_TFD, TFD_BSY | TFD_DRQ, 0, READY_PATIENCE);
}

/* ---- IDENTIFY ---- */

/* Both the disk and the adapter have queued commands. */
static bool has_queue(const struct block_device *d, const uint16_t *w)
{
    return w[76] != 0xffff && (w[76] >> 8 & 1) && (mmio_read32(d->registers, HOST_CAP) & CAP_SNCQ);
}

static void take_identity(struct block_device *d, unsigned n, const uint16_t *w)
{
    struct block_unit u = ata_unit(w);

    ports[n].has_queue = has_queue(d, w);
    if (!block_size_is_good(u.logical_size)) {
        log_info("port %u: blocks of %u bytes are not supported", n, u.logical_size);
        u.flags = 0;
    }
    block_unit_set(d, n, &u);
}

static bool identify(struct block_device *d, unsigned n)
{
    struct command c = {.code = ATA_IDENTIFY};
    struct block_segment where = {list_physical(d, n) + CHIP_IDENTITY, 512, 0};

    put_command(d, n, 0, &c, &where, 1);
    dma_publish();
    port_write(d, n, PORT_CI, 1);
    if (!port_wait(d, n, PORT_CI, 1, 0, READY_PATIENCE) ||
        (port_read(d, n, PORT_TFD) & (TFD_ERR | TFD_BSY)))
        return false;
    dma_observe();
    port_write(d, n, PORT_IS, ~0u);
    take_identity(d, n, (const uint16_t *)(d->chip + n * CHIP_PORT + CHIP_IDENTITY));
    return true;
}

/* Bring up whatever is on the port; no unit when there is nothing. */
static void port_probe(struct block_device *d, unsigned n)
{
    bool found = port_reset(d, n) && port_read(d, n, PORT_SIG) == SIGNATURE_ATA;

    if (!found || !identify(d, n))
        block_unit_set(d, n, &(struct block_unit){0});
}

static uint32_t ports_implemented(const struct block_device *d)
{
    return mmio_read32(d->registers, HOST_PI) & ((1u << BLOCK_UNITS) - 1);
}

static void take_slots(const struct block_device *d)
{
    slots = (mmio_read32(d->registers, HOST_CAP) >> CAP_SLOTS_SHIFT & 31) + 1;
}

static int reset(struct block_device *d)
{
    struct driver_wait wait = {.patience = RESET_PATIENCE};

    memset(ports, 0, sizeof ports);
    mmio_write32(d->registers, HOST_GHC, GHC_AE);
    mmio_write32(d->registers, HOST_GHC, GHC_AE | GHC_HR);
    while (mmio_read32(d->registers, HOST_GHC) & GHC_HR)
        if (!driver_waits(&wait))
            return -EIO;
    mmio_write32(d->registers, HOST_GHC, GHC_AE);
    take_slots(d);
    for (unsigned n = 0; n < BLOCK_UNITS; n++) {
        if (!(ports_implemented(d) >> n & 1))
            continue;
        port_write(d, n, PORT_CMD, port_read(d, n, PORT_CMD) | CMD_SUD | CMD_POD);
        port_probe(d, n);
    }
    mmio_write32(d->registers, HOST_IS, ~0u);
    return 0;
}

/* ---- taking over ---- */

static bool port_is_live(const struct block_device *d, unsigned n)
{
    uint32_t command = port_read(d, n, PORT_CMD), list = list_physical(d, n);

    return (command & (CMD_ST | CMD_CR | CMD_FRE)) == (CMD_ST | CMD_CR | CMD_FRE) &&
           port_read(d, n, PORT_CLB) == list && port_read(d, n, PORT_CLBU) == 0 &&
           port_read(d, n, PORT_FB) == list + CHIP_FRAMES && port_read(d, n, PORT_FBU) == 0 &&
           (port_read(d, n, PORT_SSTS) & SSTS_DET) == 3 &&
           !(port_read(d, n, PORT_TFD) & (TFD_ERR | TFD_DF)) &&
           !(port_read(d, n, PORT_IS) & (IS_ERRORS | IS_PRCS | IS_PCS));
}

/* What is under way must be what the queue says. */
static bool slots_agree(const struct block_device *d, unsigned n, uint32_t busy)
{
    for (; busy; busy &= busy - 1) {
        unsigned k = (unsigned)__builtin_ctz(busy);

        if (queue_read(&d->queue->posted[k]) == d->queue->completed[k] ||
            d->queue->request[k].unit != n)
            return false;
    }
    return true;
}

static bool adopt(struct block_device *d)
{
    if ((mmio_read32(d->registers, HOST_GHC) & (GHC_AE | GHC_HR)) != GHC_AE)
        return block_mismatch(d, "the adapter is not set up");
    mmio_write32(d->registers, HOST_GHC, GHC_AE); /* no interrupts */
    take_slots(d);
    for (unsigned n = 0; n < BLOCK_UNITS; n++) {
        struct port *p = &ports[n];

        if (!(ports_implemented(d) >> n & 1) || !is_present(d, n))
            continue;
        if (!port_is_live(d, n))
            return block_mismatch(d, "a port is not as we would have left it");
        p->has_queue = has_queue(d, (const uint16_t *)(d->chip + n * CHIP_PORT + CHIP_IDENTITY));
        p->queued = port_read(d, n, PORT_SACT);
        if (p->queued & *giving_of(d, n) & ~port_read(d, n, PORT_CI)) {
            if (!port_reset(d, n)) /* it cannot be known: all of them again */
                return block_mismatch(d, "a port does not come back");
            continue;
        }
        p->plain = port_read(d, n, PORT_CI) & ~p->queued;
        if (!slots_agree(d, n, p->queued | p->plain))
            return block_mismatch(d, "a command is under way that nobody has ordered");
        d->issued |= p->queued | p->plain;
    }
    return true;
}

static void mask(struct block_device *d)
{
    mmio_write32(d->registers, HOST_GHC, GHC_AE);
}

static void unmask(struct block_device *d)
{
    mmio_write32(d->registers, HOST_GHC, GHC_AE | GHC_IE);
}

/* ---- what is done ---- */

static uint32_t all_with(struct block_device *d, uint32_t set, enum block_status status)
{
    for (uint32_t rest = set; rest; rest &= rest - 1)
        d->status[__builtin_ctz(rest)] = status;
    return set;
}

/* The device has gone, or another has come. */
static uint32_t link_changed(struct block_device *d, unsigned n)
{
    struct port *p = &ports[n];
    uint32_t lost = p->queued | p->plain | p->suspects;

    log_info("port %u: %s", n,
             (port_read(d, n, PORT_SSTS) & SSTS_DET) == 3 ? "a device has come"
                                                          : "no device any more");
    *p = (struct port){0};
    port_probe(d, n);
    return all_with(d, lost, BLOCK_GONE);
}

/* See above: one command alone is guilty, of several each is a suspect. */
static uint32_t port_failed(struct block_device *d, unsigned n, uint32_t causes)
{
    struct port *p = &ports[n];
    uint32_t queued = port_read(d, n, PORT_SACT) & p->queued;
    uint32_t plain = port_read(d, n, PORT_CI) & p->plain, done, guilty = 0;
    uint32_t under_way = queued | plain;

    done = (p->queued | p->plain) & ~under_way;
    if (!(under_way & (under_way - 1)))
        guilty = under_way;
    log_info("port %u: error (causes %#x, task file %#x, %d commands under way)", n, causes,
             port_read(d, n, PORT_TFD), __builtin_popcount(under_way));
    p->suspects = (p->suspects | under_way) & ~(guilty | done);
    d->issued &= ~(under_way & ~guilty);
    if (!port_reset(d, n))
        return all_with(d, done, BLOCK_OK) | link_changed(d, n);
    return all_with(d, done, BLOCK_OK) | all_with(d, guilty, BLOCK_ERROR);
}

/*
 * A command that moved less than it should is no success. (Of queued ones it is not counted: AHCI
 * 5.4.1.)
 */
static void plain_done(struct block_device *d, unsigned n, uint32_t done)
{
    for (uint32_t rest = done; rest; rest &= rest - 1) {
        unsigned k = (unsigned)__builtin_ctz(rest);
        const struct ahci_header *h = header_of(d, n, k);
        uint32_t bytes = 0;

        for (unsigned i = 0; i < h->regions; i++)
            bytes += table_of(d, k)->region[i].last + 1;
        d->status[k] = *(const volatile uint32_t *)&h->transferred < bytes ? BLOCK_ERROR : BLOCK_OK;
    }
}

static uint32_t port_finished(struct block_device *d, unsigned n)
{
    struct port *p = &ports[n];
    uint32_t causes = port_read(d, n, PORT_IS), under_way, done;

    if (causes)
        port_write(d, n, PORT_IS, causes);
    if (causes & (IS_PRCS | IS_PCS)) {
        port_write(d, n, PORT_SERR, ~0u);
        return link_changed(d, n);
    }
    if (causes & IS_ERRORS)
        return port_failed(d, n, causes);
    under_way = (port_read(d, n, PORT_SACT) & p->queued) | (port_read(d, n, PORT_CI) & p->plain);
    done = (p->queued | p->plain) & ~under_way;
    dma_observe();
    all_with(d, done & p->queued, BLOCK_OK);
    plain_done(d, n, done & p->plain);
    p->queued &= under_way;
    p->plain &= under_way;
    p->suspects &= ~done;
    return done;
}

static uint32_t finished(struct block_device *d)
{
    uint32_t interrupts = mmio_read32(d->registers, HOST_IS), done = 0;

    for (unsigned n = 0; n < BLOCK_UNITS; n++)
        if (ports[n].queued | ports[n].plain || interrupts >> n & 1)
            done |= port_finished(d, n);
    if (interrupts) /* after the ports' own: AHCI 5.5.3 */
        mmio_write32(d->registers, HOST_IS, interrupts);
    return done;
}

const struct block_driver ahci_driver = {
    .name = "ahci",
    .kind = "sd",
    .registers_size = REGISTERS_SIZE,
    .adopt = adopt,
    .reset = reset,
    .mask = mask,
    .unmask = unmask,
    .issue = issue,
    .finished = finished,
};
