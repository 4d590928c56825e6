/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the NVMe driver (contract: lib/driver/blockdriver.h). Unit n is namespace
 * n + 1. Doorbells cannot be read, so the chip's positions are in memory: what is given is what
 * `tail` covers, whether or not its doorbell was rung, and a fresh driver rings it again.
 */
#include "drivers/block/nvme/chip.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define MS 1000000ull
#define ADMIN_PATIENCE (2000 * MS)

static unsigned stride_shift; /* of doorbells */

static struct nvme_memory *memory_of(const struct block_device *d)
{
    return (struct nvme_memory *)d->chip;
}

static uint64_t physical_of(const struct block_device *d, const volatile void *at)
{
    return d->chip_physical + (uint64_t)((const volatile uint8_t *)at - d->chip);
}

static uint32_t get(const struct block_device *d, enum nvme_register r)
{
    return mmio_read32(d->registers, r);
}

static void set(const struct block_device *d, enum nvme_register r, uint32_t value)
{
    mmio_write32(d->registers, r, value);
}

static void ring_submitted(const struct block_device *d, unsigned queue, uint32_t tail)
{
    mmio_write32(d->registers, DOORBELLS + (2 * queue << stride_shift), tail);
}

static void ring_taken(const struct block_device *d, unsigned queue, uint32_t head)
{
    mmio_write32(d->registers, DOORBELLS + ((2 * queue + 1) << stride_shift), head);
}

/* Has the chip written the n-th (from 0) completion of a queue? */
static bool is_done(const volatile struct nvme_completion *ring, uint32_t n, uint32_t entries)
{
    return (ring[n % entries].status & 1) != (n / entries & 1);
}

/* ---- commands ---- */

static void give(struct block_device *d, unsigned k, struct nvme_command *c)
{
    struct nvme_memory *m = memory_of(d);
    struct nvme_slot *s = &m->slot[k];

    s->sequence++;
    s->id = c->id = (uint16_t)(k | s->sequence * BLOCK_SLOTS);
    m->command[m->tail % ENTRIES] = *c;
    s->given = 1 + m->tail;
    dma_publish();
    *(volatile uint32_t *)&m->tail = m->tail + 1;
    ring_submitted(d, 1, m->tail % ENTRIES);
}

/*
 * Pages from `done` on, as many as one command can tell: all but the first begin at a page's
 * begin, all but the last end at its end. Returns the bytes; *first is the first page, the others
 * are in the list.
 */
static uint32_t put_pages(const struct nvme_memory *m, const struct nvme_slot *s, uint64_t *list,
                          uint64_t *first)
{
    uint32_t bytes = 0, skip = s->done, n = 0;
    uint64_t end = 0; /* of what is told */

    for (uint32_t i = 0; i < s->request.segments; i++) {
        uint64_t at = s->request.segment[i].address + skip;
        uint32_t left = s->request.segment[i].length;

        if (skip >= left) {
            skip -= left;
            continue;
        }
        left -= skip;
        skip = 0;
        if (bytes && at != end && (at | end) % PAGE)
            break;
        for (uint32_t piece; left && bytes < m->most; left -= piece, bytes += piece, at += piece) {
            piece = PAGE - (uint32_t)at % PAGE;
            piece = piece < left ? piece : left;
            if (bytes == 0)
                *first = at;
            else if (at % PAGE == 0)
                list[n++] = at;
        }
        end = at;
        if (bytes >= m->most)
            break;
    }
    return bytes < m->most ? bytes : m->most;
}

