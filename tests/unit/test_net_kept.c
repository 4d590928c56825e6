/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/* A bit flips in data that wait in net's memory: it is put right, or the connection ends; nobody gets it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "abi/proto/file.h"
#include "tests/net_host/host.h"

static struct sent_segment last; /* of our connection */
static uint8_t last_data[1600];
static unsigned resets, segments;
static uint16_t port = 20000;

static void on_sent(unsigned n, const uint8_t *frame, size_t length)
{
    struct sent_segment s;

    if (frame[12] == 8 && frame[13] == 6) {
        uint8_t reply[64];

        if (n == 0 && frame[21] == 1)
            host_queue_frame(0, reply,
                             frame_arp(reply, 2, peer_mac, PEER, host_mac[0], HOST_ADDRESS));
        return;
    }
    if (!sent_tcp(frame, length, &s) || s.to_port != port)
        return;
    resets += (s.flags & TCP_R) != 0;
    last = s;
    if (s.length == 0 || s.length > sizeof last_data)
        return;
    segments++;
    memcpy(last_data, s.data, s.length);
}

static void say(uint16_t to_port, uint8_t flags, uint32_t seq, uint32_t ack, const void *data,
                size_t length)
{
    struct segment s = {.from_port = port,
                        .to_port = to_port,
                        .seq = seq,
                        .ack = ack,
                        .flags = flags,
                        .window = 8192,
                        .data = data,
                        .length = (uint16_t)length};

    send_tcp(&s);
}

/* The peer's next number is 1001. */
static uint32_t connect_to(uint16_t to_port)
{
    port++;
    resets = segments = 0;
    say(to_port, TCP_S, 1000, 0, NULL, 0);
    host_turn();
    assert_int_equal(last.flags, TCP_S | TCP_A);
    say(to_port, TCP_A, 1001, last.seq + 1, NULL, 0);
    return last.seq + 1;
}

/* ---- from the wire ---- */

/* Data in pieces come while nobody accepts; then a bit of byte `at` flips; then they are read, and come back. */
static void send_and_flip(size_t piece, unsigned pieces, size_t at, bool spoil)
{
    uint8_t data[500];
    uint32_t next;

    host_accepting = false;
    next = connect_to(PORT_BUSY);
    for (unsigned i = 0; i < pieces; i++) {
        memset(data, 'a' + (int)i, piece);
        say(PORT_BUSY, TCP_A | TCP_P, 1001 + (uint32_t)(i * piece), next, data, piece);
    }
    assert_true(host_flip_waiting(host_node_of(port), at));
    if (spoil)
        host_spoil(0);
    assert_int_equal(segments, 0);
    host_accepting = true;
    host_pass(20);
}

