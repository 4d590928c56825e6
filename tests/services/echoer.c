/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of a wire in the guest itself: behind a second card, whose driver's queue this service has in net's
 * place, lives a host (10.0.2.77) that sends back what comes to any of its ports over TCP. So real cards and drivers
 * lie between net and a peer that goes by the guest's clock; under icount that is instructions, on every host.
 *
 * What is not acknowledged it sends again, at the third duplicate or after a while. It says when a connection is reset.
 */
#include <errno.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/net/ring.h"
#include "tests/net_host/host.h"

#define PEERS 1500u /* connections */
#define ROOM 4096u /* bytes of one that are not acknowledged yet; a power of two */
#define WINDOW 2920u /* of ours: two segments, so that what comes always finds room */
#define SEGMENT 1460u
#define AGAIN_NS 50000000ull /* without a word, and something is not acknowledged */
#define LOOK_NS 10000000ull

const uint8_t host_mac[2][6] = {"\x52\x54\x00\x12\x34\x56"},
              peer_mac[6] = "\x02\xaa\xbb\xcc\xdd\x01";

static struct receive_ring receive;
static struct transmit_ring transmit;
static endpoint_t driver;

static struct connection {
    uint32_t expected; /* theirs, that comes next */
    uint32_t acknowledged, next; /* ours, below which they have all; to be sent next */
    uint32_t duplicates;
    uint64_t heard; /* when they last acknowledged something */
    uint16_t port, to_port; /* theirs, ours */
    bool is_open, has_ended; /* has_ended: we have sent our FIN */
    uint8_t unacknowledged[ROOM]; /* by number, modulo ROOM */
} connections[PEERS];
static uint16_t by_port[65536]; /* by theirs: its index and one; 0: none */
static unsigned used, resets;

/* ---- out ---- */

/* What finds no room in the ring is lost, as on any wire. */
static void put_frame(const uint8_t *frame, size_t length)
{
    uint8_t *to = transmit_buffer(&transmit);

    if (!to)
        return;
    memset(to, 0, 60);
    memcpy(to, frame, length);
    transmit_add(&transmit, (uint32_t)(length < 60 ? 60 : length));
}

void host_frame(unsigned n, const void *bytes, size_t length)
{
    (void)n;
    put_frame(bytes, length);
}

static void answer(const struct connection *c, uint8_t flags, uint32_t at, const void *data,
                   uint16_t length)
{
    struct segment s = {.from_port = c->to_port,
                        .to_port = c->port,
                        .seq = at,
                        .ack = c->expected,
                        .flags = flags,
                        .window = WINDOW,
                        .data = data,
                        .length = length};

    if (flags & TCP_S) {
        s.options = "\x02\x04\x05\xb4"; /* 1460 */
        s.option_bytes = 4;
    }
    send_tcp(&s);
}

/* From there on, what is kept. */
static void send_from(const struct connection *c, uint32_t at)
{
    uint8_t data[SEGMENT];
    uint32_t left = c->next - at - c->has_ended, n = left < SEGMENT ? left : SEGMENT;

    for (uint32_t i = 0; i < n; i++)
        data[i] = c->unacknowledged[(at + i) % ROOM];
    answer(c, (uint8_t)(TCP_A | (n ? TCP_P : 0) | (c->has_ended && n == left ? TCP_F : 0)), at,
           data, (uint16_t)n);
}

/* ---- in ---- */

static struct connection *connection_of(const struct sent_segment *s)
{
    unsigned n = by_port[s->from_port];

    return n ? &connections[n - 1] : NULL;
}

static struct connection *unused(void)
{
    for (unsigned i = 0; i < used; i++)
        if (!connections[i].is_open)
            return &connections[i];
    return used == PEERS ? NULL : &connections[used++];
}

static void begin(const struct sent_segment *s)
{
    struct connection *c = connection_of(s);

    if (!c && !(c = unused()))
        return;
    if (!c->is_open || c->expected != s->seq + 1) {
        *c = (struct connection){.expected = s->seq + 1,
                                 .acknowledged = (uint32_t)clock_now(),
                                 .port = s->from_port,
                                 .to_port = s->to_port,
                                 .heard = clock_now(),
                                 .is_open = true};
        c->next = c->acknowledged + 1;
        by_port[c->port] = (uint16_t)(c - connections + 1);
    }
    answer(c, TCP_S | TCP_A, c->next - 1, NULL, 0);
}

static void end(struct connection *c)
{
    c->is_open = false;
    by_port[c->port] = 0;
}