/* The next part of the request; false: it cannot be told. */
static bool give_part(struct block_device *d, unsigned k)
{
    struct nvme_memory *m = memory_of(d);
    struct nvme_slot *s = &m->slot[k];
    const struct block_request *r = &s->request;
    uint32_t scale = block_scale(d, r->unit), block = scale * BLOCK_SECTOR, bytes, pages;
    uint64_t *list = m->list[k], sector = (r->sector + s->done / BLOCK_SECTOR) / scale;
    struct nvme_command c = {.operation = r->operation == BLOCK_WRITE ? IO_WRITE : IO_READ,
                             .space = r->unit + 1};

    bytes = put_pages(m, s, list, &c.data[0]);
    bytes -= bytes % block;
    if (bytes == 0)
        return false;
    pages = ((uint32_t)(c.data[0] % PAGE) + bytes + PAGE - 1) / PAGE;
    if (pages > 1)
        c.data[1] = pages == 2 ? list[0] : physical_of(d, list);
    c.word[0] = (uint32_t)sector;
    c.word[1] = (uint32_t)(sector >> 32);
    c.word[2] =
        (bytes / block - 1) | (r->operation == BLOCK_WRITE && (r->flags & BLOCK_FUA) ? IO_FUA : 0);
    s->end = s->done + bytes;
    give(d, k, &c);
    return true;
}

static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    struct nvme_slot *s = &memory_of(d)->slot[k];

    s->given = 0;
    s->done = s->end = 0;
    s->total = r->operation == BLOCK_FLUSH ? 0 : r->sectors * BLOCK_SECTOR;
    memcpy(&s->request, r, offsetof(struct block_request, segment));
    memcpy(s->request.segment, r->segment, r->segments * sizeof r->segment[0]);
    if (r->operation == BLOCK_FLUSH)
        give(d, k, &(struct nvme_command){.operation = IO_FLUSH, .space = r->unit + 1});
    else if (!give_part(d, k))
        s->end = s->total + 1; /* finished() says so */
    return true;
}

/* ---- what is done ---- */

/* Of the command that has this id: true, the slot is finished with it. Safe to do twice. */
static bool take(struct block_device *d, uint16_t id, bool is_good)
{
    unsigned k = id % BLOCK_SLOTS;
    struct nvme_slot *s = &memory_of(d)->slot[k];

    if (!s->given || s->id != id)
        return false; /* it has been taken already; or the chip lies */
    s->done = s->end;
    s->given = 0;
    d->status[k] = is_good ? BLOCK_OK : BLOCK_ERROR;
    if (!is_good || s->done >= s->total)
        return true;
    d->status[k] = BLOCK_INVALID;
    return !give_part(d, k);
}

static uint32_t refused(struct block_device *d)
{
    uint32_t set = 0;

    for (unsigned k = 0; k < BLOCK_SLOTS; k++) {
        struct nvme_slot *s = &memory_of(d)->slot[k];

        if (s->end <= s->total)
            continue;
        s->end = 0;
        d->status[k] = BLOCK_INVALID;
        set |= 1u << k;
    }
    return set;
}

static uint32_t finished(struct block_device *d)
{
    struct nvme_memory *m = memory_of(d);
    uint32_t done = refused(d), before = m->taken;

    for (unsigned n = 0; n < ENTRIES && is_done(m->completion, m->taken, ENTRIES); n++) {
        const struct nvme_completion *c = &m->completion[m->taken % ENTRIES];

        dma_observe();
        if (take(d, c->id, !(c->status >> 1)))
            done |= 1u << c->id % BLOCK_SLOTS;
        __atomic_store_n(&m->taken, m->taken + 1, __ATOMIC_RELEASE);
    }
    if (m->taken != before)
        ring_taken(d, 1, m->taken % ENTRIES);
    return done;
}

/* ---- interrupts ---- */

/* By MSI-X there is no such mask; then the vector's own is the PCI server's. */
static void mask(struct block_device *d)
{
    if (!service_info()->device.has_msix)
        set(d, INTMS, ~0u);
}

static void unmask(struct block_device *d)
{
    if (!service_info()->device.has_msix)
        set(d, INTMC, ~0u);
}

/* ---- setting up ---- */

static void set_address(const struct block_device *d, enum nvme_register r, const void *at)
{
    set(d, r, (uint32_t)physical_of(d, at));
    set(d, r + 4, (uint32_t)(physical_of(d, at) >> 32));
}

static bool has_address(const struct block_device *d, enum nvme_register r, const void *at)
{
    return get(d, r) == (uint32_t)physical_of(d, at) &&
           get(d, r + 4) == (uint32_t)(physical_of(d, at) >> 32);
}

