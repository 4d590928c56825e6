/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lp server: /dev/lp0 and the like, each at the other end of a printer driver's queue.
 *
 *     main.c    the file protocol, programs that wait, the loop
 *     port.c    a printer's queue: bytes, the driver's death
 *
 * Nobody can take back what is on paper, and nobody knows whether the byte in hand got there. So a
 * driver's death is not hidden: the write that was in progress fails with EIO, and so does the open
 * file from then on; PRINTER_GET_DONE says how many bytes are known to be done. Whoever opens it
 * again (the spooler, lpd) decides what is to be printed again. A death while nothing is in
 * progress is nobody's business.
 *
 * A write is done when the driver has given its last byte to the printer, unless it must not block
 * (O_NONBLOCK) or is interrupted: then what was taken is reported, and should that get lost it is an
 * error of the next write, or of PRINTER_DRAIN, which waits until all is with the printer. One
 * program at a time has a printer open, as with Linux.
 *
 * When the server itself dies the next one does not know what of an open file has been lost, and
 * whether the program was told: with it, too, all such files are dead (EIO). What is in the ring is
 * printed.
 */
#ifndef LP_LP_H
#define LP_LP_H

#include <stdbool.h>

#include "abi/char_queue.h"
#include "abi/message.h"
#include "abi/service.h"

#define PORTS 3 /* as Linux's minor numbers */
#define PRINTER_DRIVER "printer" /* of lp0; that of lpN is called printer.N */
/* Bytes in the ring, at most: they are printed even when the program is interrupted. */
#define PORT_AHEAD 512u

struct port {
    struct service_queue where;
    struct char_queue *queue; /* NULL: no driver was ever there */
    uint32_t written, gone; /* of the transmit ring; gone: up to there the driver has taken it */
    uint32_t foreign; /* bytes in the ring that an earlier open file has left there */
    uint32_t incarnation; /* of the driver, as we know it */
    endpoint_t driver;
    bool kick; /* it waits for what we did */
    bool fresh; /* it has moved nothing yet */
    bool is_away; /* it is dead, and no fresh one has come yet */
    uint64_t node; /* of the open file; 0: nobody has it open */
    bool failed; /* what was written to that has been lost */
    uint64_t done; /* bytes of it that are known to be printed */
    bool polled, poll_ready; /* VFS wants to hear of it; there is something to be heard */
};

extern struct port ports[PORTS];

void ports_find(void); /* their queues, from RS; again after NOTIFY_BIT_SERVICES */
bool port_has_driver(const struct port *p); /* one that was ready once and is not dead now */
/* What its driver has done, and whether it is another. busy: a program waits for it. */
void port_look(struct port *p, bool busy);
/* Asks RS whether the driver lives. 0; -EAGAIN: it will be back; -ENXIO: it won't. */
long port_ask_for_driver(struct port *p, bool busy);
uint32_t port_room(const struct port *p); /* bytes */
void port_put(struct port *p, const uint8_t *from, uint32_t count); /* there is room */
uint32_t port_ask_status(struct port *p); /* a number, for */
bool port_status(const struct port *p, uint32_t asked, int32_t *status); /* false: not yet */
/* Before sleeping; waits: for room, or bytes to be gone. False: there is more to do. */
uint64_t port_settle(struct port *p, bool waits);

#endif
