/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AHCI: registers and tables in memory. Source: Serial ATA AHCI 1.3.1 (Intel); frames: Serial ATA
 * 3.1.
 */
#ifndef BLOCK_AHCI_CHIP_H
#define BLOCK_AHCI_CHIP_H

#include "lib/driver/ata.h"
#include "lib/driver/blockdriver.h"

extern const struct block_driver ahci_driver;

enum ahci_register {
    HOST_CAP = 0x00, /* capabilities */
    HOST_GHC = 0x04, /* global control */
    HOST_IS = 0x08, /* ports with an interrupt; write 1 to clear */
    HOST_PI = 0x0c, /* ports implemented */
    PORTS = 0x100, /* port n at PORTS + n * PORT_STRIDE */
    PORT_STRIDE = 0x80,
    PORT_CLB = 0x00, /* command list: physical address */
    PORT_CLBU = 0x04,
    PORT_FB = 0x08, /* received frames */
    PORT_FBU = 0x0c,
    PORT_IS = 0x10, /* interrupt causes; write 1 to clear */
    PORT_IE = 0x14,
    PORT_CMD = 0x18,
    PORT_TFD = 0x20, /* task file: status, error << 8 */
    PORT_SIG = 0x24,
    PORT_SSTS = 0x28, /* link */
    PORT_SCTL = 0x2c,
    PORT_SERR = 0x30, /* write 1 to clear */
    PORT_SACT = 0x34, /* queued commands under way; set before PORT_CI */
    PORT_CI = 0x38, /* commands given */
    REGISTERS_SIZE = 0x100 + BLOCK_UNITS * 0x80,
};

enum ahci_bit {
    CAP_SNCQ = 1u << 30, /* queued commands */
    CAP_SLOTS_SHIFT = 8, /* number of command slots - 1, 5 bits */
    GHC_HR = 1u << 0, /* reset; clear when done */
    GHC_IE = 1u << 1,
    CMD_ST = 1u << 0, /* works on commands */
    CMD_SUD = 1u << 1, /* spin up */
    CMD_POD = 1u << 2, /* power on */
    CMD_FRE = 1u << 4, /* receives frames */
    CMD_FR = 1u << 14, /* it does */
    CMD_CR = 1u << 15, /* it does */
    TFD_ERR = 1u << 0,
    TFD_DRQ = 1u << 3,
    TFD_DF = 1u << 5,
    TFD_BSY = 1u << 7,
    SSTS_DET = 0xf, /* 3: a device, and the link is up */
    IS_PCS = 1u << 6, /* a device has come */
    IS_PRCS = 1u << 22, /* the link has changed */
    IS_ERRORS = 0x7d000000u, /* task file, bus, interface, overflow */
    IE_WANTED = IS_ERRORS | IS_PRCS | IS_PCS | 0x0f, /* and every kind of completion */
    SIGNATURE_ATA = 0x00000101,
};
#define GHC_AE (1u << 31)

struct ahci_header { /* of a command list: one for each slot */
    uint16_t flags; /* length of the command frame in words; HEADER_WRITE */
    uint16_t regions; /* entries of the table */
    uint32_t transferred;
    uint32_t table, table_high; /* physical address */
    uint32_t reserved[4];
};
enum { HEADER_WRITE = 1 << 6, HEADER_CLEAR_BUSY = 1 << 10 };

struct ahci_region {
    uint32_t address, address_high, reserved, last; /* last: bytes - 1 */
};

struct ahci_table {
    uint8_t command[64], packet[16], reserved[48];
    struct ahci_region region[BLOCK_SEGMENTS];
};

/* The chip's part of the queue. A slot is used by one port at a time: the tables are common. */
enum {
    CHIP_PORT = 0x800, /* bytes for each port: command list, received frames, IDENTIFY's answer */
    CHIP_FRAMES = 0x400,
    CHIP_GIVING = 0x500, /* one word: the queued commands that are being given; see issue() */
    CHIP_IDENTITY = 0x600,
    CHIP_TABLES = BLOCK_UNITS * CHIP_PORT,
};
_Static_assert(sizeof(struct ahci_table) % 128 == 0, "tables are aligned to 128 bytes");
_Static_assert(CHIP_TABLES + BLOCK_SLOTS * sizeof(struct ahci_table) <= BLOCK_CHIP_SIZE, "fits");

#endif
