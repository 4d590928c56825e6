/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioctls of printers (/dev/lpN), for programs and the lp server. Those of Linux have its numbers
 * (lp(4)); of them only LPGETSTATUS is there, others are refused with ENOTTY.
 */
#ifndef ABI_PRINTER_H
#define ABI_PRINTER_H

/* int: the port's status register, bits as below. Waits for the driver to look. EIO: there is none
 * any more. */
#define PRINTER_GET_STATUS 0x060b /* LPGETSTATUS */
/*
 * uint64_t: how many bytes written to this open file are known to be with the printer, also after
 * its driver's death: then it is the least, since the last one or few may have been printed
 * and not been told. EIO: this file is not known any more (the lp server has died, too).
 */
#define PRINTER_GET_DONE 0x0680
/* Waits until all that was written is with the printer (a write that was interrupted may have left
 * bytes on their way). EIO: the driver has died over them, or as above. */
#define PRINTER_DRAIN 0x0681

enum printer_status {
    PRINTER_NO_ERROR = 0x08,
    PRINTER_ONLINE = 0x10,
    PRINTER_OUT_OF_PAPER = 0x20,
    PRINTER_NO_ACK = 0x40,
    PRINTER_NOT_BUSY = 0x80,
};

#endif
