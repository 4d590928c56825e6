/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network driver with a network in it: hosts that take more than their share, and an honest one, which gets a file again and again meanwhile.
 * How long each time takes, from its first SYN to the last byte, is said in the log, once for each flood. All of it, the peers too, is by the
 * guest's clock; under icount that is instructions, on every host.
 *
 *     service up crowd    once somebody serves /f at port 80, echoes at port 7000, and accepts all there is at port 7400;
 *                         "over" is its last line
 */
#include <string.h>

#include "lib/driver/driverloop.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "tests/net_host/host.h"

#define MS 1000000ull
#define TURN_NS MS /* we look so often */
#define EACH_MS 20u /* frames of a flood: as many as a slow card brings */
#define FRAMES 1024u /* that wait for net's buffers */
#define FRAME_ROOM 128u
#define ATTACKERS 150u /* addresses */
#define FORGED 0x0a000301u /* 10.0.3.1 and those behind it */
#define FORGERIES 60000u
#define CLOSED 200u /* connections that take nothing */
#define HOLES 50000u
#define IDLE 1700u /* connections to one program: more than it may have. They stay to the end */
#define IDLE_PORT 60000u /* of theirs, and those behind it */
#define SYN_AGAIN_NS (1000 * MS) /* what was not answered is sent again, as RFC 6298 has it */
#define ASK_AGAIN_NS (300 * MS)
#define PAUSE_NS (2 * MS) /* of the honest one */
#define ASK "GET /f HTTP/1.0\r\n\r\n"

const uint8_t host_mac[2][6] = {{2, 0, 0, 0, 0, 0x66}},
              peer_mac[6] = {2, 0xaa, 0xbb, 0xcc, 0xdd, 1};

static struct {
    uint8_t bytes[FRAME_ROOM];
    size_t length;
} waiting[FRAMES];
static unsigned first, last; /* free-running */

void host_frame(unsigned n, const void *bytes, size_t length)
{
    (void)n;
    if (last - first == FRAMES || length > FRAME_ROOM)
        return; /* lost on the wire */
    memcpy(waiting[last % FRAMES].bytes, bytes, length);
    waiting[last++ % FRAMES].length = length < 60 ? 60 : length;
}

/* ---- connections ---- */

static struct connection {
    uint32_t from, next, acknowledged; /* ours to send; theirs that we have. 0: no answer yet */
    uint16_t port, to_port, window;
    bool asks, has_asked, ended;
    unsigned resets;
    uint64_t sent; /* when the last unanswered was */
} closed[CLOSED], idle[IDLE], honest, holed;

static void send(struct connection *c, uint8_t flags, uint32_t seq, const void *data, size_t length)
{
    struct segment s = {.from = c->from,
                        .from_port = c->port,
                        .to_port = c->to_port,
                        .seq = seq,
                        .ack = c->acknowledged,
                        .flags = flags,
                        .window = flags & TCP_S ? 65535 : c->window,
                        .data = data,
                        .length = (uint16_t)length};

    if (flags & TCP_S) {
        s.options = "\x02\x04\x05\xb4"; /* 1460 */
        s.option_bytes = 4;
    }
    send_tcp(&s);
}

static void ask(struct connection *c)
{
    c->sent = clock_now();
    if (!c->acknowledged)
        send(c, TCP_S, c->next - 1, NULL, 0);
    else if (c->asks && !c->has_asked)
        send(c, TCP_A | TCP_P, c->next, ASK, strlen(ASK));
    else
        send(c, TCP_A, c->next, NULL, 0);
}

static void begin(struct connection *c, uint32_t from, uint16_t to_port, bool asks, uint16_t window)
{
    static uint16_t port = 2000;
    bool is_idle = c >= idle && c < idle + IDLE;

    *c = (struct connection){.from = from,
                             .port = is_idle ? (uint16_t)(IDLE_PORT + (c - idle)) : port++,
                             .to_port = to_port,
                             .window = window,
                             .asks = asks,
                             .next = 1 + (uint32_t)clock_now()};
    ask(c);
}

static void heard(struct connection *c, const struct sent_segment *s)
{
    if (c->from != s->to || c->port != s->to_port)
        return;
    if (s->flags & TCP_R) {
        c->resets++;
        return;
    }
    if (s->flags & TCP_S) {
        c->acknowledged = s->seq + 1;
        ask(c);
        return;
    }
    if (c->asks && !c->has_asked && s->ack == c->next + strlen(ASK)) {
        c->has_asked = true;
        c->next += strlen(ASK);
    }
    if (s->seq == c->acknowledged && (c->window || !s->length)) {
        c->acknowledged += s->length + (s->flags & TCP_F ? 1 : 0);
        c->ended |= s->flags & TCP_F;
    }
    if (s->length || s->flags & TCP_F)
        send(c, TCP_A, c->next, NULL, 0);
}

