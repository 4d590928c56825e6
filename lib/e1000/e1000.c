/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the drivers of Intel's gigabit chips (verbs: lib/driver/netdriver.h).
 *
 * The chip's rings lie in the queue's chip area and survive us. Descriptor k modulo 256 belongs to
 * entry k, so RDH, RDT, TDH and TDT are the low eight bits of positions, and adopt() needs nothing
 * else. The facts that shape reset() are QEMU's: RST does nothing, writing RCTL stops receiving for
 * a second, a tail write delivers what has waited. On a real card the same sequence is an ordinary
 * initialisation after RST.
 */
#include "lib/e1000/e1000.h"

#include <errno.h>

#define RCTL_VALUE (RCTL_EN | RCTL_BAM | RCTL_SECRC)
#define TCTL_VALUE (TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD)
#define CAUSES (CAUSE_LSC | CAUSE_RXDMT0 | CAUSE_RXO | CAUSE_RXT0)
#define MS 1000000ull
#define RESET_PATIENCE (10 * MS) /* some us by the manual */
#define EEPROM_PATIENCE (10 * MS) /* for a word, which takes some 50 us */
#define SETTLE_TRIES 8

static inline uint32_t get(struct net_device *d, enum e1000_register r)
{
    return mmio_read32(d->registers, r);
}
static inline void set(struct net_device *d, enum e1000_register r, uint32_t value)
{
    mmio_write32(d->registers, r, value);
}

static inline volatile struct receive_descriptor *receive_at(struct net_device *d, uint32_t k)
{
    return (struct receive_descriptor *)(d->chip + RECEIVE_RING) + k % RING_SIZE;
}
static inline volatile struct transmit_descriptor *transmit_at(struct net_device *d, uint32_t k)
{
    return (struct transmit_descriptor *)(d->chip + TRANSMIT_RING) + k % RING_SIZE;
}

static uint64_t receive_address(struct net_device *d, uint32_t k)
{
    uint32_t size;

    return d->physical + net_buffer(d, net_receive_entry(d, k), RECEIVE_ROOM, UINT32_MAX, &size);
}
static uint64_t transmit_address(struct net_device *d, uint32_t k, uint32_t *size)
{
    return d->physical + net_buffer(d, net_transmit_entry(d, k), 1, NET_FRAME_MAX, size);
}

/* ---- adopt ---- */

static bool configured(struct net_device *d)
{
    static const struct {
        enum e1000_register r;
        uint32_t value;
    } fixed[] = {
        {RCTL, RCTL_VALUE}, {TCTL, TCTL_VALUE},  {RDBAH, 0}, {RDLEN, RING_BYTES},
        {TDBAH, 0},         {TDLEN, RING_BYTES}, {RDTR, 0},  {ITR, 0},
    };

    for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (get(d, fixed[i].r) != fixed[i].value)
            return false;
    return get(d, RDBAL) == d->chip_physical + RECEIVE_RING &&
           get(d, TDBAL) == d->chip_physical + TRANSMIT_RING && (get(d, RAH0) & RAH_AV);
}

/*
 * Descriptors completed..RDH-1 are done, RDH..RDT-1 wait, all with their entry's buffer. The chip
 * may go on meanwhile: a mark beyond the RDH of before is good when it is below the RDH of after.
 */
static bool adopt_receive(struct net_device *d)
{
    uint32_t first = d->receive.completed, head, tail, marked = 0;

    head = (get(d, RDH) - first) % RING_SIZE;
    tail = (get(d, RDT) - first) % RING_SIZE;
    if (head > tail || tail > d->receive.posted - first)
        return net_mismatch(d, "receive positions");
    dma_observe();
    for (uint32_t i = 0; i < tail; i++) {
        volatile struct receive_descriptor *r = receive_at(d, first + i);
        bool done = r->status & RXD_DD;

        if (r->address != receive_address(d, first + i))
            return net_mismatch(d, "receive buffer");
        if (i < head && !done)
            return net_mismatch(d, "receive mark");
        if (done)
            marked = i + 1;
    }
    if (marked > (get(d, RDH) - first) % RING_SIZE)
        return net_mismatch(d, "stale receive mark");
    d->receive.lent = first + tail;
    return true;
}

