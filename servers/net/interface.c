/* SPDX-License-Identifier: BSD-2-Clause */
/* A lwIP netif on a queue: frames in, frames out; see interface.h. */
#include "servers/net/interface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/etharp.h>
#include <netif/ethernet.h>

#include "lib/rt/log.h"
#include "lib/undo/undo.h"
#include "servers/net/guard.h"

#define HELD_MAX (NET_RING_SIZE - 64) /* buffers in programs' hands before frames are copied */
#define BATCH 64 /* frames that are taken in in one turn */
#define FRAME_MIN 60 /* without FCS; shorter ones are padded */

struct interface *interfaces[INTERFACES_MAX];
struct interface_looks interface_looks;
static bool pending, to_publish;

void net_output_pending(void)
{
    pending = true;
}

/* ---- in ---- */

static void frame_free(struct pbuf *p)
{
    struct frame *f = (struct frame *)(void *)p;

    receive_give(&f->owner->receive, (unsigned)(f - f->owner->frames));
    net_output_pending();
}

/* (A buffer that is given back is the driver's only after this step: so what a frame had before is
 * nobody's, also when the step is repeated.) */
undo_unlogged static void copy_from_ring(uint8_t *to, const uint8_t *from, uint32_t length)
{
    memcpy(to, from, length);
}

/* What is checked must be what is used: the buffer is the driver's, too, and its device's, and what
 * is wrong with these may write there at any time. So a frame leaves it before anybody looks. */
static struct pbuf *keep_frame(struct interface *i, unsigned buffer, uint32_t length)
{
    struct frame *f = &i->frames[buffer];

    copy_from_ring(i->bytes[buffer], receive_memory(&i->receive, buffer), length);
    return pbuf_alloced_custom(PBUF_RAW, (uint16_t)length, PBUF_REF, &f->pbuf, i->bytes[buffer],
                               NET_BUFFER_ROOM);
}

static struct pbuf *copy_frame(struct interface *i, unsigned buffer, uint32_t length)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (uint16_t)length, PBUF_RAM);

    if (p)
        pbuf_take(p, receive_memory(&i->receive, buffer), (uint16_t)length);
    receive_give(&i->receive, buffer);
    i->statistics.copied++;
    return p;
}

static void hand_up(struct interface *i, unsigned buffer, uint32_t length)
{
    struct pbuf *p = receive_held(&i->receive) > HELD_MAX ? copy_frame(i, buffer, length)
                                                          : keep_frame(i, buffer, length);

    if (!p) {
        i->statistics.received_dropped++;
        return;
    }
    watch_frame(i, p->payload, length);
    i->statistics.received_frames++;
    i->statistics.received_bytes += length;
    if (!guard_frame(&i->netif, p->payload, p->len) || !watch_input(i, p))
        pbuf_free(p);
}

/* Whoever looks at it dies. */
static void drop_frame(struct interface *i)
{
    uint32_t length;
    int buffer = receive_take(&i->receive, &length);

    if (buffer < 0)
        return;
    log_info("a frame of %u bytes that kills is dropped", length);
    receive_give(&i->receive, (unsigned)buffer);
    i->statistics.received_dropped++;
}

static void take_in(struct interface *i)
{
    uint32_t length;
    int buffer = receive_look(&i->receive);
    unsigned taken = 0, most = undo_is_careful() ? 1 : BATCH;

    if (buffer >= 0 && undo_first_kills()) {
        drop_frame(i);
        return;
    }
    while (buffer >= 0 && taken++ < most && (buffer = receive_take(&i->receive, &length)) >= 0)
        hand_up(i, (unsigned)buffer, length);
    if (buffer < 0 && buffer != -EAGAIN)
        interface_violated(i, "receive", buffer);
}

struct interface_counts {
    uint32_t moved;
    uint64_t bad, flaps;
    bool reintegrated;
};

/* More good has come than bad, and that was all: the driver has not spoken of itself. What we send because it
 * is a fresh one, or because the link is back, moves frames, too. */
static bool was_of_use(const struct interface *i, const struct interface_counts *before)
{
    uint32_t moved = interface_moved(i) - before->moved;

    return moved > 2 * (i->receive.bad - before->bad) && i->fresh == 0 &&
           i->flaps == before->flaps && before->reintegrated;
}

static bool is_idle(const struct interface *i, const struct interface_counts *before)
{
    return interface_moved(i) == before->moved && i->fresh == 0 && i->flaps == before->flaps;
}

