/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/* The whole network server and a peer that does not play fair. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/proto/net.h"
#include "tests/net_host/host.h"

bool memory_short(void); /* servers/net/net.h */
bool dhcp_is_sound(const uint8_t *message, size_t length); /* servers/net/guard.h */

#define NETWORKS "e0=10.0.2.15/24,10.0.2.2 e1=10.0.3.15/24"

/* ---- a small peer: one connection, by hand ---- */

static struct sent_segment last; /* of our connection */
static uint8_t last_data[1600];
static unsigned segments, resets, arps;
static uint8_t last_arp[64];
static uint16_t port = 20000;

static void on_sent(unsigned n, const uint8_t *frame, size_t length)
{
    static const uint8_t to_peer[] = {0x08, 0x06};
    struct sent_segment s;

    if (memcmp(frame + 12, to_peer, 2) == 0) {
        uint8_t reply[64];
        uint32_t wanted = (uint32_t)frame[38] << 24 | frame[39] << 16 | frame[40] << 8 | frame[41];

        arps++;
        memcpy(last_arp, frame, 42);
        if (n == 0 && frame[21] == 1 && wanted == PEER)
            host_queue_frame(0, reply,
                             frame_arp(reply, 2, peer_mac, PEER, host_mac[0], HOST_ADDRESS));
    }
    if (!sent_tcp(frame, length, &s) || s.to_port != port)
        return;
    segments++;
    if (s.flags & TCP_R)
        resets++;
    last = s;
    if (s.length <= sizeof last_data)
        memcpy(last_data, s.data, s.length);
}

static struct segment segment(uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window)
{
    return (struct segment){.from_port = port,
                            .to_port = PORT_ECHO,
                            .seq = seq,
                            .ack = ack,
                            .flags = flags,
                            .window = window};
}

/* A connection to `to_port`; the peer's next number is 1001. Its last word is in `last`. */
static uint32_t connect_to(uint16_t to_port, uint16_t window)
{
    struct segment s;

    port++;
    segments = resets = 0;
    s = segment(TCP_S, 1000, 0, window);
    s.to_port = to_port;
    send_tcp(&s);
    host_turn(); /* the answer to its ARP, the first time */
    assert_int_equal(last.flags, TCP_S | TCP_A);
    assert_int_equal(last.ack, 1001);
    s = segment(TCP_A, 1001, last.seq + 1, window);
    s.to_port = to_port;
    send_tcp(&s);
    return last.seq + 1;
}

static void say(uint16_t to_port, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window,
                const char *text)
{
    struct segment s = segment(flags, seq, ack, window);

    s.to_port = to_port;
    s.data = text;
    s.length = (uint16_t)strlen(text);
    send_tcp(&s);
}

/* The server is as useful as before. */
static void assert_alive(void)
{
    uint32_t next = connect_to(PORT_ECHO, 8192);

    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 8192, "hello");
    assert_int_equal(last.length, 5);
    assert_memory_equal(last_data, "hello", 5);
    say(PORT_ECHO, TCP_R, 1006, next, 0, "");
}

/* ---- four frames that stopped the system ---- */

static void test_mss_outside_syn(void **state)
{
    uint32_t next = connect_to(PORT_FILE, 1460);

    say(PORT_FILE, TCP_A | TCP_P, 1001, next, 1460, "GET");
    for (int i = 0; i < 60; i++) {
        struct segment s = segment(TCP_A, 1004, last.seq + last.length, 1460);

        s.to_port = PORT_FILE;
        s.options = "\x02\x04\x00\x01";
        s.option_bytes = 4;
        send_tcp(&s);
        host_pass(100);
    }
    assert_int_equal(last.length, 536); /* segments are as large as they were agreed on */
    assert_alive();
}

static void test_window_of_next_to_nothing(void **state)
{
    for (uint16_t window = 0; window < 3; window++) {
        uint32_t next = connect_to(PORT_FILE, window);

        say(PORT_FILE, TCP_A | TCP_P, 1001, next, window, "GET");
        host_pass(500);
        for (int i = 0; i < 60; i++) {
            say(PORT_FILE, TCP_A, 1004, last.seq + last.length, 100, "");
            host_pass(100);
        }
        assert_true(last.seq - next > 500);
    }
    assert_alive();
}

static void test_probe_acknowledged_window_stays_closed(void **state)
{
    uint32_t next = connect_to(PORT_ECHO, 0);

    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 0, "q");
    for (int i = 0; i < 100; i++) {
        host_pass(200);
        say(PORT_ECHO, TCP_A, 1002, last.seq + last.length, 0, "");
    }
    assert_int_equal(last_data[0], 'q');
    assert_alive();
}

