/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/* The whole network server and packets that come in pieces: docs/lwip-assertions.md. */
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

#define BROADCAST 0x0a0002ffu
#define STRANGER 0x0a00024eu /* whose place on the wire nobody knows */
#define PORT 6000u
enum { UDP = 17, ICMP = 1, ECHO_REPLY = 0, ECHO_REQUEST = 8, LONGEST = 65535 };
enum { MORE = 0x2000 };

static unsigned echoes; /* that net has sent */

static void on_sent(unsigned n, const uint8_t *sent, size_t length)
{
    uint8_t reply[64];

    (void)length;
    echoes += sent[12] == 8 && sent[13] == 0 && sent[23] == ICMP && sent[34] == ECHO_REPLY;
    if (sent[12] == 8 && sent[13] == 6 && sent[21] == 1 && sent[41] == (PEER & 255))
        host_queue_frame(n, reply, frame_arp(reply, 2, peer_mac, PEER, host_mac[n], HOST_ADDRESS));
}

/* ---- programs ---- */

static uint64_t socket_of(uint64_t type, uint64_t protocol)
{
    uint64_t w[6] = {AF_INET, type, protocol, 0, O_NONBLOCK, 0};

    assert_int_equal(host_call(SOCKET_CREATE, w), 0);
    return w[1];
}

static long call(uint64_t type, uint64_t node, const void *at, uint64_t length)
{
    uint64_t w[6] = {node, (uint64_t)(uintptr_t)at, length, 0, O_NONBLOCK, 0};

    return host_call(type, w);
}

static void hang_up(uint64_t node)
{
    assert_int_equal(call(FILE_CLOSE, node, NULL, 0), 0);
}

static void bind_to(uint64_t node, uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};

    assert_int_equal(call(SOCKET_BIND, node, &name, sizeof name), 0);
}

static void turn_on(uint64_t node, int option)
{
    int on = 1;
    uint64_t w[6] = {node, SOL_SOCKET, (uint64_t)option, (uint64_t)(uintptr_t)&on, sizeof on, 0};

    assert_int_equal(host_call(SOCKET_SET_OPTION, w), 0);
}

static uint64_t shared_socket(uint16_t port)
{
    uint64_t node = socket_of(SOCK_DGRAM, 0);

    turn_on(node, SO_REUSEADDR);
    turn_on(node, SO_BROADCAST);
    bind_to(node, port);
    return node;
}

/* ---- packets in pieces ---- */

struct packet {
    uint32_t from, to;
    uint8_t protocol;
    uint16_t ident;
};

static uint8_t frame[1600];

static size_t piece(const struct packet *p, uint32_t at, bool more, const void *bytes, size_t n)
{
    size_t length = frame_ip(frame, p->from, p->to, p->protocol, bytes, n);
    uint8_t *ip = frame + 14;
    uint32_t place = at / 8 | (more ? MORE : 0), sum;

    ip[4] = (uint8_t)(p->ident >> 8);
    ip[5] = (uint8_t)p->ident;
    ip[6] = (uint8_t)(place >> 8);
    ip[7] = (uint8_t)place;
    ip[10] = ip[11] = 0;
    sum = (uint16_t)~frame_sum(ip, 20, 0);
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    return length;
}

static void send_piece(const struct packet *p, uint32_t at, bool more, const void *bytes, size_t n)
{
    host_frame(0, frame, piece(p, at, more, bytes, n));
}

/* In `cuts` pieces of eight bytes and one with what is left, which may be nothing. */
static void send_cut(const struct packet *p, const uint8_t *bytes, uint32_t length, uint32_t cuts)
{
    for (uint32_t at = 0; at < cuts * 8; at += 8)
        send_piece(p, at, true, bytes + at, 8);
    send_piece(p, cuts * 8, false, bytes + cuts * 8, length - cuts * 8);
}

static struct packet packet(uint8_t protocol, uint32_t to)
{
    static uint16_t ident = 100;

    return (struct packet){PEER, to, protocol, ++ident};
}

/* An echo message of `length` bytes, for the program with that socket. */
static void echo(uint8_t *bytes, uint8_t type, uint16_t ident, size_t length)
{
    uint32_t sum;

    memset(bytes, 0, length);
    bytes[0] = type;
    bytes[4] = (uint8_t)(ident >> 8);
    bytes[5] = (uint8_t)ident;
    sum = (uint16_t)~frame_sum(bytes, length, 0);
    bytes[2] = (uint8_t)(sum >> 8);
    bytes[3] = (uint8_t)sum;
}

static long refused(void)
{
    return host_counter("ip_fragment_malformed");
}

/* ---- what would kill ---- */

