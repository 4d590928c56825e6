/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/net/socket_logic.c
#define _GNU_SOURCE
#include "servers/net/socket_logic.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

static void nodes(void **state)
{
    assert_int_not_equal(node_make(0, 0), 0);
    assert_int_equal(node_index(node_make(0, 1)), 0);
    assert_int_equal(node_index(node_make(SOCKETS_MAX - 1, UINT32_MAX)), SOCKETS_MAX - 1);
    assert_int_not_equal(node_make(7, 1), node_make(7, 2));
    assert_true(node_index(0) >= SOCKETS_MAX); /* never a socket */
    assert_true(node_index(1ull << 40) >= SOCKETS_MAX);
}

static void kinds_of_sockets(void **state)
{
    assert_int_equal(socket_check(AF_INET, SOCK_STREAM, 0), 0);
    assert_int_equal(socket_check(AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
    assert_int_equal(socket_check(AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    assert_int_equal(socket_check(AF_INET, SOCK_DGRAM, IPPROTO_UDP), 0);
    assert_int_equal(socket_check(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), 0);
    assert_int_equal(socket_check(AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT);
    assert_int_equal(socket_check(AF_INET, SOCK_RAW, IPPROTO_ICMP), 0);
    assert_int_equal(socket_check(AF_INET, SOCK_RAW, 0), -EPROTONOSUPPORT);
    assert_int_equal(socket_check(AF_INET, SOCK_RAW, 256), -EPROTONOSUPPORT);
    assert_int_equal(socket_check(AF_INET, SOCK_SEQPACKET, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(socket_check(AF_INET6, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(socket_check(AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
}

static void streams_before_and_after(void **state)
{
    struct stream_view v = {.state = STREAM_FRESH, .send_limit = 300, .room = 300};

    assert_int_equal(stream_events(&v), WRITABLE | POLLHUP);
    v.state = STREAM_CONNECTING;
    assert_int_equal(stream_events(&v), 0);
    v.state = STREAM_LISTENING;
    assert_int_equal(stream_events(&v), 0);
    v.has_accepted = true;
    assert_int_equal(stream_events(&v), READABLE);
    v.state = STREAM_DEAD;
    assert_int_equal(stream_events(&v), READABLE | WRITABLE | POLLHUP | POLLRDHUP);
    v.has_error = true;
    assert_int_equal(stream_events(&v), READABLE | WRITABLE | POLLHUP | POLLRDHUP | POLLERR);
}

static void connected_streams(void **state)
{
    struct stream_view v = {.state = STREAM_CONNECTED, .send_limit = 300, .room = 300};

    assert_int_equal(stream_events(&v), WRITABLE);
    v.room = 99; /* less than a third */
    assert_int_equal(stream_events(&v), 0);
    v.has_input = true;
    assert_int_equal(stream_events(&v), READABLE);
    v.has_input = false;
    v.peer_closed = true;
    assert_int_equal(stream_events(&v), READABLE | POLLRDHUP);
    v.write_shut = true; /* writing gives EPIPE at once */
    assert_int_equal(stream_events(&v), READABLE | WRITABLE | POLLRDHUP | POLLHUP);
    v.peer_closed = false;
    assert_int_equal(stream_events(&v), WRITABLE);
}

static void datagrams(void **state)
{
    assert_int_equal(datagram_events(false, false, false), WRITABLE);
    assert_int_equal(datagram_events(true, false, false), WRITABLE | READABLE);
    assert_int_equal(datagram_events(false, true, false), WRITABLE | POLLERR);
    assert_true(datagram_events(false, false, true) & POLLIN);
}

static void limits(void **state)
{
    assert_int_equal(buffer_limit(1000, 2304, 1 << 20), 2304);
    assert_int_equal(buffer_limit(4096, 2304, 1 << 20), 8192);
    assert_int_equal(buffer_limit(INT32_MAX, 2304, 1 << 20), 1 << 20);
    assert_int_equal(buffer_limit(-1, 2304, 1 << 20), 1 << 20); /* as Linux */
    assert_int_equal(buffer_limit(0, 2304, 1 << 20), 2304);
    for (int v = 1; v <= 10; v++)
        assert_int_equal(low_water_limit(v, 10), v);
    assert_int_equal(low_water_limit(0, 10), 1);
    assert_int_equal(low_water_limit(11, 10), 10);
    assert_int_equal(low_water_limit(-1, 10), 10);
}

static void times(void **state)
{
    uint32_t ms = 7;

    assert_true(timeout_from(&(struct timeval){0, 0}, &ms));
    assert_int_equal(ms, 0);
    assert_true(timeout_from(&(struct timeval){1, 1}, &ms));
    assert_int_equal(ms, 1001);
    assert_true(timeout_from(&(struct timeval){INT64_MAX, 999999}, &ms));
    assert_int_equal(ms, 1000000000);
    assert_true(timeout_from(&(struct timeval){-1, 0}, &ms));
    assert_int_equal(ms, 1);
    assert_false(timeout_from(&(struct timeval){1, 1000000}, &ms));
    assert_false(timeout_from(&(struct timeval){1, -1}, &ms));
    assert_int_equal(timeout_to(2500).tv_sec, 2);
    assert_int_equal(timeout_to(2500).tv_usec, 500000);
}

static void errors_from_icmp(void **state)
{
    assert_int_equal(unreachable_error(3), ECONNREFUSED);
    assert_int_equal(unreachable_error(1), EHOSTUNREACH);
    assert_int_equal(unreachable_error(4), 0);
    assert_int_equal(unreachable_error(16), 0);
    assert_int_equal(unreachable_error(UINT32_MAX), 0);
}

/* Port unreachable, about a UDP packet 10.0.2.15:4660 -> 10.0.2.2:22136, with `options` words of IP
 * options. */
static size_t icmp_message(uint8_t *bytes, unsigned options)
{
    const uint8_t ip[20] = {0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2};
    const uint8_t ports[4] = {0x12, 0x34, 0x56, 0x78};

    memset(bytes, 0, 8 + 60 + 4);
    bytes[0] = bytes[1] = 3;
    memcpy(bytes + 8, ip, sizeof ip);
    bytes[8] = (uint8_t)(0x45 + options);
    memcpy(bytes + 8 + 20 + options * 4, ports, sizeof ports);
    return 8 + 20 + options * 4 + 4;
}

static void icmp_errors_are_read(void **state)
{
    uint8_t bytes[8 + 60 + 4];

    for (unsigned options = 0; options <= 10; options++) {
        size_t length = icmp_message(bytes, options);
        struct icmp_error e;

        assert_true(icmp_error_read(bytes, length, &e));
        assert_int_equal(e.type, 3);
        assert_int_equal(e.code, 3);
        assert_int_equal(e.protocol, IPPROTO_UDP);
        assert_int_equal(e.source, htonl(0x0a00020f));
        assert_int_equal(e.destination, htonl(0x0a000202));
        assert_int_equal(e.source_port, htons(0x1234));
        assert_int_equal(e.destination_port, htons(0x5678));
    }
}

/* Every length that is too short, in a block of just that size for the sanitizer's sake. */
static void short_icmp_errors_are_refused(void **state)
{
    uint8_t bytes[8 + 60 + 4];

    for (unsigned options = 0; options <= 10; options++) {
        size_t length = icmp_message(bytes, options);

        for (size_t n = 0; n < length; n++) {
            uint8_t *cut = malloc(n + 1);
            struct icmp_error e;

            memcpy(cut + 1, bytes, n);
            assert_false(icmp_error_read(cut + 1, n, &e));
            free(cut);
        }
    }
}

static void wrong_icmp_errors_are_refused(void **state)
{
    uint8_t bytes[8 + 60 + 4];
    size_t length = icmp_message(bytes, 0);
    struct icmp_error e;

    bytes[8] = 0x65; /* not IPv4 */
    assert_false(icmp_error_read(bytes, length, &e));
    bytes[8] = 0x44; /* a header of 16 bytes */
    assert_false(icmp_error_read(bytes, length, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes),
        cmocka_unit_test(kinds_of_sockets),
        cmocka_unit_test(streams_before_and_after),
        cmocka_unit_test(connected_streams),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(limits),
        cmocka_unit_test(times),
        cmocka_unit_test(errors_from_icmp),
        cmocka_unit_test(icmp_errors_are_read),
        cmocka_unit_test(short_icmp_errors_are_refused),
        cmocka_unit_test(wrong_icmp_errors_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