/* (Only how long it took is kept as an input: when the step is repeated, `since` is another.) */
static void note_look(struct interface *i, uint64_t since, bool of_use)
{
    if (of_use) {
        interface_looks.of_use = true;
        return;
    }
    i->took = clock_now() - clock_of(since);
    i->in_vain = interface_looks.in_vain = true;
}

void interface_serve(struct interface *i, bool own)
{
    const struct interface_counts before = {interface_moved(i), i->receive.bad, i->flaps,
                                            i->reintegrated};
    uint64_t since = tsc_read();

    receive_wait(&i->receive, false); /* awake: no notifications */
    if (i->attended.account.is_deferred) {
        note_look(i, since, false);
        return;
    }
    i->wakes++;
    net_output_pending();
    if (transmit_reap(&i->transmit) < 0)
        interface_violated(i, "transmit", -ERANGE);
    recover_before(i);
    take_in(i);
    acknowledge();
    recover_after(i);
    i->idle_wakes += interface_moved(i) == before.moved;
    if (!own || !is_idle(i, &before))
        note_look(i, since, was_of_use(i, &before));
}

/* ---- out ---- */

/* (Nobody else looks at it before it is published.) */
undo_unlogged static void copy_to_ring(uint8_t *to, const struct pbuf *p, uint32_t length)
{
    for (uint32_t at = 0; p; p = p->next) {
        memcpy(to + at, p->payload, p->len);
        at += p->len;
    }
    if (length < FRAME_MIN)
        memset(to + length, 0, FRAME_MIN - length);
}

/* Into the ring; false: it is full. */
static bool put(struct interface *i, const struct pbuf *p)
{
    uint8_t *to = transmit_buffer(&i->transmit);
    uint32_t length = p->tot_len;

    if (!to) {
        if (transmit_reap(&i->transmit) < 0)
            interface_violated(i, "transmit", -ERANGE);
        to = transmit_buffer(&i->transmit);
    }
    if (!to)
        return false;
    copy_to_ring(to, p, length);
    guard_arp_sent(to, length);
    if (length < FRAME_MIN)
        length = FRAME_MIN;
    transmit_add(&i->transmit, length);
    i->statistics.sent_frames++;
    i->statistics.sent_bytes += length;
    return true;
}

static void drain_backlog(struct interface *i)
{
    while (i->backlog_first != i->backlog_end) {
        struct pbuf *p = i->backlog[i->backlog_first % BACKLOG_MAX];

        if (!put(i, p))
            return;
        i->backlog_first++;
        pbuf_free(p);
    }
}

/* lwIP keeps p and may change it later: a copy waits. */
static bool defer(struct interface *i, struct pbuf *p)
{
    struct pbuf *copy;

    if (i->backlog_end - i->backlog_first == BACKLOG_MAX)
        return false;
    copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (copy)
        i->backlog[i->backlog_end++ % BACKLOG_MAX] = copy;
    return copy != NULL;
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct interface *i = netif->state;

    net_output_pending();
    if (p->tot_len > NET_FRAME_MAX || !netif_is_link_up(netif)) {
        i->statistics.sent_dropped++;
        return p->tot_len > NET_FRAME_MAX ? ERR_BUF : ERR_RTE;
    }
    drain_backlog(i); /* first come, first served */
    if (i->backlog_first == i->backlog_end && put(i, p))
        return ERR_OK;
    if (defer(i, p))
        return ERR_OK;
    i->statistics.sent_dropped++;
    return ERR_MEM;
}

/* An IP packet, to whoever has that address. */
static err_t output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    const struct eth_addr *known = (const struct eth_addr *)guard_answers_to;

    if (!known)
        return etharp_output(netif, p, to);
    return ethernet_output(netif, p, (struct eth_addr *)netif->hwaddr, known, ETHTYPE_IP);
}

/* ---- the end of a turn ---- */