static int wait_ready(const struct block_device *d, uint32_t ready)
{
    uint64_t halves = 1 + (get(d, CAP) >> CAP_TIMEOUT_SHIFT);
    struct driver_wait wait = {.patience = halves * 500 * MS};

    while ((get(d, CSTS) & CSTS_READY) != ready)
        if (!driver_waits(&wait))
            return -EIO;
    return 0;
}

static unsigned admin_count; /* commands since the reset */

/* One after the other. 0 or -EIO. */
static int admin(struct block_device *d, struct nvme_command c)
{
    struct nvme_memory *m = memory_of(d);
    volatile struct nvme_completion *done = &m->admin_done[admin_count % ADMIN_ENTRIES];
    struct driver_wait wait = {.patience = ADMIN_PATIENCE};

    c.id = (uint16_t)admin_count;
    m->admin[admin_count % ADMIN_ENTRIES] = c;
    dma_publish();
    ring_submitted(d, 0, (admin_count + 1) % ADMIN_ENTRIES);
    while (!is_done(m->admin_done, admin_count, ADMIN_ENTRIES))
        if (!driver_waits(&wait))
            return -EIO;
    dma_observe();
    admin_count++;
    ring_taken(d, 0, admin_count % ADMIN_ENTRIES);
    return done->status >> 1 ? -EIO : 0;
}

static int identify(struct block_device *d, uint32_t what, uint32_t space)
{
    return admin(d, (struct nvme_command){.operation = ADMIN_IDENTIFY,
                                          .space = space,
                                          .data[0] = physical_of(d, memory_of(d)->identity),
                                          .word[0] = what});
}

static int make_queues(struct block_device *d)
{
    const struct nvme_memory *m = memory_of(d);
    const struct nvme_command commands[] = {
        {.operation = ADMIN_SET, .word = {FEATURE_QUEUES, 0}}, /* one of each */
        {.operation = ADMIN_CREATE_CQ,
         .data[0] = physical_of(d, m->completion),
         .word = {(ENTRIES - 1) << 16 | 1, QUEUE_CONTIGUOUS | QUEUE_INTERRUPTS}},
        {.operation = ADMIN_CREATE_SQ,
         .data[0] = physical_of(d, m->command),
         .word = {(ENTRIES - 1) << 16 | 1, 1 << 16 | QUEUE_CONTIGUOUS}},
    };
    int error = 0;

    for (unsigned n = 0; n < sizeof commands / sizeof *commands && error == 0; n++)
        error = admin(d, commands[n]);
    return error;
}

/* Filled up with spaces there. */
static void take_text(char *to, const uint8_t *from, unsigned length)
{
    memcpy(to, from, length);
    while (length && (to[length - 1] == ' ' || to[length - 1] == 0))
        length--;
    to[length] = 0;
}

