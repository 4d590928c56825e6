/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/*
 * Peers that take more than their share, and somebody honest meanwhile (tests/net_host/host.h); and
 * how connections begin and end. It begins shortly before net's clock of milliseconds wraps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "abi/proto/file.h"
#include "abi/proto/net.h"
#include "tests/net_host/host.h"

bool memory_short(void); /* servers/net/net.h */

#define NETWORKS "e0=10.0.2.15/24,10.0.2.2 e1=10.0.3.15/24"
#define CONNECTIONS 2200
#define WRAP_MS (1ull << 32) /* where sys_now() begins again */
#define BEFORE_WRAP_MS 20000 /* that net is started */
#define WIDE "\x02\x04\x05\xb4\x01\x03\x03\x07\x01\x01\x04\x02" /* 1460, scale 7, SACK */

/* ---- the wire's end: any number of connections, by hand ---- */

static struct connection {
    uint32_t from, next, acknowledged; /* ours to send; theirs that we have */
    uint16_t port, to_port;
    unsigned resets;
    uint8_t last_flags;
    uint32_t last_seq, bytes;
    bool scaled; /* their SYN had a window scale */
    bool takes; /* acknowledges what comes, with a window */
    uint16_t window;
} connections[CONNECTIONS];
static unsigned used;
static uint16_t next_port = 1024;

static void send_segment(struct connection *c, uint8_t flags, const void *data, size_t length)
{
    struct segment s = {.from = c->from,
                        .from_port = c->port,
                        .to_port = c->to_port,
                        .seq = c->next,
                        .ack = c->acknowledged,
                        .flags = flags,
                        .window = c->window,
                        .data = data,
                        .length = (uint16_t)length};

    if (flags & TCP_S) {
        s.options = WIDE;
        s.option_bytes = 12;
    }
    c->next += (uint32_t)length + (flags & (TCP_S | TCP_F) ? 1 : 0);
    send_tcp(&s);
}

static void heard(struct connection *c, const struct sent_segment *s)
{
    uint32_t length = s->length + (s->flags & (TCP_S | TCP_F) ? 1u : 0u);

    c->last_flags = s->flags;
    c->last_seq = s->seq;
    c->resets += s->flags & TCP_R ? 1 : 0;
    if (s->flags & TCP_S) {
        c->acknowledged = s->seq + 1;
        for (unsigned i = 0; i + 2 < s->option_bytes; i++)
            c->scaled |= s->options[i] == 3 && s->options[i + 1] == 3;
    } else if (s->seq == c->acknowledged && (c->takes || s->flags & TCP_F)) {
        c->acknowledged += length;
        c->bytes += s->length;
    }
}

static void on_sent(unsigned n, const uint8_t *frame, size_t length)
{
    struct sent_segment s;

    if (frame[12] == 8 && frame[13] == 6 && frame[21] == 1) {
        uint8_t reply[64];
        uint32_t wanted = (uint32_t)frame[38] << 24 | frame[39] << 16 | frame[40] << 8 | frame[41];

        host_queue_frame(n, reply,
                         frame_arp(reply, 2, peer_mac, wanted, host_mac[n], HOST_ADDRESS));
    }
    if (!sent_tcp(frame, length, &s))
        return;
    for (unsigned i = 0; i < used; i++)
        if (connections[i].from == s.to && connections[i].port == s.to_port)
            heard(&connections[i], &s);
}

static struct connection *begin(uint32_t from, uint16_t to_port, uint16_t window)
{
    struct connection *c = &connections[used++];

    assert_true(used <= CONNECTIONS);
    *c = (struct connection){.from = from,
                             .next = host_random(),
                             .port = next_port++,
                             .to_port = to_port,
                             .window = window};
    send_segment(c, TCP_S, NULL, 0);
    host_turn(); /* the answer to its ARP */
    return c;
}

static struct connection *connect_from(uint32_t from, uint16_t to_port, uint16_t window)
{
    struct connection *c = begin(from, to_port, window);

    if (c->acknowledged)
        send_segment(c, TCP_A, NULL, 0);
    return c;
}