static void test_fin_past_a_closed_window(void **state)
{
    uint32_t next = connect_to(PORT_ECHO, 0);

    say(PORT_ECHO, TCP_A | TCP_F, 1001, next, 0, "");
    for (int i = 0; i < 100; i++) {
        host_pass(200);
        say(PORT_ECHO, TCP_A, 1002, last.seq + last.length + (last.flags & TCP_F ? 1 : 0), 0, "");
    }
    assert_alive();
}

/* Out of order up to the edge of the window, over it, and then the hole closes. */
static void test_out_of_order_past_the_edge(void **state)
{
    static char block[1461];
    long before = host_counter("tcp_beyond_window");
    uint32_t next = connect_to(PORT_DEAF, 8192), edge = 1001 + 65535;

    memset(block, 'x', 1460);
    for (uint32_t at = 1002; at < edge + 5000; at += 1460)
        say(PORT_DEAF, TCP_A, at, next, 8192, block);
    assert_true(host_counter("tcp_beyond_window") > before);
    say(PORT_DEAF, TCP_A, 1001, next, 8192, "y");
    assert_true(last.ack > 1001 + 60000);
    say(PORT_DEAF, TCP_A | TCP_F, edge - 1, next, 8192, block);
    assert_alive();
}

/* Data that go on behind a FIN which came before them: it is where they end, one number past the window's edge. */
static void test_data_behind_a_fin(void **state)
{
    static char block[1201];
    uint32_t next = connect_to(PORT_DEAF, 8192), edge = 1001 + 65535, at = 1002;

    memset(block, 'x', 1200);
    for (; at + 1000 <= edge - 200; at += 1000)
        say(PORT_DEAF, TCP_A, at, next, 8192, block + 200);
    say(PORT_DEAF, TCP_A | TCP_F, edge - 101, next, 8192, block + 1100);
    say(PORT_DEAF, TCP_A, at, next, 8192, block + 1200 - (edge - at));
    assert_int_equal(last.ack, 1001);
    say(PORT_DEAF, TCP_A, 1001, next, 8192, "y");
    assert_int_equal(last.ack, edge + 1);
    host_pass(1000);
    assert_alive();
}

/* The same in order, when the program reads nothing and little of the window is left. */
static void test_data_over_a_fin_that_fill_the_window(void **state)
{
    static char block[1461];
    uint32_t next = connect_to(PORT_DEAF, 8192), at = 1001, left;

    memset(block, 'x', 1460);
    for (; last.window >= 1460; at += 1460)
        say(PORT_DEAF, TCP_A, at, next, 8192, block);
    left = last.window;
    assert_in_range(left, 10, 1459);
    say(PORT_DEAF, TCP_A | TCP_F, at + 1, next, 8192, block + 1460 - (left - 2));
    assert_int_equal(last.ack, at);
    say(PORT_DEAF, TCP_A, at, next, 8192, block + 1460 - left);
    assert_int_equal(last.ack, at + left + 1);
    assert_alive();
}

/* A segment waits for the one before; meanwhile its buffer, which was its driver's, is overwritten.
 */
static void test_what_was_checked_stays(void **state)
{
    uint32_t next = connect_to(PORT_ECHO, 8192);

    say(PORT_ECHO, TCP_A | TCP_P, 1007, next, 8192, "world");
    host_spoil(0);
    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 8192, "hello ");
    assert_int_equal(last.length, 11);
    assert_memory_equal(last_data, "hello world", 11);
    assert_alive();
}

/* ---- RFC 5961 ---- */

static void test_acknowledgement_of_what_was_never_sent(void **state)
{
    long bad = host_counter("tcp_acknowledgement_impossible"), held;
    uint32_t next = connect_to(PORT_ECHO, 8192);
    unsigned before = segments;

    say(PORT_ECHO, TCP_A | TCP_P, 1001, next + 100000, 8192, "evil");
    say(PORT_ECHO, TCP_P, 1001, next, 8192, "evil");
    assert_int_equal(host_counter("tcp_acknowledgement_impossible"), bad + 1);
    assert_int_equal(last.ack, 1001);
    assert_int_equal(segments, before + 1); /* where we are, once */
    held = host_counter("tcp_challenge_held");
    for (int i = 0; i < 1000; i++)
        say(PORT_ECHO, TCP_A | TCP_P, 1001, next + 100000, 8192, "evil");
    assert_int_equal(segments, before + 1);
    assert_int_equal(host_counter("tcp_challenge_held"), held + 1000);
    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 8192, "good");
    assert_memory_equal(last_data, "good", 4);
}