static bool adopt_transmit(struct net_device *d)
{
    uint32_t first = d->transmit.completed, head, tail, size;

    head = (get(d, TDH) - first) % RING_SIZE;
    tail = (get(d, TDT) - first) % RING_SIZE;
    if (head > tail || tail > d->transmit.posted - first)
        return net_mismatch(d, "transmit positions");
    for (uint32_t i = 0; i < tail; i++) {
        volatile struct transmit_descriptor *t = transmit_at(d, first + i);

        if (t->address != transmit_address(d, first + i, &size) || t->length != size ||
            t->command != TXD_COMMAND)
            return net_mismatch(d, "transmit descriptor");
        if (i < head && !(t->status & TXD_DD))
            return net_mismatch(d, "transmit mark");
    }
    d->transmit.lent = first + tail;
    return true;
}

bool e1000_adopt(struct net_device *d)
{
    set(d, IMC, ~0u);
    if (!configured(d))
        return net_mismatch(d, "not configured");
    return adopt_receive(d) && adopt_transmit(d);
}

/* ---- reset ---- */

/*
 * An empty receive ring at `completed`. RST may have left the receiver on (QEMU), so: head := tail
 * stops it; every descriptor gets a harmless buffer before the ring can be looked at again; and
 * when a frame slips in between the last two writes, once more.
 */
static int reset_receive(struct net_device *d)
{
    uint32_t start = d->receive.completed % RING_SIZE;

    for (int try = 0; try < SETTLE_TRIES; try++) {
        set(d, RDH, get(d, RDT));
        for (uint32_t i = 0; i < RING_SIZE; i++)
            *receive_at(d, i) =
                (struct receive_descriptor){.address = d->chip_physical + SPARE_BUFFER};
        dma_publish();
        set(d, RDBAL, d->chip_physical + RECEIVE_RING);
        set(d, RDBAH, 0);
        set(d, RDLEN, RING_BYTES);
        set(d, RDTR, 0);
        set(d, RDH, start);
        set(d, RDT, start);
        if (get(d, RDH) == start)
            return 0;
    }
    return -EIO;
}

static void reset_transmit(struct net_device *d)
{
    uint32_t start = d->transmit.completed % RING_SIZE;

    set(d, TCTL, 0);
    set(d, TDBAL, d->chip_physical + TRANSMIT_RING);
    set(d, TDBAH, 0);
    set(d, TDLEN, RING_BYTES);
    set(d, TDH, start);
    set(d, TDT, start);
    set(d, TIPG, TIPG_COPPER);
}

static int eeprom_read(struct net_device *d, const struct e1000_kind *kind, uint32_t address)
{
    struct driver_wait wait = {.patience = EEPROM_PATIENCE};
    uint32_t value;

    set(d, EERD, address << kind->eeprom_shift | EERD_START);
    do {
        value = get(d, EERD);
        if (value & kind->eeprom_done)
            return value >> EERD_DATA_SHIFT;
    } while (driver_waits(&wait));
    return -EIO;
}

/* The chip takes it from its EEPROM when it is reset; QEMU's keeps what was written into it instead,
 * by whoever drove it. Without an EEPROM it is as good as it is. */
static void set_address(struct net_device *d, const struct e1000_kind *kind)
{
    int word[3];

    for (uint32_t i = 0; i < 3; i++) {
        word[i] = eeprom_read(d, kind, i);
        if (word[i] < 0)
            return;
    }
    if ((word[0] & 1) || (word[0] | word[1] | word[2]) == 0) /* a group's, or none */
        return;
    set(d, RAL0, (uint32_t)word[0] | (uint32_t)word[1] << 16);
    set(d, RAH0, (uint32_t)word[2] | RAH_AV);
}

