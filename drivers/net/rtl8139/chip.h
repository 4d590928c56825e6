/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Realtek RTL8139 Fast Ethernet in its classic mode (no C+ descriptors): the registers that the
 * driver uses. Names as in the RTL8139D(L) data sheet, sections 5 and 6.
 */
#ifndef RTL8139_CHIP_H
#define RTL8139_CHIP_H

#include <stdint.h>

#include "lib/driver/netdriver.h"

enum rtl8139_register {
    IDR0 = 0x00, /* station address, 6 bytes */
    MAR0 = 0x08, /* multicast filter, 2 words */
    TSD0 = 0x10, /* transmit status and command, 4 words. A write with OWN clear sends */
    TSAD0 = 0x20, /* transmit address, 4 words */
    RBSTART = 0x30, /* receive ring's address */
    CR = 0x37, /* command, 8 bits */
    /* receive ring: where we read, less 16; 16 bits. In QEMU writing it delivers what has waited */
    CAPR = 0x38,
    CBR = 0x3a, /* receive ring: where the chip writes; 16 bits */
    IMR = 0x3c, /* interrupt mask, 16 bits */
    ISR = 0x3e, /* interrupt status, 16 bits; ones written clear */
    TCR = 0x40, /* transmit configuration */
    RCR = 0x44, /* receive configuration. In QEMU writing it sets the ring's pointers to 0 */
    MSR = 0x58, /* media status, 8 bits */
    TSAD = 0x60, /* the states of all four transmit descriptors, 16 bits */
    CPCR = 0xe0, /* C+ command, 16 bits. RST leaves C+ off; in QEMU any write turns it on */
    REGISTERS_SIZE = 0x100,
};

enum {
    CR_RST = 1 << 4,
    CR_RE = 1 << 3, /* receiver on. Off, QEMU drops frames that could have waited */
    CR_TE = 1 << 2,
    TSD_SIZE = 0x1fff,
    TSD_OWN = 1 << 13, /* the chip is done with it */
    /* the early-transmit threshold, 1..63 times 32 bytes: see chip.c for what else it says */
    TSD_TAG_SHIFT = 16,
    TSD_TAG_MASK = 0x3f,
    TSAD_OWN = 1 << 0, /* shifted by the descriptor's number */
    TSAD_TABT = 1 << 4,
    TSAD_TUN = 1 << 8,
    TSAD_TOK = 1 << 12,
    TCR_VALUE = 3 << 24 | 7 << 8, /* normal inter-frame gap; DMA bursts of 2 kB */
    TCR_MASK = 3 << 24 | 3 << 17 | 7 << 8,
    TCR_CLRABT = 1 << 0, /* try an aborted frame again */
    RCR_APM = 1 << 1, /* accept frames to us */
    RCR_AB = 1 << 3, /* accept broadcasts */
    RCR_VALUE = 7 << 13 | 3 << 11 | 7 << 8 | RCR_AB |
                RCR_APM, /* no FIFO threshold; 64-kB ring; unlimited DMA bursts */
    RCR_MASK = 0xffbf, /* without the bits that the chip keeps to itself */
    MSR_LINKB = 1 << 2, /* link is *down* */
    CPCR_MODE = 3, /* C+ receive and transmit on */
    CAUSE_ROK = 1 << 0,
    CAUSE_RER = 1 << 1,
    CAUSE_TOK = 1 << 2,
    CAUSE_TER = 1 << 3,
    CAUSE_LINK = 1 << 5,
    /* (The overflow of the ring, bit 4, must stay masked: QEMU would drop what can wait.) */
    CAUSE_FOVW = 1 << 6,
    CAUSES_ALL = 0xe07f,
};

/* A frame in the receive ring: this header, the frame, its FCS; the next begins at a multiple of 4.
 * It wraps at the ring's end. */
enum {
    HEADER_ROK = 1 << 0,
    HEADER_BYTES = 4,
    FCS_BYTES = 4,
    HEADER_UNFINISHED = 0xfff0, /* length while the chip is still writing */
    FRAME_MIN = 60, /* without FCS */
    FRAME_MAX = 1518, /* with a VLAN tag */
};

#define TRANSMIT_DESCRIPTORS 4u
#define RECEIVE_RING_BYTES 0x10000u

/* What the driver keeps in the chip area, beside the queue's positions. */
struct rtl8139_area {
    /* some slack: frames may be written beyond its end on other chips of the family */
    uint8_t ring[RECEIVE_RING_BYTES + 2048];
    uint8_t padded[TRANSMIT_DESCRIPTORS][64]; /* short frames, padded with zeros */
    uint32_t magic; /* AREA_MAGIC once a reset was finished */
    uint32_t transmit_base; /* entry that was sent with descriptor 0 first */
    uint16_t
        position[NET_RING_SIZE]; /* [k]: the ring's reading position after the frame of entry k */
};
#define AREA_MAGIC 0x38313339u
_Static_assert(sizeof(struct rtl8139_area) <= QUEUE_CHIP_SIZE, "fits the chip area");

extern const struct net_driver rtl8139_driver;

#endif