static void again(struct connection *c)
{
    bool is_answered = c->acknowledged && (c->has_asked || !c->asks);
    uint64_t patience = c->acknowledged ? ASK_AGAIN_NS : SYN_AGAIN_NS;

    if (!is_answered && !c->resets && clock_now() - c->sent > patience)
        ask(c);
}

static void reset(struct connection *c)
{
    send(c, TCP_R | TCP_A, c->next, NULL, 0);
    *c = (struct connection){0};
}

/* ---- floods: n more frames are due ---- */

static uint32_t attacker(unsigned i)
{
    return 0x0a000264 + i % ATTACKERS;
}

/* Of whom nobody is there, and so nobody says where he lives. */
static uint32_t forged(unsigned i)
{
    return FORGED + i % FORGERIES;
}

static unsigned done; /* of this flood */

static void nothing(unsigned n)
{
    done += n;
}

/* They ask for the file, and take nothing of it. */
static void close_windows(unsigned n)
{
    for (; n && done < CLOSED; n--, done++)
        begin(&closed[done], attacker(done), 80, true, 0);
    for (unsigned i = 0; i < done; i++)
        again(&closed[i]);
}

static void reset_closed(void)
{
    unsigned answered = 0;

    for (unsigned i = 0; i < CLOSED; i++) {
        answered += closed[i].has_asked;
        reset(&closed[i]);
    }
    log_info("%u connections asked, and took nothing", answered);
}

/* One connection, with a hole before each of its bytes. */
static void make_holes(unsigned n)
{
    if (!holed.from)
        begin(&holed, attacker(0), 7000, false, 65535);
    again(&holed);
    for (; n && done < HOLES && holed.acknowledged; n--, done++)
        send(&holed, TCP_A, holed.next + 1 + 2 * done, "z", 1);
}

static void reset_holed(void)
{
    log_info("%u bytes with a hole before each", done);
    reset(&holed);
}

static void stay_idle(unsigned n)
{
    n = (n + 3) / 4; /* so that the program comes along */
    for (; n && done < IDLE; n--, done++)
        begin(&idle[done], attacker(done), 7400, false, 65535);
    for (unsigned i = 0; i < done; i++)
        again(&idle[i]);
}

static void count_idle(void)
{
    unsigned open = 0;

    for (unsigned i = 0; i < IDLE; i++)
        open += idle[i].acknowledged && !idle[i].resets;
    log_info("%u connections to one program, %u of them stay", IDLE, open);
}

static void send_syns(unsigned n)
{
    for (; n; n--, done++)
        send(&(struct connection){.from = forged(done),
                                  .port = (uint16_t)(10000 + done),
                                  .to_port = 80},
             TCP_S, done, NULL, 0);
}

static void open_some_halves(unsigned n)
{
    if (done < 12)
        send_syns(n < 12 - done ? n : 12 - done);
}

static void no_end(void)
{
}

static const struct flood {
    const char *name;
    void (*step)(unsigned n);
    void (*end)(void);
    unsigned ms;
} floods[] = {
    {"none", nothing, no_end, 200},
    {"closed windows", close_windows, reset_closed, 2000},
    {"holes", make_holes, reset_holed, HOLES / EACH_MS + 100},
    {"idle connections", stay_idle, count_idle, IDLE * 4 / EACH_MS + 500},
    {"a dozen half open", open_some_halves, no_end, 500},
    {"half open", send_syns, no_end, 1000},
};
#define FLOODS (sizeof floods / sizeof *floods)

/* ---- what happens ---- */

static const struct flood *flood = floods;
static uint64_t flood_began, honest_began, honest_next, longest;
static unsigned served, refused, given; /* frames of this flood that were due */

static void be_honest(uint64_t now)
{
    bool is_over = honest.ended || honest.resets;

    if (honest.from && is_over) {
        served += honest.ended;
        refused += honest.resets;
        longest = now - honest_began > longest ? now - honest_began : longest;
        if (honest.ended)
            send(&honest, TCP_F | TCP_A, honest.next, NULL, 0);
        honest = (struct connection){0};
        honest_next = now + PAUSE_NS;
    }
    if (!honest.from && now >= honest_next) {
        honest_began = now;
        begin(&honest, PEER, 80, true, 65535);
    }
    again(&honest);
}