static void test_reset_has_to_be_exact(void **state)
{
    uint32_t next = connect_to(PORT_ECHO, 8192);
    unsigned before = segments;

    for (uint32_t i = 1; i < 1000; i++)
        say(PORT_ECHO, TCP_R, 1001 + i, next, 0, "");
    for (uint32_t i = 0; i < 1000; i++)
        say(PORT_ECHO, TCP_S, 1001 + i, 0, 0, "");
    assert_in_range(segments, before + 1, before + 2);
    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 8192, "still");
    assert_memory_equal(last_data, "still", 5);
    say(PORT_ECHO, TCP_R, 1006, next, 0, "");
    before = segments;
    say(PORT_ECHO, TCP_A | TCP_P, 1006, next + 5, 8192, "gone");
    assert_true(segments > before && last.flags & TCP_R);
}

/* ---- addresses ---- */

static void test_impossible_addresses(void **state)
{
    static const struct {
        uint32_t from, to;
        const char *counter;
    } cases[] = {
        {0x7f000001, HOST_ADDRESS, "ip_source_impossible"},
        {0, HOST_ADDRESS, "ip_source_impossible"},
        {0xffffffff, HOST_ADDRESS, "ip_source_impossible"},
        {0x0a0002ff, HOST_ADDRESS, "ip_source_impossible"},
        {0xe0000001, HOST_ADDRESS, "ip_source_impossible"},
        {HOST_ADDRESS, HOST_ADDRESS, "ip_source_impossible"},
        {HOST_SECOND, HOST_ADDRESS, "ip_source_impossible"},
        {0x0a00034d, HOST_ADDRESS, "ip_source_elsewhere"},
        {PEER, HOST_SECOND, "ip_destination_elsewhere"},
        {PEER, 0x7f000001, "ip_destination_elsewhere"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct segment s = segment(TCP_S, 1000, 0, 8192);
        long before = host_counter(cases[i].counter);
        uint8_t frame[100];
        size_t length;

        s.from = 1; /* replaced: 0 means the peer */
        s.to = cases[i].to;
        length = frame_tcp(frame, &s);
        memcpy(frame + 26,
               (uint8_t[]){(uint8_t)(cases[i].from >> 24), (uint8_t)(cases[i].from >> 16),
                           (uint8_t)(cases[i].from >> 8), (uint8_t)cases[i].from},
               4);
        frame[24] = frame[25] = 0;
        {
            uint16_t sum = (uint16_t)~frame_sum(frame + 14, 20, 0);

            frame[24] = (uint8_t)(sum >> 8);
            frame[25] = (uint8_t)sum;
        }
        segments = 0;
        host_frame(0, frame, length);
        assert_int_equal(segments, 0);
        assert_int_equal(host_counter(cases[i].counter), before + 1);
        assert_null(strstr(host_table(NET_TCP), " 03 ")); /* nothing half open */
    }
    assert_alive();
}

/* ---- ARP ---- */

static void arp(uint16_t operation, const char *mac, uint32_t from, uint32_t to)
{
    uint8_t frame[64];

    host_frame(0, frame, frame_arp(frame, operation, (const uint8_t *)mac, from, host_mac[0], to));
}

static const char *known_mac(void)
{
    return strstr(host_table(NET_ARP), "10.0.2.77");
}

static void test_arp_believes_whom_it_has_asked(void **state)
{
    static const char evil[] = "\x02\x66\x66\x66\x66\x66";
    long held, unasked = host_counter("arp_unasked");

    assert_alive();
    assert_non_null(strstr(known_mac(), "02:aa:bb:cc:dd:01"));
    host_pass(5000);
    arp(2, evil, 0x0a00024e, HOST_ADDRESS); /* an answer to no question */
    assert_int_equal(host_counter("arp_unasked"), unasked + 1);
    held = host_counter("arp_change_held");
    for (int i = 0; i < 100; i++) { /* the real one answers to our question: nothing moves */
        arp(1 + i % 2, evil, PEER, HOST_ADDRESS);
        host_pass(100);
    }
    assert_int_equal(host_counter("arp_change_held"), held + 100);
    assert_non_null(strstr(known_mac(), "02:aa:bb:cc:dd:01"));
    assert_alive();
}

static void silent(unsigned n, const uint8_t *frame, size_t length)
{
    (void)n;
    (void)frame;
    (void)length;
}

/* The old one is gone: then the new one is taken. */
static void test_arp_follows_one_that_has_moved(void **state)
{
    static const char moved[] = "\x02\x77\x77\x77\x77\x77";

    assert_alive();
    host_sent = silent;
    arp(1, moved, PEER, HOST_ADDRESS);
    host_pass(1000);
    arp(1, moved, PEER, HOST_ADDRESS);
    assert_non_null(strstr(known_mac(), "02:77:77:77:77:77"));
    host_pass(1000);
    arp(1, (const char *)peer_mac, PEER, HOST_ADDRESS);
    host_pass(1000);
    arp(1, (const char *)peer_mac, PEER, HOST_ADDRESS);
    host_sent = on_sent;
    assert_alive();
}

static void test_arp_defends_our_address(void **state)
{
    static const char evil[] = "\x02\x66\x66\x66\x66\x66";
    static const uint8_t ours[] = {10, 0, 2, 15};
    unsigned before;

    host_pass(20000);
    before = arps;
    arp(1, evil, HOST_ADDRESS, HOST_ADDRESS);
    assert_int_equal(arps, before + 1);
    assert_memory_equal(last_arp + 22, host_mac[0], 6);
    assert_memory_equal(last_arp + 28, ours, 4);
    for (int i = 0; i < 50; i++)
        arp(2, evil, HOST_ADDRESS, HOST_ADDRESS);
    assert_int_equal(arps, before + 1); /* once in ten seconds */
    assert_alive();
}

/* ---- DHCP ---- */

static size_t answer(uint8_t *m, const char *options, size_t length)
{
    memset(m, 0, 240);
    m[0] = 2;
    memcpy(m + 16, "\x0a\x00\x02\x0f", 4);
    memcpy(m + 236, "\x63\x82\x53\x63", 4);
    memcpy(m + 240, options, length);
    return 240 + length;
}

static void test_answers_of_dhcp_that_cannot_be(void **state)
{
    static const struct {
        const char *options;
        size_t length;
        bool sound;
    } cases[] = {
        {"\x35\x01\x05\x01\x04\xff\xff\xff\x00\xff", 10, true},
        {"\x35\x01\x05\x01\x04\xff\x00\xff\x00\xff", 10, false}, /* no mask */
        {"\x35\x01\x05\x01\x03\xff\xff\xff\xff", 9, false}, /* a short one */
        {"\x35\x01\x05\x01\x04\x00\x00\x00\x00\xff", 10, false},
        {"\x35\x01\x05\xff", 4, false}, /* none at all */
        {"\x35\x01\x05\x01\x04\xff\xff\xff\x00", 9, false}, /* no end */
        {"\x35\x01\x05\x01\x04\xff\xff", 7, false}, /* cut */
        {"\x35\x01\x05\x01\x04\xff\xff\xff\x00\x03\x03\x0a\x00\x02\xff", 15, false},
        {"\x35\x01\x05\x01\x04\xff\xff\xff\x00\x33\x04\x00\x00\x00\x00\xff", 16, false},
        {"\x35\x01\x06\xff", 4, true}, /* "no" */
    };
    uint8_t m[400];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(dhcp_is_sound(m, answer(m, cases[i].options, cases[i].length)),
                         cases[i].sound);
}

/* ---- floods ---- */

static void test_half_open_do_not_close_a_port(void **state)
{
    for (uint32_t i = 0; i < 2000; i++) {
        struct segment s = segment(TCP_S, i, 0, 8192);

        s.from = 0x0a000264 + i % 100;
        s.from_port = (uint16_t)(1024 + i);
        send_tcp(&s);
    }
    assert_true(host_counter("tcp_cookie_sent") > 1000);
    assert_alive();
}

/* One connection with a hole before each of 50,000 bytes. */
static void test_bytes_out_of_order_do_not_eat_the_memory(void **state)
{
    uint32_t next = connect_to(PORT_DEAF, 8192);

    for (uint32_t i = 0; i < 50000; i++)
        say(PORT_DEAF, TCP_A, 1002 + 2 * i % 60000, next, 8192, "z");
    assert_false(memory_short());
    assert_alive();
}

/* The bytes of ours that the peer has not acknowledged, in /proc/net/tcp: `state` as Linux numbers it. */
static long queued(uint16_t our_port, uint16_t peer_port, unsigned state)
{
    char ends[64];
    const char *table = host_table(NET_TCP), *at;
    unsigned is = 0, bytes = 0;

    snprintf(ends, sizeof ends, "%04X %08X:%04X ", our_port, peer_port ? htonl(PEER) : 0,
             peer_port);
    at = strstr(table, ends);
    if (!at || sscanf(at + strlen(ends), "%X %X:00000000", &is, &bytes) != 2)
        fail_msg("no line with %s in\n%s", ends, table);
    assert_int_equal(is, state);
    return bytes;
}

enum { IS_ESTABLISHED = 1, IS_FIN_WAIT_1 = 4, IS_TIME_WAIT = 6, IS_LISTENING = 10 };

static void test_queue_of_a_connection(void **state)
{
    uint32_t next = connect_to(PORT_ECHO, 8192);

    assert_int_equal(queued(PORT_ECHO, port, IS_ESTABLISHED), 0);
    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, 8192, "twelve bytes");
    assert_int_equal(queued(PORT_ECHO, port, IS_ESTABLISHED), 12);
    say(PORT_ECHO, TCP_A, 1013, next + 5, 8192, "");
    assert_int_equal(queued(PORT_ECHO, port, IS_ESTABLISHED), 7);
    say(PORT_ECHO, TCP_A, 1013, next + 12, 8192, "");
    assert_int_equal(queued(PORT_ECHO, port, IS_ESTABLISHED), 0);
    say(PORT_ECHO, TCP_R, 1013, next + 12, 0, "");
}

