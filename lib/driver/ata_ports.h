/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports of a channel of ATA drives: eight, and one for control. Source: AT Attachment 8 -
 * ATA/ATAPI Parallel Transport (ATA8-APT). */
#ifndef DRIVER_ATA_PORTS_H
#define DRIVER_ATA_PORTS_H

enum ide_register { /* from the first port */
                    IDE_DATA = 0,
                    IDE_ERROR = 1, /* read */
                    IDE_COUNT = 2, /* this one and the next three: high byte first, then low byte */
                    IDE_SECTOR = 3, /* three registers, bits 0-7, 8-15, 16-23; the high bytes are
                                       bits 24-47 */
                    IDE_DEVICE = 6,
                    IDE_STATUS = 7, /* read; that takes the interrupt back */
                    IDE_COMMAND = 7, /* write */
                    /* The control port is for IDE_CONTROL bits when written, and the status without
                     * the side effect when read. */
};

enum ide_bit {
    STATUS_ERR = 1 << 0,
    STATUS_DRQ = 1 << 3, /* data are wanted, or there */
    STATUS_DF = 1 << 5, /* the device is broken */
    STATUS_BSY = 1 << 7,
    STATUS_NOBODY = 0xff, /* a bus without devices */
    CONTROL_QUIET = 1 << 1, /* nIEN: no interrupts */
    CONTROL_RESET = 1 << 2, /* SRST: of both drives */
    DEVICE_LBA = 0xe0, /* and drive << 4 */
};

#endif
