/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel Gigabit Ethernet, what the 82540EM and the 82574L have in common: the registers and
 * descriptors that the drivers use, and the chip's half of these. Names as in Intel's "PCI/PCI-X
 * Family of Gigabit Ethernet Controllers Software Developer's Manual" (317453), sections 3 and 13,
 * and "82574 GbE Controller Family Datasheet" (317694), sections 7 and 10.
 */
#ifndef E1000_E1000_H
#define E1000_E1000_H

#include <stdint.h>

#include "lib/driver/netdriver.h"

enum e1000_register {
    CTRL = 0x0000, /* device control */
    STATUS = 0x0008, /* device status */
    EERD = 0x0014, /* EEPROM read: EERD_START and an address; then done, and the data */
    ICR = 0x00c0, /* interrupt cause; reading clears */
    ITR = 0x00c4, /* interrupt throttling; 0: none */
    IMS = 0x00d0, /* interrupt mask: set */
    IMC = 0x00d8, /* interrupt mask: clear */
    RCTL = 0x0100, /* receive control. In QEMU every write stops receiving for one second */
    TCTL = 0x0400, /* transmit control */
    TIPG = 0x0410, /* inter-packet gap */
    RDBAL = 0x2800, /* receive descriptors: address, low half */
    RDBAH = 0x2804, /* high half */
    RDLEN = 0x2808, /* bytes */
    RDH = 0x2810, /* head: the chip's next */
    RDT = 0x2818, /* tail: one beyond the last that the chip has; equal to RDH: it has none */
    RDTR = 0x2820, /* receive interrupt delay */
    TDBAL = 0x3800, /* transmit descriptors, likewise */
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    MTA = 0x5200, /* multicast table, 128 words */
    RAL0 = 0x5400, /* station address, bytes 0..3 */
    RAH0 = 0x5404, /* bytes 4..5, and RAH_AV */
    REGISTERS_SIZE = 0x20000,
};

enum {
    CTRL_ASDE = 1 << 5, /* automatic speed detection */
    CTRL_SLU = 1 << 6, /* set link up */
    CTRL_RST = 1 << 26, /* reset; clears itself. QEMU ignores it */
    STATUS_LU = 1 << 1, /* link is up */
    RCTL_EN = 1 << 1,
    RCTL_BAM = 1 << 15, /* accept broadcasts */
    RCTL_SECRC = 1 << 26, /* strip the FCS. (Buffer size 2048 is all zeros.) */
    TCTL_EN = 1 << 1,
    TCTL_PSP = 1 << 3, /* pad short packets */
    TCTL_CT = 15 << 4, /* collision threshold */
    TCTL_COLD = 64 << 12, /* collision distance, full duplex */
    TIPG_COPPER = 10 | 8 << 10 | 6 << 20,
    CAUSE_TXDW = 1 << 0, /* a descriptor was written back */
    CAUSE_LSC = 1 << 2, /* link status change */
    CAUSE_RXDMT0 = 1 << 4, /* few receive descriptors left */
    CAUSE_RXO = 1 << 6, /* receive overrun */
    CAUSE_RXT0 = 1 << 7, /* received */
};
#define RAH_AV (1u << 31) /* address valid */
#define EERD_START 1u
#define EERD_DATA_SHIFT 16

/* What a reset has to know of its chip. */
struct e1000_kind {
    /* what it needs between its reset and the set-up of its rings; NULL: nothing */
    void (*prepare)(struct net_device *d);
    /* the fields of EERD that differ: 13.4.4 of the manual, 10.2.1.4 of the data sheet */
    uint32_t eeprom_done; /* bit */
    unsigned eeprom_shift; /* of the address */
};

struct receive_descriptor {
    uint64_t address;
    uint16_t length, checksum;
    uint8_t status, errors; /* RXD_* */
    uint16_t special;
};
struct transmit_descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command; /* TXD_COMMAND */
    uint8_t status, checksum_start; /* status: TXD_DD */
    uint16_t special;
};
enum {
    RXD_DD = 1, /* done */
    RXD_EOP = 2, /* end of packet */
    RXD_ERRORS = 0x97, /* CRC, symbol, sequence, carrier extension, data */
    TXD_COMMAND = 1 | 2 | 8, /* EOP, insert FCS, report status */
    TXD_DD = 1,
};

#define RING_SIZE                                                                                  \
    NET_RING_SIZE /* descriptors in each ring: descriptor k modulo RING_SIZE is entry k's */
#define RING_BYTES (RING_SIZE * 16u)
#define RING_LENT_MAX (RING_SIZE - 1) /* head == tail means empty */
#define RECEIVE_RING 0u /* offsets in the chip area */
#define TRANSMIT_RING RING_BYTES
/* where descriptors without an entry point during a reset */
#define SPARE_BUFFER (2 * RING_BYTES)
#define RECEIVE_ROOM 1522u /* the most that the chip writes with long packets off */

_Static_assert(sizeof(struct receive_descriptor) == 16 && sizeof(struct transmit_descriptor) == 16,
               "as the chip has them");
_Static_assert(SPARE_BUFFER + NET_BUFFER_SIZE <= QUEUE_CHIP_SIZE, "fits the chip area");

/* ---- verbs of a driver ---- */

bool e1000_adopt(struct net_device *d);
int e1000_reset_as(struct net_device *d, const struct e1000_kind *kind);
bool e1000_identify(struct net_device *d, uint8_t mac[6]);
void e1000_mask(struct net_device *d);
bool e1000_unmask(struct net_device *d);
bool e1000_acknowledge(struct net_device *d);
uint32_t e1000_receive(struct net_device *d);
uint32_t e1000_lend(struct net_device *d, uint32_t first, uint32_t end);
uint32_t e1000_transmit(struct net_device *d, uint32_t first, uint32_t end);
uint32_t e1000_transmitted(struct net_device *d);

/* All but its name and its reset. */
#define E1000_VERBS                                                                                \
    .registers_size = REGISTERS_SIZE, .adopt = e1000_adopt, .identify = e1000_identify,            \
    .mask = e1000_mask, .unmask = e1000_unmask, .acknowledge = e1000_acknowledge,                  \
    .receive = e1000_receive, .lend = e1000_lend, .transmit = e1000_transmit,                      \
    .transmitted = e1000_transmitted

#endif