/* lwIP cannot copy a chain whose last part is empty. A peer that is pinged sends such a one. */
static void test_empty_end_of_an_echo_reply(void **state)
{
    uint64_t node = socket_of(SOCK_DGRAM, IPPROTO_ICMP);
    long before = refused();
    struct packet p;
    uint8_t bytes[24], got[64];

    bind_to(node, 77);
    echo(bytes, ECHO_REPLY, 77, 16);
    p = packet(ICMP, HOST_ADDRESS);
    send_cut(&p, bytes, 16, 2);
    assert_int_equal(refused(), before + 1);
    assert_int_equal(call(FILE_READ, node, got, sizeof got), -EAGAIN);
    echo(bytes, ECHO_REPLY, 77, 17);
    p = packet(ICMP, HOST_ADDRESS);
    send_cut(&p, bytes, 17, 2);
    assert_int_equal(refused(), before + 1);
    assert_int_equal(call(FILE_READ, node, got, sizeof got), 17);
    assert_memory_equal(got, bytes, 17);
    hang_up(node);
}

/* Two programs listen to what is said to all. */
static void test_empty_end_of_a_broadcast(void **state)
{
    uint64_t one = shared_socket(PORT), other = shared_socket(PORT);
    long before = refused();
    struct packet p = packet(UDP, BROADCAST);
    uint8_t bytes[16] = {5, 0, PORT >> 8, PORT & 255, 0, 16}, got[64];

    send_cut(&p, bytes, 16, 2);
    assert_int_equal(refused(), before + 1);
    assert_int_equal(call(FILE_READ, one, got, sizeof got), -EAGAIN);
    p = packet(UDP, BROADCAST);
    send_cut(&p, bytes, 16, 1);
    assert_int_equal(call(FILE_READ, one, got, sizeof got), 8);
    assert_int_equal(call(FILE_READ, other, got, sizeof got), 8);
    hang_up(one);
    hang_up(other);
}

/* What a program with a raw socket sends to ourselves does not pass the guard of the wire; the answer
 * goes to somebody whose place is to be asked for first. */
static void test_empty_end_of_a_packet_to_ourselves(void **state)
{
    uint64_t node = socket_of(SOCK_RAW, IPPROTO_RAW);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(HOST_ADDRESS)};
    struct packet p = {STRANGER, HOST_ADDRESS, ICMP, 1};
    long before = refused();
    uint8_t bytes[16];

    assert_int_equal(call(SOCKET_CONNECT, node, &to, sizeof to), 0);
    echo(bytes, ECHO_REQUEST, 1, sizeof bytes);
    for (unsigned end = 0; end < 3; end++) {
        size_t length = piece(&p, end * 8, end < 2, bytes + end * 8, end < 2 ? 8 : 0);

        assert_int_equal(call(FILE_WRITE, node, frame + 14, length - 14), length - 14);
        host_turn();
    }
    assert_int_equal(refused(), before + 1);
    hang_up(node);
    host_pass(40000);
}

/* ---- what would lie ---- */

/* Some bytes more than a packet may have: it came to a raw socket as one of so many bytes, less than its header. (lwIP does
 * not mind what lies behind the last piece.) */
static void test_longer_than_any_packet(void **state)
{
    enum { PIECE = 1472 };
    static uint8_t bytes[PIECE];
    uint64_t node = socket_of(SOCK_RAW, IPPROTO_ICMP);
    long before = refused();
    struct packet p = packet(ICMP, HOST_ADDRESS);
    uint32_t at = 16;

    send_piece(&p, 8, false, bytes, 8); /* the last */
    for (; at + PIECE <= LONGEST - 20; at += PIECE)
        send_piece(&p, at, true, bytes, PIECE);
    assert_int_equal(refused(), before);
    send_piece(&p, at, true, bytes, (LONGEST - 20 - at) / 8 * 8 + 8);
    send_piece(&p, 0, true, bytes, 8);
    assert_in_range(call(FILE_READ, node, bytes, sizeof bytes), 20, sizeof bytes);
    assert_int_equal(refused(), before + 1);
    hang_up(node);
    host_pass(40000);
}

/* All but the last are of eights (RFC 791). */
static void test_odd_piece(void **state)
{
    struct packet p = packet(ICMP, HOST_ADDRESS);
    long before = refused();
    uint8_t bytes[32];

    echo(bytes, ECHO_REQUEST, 1, sizeof bytes);
    send_piece(&p, 0, true, bytes, 15);
    assert_int_equal(refused(), before + 1);
    echoes = 0;
    send_cut(&p, bytes, sizeof bytes - 1, 3);
    host_turn(); /* the answer to its ARP */
    assert_int_equal(echoes, 1);
    assert_int_equal(refused(), before + 1);
}

static int setup(void **state)
{
    host_sent = on_sent;
    host_start(1, "e0=10.0.2.15/24,10.0.2.2");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_end_of_an_echo_reply),
        cmocka_unit_test(test_empty_end_of_a_broadcast),
        cmocka_unit_test(test_empty_end_of_a_packet_to_ourselves),
        cmocka_unit_test(test_longer_than_any_packet),
        cmocka_unit_test(test_odd_piece),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