int e1000_reset_as(struct net_device *d, const struct e1000_kind *kind)
{
    struct driver_wait wait = {.patience = RESET_PATIENCE};
    int status;

    set(d, IMC, ~0u);
    set(d, CTRL, get(d, CTRL) | CTRL_RST);
    while (get(d, CTRL) & CTRL_RST)
        if (!driver_waits(&wait))
            return -EIO;
    set(d, IMC, ~0u);
    set(d, ITR, 0);
    if (kind->prepare)
        kind->prepare(d);
    reset_transmit(d);
    status = reset_receive(d);
    if (status < 0)
        return status;
    set_address(d, kind);
    if (!(get(d, RAH0) & RAH_AV))
        return -EADDRNOTAVAIL;
    for (uint32_t i = 0; i < 128; i++)
        mmio_write32(d->registers, MTA + 4 * i, 0);
    set(d, CTRL, get(d, CTRL) | CTRL_SLU | CTRL_ASDE);
    if (get(d, RCTL) != RCTL_VALUE)
        set(d, RCTL, RCTL_VALUE);
    get(d, ICR);
    set(d, TCTL, TCTL_VALUE); /* last: without it adopt() takes this for an unfinished reset */
    return 0;
}

bool e1000_identify(struct net_device *d, uint8_t mac[6])
{
    uint32_t low = get(d, RAL0), high = get(d, RAH0);

    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    return get(d, STATUS) & STATUS_LU;
}

/* ---- interrupts ---- */

void e1000_mask(struct net_device *d)
{
    set(d, IMC, ~0u);
}

bool e1000_unmask(struct net_device *d)
{
    bool sending = d->transmit.lent != d->transmit.completed; /* never in QEMU: sent by then */

    set(d, IMS, CAUSES | (sending ? CAUSE_TXDW : 0));
    return true;
}

bool e1000_acknowledge(struct net_device *d)
{
    return get(d, ICR) & CAUSE_LSC;
}

/* ---- frames ---- */

uint32_t e1000_receive(struct net_device *d)
{
    uint32_t k = d->receive.completed;

    for (; k != d->receive.lent; k++) {
        volatile struct receive_descriptor *r = receive_at(d, k);
        struct net_entry *entry = net_receive_entry(d, k);
        uint8_t status = r->status;
        bool good;

        if (!(status & RXD_DD))
            break;
        dma_observe(); /* the mark, then what it covers */
        good = (status & RXD_EOP) && !(r->errors & RXD_ERRORS) && r->length <= RECEIVE_ROOM;
        entry->length = good ? r->length : 0;
        entry->status = good ? NET_FRAME_OK : NET_FRAME_BAD;
        d->queue->header.errors += !good;
    }
    return k - d->receive.completed;
}

uint32_t e1000_lend(struct net_device *d, uint32_t first, uint32_t end)
{
    uint32_t k;

    if (end - d->receive.completed > RING_LENT_MAX)
        end = d->receive.completed + RING_LENT_MAX;
    for (k = first; k != end; k++)
        *receive_at(d, k) = (struct receive_descriptor){.address = receive_address(d, k)};
    if (first != end) {
        dma_publish(); /* descriptors before the tail */
        set(d, RDT, end % RING_SIZE);
    }
    return end - first;
}

uint32_t e1000_transmit(struct net_device *d, uint32_t first, uint32_t end)
{
    uint32_t k, size;

    if (end - d->transmit.completed > RING_LENT_MAX)
        end = d->transmit.completed + RING_LENT_MAX;
    for (k = first; k != end; k++) {
        uint64_t address = transmit_address(d, k, &size);

        *transmit_at(d, k) = (struct transmit_descriptor){
            .address = address, .length = (uint16_t)size, .command = TXD_COMMAND};
    }
    if (first != end) {
        dma_publish(); /* descriptors before the tail */
        set(d, TDT, end % RING_SIZE);
    }
    return end - first;
}

uint32_t e1000_transmitted(struct net_device *d)
{
    uint32_t k = d->transmit.completed;

    for (; k != d->transmit.lent; k++) {
        struct net_entry *entry = net_transmit_entry(d, k);

        if (!(transmit_at(d, k)->status & TXD_DD))
            break;
        entry->length = 0;
        entry->status = NET_FRAME_OK;
    }
    return k - d->transmit.completed;
}