static void reset_all(void)
{
    for (unsigned i = 0; i < used; i++)
        send_segment(&connections[i], TCP_R | TCP_A, NULL, 0);
    host_pass(1000);
    used = 0;
}

/* Somebody honest is served, within a second, and is not reset. */
static void assert_echo(void)
{
    struct connection *c = connect_from(PEER, PORT_ECHO, 8192);
    uint64_t begun = host_now_ms();

    c->takes = true;
    assert_true(c->acknowledged != 0);
    send_segment(c, TCP_A | TCP_P, "hello", 5);
    while (c->bytes < 5 && host_now_ms() - begun < 1000)
        host_pass(10);
    assert_int_equal(c->bytes, 5);
    assert_int_equal(c->resets, 0);
    send_segment(c, TCP_R | TCP_A, NULL, 0);
    used--;
}

static void assert_file(void)
{
    struct connection *c = connect_from(PEER, PORT_FILE, 512);
    uint64_t begun = host_now_ms();

    c->takes = true;
    assert_true(c->acknowledged != 0);
    send_segment(c, TCP_A | TCP_P, "GET", 3);
    while (c->bytes < FILE_BYTES && host_now_ms() - begun < 1000) {
        send_segment(c, TCP_A, NULL, 0);
        host_pass(1);
    }
    assert_int_equal(c->bytes, FILE_BYTES);
    assert_int_equal(c->resets, 0);
    send_segment(c, TCP_F | TCP_A, NULL, 0);
    used--;
}

static uint32_t attacker(unsigned i)
{
    return 0x0a000264 + i % 150;
}

static void flood_of_syns(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct segment s = {.from = attacker(i),
                            .from_port = (uint16_t)(20000 + i),
                            .to_port = i % 2 ? PORT_ECHO : PORT_FILE,
                            .seq = i,
                            .flags = TCP_S,
                            .window = 8192};

        send_tcp(&s);
        if (i % 500 == 499) {
            assert_echo();
            assert_file();
        }
    }
}

/* ---- after 49.7 days ---- */

static void pass_until(uint64_t ms)
{
    while (host_now_ms() < ms)
        host_pass(10);
}

/* The first of all: the clock of net's milliseconds begins again while it runs. What was begun
 * before goes on: a connection, an answer that was lost, a silence that is waited for, a cookie. */
static void test_the_clock_begins_again(void **state)
{
    struct connection *open = connect_from(PEER, PORT_ECHO, 8192), *cookie, *lost;
    long sent, taken;

    open->takes = true;
    send_segment(open, TCP_A | TCP_P, "one", 3);
    host_pass(100);
    assert_int_equal(open->bytes, 3);
    pass_until(WRAP_MS - 5000);
    flood_of_syns(1000);
    sent = host_counter("tcp_cookie_sent");
    taken = host_counter("tcp_cookie_taken");
    cookie = begin(PEER, PORT_ECHO, 8192);
    assert_int_equal(host_counter("tcp_cookie_sent"), sent + 1);
    lost = connect_from(PEER, PORT_ECHO, 8192); /* by a cookie, too */
    assert_int_equal(host_counter("tcp_cookie_taken"), taken + 1);
    pass_until(WRAP_MS - 100);
    send_segment(lost, TCP_A | TCP_P, "lost!", 5); /* the answer is not acknowledged */
    pass_until(WRAP_MS);
    lost->takes = cookie->takes = true;
    host_pass(2000);
    assert_int_equal(lost->bytes, 5); /* and so sent again */
    send_segment(cookie, TCP_A, NULL, 0);
    send_segment(cookie, TCP_A | TCP_P, "late", 4);
    send_segment(open, TCP_A | TCP_P, "two", 3);
    host_pass(1000);
    assert_int_equal(host_counter("tcp_cookie_taken"), taken + 2);
    assert_int_equal(cookie->bytes, 4);
    assert_int_equal(open->bytes, 6);
    assert_int_equal(open->resets + cookie->resets + lost->resets, 0);
    assert_echo();
    assert_file();
    reset_all();
    host_pass(60000); /* those that never go on age */
}

