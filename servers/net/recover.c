/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What net does about its drivers' deaths. The queue is ours and outlives them: frames to send stay
 * posted, buffers stay lent, and the fresh driver goes on with both. What is left to do:
 *
 *   - it adopted the device: nothing was lost. Note when the first frame moved, for RS's record.
 *   - it reset the device: frames on the way in may be lost. Every peer is asked, by duplicate
 *     acknowledgements, to send again at once what was not acknowledged.
 *   - RS has given up, or a user took the driver down: the link is down until it is back. Addresses
 *     and connections stay.
 */
#include <errno.h>
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/timeouts.h>

#include "lib/rt/log.h"
#include "lib/undo/undo.h"
#include "lib/rt/pack.h"
#include "servers/net/interface.h"

#define LATER 5 /* ms; what RS says of its services matters less than frames */

/* ---- link ---- */

static void update_link(struct interface *i)
{
    bool up =
        undo_input(*(volatile uint8_t *)&i->queue->link_up) && i->incarnation != 0 && !i->given_up;

    if (up == (bool)netif_is_link_up(&i->netif))
        return;
    if (i->given_up)
        log_always("%s: link %s: no driver", i->name, up ? "up" : "down");
    else
        log_info("%s: link %s", i->name, up ? "up" : "down");
    i->flaps++;
    if (up)
        netif_set_link_up(&i->netif); /* announces us, and DHCP goes on */
    else
        netif_set_link_down(&i->netif);
    address_choose_default();
}

/* ---- a fresh driver ---- */

static void note_reintegrated(struct interface *i)
{
    struct net_queue *q = i->queue;

    if (i->reintegrated || interface_moved(i) == i->moved_from)
        return;
    i->reintegrated = true;
    q->header.reintegrated_ns = clock_now();
    queue_publish(&q->header.reintegrated_incarnation, i->incarnation); /* it covers the time */
}

void recover_before(struct interface *i)
{
    uint32_t incarnation = (uint32_t)undo_input(queue_read(&i->queue->header.incarnation));

    i->fresh = incarnation == i->incarnation ? 0 : incarnation;
    if (i->fresh == 0)
        return;
    i->driver =
        (endpoint_t)undo_input((uint64_t) * (volatile endpoint_t *)&i->queue->header.driver);
    i->reintegrated = false;
    i->moved_from = interface_moved(i);
    i->statistics.driver_changes++;
}

static void first_driver(struct interface *i)
{
    memcpy(i->netif.hwaddr, i->queue->mac, sizeof i->queue->mac);
    address_begin(i);
}

static void next_driver(struct interface *i, bool lost_frames)
{
    bool idle = interface_moved(i) == i->moved_from;

    memcpy(i->netif.hwaddr, i->queue->mac, sizeof i->queue->mac); /* another card, perhaps */
    if (lost_frames) {
        acknowledge_again(&i->netif);
        address_hurry(i);
    }
    /* Nobody waits: then a frame of our own shows that the way is open. */
    if ((lost_frames || idle) && netif_is_link_up(&i->netif) &&
        !ip4_addr_isany_val(*netif_ip4_addr(&i->netif)))
        etharp_gratuitous(&i->netif);
}

/* The state is that of the latest; one before it may have died between its reset and our look. */
static bool was_reset(struct interface *i)
{
    uint64_t resets = undo_input(*(volatile uint64_t *)&i->queue->header.resets);
    bool more = resets != i->resets;

    i->resets = resets;
    return undo_input(*(volatile uint32_t *)&i->queue->header.driver_state) == QUEUE_DRIVER_RESET ||
           more;
}

/* Not about one that has come since recover_before(), which may happen at any instruction: its
 * notification is still to come. */
void recover_after(struct interface *i)
{
    bool first = i->incarnation == 0, lost_frames;

    if (i->fresh != 0) {
        i->incarnation = i->fresh;
        i->given_up = false;
        ring_claim(&i->receive, &i->transmit); /* the old one may have written there to the last */
        lost_frames = was_reset(i);
        if (first)
            first_driver(i);
        update_link(i);
        if (!first)
            next_driver(i, lost_frames);
        watch_begin(i, lost_frames);
    } else {
        update_link(i);
    }
    note_reintegrated(i);
}

/* ---- what RS says ---- */

static void fetch_queues(void)
{
    static uint32_t next;
    struct service_queue place = {0};

    for (; service_queue(next, &place); next++)
        if (interface_create(&place))
            interface_serve(interfaces[place.number], false); /* its driver may have been faster */
        else
            log_info("no interface for the queue of %.16s", place.driver);
}

static void ask_state(struct interface *i)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);
    bool given_up;

    if (i->incarnation == 0)
        return;
    /* the one that is gone may have written over entries of which its successors die as they start,
     * before we hear of them */
    ring_claim(&i->receive, &i->transmit);
    pack_text(r->name, i->place.driver, SERVICE_NAME_MAX);
    given_up = ipc_call(service_info()->rs, &m) < 0 && service_is_gone(i->place.driver);
    if (given_up && !i->given_up) {
        i->given_up = true;
        update_link(i);
    }
}

static void look_at_services(void *unused)
{
    (void)unused;
    fetch_queues();
    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (interfaces[n])
            ask_state(interfaces[n]);
}

void recover_services(void)
{
    if (!interfaces[0]) {
        look_at_services(NULL);
        return;
    }
    sys_untimeout(look_at_services, NULL);
    sys_timeout(LATER, look_at_services, NULL);
}