static bool publish(struct interface *i)
{
    bool kick, more;

    if (i->attended.account.is_deferred)
        return false;
    kick = transmit_publish(&i->transmit);
    kick |= receive_publish(&i->receive);
    if (kick && i->driver)
        ipc_notify(i->driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    more = transmit_wait(&i->transmit, i->backlog_first != i->backlog_end || !i->reintegrated);
    return receive_wait(&i->receive, true) || more;
}

void interfaces_publish(void)
{
    uint64_t bits = 0;

    if (!to_publish)
        return;
    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (interfaces[n] && publish(interfaces[n]))
            bits |= NOTIFY_BIT(NOTIFY_BIT_PEER + n); /* there is more already */
    if (bits)
        ipc_notify(service_info()->self, bits);
    to_publish = false;
}

void interfaces_settle(void)
{
    if (!pending)
        return;
    pending = false;
    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (interfaces[n] && !interfaces[n]->attended.account.is_deferred) {
            drain_backlog(interfaces[n]);
            receive_post(&interfaces[n]->receive);
        }
    to_publish = true;
    watch_expect();
}

bool interfaces_pending(void)
{
    return pending;
}

uint64_t interfaces_bits(void)
{
    uint64_t bits = 0;

    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (interfaces[n])
            bits |= NOTIFY_BIT(NOTIFY_BIT_PEER + n);
    return bits;
}

uint32_t interface_moved(const struct interface *i)
{
    return i->receive.taken + i->transmit.done;
}

static enum rs_complaint violation(int error)
{
    if (error == -ERANGE)
        return COMPLAINT_INDEX;
    return error == -EMSGSIZE ? COMPLAINT_LENGTH : COMPLAINT_PROTOCOL;
}

void interface_violated(struct interface *i, const char *ring, int error)
{
    static const char *const rules[] = {
        [COMPLAINT_PROTOCOL] = "a status that there is not",
        [COMPLAINT_INDEX] = "an index beyond what was posted",
        [COMPLAINT_LENGTH] = "a frame longer than its buffer",
    };
    enum rs_complaint why = violation(error);

    log_info("%s: driver %s broke the rules of the %s ring: %s", i->name, i->place.driver, ring,
             rules[why]);
    i->statistics.violations++;
    ring_repair(&i->receive, &i->transmit); /* before RS starts the next one */
    ring_claim(&i->receive, &i->transmit);
    /* After it the rings are the successor's, which may be at work already. */
    service_complain(i->place.driver, i->driver, why);
}

/* ---- setting up ---- */

const struct net_statistics *net_statistics_of(const struct netif *netif)
{
    return netif->linkoutput == link_output ? &((const struct interface *)netif->state)->statistics
                                            : NULL;
}

static err_t netif_begin(struct netif *netif)
{
    struct interface *i = netif->state;

    netif->name[0] = 'e';
    netif->name[1] = (char)('0' + i->place.number % 10);
    netif->hostname = "bardo";
    netif->mtu = NET_FRAME_MAX - SIZEOF_ETH_HDR;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = output;
    netif->linkoutput = link_output;
    return ERR_OK;
}

/* All of it now: memory that comes as frames come would look like a leak, and may be short then.
 * (Nobody has it yet, so there is nothing to go back to.) */
undo_unlogged static void touch(void *memory, size_t bytes)
{
    memset(memory, 0, bytes);
}

/* It is in the table last: nobody finds one that lwIP does not know, and what fails before leaves
 * nothing. The rings are opened before lwIP may send: they may hold what a predecessor of ours has
 * left. */
struct interface *interface_create(const struct service_queue *place)
{
    struct interface *i;

    if (place->number >= INTERFACES_MAX || interfaces[place->number] ||
        place->size < NET_QUEUE_BYTES)
        return NULL;
    i = calloc(1, sizeof *i);
    if (!i || !(i->bytes = malloc(NET_RING_SIZE * sizeof *i->bytes))) {
        free(i);
        return NULL;
    }
    touch(i->bytes, NET_RING_SIZE * sizeof *i->bytes);
    i->place = *place;
    i->queue = (struct net_queue *)(uintptr_t)place->address;
    i->reintegrated = true;
    attended_open(&i->attended, place);
    for (unsigned n = 0; n < NET_RING_SIZE; n++) {
        i->frames[n].owner = i;
        i->frames[n].pbuf.custom_free_function = frame_free;
    }
    snprintf(i->name, sizeof i->name, "e%u", place->number);
    ring_open(&i->receive, &i->transmit, i->queue);
    if (!netif_add_noaddr(&i->netif, i, netif_begin, ethernet_input)) {
        free(i->bytes);
        free(i);
        return NULL;
    }
    netif_set_up(&i->netif);
    interfaces[place->number] = i;
    net_output_pending();
    return i;
}