static void next_flood(void)
{
    flood->end();
    log_info("%s: served %u times, refused %u, at most %lu us", flood->name, served, refused,
             longest / 1000);
    if (++flood == floods + FLOODS)
        log_info("over");
    flood_began = done = served = refused = given = 0;
    longest = 0;
}

/* A flood is over when its time is, and the honest one has been served. */
static void play(void)
{
    uint64_t now = clock_now(), due;

    if (flood == floods + FLOODS)
        return;
    if (!flood_began)
        flood_began = now;
    be_honest(now);
    due = (now - flood_began) / MS * EACH_MS;
    if (now - flood_began < flood->ms * MS) {
        flood->step((unsigned)due - given);
        given = (unsigned)due;
    } else if (!honest.from) {
        next_flood();
    }
}

static void answer_arp(const uint8_t *frame)
{
    uint32_t wanted = (uint32_t)frame[38] << 24 | frame[39] << 16 | frame[40] << 8 | frame[41];
    uint8_t reply[64] = {0};

    if (frame[21] != 1 || wanted == HOST_ADDRESS || wanted >= FORGED)
        return;
    frame_arp(reply, 2, peer_mac, wanted, host_mac[0], HOST_ADDRESS);
    memcpy(reply, host_mac[0], sizeof host_mac[0]); /* to who has asked alone */
    host_frame(0, reply, 60);
}

static void take(const uint8_t *frame, size_t length)
{
    struct sent_segment s;

    if (frame[12] == 8 && frame[13] == 6)
        answer_arp(frame);
    if (!sent_tcp(frame, length, &s))
        return;
    heard(&honest, &s);
    heard(&holed, &s);
    for (unsigned i = 0; i < CLOSED; i++)
        heard(&closed[i], &s);
    if (s.to_port >= IDLE_PORT && s.to_port < IDLE_PORT + IDLE)
        heard(&idle[s.to_port - IDLE_PORT], &s);
}

/* ---- the driver ---- */

static bool crowd_adopt(struct net_device *d)
{
    return net_mismatch(d, "a crowd has no memory");
}

static int crowd_reset(struct net_device *d)
{
    (void)d;
    return 0;
}

static bool crowd_identify(struct net_device *d, uint8_t mac[6])
{
    (void)d;
    memcpy(mac, host_mac[0], 6);
    return true;
}

static void crowd_mask(struct net_device *d)
{
    (void)d;
}

static bool crowd_unmask(struct net_device *d)
{
    (void)d;
    driver_wake_in(TURN_NS);
    return true;
}

static bool crowd_acknowledge(struct net_device *d)
{
    (void)d;
    return false;
}

static uint32_t crowd_receive(struct net_device *d)
{
    uint32_t k = d->receive.completed;

    play();
    for (; k != d->receive.lent && first != last; k++, first++) {
        struct net_entry *e = net_receive_entry(d, k);
        uint32_t size, at = net_buffer(d, e, FRAME_ROOM, NET_BUFFER_SIZE, &size);

        memcpy((uint8_t *)d->queue + at, waiting[first % FRAMES].bytes, FRAME_ROOM);
        e->length = (uint32_t)waiting[first % FRAMES].length;
        e->status = NET_FRAME_OK;
    }
    return k - d->receive.completed;
}

static uint32_t crowd_lend(struct net_device *d, uint32_t from, uint32_t end)
{
    (void)d;
    return end - from;
}

static uint32_t crowd_transmit(struct net_device *d, uint32_t from, uint32_t end)
{
    for (uint32_t k = from; k != end; k++) {
        uint32_t size, at = net_buffer(d, net_transmit_entry(d, k), 60, NET_FRAME_MAX, &size);

        take((uint8_t *)d->queue + at, size);
    }
    return end - from;
}

static uint32_t crowd_transmitted(struct net_device *d)
{
    return d->transmit.lent - d->transmit.completed;
}

int main(void)
{
    static const struct net_driver crowd = {.name = "crowd",
                                            .adopt = crowd_adopt,
                                            .reset = crowd_reset,
                                            .identify = crowd_identify,
                                            .mask = crowd_mask,
                                            .unmask = crowd_unmask,
                                            .acknowledge = crowd_acknowledge,
                                            .receive = crowd_receive,
                                            .lend = crowd_lend,
                                            .transmit = crowd_transmit,
                                            .transmitted = crowd_transmitted};

    net_driver_run(&crowd);
}
