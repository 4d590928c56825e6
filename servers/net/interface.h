/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: a lwIP netif on each queue to a driver, e0, e1... in the order in which RS made them.
 * An interface is there from its queue's making on and never goes, whatever its drivers do:
 * address, routes, ARP table and connections stay.
 *
 * The loop calls interface_serve() for a notification of the driver, and interfaces_settle() before
 * it sleeps, which sends what lwIP has put out, lends buffers again and asks for notifications.
 */
#ifndef NET_INTERFACE_H
#define NET_INTERFACE_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "abi/service.h"
#include "lib/service/attend.h"
#include "servers/net/echo.h"
#include "servers/net/net.h"
#include "servers/net/progress.h"
#include "servers/net/ring.h"

#define INTERFACES_MAX 24 /* as many as there are notification bits for queues */
#define BACKLOG_MAX 512 /* frames that wait for room in the transmit ring */

struct interface;

struct frame { /* what came in a receive buffer, in lwIP's hands */
    struct pbuf_custom pbuf; /* first: what lwIP gives back */
    struct interface *owner;
};

struct interface {
    struct netif netif;
    char name[4];
    struct service_queue place; /* the driver's name, our number for the queue */
    struct net_queue *queue;
    struct receive_ring receive;
    struct transmit_ring transmit;
    struct frame frames[NET_RING_SIZE];
    uint8_t (*bytes)[NET_BUFFER_ROOM]; /* of each frame */
    struct pbuf *backlog[BACKLOG_MAX];
    uint32_t backlog_first, backlog_end; /* free-running */
    struct net_statistics statistics;
    /* recover.c */
    uint32_t incarnation; /* of the driver that we know; 0: there has been none */
    uint32_t fresh; /* that of one that recover_before() has found, or 0 */
    uint64_t resets; /* of the device, as far as we know */
    endpoint_t driver;
    uint32_t
        moved_from; /* frames moved when it came: the first one after is written into the queue */
    bool reintegrated, given_up;
    /* watch.c */
    struct progress progress;
    struct echo echo;
    uint64_t heard, gateway; /* frames that were for us alone; the gateway's answers to ARP */
    uint64_t wakes, idle_wakes, flaps; /* notifications, those about nothing; changes of the link */
    uint64_t changes, changed_at; /* of the incarnation, lately; when the first of them was (ms) */
    uint32_t garbled; /* frames in a row that are not what was sent: progress.h */
    /* main.c */
    struct attended attended;
    bool in_vain; /* nothing of use came of the last look, */
    uint64_t took; /* which took so many ns */
};

extern struct interface *interfaces[INTERFACES_MAX]; /* by queue number */
/* Of the looks of a turn, were some of no use, or of use? */
extern struct interface_looks {
    bool in_vain, of_use;
} interface_looks;

/* A new queue. NULL: not one for us, or no memory. */
struct interface *interface_create(const struct service_queue *place);
/* Take frames in. `own`: nobody says that there are some, we only look. */
void interface_serve(struct interface *i, bool own);
/* Send, lend, ask for notifications; takes in what has come meanwhile. */
void interfaces_settle(void);
void interfaces_publish(void); /* service_table.publish */
/* There is something to settle (again): do not sleep. */
bool interfaces_pending(void);
/* The drivers' notification bits of all interfaces. */
uint64_t interfaces_bits(void);
/* Frames moved either way. */
uint32_t interface_moved(const struct interface *i);
/* The driver broke the rules of the ring that is called so, and ring.h has this error for the rule:
 * complain, restore the queue. */
void interface_violated(struct interface *i, const char *ring, int error);

/* ---- acknowledge.c ---- */

/* Acknowledge, on all connections, what came in with this batch. */
void acknowledge(void);
/* Frames of this interface may have been lost: make the peers of its connections send
 * them again. */
void acknowledge_again(const struct netif *netif);

/* ---- recover.c ---- */

/* NOTIFY_BIT_SERVICES: new queues, drivers given up. */
void recover_services(void);
/* The driver's notification: is it a fresh incarnation? Before and after frames are taken. */
void recover_before(struct interface *i);
void recover_after(struct interface *i);

/* ---- watch.c ---- */

/* A fresh driver is at work: its progress is watched from here on. */
void watch_begin(struct interface *i, bool was_reset);
/* A frame for lwIP. Whether it took it; the caller frees it if not. */
bool watch_input(struct interface *i, struct pbuf *p);
/* A good frame has come. */
void watch_frame(struct interface *i, const uint8_t *frame, uint32_t length);
/* At the end of a turn: if anything is expected of a driver, look soon. */
void watch_expect(void);

/* ---- address.c ---- */

/* The interface has its first driver: address from the parameters, or DHCP. */
void address_begin(struct interface *i);
/* Frames may have been lost: do not wait for DHCP's timers. */
void address_hurry(struct interface *i);
/* Which interface the default route goes by. */
void address_choose_default(void);

#endif
