/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the rtl8139 driver (verbs: lib/driver/netdriver.h).
 *
 * Receiving. The chip writes frames one after the other into a 64-kB ring; we copy each into the
 * buffer of the next entry. Where we read is noted beside the ring for each entry, before
 * `completed` covers it, and told to the chip (CAPR) after that. So whenever we die,
 * position[completed - 1] is where the next frame begins: none is lost and none comes twice.
 *
 * Sending. Four descriptors, used strictly in turn, and the chip does not say which is next: it is
 * (k - transmit_base) modulo 4 for entry k. Whether k was handed over is in the descriptor's status
 * register itself: the early-transmit threshold (any value will do) is a tag that differs from that
 * of k - 4, and is written by the same store that starts the transmission.
 */
#include "drivers/net/rtl8139/chip.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/log.h"

#define RESET_PATIENCE 10000000ull /* ns, of RST */
#define CAUSES (CAUSE_ROK | CAUSE_RER | CAUSE_LINK | CAUSE_FOVW)

static uint16_t reading; /* next frame's header in the ring; derived by adopt() and reset() */
static uint16_t told; /* as CAPR has it */

static struct rtl8139_area *area(const struct net_device *d)
{
    return (struct rtl8139_area *)d->chip;
}

/* Ring positions are 16 bits and so wrap by themselves. */
static uint16_t next_position(uint16_t position, uint32_t length)
{
    return (uint16_t)(position + ((HEADER_BYTES + length + 3) & ~3u));
}

/* Length, with FCS, of the frame at `position` of which `available` bytes are there; 0: it is not
 * there in full, or is not a frame. */
static uint32_t frame_length(const struct net_device *d, uint16_t position, uint32_t available,
                             bool *garbage)
{
    uint32_t header = *(volatile uint32_t *)(area(d)->ring + position), length = header >> 16;

    *garbage = false;
    if (length == HEADER_UNFINISHED)
        return 0;
    *garbage = !(header & HEADER_ROK) || length < FRAME_MIN + FCS_BYTES ||
               length > FRAME_MAX + FCS_BYTES || ((HEADER_BYTES + length + 3) & ~3u) > available;
    return *garbage ? 0 : length;
}

static void tell_position(struct net_device *d)
{
    told = reading;
    mmio_write16(d->registers, CAPR, (uint16_t)(told - 16));
}

static uint32_t descriptor_of(const struct net_device *d, uint32_t k)
{
    return (k - area(d)->transmit_base) % TRANSMIT_DESCRIPTORS;
}

static uint32_t tag_of(const struct net_device *d, uint32_t k)
{
    return 1 + (k - area(d)->transmit_base) / TRANSMIT_DESCRIPTORS % 32;
}

/* ---- adopt ---- */

static bool configured(struct net_device *d)
{
    volatile void *r = d->registers;

    return area(d)->magic == AREA_MAGIC &&
           (mmio_read8(r, CR) & (CR_RE | CR_TE | CR_RST)) == (CR_RE | CR_TE) &&
           !(mmio_read16(r, CPCR) & CPCR_MODE) && mmio_read32(r, RBSTART) == d->chip_physical &&
           (mmio_read32(r, RCR) & RCR_MASK) == RCR_VALUE &&
           (mmio_read32(r, TCR) & TCR_MASK) == TCR_VALUE;
}

/* From where the last completed frame ends there must be frame after frame, up to where the chip
 * writes. */
static bool adopt_receive(struct net_device *d)
{
    uint16_t position = area(d)->position[(d->receive.completed - 1) % NET_RING_SIZE], end;
    bool garbage;

    told = (uint16_t)(mmio_read16(d->registers, CAPR) + 16);
    end = mmio_read16(d->registers, CBR);
    dma_observe();
    if (position % 4 != 0 || (uint16_t)(position - told) > (uint16_t)(end - told))
        return net_mismatch(d, "receive position");
    reading = position;
    while (position != end) {
        uint32_t length = frame_length(d, position, (uint16_t)(end - position), &garbage);

        if (length == 0)
            return net_mismatch(d, "receive ring");
        position = next_position(position, length);
    }
    d->receive.lent = d->receive.completed; /* nothing is ever lent: we copy */
    return true;
}

/* A descriptor has the tag of the entry whose turn it is, or of the one before, or (after a reset)
 * none. */