/* ---- floods ---- */

static void test_windows_that_stay_closed(void **state)
{
    for (unsigned i = 0; i < 200; i++) {
        struct connection *c = connect_from(attacker(i), PORT_FILE, 0);

        send_segment(c, TCP_A | TCP_P, "GET", 3);
        if (i % 50 == 49)
            assert_file();
    }
    for (int second = 0; second < 10; second++) {
        for (unsigned i = 0; i < used; i++) /* they answer what is asked */
            send_segment(&connections[i], TCP_A, NULL, 0);
        host_pass(1000);
        assert_file();
    }
    assert_false(memory_short());
    assert_true(host_counter("tcp_stalled_ended") > 0);
    reset_all();
}

/* One peer with much, many with little: it is the one that loses. */
static void test_who_holds_most_gives(void **state)
{
    struct connection *little[20];
    unsigned lost = 0;

    for (unsigned i = 0; i < 20; i++) {
        little[i] = connect_from(attacker(i), PORT_FILE, 0);
        send_segment(little[i], TCP_A | TCP_P, "GET", 3);
    }
    for (unsigned i = 0; i < 80; i++)
        send_segment(connect_from(0x0a0002fa, PORT_FILE, 0), TCP_A | TCP_P, "GET", 3);
    host_pass(5000);
    for (unsigned i = 0; i < 20; i++)
        lost += little[i]->resets;
    assert_int_equal(lost, 0);
    assert_false(memory_short());
    reset_all();
}

static void test_begun_and_never_gone_on(void **state)
{
    long sent = host_counter("tcp_cookie_sent"), taken = host_counter("tcp_cookie_taken");
    struct connection *c;

    flood_of_syns(3000);
    assert_true(host_counter("tcp_cookie_sent") > sent + 2000);
    assert_true(host_counter("tcp_cookie_taken") > taken + 5);
    c = begin(PEER, PORT_ECHO, 8192); /* what the cookie says is what was agreed on */
    assert_true(c->scaled);
    c->acknowledged += 256; /* somebody else's */
    send_segment(c, TCP_A, NULL, 0);
    assert_int_equal(c->resets, 1);
    host_pass(60000); /* they age */
    sent = host_counter("tcp_cookie_sent");
    assert_echo();
    assert_int_equal(host_counter("tcp_cookie_sent"), sent);
    used = 0;
}

/* More at once than the program's queue takes: nobody is reset, all are served in the end. */
static void test_a_burst_waits_for_the_program(void **state)
{
    enum { BURST = 240 };
    struct connection *c[BURST];
    long full = host_counter("tcp_backlog_full");
    unsigned served = 0;

    host_accepting = false;
    for (unsigned i = 0; i < BURST; i++)
        c[i] = begin(PEER, PORT_BUSY, 8192);
    for (unsigned i = 0; i < BURST; i++) {
        c[i]->takes = true;
        if (c[i]->acknowledged)
            send_segment(c[i], TCP_A, NULL, 0);
    }
    host_pass(3000);
    assert_true(host_counter("tcp_backlog_full") > full);
    host_accepting = true;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < BURST; i++) {
            if (c[i]->bytes)
                continue;
            c[i]->next -= round && c[i]->acknowledged ? 1 : 0; /* sent again */
            if (c[i]->acknowledged) {
                send_segment(c[i], TCP_A | TCP_P, "x", 1);
                continue;
            }
            c[i]->next--;
            send_segment(c[i], TCP_S, NULL, 0);
        }
        host_pass(300);
    }
    for (unsigned i = 0; i < BURST; i++) {
        assert_int_equal(c[i]->resets, 0);
        served += c[i]->bytes == 1;
    }
    assert_int_equal(served, BURST);
    reset_all();
}