static void take_acknowledgement(struct connection *c, const struct sent_segment *s)
{
    if (s->ack - c->acknowledged - 1 < c->next - c->acknowledged) {
        c->acknowledged = s->ack;
        c->duplicates = 0;
        c->heard = clock_now();
    } else if (s->ack == c->acknowledged && s->ack != c->next && !s->length &&
               ++c->duplicates == 3) {
        send_from(c, c->acknowledged);
    }
}

/* Back with the data; what cannot be kept is not taken. */
static void take_data(struct connection *c, const struct sent_segment *s)
{
    if (s->seq == c->expected && c->next - c->acknowledged + s->length <= ROOM && !c->has_ended) {
        uint32_t at = c->next;

        if (at == c->acknowledged)
            c->heard = clock_now();
        for (uint32_t i = 0; i < s->length; i++)
            c->unacknowledged[(at + i) % ROOM] = s->data[i];
        c->has_ended = s->flags & TCP_F;
        c->expected += s->length + c->has_ended;
        c->next += s->length + c->has_ended;
        send_from(c, at);
        return;
    }
    answer(c, TCP_A, c->next, NULL, 0);
}

static void take(const uint8_t *frame, size_t length)
{
    struct sent_segment s;
    struct connection *c;

    if (length >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 1 &&
        frame[41] != HOST_ADDRESS % 256) {
        uint8_t reply[64] = {0};
        uint32_t wanted = (uint32_t)frame[38] << 24 | frame[39] << 16 | frame[40] << 8 | frame[41];

        frame_arp(reply, 2, peer_mac, wanted, host_mac[0], HOST_ADDRESS);
        memcpy(reply, host_mac[0], sizeof host_mac[0]); /* to who has asked alone */
        put_frame(reply, 60);
    }
    if (!sent_tcp(frame, length, &s) || s.to != PEER)
        return;
    if (s.flags & TCP_S) {
        begin(&s);
        return;
    }
    c = connection_of(&s);
    if (!c || !c->is_open)
        return;
    if (s.flags & TCP_R) {
        log_info("a reset, the %uth", ++resets);
        end(c);
        return;
    }
    take_acknowledgement(c, &s);
    if (s.length || s.flags & TCP_F)
        take_data(c, &s);
    if (c->has_ended && c->acknowledged == c->next)
        end(c);
}

/* ---- the queue ---- */

static void find_queue(void)
{
    static struct service_queue place;
    long grant = grant_make(service_info()->rs, &place, sizeof place, GRANT_WRITE);
    struct message m =
        message_of(RS_QUEUE, (struct rs_queue_request){.number = 0, .grant = (uint64_t)grant});

    if (grant < 0)
        return;
    if (!receive.queue && ipc_call(service_info()->rs, &m) >= 0) {
        ring_open(&receive, &transmit, (struct net_queue *)(uintptr_t)place.address);
        log_info("the queue of %.16s", place.driver);
        clock_alarm(clock_now() + LOOK_NS);
    }
    grant_revoke(grant);
}

static void look_again(uint64_t now)
{
    for (unsigned i = 0; i < used; i++) {
        struct connection *c = &connections[i];

        if (!c->is_open || c->acknowledged == c->next || now - c->heard < AGAIN_NS)
            continue;
        c->heard = now;
        send_from(c, c->acknowledged);
    }
    clock_alarm(now + LOOK_NS);
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        find_queue();
    if (receive.queue && bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        look_again(clock_now());
}

static void serve(void)
{
    uint32_t length;
    int buffer;

    driver = receive.queue->header.driver;
    if (transmit_reap(&transmit) < 0 || receive_look(&receive) < 0)
        panic("the driver broke the rules");
    while (transmit.posted - transmit.done < NET_RING_SIZE - 8 &&
           (buffer = receive_take(&receive, &length)) >= 0) {
        take(receive_memory(&receive, (unsigned)buffer), length);
        receive_give(&receive, (unsigned)buffer);
    }
    receive_post(&receive);
}

static void idle(void)
{
    bool kick, more;

    if (!receive.queue)
        return;
    serve();
    kick = transmit_publish(&transmit);
    kick |= receive_publish(&receive);
    if (kick && driver)
        ipc_notify(driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    more = transmit_wait(&transmit, true);
    if (receive_wait(&receive, true) || more)
        ipc_notify(service_info()->self, NOTIFY_BIT(NOTIFY_BIT_PEER));
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    find_queue();
    service_run(&(struct service_table){.notified = notified, .idle = idle});
}
