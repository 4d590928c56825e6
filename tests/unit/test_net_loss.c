/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/*
 * How fast the network server sends when the wire loses frames: the whole server, a receiver 10 ms
 * away, and a clock that the test moves. So the figures are the same on every machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/net_host/host.h"

#define NETWORKS "e0=10.0.2.15/24,10.0.2.2"
#define HEAD 3 /* "GET" */
#define MSS 1460
#define SEGMENTS (FILE_BYTES / MSS + 1)
#define LIMIT 120000 /* ms of the test's clock */

/* ---- the wire ---- */

struct flight {
    uint64_t when; /* ms */
    uint32_t from, to; /* bytes of the file; an acknowledgement: up to `to` */
    bool end; /* FIN */
    struct {
        uint32_t left, right;
    } blocks[3];
};

#define FLIGHTS 4096
static struct flight there[FLIGHTS], back[FLIGHTS];
static unsigned there_first, there_end, back_first, back_end;

static struct {
    uint64_t way; /* ms, each way */
    unsigned percent; /* of both directions is lost */
    unsigned reorder; /* percent come this much later: */
    uint64_t lag; /* ms */
    bool sack;
    uint64_t dark_from, dark_to; /* ms since the beginning: nothing passes */
    uint32_t forgets, forgotten; /* what lies behind this byte, when it comes; how much that was */
    bool (*drops)(uint32_t from,
                  unsigned times); /* this one, which is sent for the times'th time */
} wire;

static uint16_t port = 30000;
static uint32_t first; /* number of the file's first byte */
static bool answered, finished;
static uint8_t have[FILE_BYTES + 1]; /* the last: FIN */
static uint32_t next_wanted;
static unsigned sent[SEGMENTS + 1], sent_all, needless;
static uint64_t begun, last_sent, longest_pause;

static bool chance(unsigned percent)
{
    return percent && host_random() % 100 < percent;
}

static uint64_t since(void)
{
    return host_now_ms() - begun;
}

static bool dark(void)
{
    return since() >= wire.dark_from && since() < wire.dark_to;
}

static void arp(const uint8_t *frame)
{
    uint8_t reply[64];
    uint32_t wanted = (uint32_t)frame[38] << 24 | frame[39] << 16 | frame[40] << 8 | frame[41];

    if (frame[21] == 1 && wanted == PEER)
        host_queue_frame(0, reply, frame_arp(reply, 2, peer_mac, PEER, host_mac[0], HOST_ADDRESS));
}

static void on_data(const struct sent_segment *s)
{
    uint32_t from = s->seq - first, to = from + s->length;
    unsigned *times = &sent[from / MSS];
    uint64_t pause = host_now_ms() - last_sent;

    sent_all++;
    ++*times;
    longest_pause = pause > longest_pause ? pause : longest_pause;
    last_sent = host_now_ms();
    if (dark() || chance(wire.percent) || (wire.drops && wire.drops(from, *times)))
        return;
    assert_true(there_end - there_first < FLIGHTS);
    there[there_end++ % FLIGHTS] =
        (struct flight){.when = host_now_ms() + wire.way + (chance(wire.reorder) ? wire.lag : 0),
                        .from = from,
                        .to = to,
                        .end = s->flags & TCP_F};
}

static void on_sent(unsigned n, const uint8_t *frame, size_t length)
{
    static const uint8_t is_arp[] = {0x08, 0x06};
    struct sent_segment s;

    (void)n;
    if (memcmp(frame + 12, is_arp, 2) == 0)
        arp(frame);
    if (!sent_tcp(frame, length, &s) || s.to_port != port)
        return;
    if (s.flags & TCP_S) {
        first = s.seq + 1;
        answered = true;
    } else if (s.length || s.flags & TCP_F) {
        on_data(&s);
    }
}

/* ---- the receiver ---- */

static void acknowledge(uint32_t newest)
{
    struct flight *f = &back[back_end++ % FLIGHTS];
    uint32_t left = newest, right = newest, n = 0;

    *f = (struct flight){.when = host_now_ms() + wire.way, .to = next_wanted};
    if (!wire.sack)
        return;
    while (left > next_wanted && have[left - 1])
        left--;
    while (right <= FILE_BYTES && have[right])
        right++;
    if (left > next_wanted && right > left) {
        f->blocks[n].left = left;
        f->blocks[n++].right = right;
    }
    for (uint32_t at = next_wanted; at <= FILE_BYTES && n < 3; at = right) {
        for (left = at; left <= FILE_BYTES && !have[left]; left++)
            ;
        for (right = left; right <= FILE_BYTES && have[right]; right++)
            ;
        if (left > FILE_BYTES)
            break;
        if (n && f->blocks[0].left == left)
            continue;
        f->blocks[n].left = left;
        f->blocks[n++].right = right;
    }
}