/* Of servers that fork: each costs a process. */
static void test_idle_connections(void **state)
{
    host_forks = true;
    for (unsigned i = 0; i < 600; i++) {
        connect_from(attacker(i), PORT_ECHO, 8192);
        if (i % 100 == 99)
            assert_echo();
    }
    assert_true(host_counter("tcp_connection_ended") >= 600 - 256);
    reset_all();
    host_forks = false;
}

/* Of one process that serves them all, it may be as many as it can have: then the longest idle end. */
static void test_idle_connections_of_one_process(void **state)
{
    enum { HONEST = 1100, ALL = 2100, MOST = 1536 };
    long before = host_counter("tcp_connection_ended");

    for (unsigned i = 0; i < ALL; i++) {
        connect_from(attacker(i), PORT_DEAF, 8192);
        if (i % 500 == 499)
            assert_echo();
        if (i != HONEST)
            continue;
        for (unsigned n = 0; n < used; n++) {
            send_segment(&connections[n], TCP_A | TCP_P, "x", 1);
            assert_int_equal(connections[n].resets, 0);
        }
        assert_int_equal(host_counter("tcp_connection_ended"), before);
    }
    assert_true(host_counter("tcp_connection_ended") >= before + ALL - MOST);
    assert_echo();
    reset_all();
}

/* Everybody keeps as many single bytes with holes as a connection may. */
static void test_holes_of_many(void **state)
{
    long before = host_counter("tcp_order_forgotten");

    for (unsigned i = 0; i < 80; i++) {
        struct connection *c = connect_from(attacker(i), PORT_DEAF, 8192);
        uint32_t first = c->next;

        for (uint32_t hole = 0; hole < 260; hole++) {
            c->next = first + 1 + 2 * hole;
            send_segment(c, TCP_A, "z", 1);
        }
        c->next = first;
        if (i % 20 == 19) {
            assert_echo();
            assert_file();
        }
    }
    assert_true(host_counter("tcp_order_forgotten") > before);
    assert_file();
    reset_all();
}

/* One byte a segment, to a program that does not read. */
static void test_single_bytes_that_nobody_reads(void **state)
{
    struct connection *c = connect_from(PEER, PORT_DEAF, 8192);

    for (unsigned i = 0; i < 50000; i++)
        send_segment(c, TCP_A, "z", 1);
    assert_false(memory_short());
    assert_int_equal(c->resets, 0);
    assert_echo();
    reset_all();
}

/* The program has hung up, and the peer takes nothing of what is left. */
static void test_orphans_end(void **state)
{
    struct connection *c = connect_from(PEER, PORT_ECHO, 0);

    send_segment(c, TCP_A | TCP_P, "something", 9);
    send_segment(c, TCP_F | TCP_A, NULL, 0);
    for (int i = 0; i < 120; i++) {
        host_pass(1000);
        send_segment(c, TCP_A, NULL, 0);
    }
    assert_true(c->resets > 0);
    assert_null(strstr(host_table(NET_TCP), "4D02000A:"));
    reset_all();
}

/* ---- beginnings and ends ---- */

/* Closed by us, and so in TIME-WAIT; the connection. */
static struct connection *closed(void)
{
    struct connection *c = connect_from(PEER, PORT_FILE, 512);

    c->takes = true;
    send_segment(c, TCP_A | TCP_P, "GET", 3);
    for (int i = 0; i < 2000 && !(c->last_flags & TCP_F); i++) {
        send_segment(c, TCP_A, NULL, 0);
        host_pass(1);
    }
    assert_true(c->last_flags & TCP_F);
    send_segment(c, TCP_F | TCP_A, NULL, 0);
    assert_non_null(strstr(host_table(NET_TCP), " 06 "));
    return c;
}

static void test_a_pair_is_used_again(void **state)
{
    struct connection *c = closed();
    uint32_t theirs = c->acknowledged, ours = c->next;

    c->next = ours - 1000; /* an old one */
    send_segment(c, TCP_S, NULL, 0);
    assert_int_equal(c->last_flags, TCP_A);
    c->next = ours + 1;
    send_segment(c, TCP_S, NULL, 0);
    assert_int_equal(c->last_flags, TCP_S | TCP_A);
    assert_true((int32_t)(c->last_seq - theirs) > 0);
    c->bytes = 0;
    send_segment(c, TCP_A | TCP_P, "GET", 3);
    for (int i = 0; i < 2000 && c->bytes < FILE_BYTES; i++) {
        send_segment(c, TCP_A, NULL, 0);
        host_pass(1);
    }
    assert_int_equal(c->bytes, FILE_BYTES);
    reset_all();
}