static uint64_t number_at(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

/* One that it does not have, or of a format that is not supported, is no unit. */
static int show_space(struct block_device *d, unsigned n, struct block_unit u)
{
    const uint8_t *w = memory_of(d)->identity;
    uint32_t format, shift;
    int error = identify(d, IDENTIFY_NAMESPACE, n + 1);

    if (error)
        return error;
    format = (uint32_t)number_at(w + NAMESPACE_FORMATS + 4 * (w[NAMESPACE_FORMAT] & 15), 4);
    shift = format >> 16 & 0xff;
    u.sectors = number_at(w + NAMESPACE_BLOCKS, 8);
    if (u.sectors && ((format & 0xffff) || shift < 9 || shift > 12)) {
        log_info("namespace %u: its format (%#x) is not supported", n + 1, format);
        u.sectors = 0;
    }
    if (u.sectors == 0)
        u = (struct block_unit){0};
    else
        u.logical_size = u.physical_size = 1u << shift;
    u.sectors *= u.logical_size / BLOCK_SECTOR;
    block_unit_set(d, n, &u);
    return 0;
}

static int show_units(struct block_device *d)
{
    struct nvme_memory *m = memory_of(d);
    const uint8_t *w = m->identity;
    struct block_unit u = {.flags = BLOCK_UNIT_PRESENT};
    int error = identify(d, IDENTIFY_CONTROLLER, 0);
    uint64_t spaces;

    if (error)
        return error;
    take_text(u.serial, w + CONTROLLER_SERIAL, 20);
    take_text(u.model, w + CONTROLLER_MODEL, 40);
    if (w[CONTROLLER_CACHE] & 1)
        u.flags |= BLOCK_UNIT_WRITE_CACHE;
    m->most = BLOCK_TRANSFER_MAX;
    if (w[CONTROLLER_TRANSFER] && w[CONTROLLER_TRANSFER] < 8)
        m->most = (uint32_t)PAGE << w[CONTROLLER_TRANSFER];
    spaces = number_at(w + CONTROLLER_NAMESPACES, 4);
    for (unsigned n = 0; n < BLOCK_UNITS && error == 0; n++) {
        if (n < spaces)
            error = show_space(d, n, u);
        else
            block_unit_set(d, n, &(struct block_unit){0});
    }
    return error;
}

static void find_doorbells(const struct block_device *d)
{
    stride_shift = 2 + (get(d, CAP + 4) & CAP_HIGH_STRIDE);
}

/* A disk that is beyond the registers that are mapped is none for us. */
static bool is_for_us(const struct block_device *d)
{
    uint32_t high = get(d, CAP + 4);

    find_doorbells(d);
    return (high & CAP_HIGH_NVM) && !(high & CAP_HIGH_PAGE) &&
           (get(d, CAP) & CAP_ENTRIES) >= ENTRIES - 1 &&
           DOORBELLS + (4u << stride_shift) <= REGISTERS_SIZE;
}

static int reset(struct block_device *d)
{
    struct nvme_memory *m = memory_of(d);
    int error;

    if (!is_for_us(d))
        return -EOPNOTSUPP;
    m->whole = 0;
    set(d, CC, 0); /* afterwards it reaches no memory any more */
    error = wait_ready(d, 0);
    if (error)
        return error;
    memset(m, 0, sizeof *m);
    admin_count = 0;
    set(d, AQA, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
    set_address(d, ASQ, m->admin);
    set_address(d, ACQ, m->admin_done);
    set(d, CC, CC_VALUE);
    error = wait_ready(d, CSTS_READY);
    mask(d);
    if (error == 0)
        error = show_units(d);
    if (error == 0)
        error = make_queues(d);
    if (error == 0)
        queue_publish(&m->whole, WHOLE);
    return error;
}

static bool adopt(struct block_device *d)
{
    struct nvme_memory *m = memory_of(d);

    if (!is_for_us(d) || get(d, CC) != CC_VALUE || (get(d, CSTS) & CSTS_STATE) != CSTS_READY)
        return block_mismatch(d, "the device is not at work");
    if (queue_read(&m->whole) != WHOLE || !has_address(d, ASQ, m->admin) ||
        !has_address(d, ACQ, m->admin_done) || m->most < PAGE || m->most > BLOCK_TRANSFER_MAX)
        return block_mismatch(d, "its queues are not where ours are");
    mask(d);
    for (unsigned k = 0; k < BLOCK_SLOTS; k++) {
        struct nvme_slot *s = &m->slot[k];

        if (s->given == 1 + m->tail)
            s->given = 0; /* our predecessor died before the chip could see it */
        s->end = s->given ? s->end : 0;
        if (s->given && (s->end > s->total || s->request.unit >= BLOCK_UNITS ||
                         s->request.segments > BLOCK_SEGMENTS))
            return block_mismatch(d, "a command is under way that nobody has ordered");
        if (s->given)
            d->issued |= 1u << k;
    }
    ring_submitted(d, 1, m->tail % ENTRIES);
    ring_taken(d, 1, m->taken % ENTRIES);
    return true;
}

const struct block_driver nvme_driver = {
    .name = "nvme",
    .kind = "nvme",
    .registers_size = REGISTERS_SIZE,
    .adopt = adopt,
    .reset = reset,
    .mask = mask,
    .unmask = unmask,
    .issue = issue,
    .finished = finished,
};