/* Those that listen send nothing; one that is over has nothing to send, whatever its numbers were. */
static void test_queue_of_a_closed_connection_is_empty(void **state)
{
    uint32_t next = connect_to(PORT_FILE, 65535), begun = next;

    assert_int_equal(queued(PORT_FILE, 0, IS_LISTENING), 0);
    say(PORT_FILE, TCP_A | TCP_P, 1001, next, 65535, "x");
    assert_true(queued(PORT_FILE, port, IS_ESTABLISHED) > 1000);
    for (int i = 0; i < 2000 && !(last.flags & TCP_F); i++) {
        say(PORT_FILE, TCP_A, 1002, last.seq + last.length, 65535, "");
        host_pass(10);
    }
    assert_int_equal(last.seq + last.length - begun, FILE_BYTES);
    say(PORT_FILE, TCP_A, 1002, begun + FILE_BYTES, 65535, "");
    assert_int_equal(queued(PORT_FILE, port, IS_FIN_WAIT_1), 1); /* its FIN, which came with data */
    say(PORT_FILE, TCP_A | TCP_F, 1002, last.seq + last.length + 1, 65535, "");
    assert_int_equal(queued(PORT_FILE, port, IS_TIME_WAIT), 0);
    assert_null(strstr(host_table(NET_TCP), "FFFFFFFF:00000000"));
}