static void receive(const struct flight *f)
{
    uint32_t end = f->to + (f->end ? 1 : 0);

    if (wire.forgets && f->from == wire.forgets) {
        for (uint32_t at = f->to; at <= FILE_BYTES; at++)
            wire.forgotten += have[at];
        memset(have + f->to, 0, FILE_BYTES + 1 - f->to);
    }
    needless += f->to > f->from && have[f->from] ? 1 : 0;
    memset(have + f->from, 1, end - f->from);
    while (next_wanted <= FILE_BYTES && have[next_wanted])
        next_wanted++;
    finished = next_wanted > FILE_BYTES;
    acknowledge(f->from);
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void reply(uint8_t flags, uint32_t seq, uint32_t ack, const void *options, uint8_t bytes,
                  const char *text)
{
    struct segment s = {.from_port = port,
                        .to_port = PORT_FILE,
                        .seq = seq,
                        .ack = ack,
                        .flags = flags,
                        .window = 65535,
                        .options = options,
                        .option_bytes = bytes,
                        .data = text,
                        .length = (uint16_t)strlen(text)};

    send_tcp(&s);
}

static void send_back(const struct flight *f)
{
    uint8_t options[28] = {1, 1, 5, 2};
    uint8_t bytes = 4;

    for (unsigned i = 0; i < 3 && f->blocks[i].right; i++, bytes += 8) {
        put32(options + bytes, first + f->blocks[i].left);
        put32(options + bytes + 4, first + f->blocks[i].right);
    }
    options[3] = (uint8_t)(bytes - 2);
    if (!dark() && !chance(wire.percent))
        reply(TCP_A, 1001 + HEAD, first + f->to, options, bytes > 4 ? bytes : 0, "");
}

/* Those that are due; one that is late lets the others pass. */
static void deliver(void)
{
    for (unsigned i = there_first; i != there_end; i++) {
        struct flight *f = &there[i % FLIGHTS];

        if (f->when <= host_now_ms()) {
            f->when = UINT64_MAX;
            receive(f);
        }
        if (i == there_first && f->when == UINT64_MAX)
            there_first++;
    }
    while (back_first != back_end && back[back_first % FLIGHTS].when <= host_now_ms())
        send_back(&back[back_first++ % FLIGHTS]);
}

/* ---- one transfer ---- */

/* ms that it took. */
static uint32_t fetch(uint64_t seed)
{
    static const uint8_t with[] = {2, 4, MSS >> 8, MSS & 255, 3, 3, 3, 1, 4, 2},
                         without[] = {2, 4, MSS >> 8, MSS & 255, 3, 3, 3};

    for (uint64_t i = 0; i < seed; i++)
        host_random();
    port++;
    memset(have, 0, sizeof have);
    memset(sent, 0, sizeof sent);
    next_wanted = sent_all = needless = there_first = there_end = back_first = back_end = 0;
    answered = finished = false;
    begun = last_sent = host_now_ms();
    reply(TCP_S, 1000, 0, wire.sack ? with : without, wire.sack ? sizeof with : sizeof without, "");
    host_turn(); /* the answer to its ARP, the first time */
    assert_true(answered);
    host_pass((uint32_t)wire.way);
    reply(TCP_A, 1001, first, NULL, 0, "");
    longest_pause = 0;
    begun = last_sent = host_now_ms();
    reply(TCP_A | TCP_P, 1001, first, NULL, 0, "GET");
    while (!finished && since() < LIMIT) {
        host_pass(1);
        deliver();
    }
    assert_true(finished);
    return (uint32_t)since();
}

#define WAY 10

static void plain_wire(bool sack)
{
    memset(&wire, 0, sizeof wire);
    wire.way = WAY;
    wire.sack = sack;
}

/* kB/s, the mean of some transfers. */
static uint32_t rate(unsigned percent, bool sack)
{
    uint32_t ms = 0, transfers = 8;

    plain_wire(sack);
    wire.percent = percent;
    for (uint32_t i = 0; i < transfers; i++)
        ms += fetch(i);
    print_message("%u %% lost%s: %u kB/s\n", percent, sack ? "" : ", no SACK",
                  FILE_BYTES * transfers / ms);
    return FILE_BYTES * transfers / ms;
}

/* With lwIP's own rules: 433, 56, 10; 565, 72. */
static void test_rates(void **state)
{
    (void)state;
    assert_true(rate(0, true) > 2000);
    assert_true(rate(1, true) > 900);
    assert_true(rate(5, true) > 320);
    assert_true(rate(10, true) > 140);
    assert_true(rate(1, false) > 900);
    assert_true(rate(5, false) > 240);
}

/* ---- one thing lost, and nothing by chance ---- */

#define NUMBER(from) ((from) / MSS)

static bool five_of_a_window(uint32_t from, unsigned times)
{
    unsigned n = NUMBER(from);

    return times == 1 && (n == 60 || n == 61 || n == 63 || n == 66 || n == 70);
}

/* Without a time-out, with SACK all at once, and nothing else is sent again. */
static void test_several_of_one_window(void **state)
{
    (void)state;
    plain_wire(true);
    wire.drops = five_of_a_window;
    fetch(0);
    assert_in_range(longest_pause, 0, 5 * WAY);
    assert_int_equal(needless, 0);
    assert_int_equal(sent_all, SEGMENTS + 5);
    plain_wire(false);
    wire.drops = five_of_a_window;
    fetch(0);
    assert_in_range(longest_pause, 0, 5 * WAY);
    assert_in_range(needless, 0, 1);
}

static bool again_and_again(uint32_t from, unsigned times)
{
    return NUMBER(from) == 60 && times <= 3;
}

static void test_lost_again_and_again(void **state)
{
    (void)state;
    plain_wire(true);
    wire.drops = again_and_again;
    fetch(0);
    assert_in_range(longest_pause, 0, 5 * WAY);
    assert_int_equal(sent[60], 4);
    assert_int_equal(needless, 0);
}

static bool the_last_ones(uint32_t from, unsigned times)
{
    return times == 1 && NUMBER(from) >= SEGMENTS - 4;
}

/* Nothing comes behind the last ones: a probe shows that they are lost. */
static void test_tail(void **state)
{
    (void)state;
    plain_wire(true);
    wire.drops = the_last_ones;
    fetch(0);
    assert_in_range(longest_pause, 2 * WAY, 100);
    assert_in_range(sent_all, SEGMENTS, SEGMENTS + 6);
}

/* A second of nothing: at least 200 ms are waited, then twice as long, and so on. */
static void test_time_outs_double(void **state)
{
    uint32_t without, with;

    (void)state;
    plain_wire(true);
    without = fetch(0);
    wire.dark_from = 70;
    wire.dark_to = 1070;
    with = fetch(0);
    assert_in_range(longest_pause, 400, 1000);
    assert_in_range(with, without + 1000, without + 2000);
    assert_in_range(needless, 0, 8);
}

static void test_other_order_is_no_loss(void **state)
{
    uint32_t without, with;

    (void)state;
    plain_wire(true);
    without = fetch(0);
    wire.reorder = 5;
    wire.lag = 4;
    with = fetch(0);
    print_message("5 %% come 4 ms later: %u ms instead of %u, %u of %u sent for nothing\n", with,
                  without, needless, sent_all);
    assert_in_range(needless, 0, SEGMENTS / 20);
    assert_true(with < 3 * without);
}

static bool hole(uint32_t from, unsigned times)
{
    return NUMBER(from) == 60 && times <= 2;
}

/* A peer may give up what it has said it has (RFC 2018). */
static void test_peer_that_forgets(void **state)
{
    (void)state;
    plain_wire(true);
    wire.drops = hole;
    wire.forgets = 60 * MSS;
    fetch(0);
    assert_true(wire.forgotten > 10 * MSS);
}

/* A wire that is slower than the first time-out: what was sent again says nothing of how slow. */
static void test_slow_wire(void **state)
{
    (void)state;
    plain_wire(true);
    wire.way = 1500;
    fetch(0);
    assert_in_range(needless, 0, 4);
}

static int setup(void **state)
{
    (void)state;
    host_sent = on_sent;
    host_start(1, NETWORKS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_several_of_one_window),
        cmocka_unit_test(test_lost_again_and_again),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_time_outs_double),
        cmocka_unit_test(test_other_order_is_no_loss),
        cmocka_unit_test(test_peer_that_forgets),
        cmocka_unit_test(test_slow_wire),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