static void test_a_frame_is_mended_from_its_second_copy(void **state)
{
    send_and_flip(500, 1, 300, false);
    assert_int_equal(resets, 0);
    assert_int_equal(segments, 1);
    assert_int_equal(last.length, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(last_data[i], 'a');
}

static void test_without_a_copy_the_connection_is_reset(void **state)
{
    send_and_flip(500, 1, 300, true);
    assert_int_equal(segments, 0);
    assert_int_equal(resets, 1);
}

/* Small pieces are copied together, at odd places, too: the flip is in the third of five. */
static void test_small_pieces(void **state)
{
    send_and_flip(101, 5, 250, false);
    for (size_t i = 0; segments && i < last.length; i++)
        assert_int_equal(last_data[i], 'a' + (int)(i / 101));
    assert_int_equal(resets, 1);
}

static void test_small_pieces_that_are_right(void **state)
{
    uint8_t data[101];
    uint32_t next;

    host_accepting = false;
    next = connect_to(PORT_BUSY);
    for (unsigned i = 0; i < 5; i++) {
        memset(data, 'a' + (int)i, sizeof data);
        say(PORT_BUSY, TCP_A | TCP_P, 1001 + i * 101, next, data, sizeof data);
    }
    host_accepting = true;
    host_pass(20);
    assert_int_equal(resets, 0);
    assert_int_equal(segments, 1);
    assert_int_equal(last.length, 505);
    for (size_t i = 0; i < 505; i++)
        assert_int_equal(last_data[i], 'a' + (int)(i / 101));
}

/* ---- within the machine ---- */

static long call(uint64_t type, uint64_t node, void *at, uint64_t length)
{
    uint64_t w[6] = {node, (uint64_t)(uintptr_t)at, length, 0, O_NONBLOCK, 0};

    return host_call(type, w);
}

/* A program that reads in small pieces gets what is before the flip, and then an error: not the end. */
static void test_within_the_machine_what_is_read_is_right(void **state)
{
    long node = host_connect(INADDR_LOOPBACK, PORT_ECHO);
    uint8_t data[1000], got[100];
    unsigned right = 0;
    long result;

    assert_true(node > 0);
    memset(data, 'x', sizeof data);
    assert_int_equal(call(FILE_WRITE, (uint64_t)node, data, sizeof data), sizeof data);
    host_pass(20);
    assert_int_equal(call(FILE_READ, (uint64_t)node, got, 7), 7);
    assert_true(host_flip_waiting((uint64_t)node, 500));
    while ((result = call(FILE_READ, (uint64_t)node, got, sizeof got)) > 0)
        for (long i = 0; i < result; i++, right++)
            assert_int_equal(got[i], 'x');
    assert_int_equal(result, -EIO);
    assert_true(right < sizeof data);
    assert_int_equal(call(FILE_READ, (uint64_t)node, got, sizeof got), -ECONNRESET);
    call(FILE_CLOSE, (uint64_t)node, NULL, 0);
}

static void test_a_datagram_is_as_good_as_lost(void **state)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(5999), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t w[6] = {AF_INET, SOCK_DGRAM, 0, 0, O_NONBLOCK, 0};
    uint8_t got[100];
    uint64_t node;

    assert_int_equal(host_call(SOCKET_CREATE, w), 0);
    node = w[1];
    assert_int_equal(call(SOCKET_BIND, node, &name, sizeof name), 0);
    assert_int_equal(call(SOCKET_CONNECT, node, &name, sizeof name), 0);
    for (unsigned i = 0; i < 2; i++) {
        strcpy((char *)got, i ? "right" : "wrong");
        assert_int_equal(call(FILE_WRITE, node, got, 5), 5);
        host_turn();
        assert_true(i || host_flip_waiting(node, 3));
    }
    assert_int_equal(call(FILE_READ, node, got, sizeof got), 5);
    assert_memory_equal(got, "right", 5);
    assert_int_equal(call(FILE_READ, node, got, sizeof got), -EAGAIN);
    call(FILE_CLOSE, node, NULL, 0);
}

/* ---- what waits for an acknowledgement ---- */

/* It would go again and again with a sum that is not its own; who sent it, and who waits for it, are told. */
static void test_what_is_sent_again_is_what_was_written(void **state)
{
    uint32_t next = connect_to(PORT_ECHO);

    say(PORT_ECHO, TCP_A | TCP_P, 1001, next, "hello", 5);
    assert_int_equal(segments, 1);
    assert_true(host_flip_sent(port, 2));
    host_pass(1500);
    assert_memory_equal(last_data, "hello", 5);
    assert_int_equal(resets, 1);
}

static int setup(void **state)
{
    host_sent = on_sent;
    host_start(1, "e0=10.0.2.15/24,10.0.2.2 e1=10.0.3.15/24");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_is_mended_from_its_second_copy),
        cmocka_unit_test(test_without_a_copy_the_connection_is_reset),
        cmocka_unit_test(test_small_pieces),
        cmocka_unit_test(test_small_pieces_that_are_right),
        cmocka_unit_test(test_within_the_machine_what_is_read_is_right),
        cmocka_unit_test(test_a_datagram_is_as_good_as_lost),
        cmocka_unit_test(test_what_is_sent_again_is_what_was_written),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