/* A datagram socket's line is CLOSE, and has nothing to send. */
static void test_queue_of_datagrams_is_empty(void **state)
{
    host_datagrams_open();
    assert_non_null(strstr(host_table(NET_UDP), " 07 00000000:00000000 "));
    assert_null(strstr(host_table(NET_UDP), "FFFFFFFF"));
}

static int setup(void **state)
{
    host_sent = on_sent;
    host_start(1, NETWORKS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mss_outside_syn),
        cmocka_unit_test(test_window_of_next_to_nothing),
        cmocka_unit_test(test_probe_acknowledged_window_stays_closed),
        cmocka_unit_test(test_fin_past_a_closed_window),
        cmocka_unit_test(test_out_of_order_past_the_edge),
        cmocka_unit_test(test_data_behind_a_fin),
        cmocka_unit_test(test_data_over_a_fin_that_fill_the_window),
        cmocka_unit_test(test_what_was_checked_stays),
        cmocka_unit_test(test_acknowledgement_of_what_was_never_sent),
        cmocka_unit_test(test_reset_has_to_be_exact),
        cmocka_unit_test(test_impossible_addresses),
        cmocka_unit_test(test_arp_believes_whom_it_has_asked),
        cmocka_unit_test(test_arp_follows_one_that_has_moved),
        cmocka_unit_test(test_arp_defends_our_address),
        cmocka_unit_test(test_answers_of_dhcp_that_cannot_be),
        cmocka_unit_test(test_half_open_do_not_close_a_port),
        cmocka_unit_test(test_bytes_out_of_order_do_not_eat_the_memory),
        cmocka_unit_test(test_queue_of_a_connection),
        cmocka_unit_test(test_queue_of_a_closed_connection_is_empty),
        cmocka_unit_test(test_queue_of_datagrams_is_empty),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