static bool adopt_transmit(struct net_device *d)
{
    uint32_t first = d->transmit.completed;

    d->transmit.lent = first;
    for (uint32_t k = first; k != first + TRANSMIT_DESCRIPTORS; k++) {
        uint32_t status = mmio_read32(d->registers, TSD0 + 4 * descriptor_of(d, k));
        uint32_t tag = status >> TSD_TAG_SHIFT & TSD_TAG_MASK;

        if (tag == tag_of(d, k)) {
            if (k - first >= d->transmit.posted - first || d->transmit.lent != k)
                return net_mismatch(d, "transmit position");
            d->transmit.lent = k + 1;
        } else if ((tag != 0 && tag != tag_of(d, k - TRANSMIT_DESCRIPTORS)) ||
                   !(status & TSD_OWN)) {
            return net_mismatch(d, "transmit descriptor");
        }
    }
    return true;
}

static bool rtl8139_adopt(struct net_device *d)
{
    mmio_write16(d->registers, IMR, 0);
    if (!configured(d))
        return net_mismatch(d, "not configured");
    return adopt_receive(d) && adopt_transmit(d);
}

/* ---- reset ---- */

static int rtl8139_reset(struct net_device *d)
{
    volatile void *r = d->registers;
    struct driver_wait wait = {.patience = RESET_PATIENCE};

    *(volatile uint32_t *)&area(d)->magic = 0;
    area(d)->transmit_base = d->transmit.completed;
    area(d)->position[(d->receive.completed - 1) % NET_RING_SIZE] = 0;
    reading = 0;
    mmio_write16(r, IMR, 0);
    mmio_write8(r, CR, CR_RST);
    while (mmio_read8(r, CR) & CR_RST)
        if (!driver_waits(&wait))
            return -EIO;
    mmio_write32(r, RBSTART, d->chip_physical);
    mmio_write8(r, CR,
                CR_RE | CR_TE); /* before the configuration: without it the chip takes none */
    mmio_write32(r, RCR, RCR_VALUE);
    mmio_write32(r, TCR, TCR_VALUE);
    mmio_write32(r, MAR0, 0);
    mmio_write32(r, MAR0 + 4, 0);
    tell_position(d);
    mmio_write16(r, ISR, CAUSES_ALL);
    dma_publish(); /* positions before the word that vouches for them */
    *(volatile uint32_t *)&area(d)->magic = AREA_MAGIC;
    return 0;
}

static bool rtl8139_identify(struct net_device *d, uint8_t mac[6])
{
    for (uint32_t i = 0; i < 6; i++)
        mac[i] = mmio_read8(d->registers, IDR0 + i);
    return !(mmio_read8(d->registers, MSR) & MSR_LINKB);
}

/* ---- interrupts ---- */

static void rtl8139_mask(struct net_device *d)
{
    mmio_write16(d->registers, IMR, 0);
}

static bool rtl8139_unmask(struct net_device *d)
{
    bool sending =
        d->transmit.lent != d->transmit.completed; /* never in QEMU, which sends in the TSD write */

    mmio_write16(d->registers, IMR, CAUSES | (sending ? CAUSE_TOK | CAUSE_TER : 0));
    return true;
}

static bool rtl8139_acknowledge(struct net_device *d)
{
    uint16_t causes = mmio_read16(d->registers, ISR);

    if (causes != 0)
        mmio_write16(d->registers, ISR, causes);
    return causes & CAUSE_LINK;
}

/* ---- frames ---- */

/* The emulated processor copies fastest with general registers, eight at a time. */
static void copy_words(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    typedef uint64_t __attribute__((aligned(1), may_alias)) word;

    for (; bytes >= 64; bytes -= 64, to += 64, from += 64) {
        const word *f = (const word *)from;
        word *t = (word *)to;
        uint64_t a = f[0], b = f[1], c = f[2], e = f[3];

        t[0] = a, t[1] = b, t[2] = c, t[3] = e;
        a = f[4], b = f[5], c = f[6], e = f[7];
        t[4] = a, t[5] = b, t[6] = c, t[7] = e;
    }
    for (; bytes >= 8; bytes -= 8, to += 8, from += 8)
        *(word *)to = *(const word *)from;
    while (bytes-- != 0)
        *to++ = *from++;
}

/* `bytes` of the frame behind the header at `position`, which may wrap. */
static void copy_frame(const struct net_device *d, uint8_t *to, uint16_t position, uint32_t bytes)
{
    uint16_t begin = (uint16_t)(position + HEADER_BYTES);
    uint32_t straight = RECEIVE_RING_BYTES - begin;

    if (straight > bytes)
        straight = bytes;
    copy_words(to, area(d)->ring + begin, straight);
    copy_words(to + straight, area(d)->ring, bytes - straight);
}