/* One of our programs connects: what the peer knows of it. */
static struct connection *called(void)
{
    struct connection *c = &connections[used++];

    next_port++;
    *c = (struct connection){.from = PEER, .next = 5000, .port = next_port, .window = 8192};
    assert_true(host_connect(PEER, next_port) >= 0);
    host_turn();
    assert_int_equal(c->last_flags, TCP_S);
    return c;
}

static uint16_t port_of_last(void)
{
    unsigned local, from = next_port;
    char wanted[20];
    const char *at;

    snprintf(wanted, sizeof wanted, "4D02000A:%04X ", from);
    at = strstr(host_table(NET_TCP), wanted);
    assert_non_null(at);
    assert_int_equal(sscanf(at - 5, "%4X", &local), 1);
    return (uint16_t)local;
}

static bool established(void)
{
    char wanted[24];

    snprintf(wanted, sizeof wanted, "4D02000A:%04X 01 ", next_port);
    return strstr(host_table(NET_TCP), wanted);
}

static void test_both_begin_at_once(void **state)
{
    for (int with_syn = 0; with_syn < 2; with_syn++) {
        struct connection *c = called();

        c->to_port = port_of_last();
        send_segment(c, TCP_S, NULL, 0);
        assert_int_equal(c->last_flags, TCP_S | TCP_A);
        assert_false(established());
        if (with_syn) {
            c->next--;
            send_segment(c, TCP_S | TCP_A, NULL, 0);
        } else {
            send_segment(c, TCP_A, NULL, 0);
        }
        assert_true(established());
        assert_int_equal(c->resets, 0);
    }
    reset_all();
}

static void test_ports_are_not_to_be_guessed(void **state)
{
    unsigned before = 0, near = 0;

    for (int i = 0; i < 50; i++) {
        unsigned port;

        called();
        port = port_of_last();
        near += port - before < 8;
        before = port;
    }
    assert_true(near < 5);
    near = 0;
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in name = {.sin_family = AF_INET};
        uint64_t w[6] = {AF_INET, SOCK_DGRAM, 0, 0, 0, 0}, node;
        unsigned port;

        assert_int_equal(host_call(SOCKET_CREATE, w), 0);
        node = w[1];
        memcpy(w, (uint64_t[6]){node, (uint64_t)(uintptr_t)&name, sizeof name, 0, 0, 0}, sizeof w);
        assert_int_equal(host_call(SOCKET_BIND, w), 0);
        assert_int_equal(sscanf(strstr(host_table(NET_UDP), "00000000:") + 9, "%4X", &port), 1);
        near += port - before < 8;
        before = port;
    }
    assert_true(near < 5);
    reset_all();
}

static int setup(void **state)
{
    host_sent = on_sent;
    host_clock(WRAP_MS - BEFORE_WRAP_MS);
    host_start(1, NETWORKS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_begins_again),
        cmocka_unit_test(test_windows_that_stay_closed),
        cmocka_unit_test(test_who_holds_most_gives),
        cmocka_unit_test(test_begun_and_never_gone_on),
        cmocka_unit_test(test_a_burst_waits_for_the_program),
        cmocka_unit_test(test_idle_connections),
        cmocka_unit_test(test_idle_connections_of_one_process),
        cmocka_unit_test(test_holes_of_many),
        cmocka_unit_test(test_single_bytes_that_nobody_reads),
        cmocka_unit_test(test_orphans_end),
        cmocka_unit_test(test_a_pair_is_used_again),
        cmocka_unit_test(test_both_begin_at_once),
        cmocka_unit_test(test_ports_are_not_to_be_guessed),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