static void receive_frame(struct net_device *d, uint32_t k, uint32_t length)
{
    struct net_entry *entry = net_receive_entry(d, k);
    uint32_t size, offset = net_buffer(d, entry, FRAME_MIN, UINT32_MAX, &size);
    bool fits = length <= size;

    if (fits)
        copy_frame(d, (uint8_t *)d->queue + offset, reading, length);
    entry->length = fits ? length : 0;
    entry->status = fits ? NET_FRAME_OK : NET_FRAME_BAD;
    d->queue->header.errors += !fits;
}

static uint32_t rtl8139_receive(struct net_device *d)
{
    uint32_t k = d->receive.completed;
    uint16_t end;
    bool garbage = false;

    if (told != reading)
        tell_position(
            d); /* of the frames that have been published since; more may come in at once */
    if (k == d->receive.lent)
        return 0;
    end = mmio_read16(d->registers, CBR);
    dma_observe(); /* the position, then what it covers */
    for (; k != d->receive.lent && reading != end; k++) {
        uint32_t length = frame_length(d, reading, (uint16_t)(end - reading), &garbage);

        if (length == 0)
            break;
        receive_frame(d, k, length - FCS_BYTES);
        reading = next_position(reading, length);
        area(d)->position[k % NET_RING_SIZE] = reading;
    }
    if (garbage && k == d->receive.completed)
        panic("garbage in the receive ring at %#x", reading); /* the next one will not adopt it */
    return k - d->receive.completed;
}

/* Buffers are filled by us: nothing to tell the chip. */
static uint32_t rtl8139_lend(struct net_device *d, uint32_t first, uint32_t end)
{
    (void)d;
    return end - first;
}

static uint32_t rtl8139_transmit(struct net_device *d, uint32_t first, uint32_t end)
{
    uint32_t k;

    if (end - d->transmit.completed > TRANSMIT_DESCRIPTORS)
        end = d->transmit.completed + TRANSMIT_DESCRIPTORS;
    for (k = first; k != end; k++) {
        uint32_t size, descriptor = descriptor_of(d, k);
        uint32_t offset = net_buffer(d, net_transmit_entry(d, k), 1, NET_FRAME_MAX, &size);
        uint32_t address = d->physical + offset;

        if (size < FRAME_MIN) {
            uint8_t *padded = area(d)->padded[descriptor];

            memset(padded, 0, FRAME_MIN);
            copy_words(padded, (uint8_t *)d->queue + offset, size);
            address = d->chip_physical + (uint32_t)(padded - d->chip);
            size = FRAME_MIN;
        }
        dma_publish(); /* the frame before the command */
        mmio_write32(d->registers, TSAD0 + 4 * descriptor, address);
        mmio_write32(d->registers, TSD0 + 4 * descriptor, size | tag_of(d, k) << TSD_TAG_SHIFT);
    }
    return end - first;
}

static uint32_t rtl8139_transmitted(struct net_device *d)
{
    uint32_t k = d->transmit.completed, states;

    if (k == d->transmit.lent)
        return 0;
    states = mmio_read16(d->registers, TSAD);
    for (; k != d->transmit.lent; k++) {
        uint32_t state = states >> descriptor_of(d, k);
        struct net_entry *entry = net_transmit_entry(d, k);

        if (state & TSAD_TABT)
            mmio_write32(d->registers, TCR, TCR_VALUE | TCR_CLRABT);
        if (!(state & (TSAD_TOK | TSAD_TUN)))
            break;
        entry->length = 0;
        entry->status = state & TSAD_TOK ? NET_FRAME_OK : NET_FRAME_BAD;
        d->queue->header.errors += !(state & TSAD_TOK);
    }
    return k - d->transmit.completed;
}

const struct net_driver rtl8139_driver = {
    .name = "rtl8139",
    .registers_size = REGISTERS_SIZE,
    .adopt = rtl8139_adopt,
    .reset = rtl8139_reset,
    .identify = rtl8139_identify,
    .mask = rtl8139_mask,
    .unmask = rtl8139_unmask,
    .acknowledge = rtl8139_acknowledge,
    .receive = rtl8139_receive,
    .lend = rtl8139_lend,
    .transmit = rtl8139_transmit,
    .transmitted = rtl8139_transmitted,
};
