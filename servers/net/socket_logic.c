/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "servers/net/socket_logic.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define INDEX_BITS 16

uint64_t node_make(unsigned index, uint32_t generation)
{
    return (uint64_t)generation << INDEX_BITS | (index + 1);
}

unsigned node_index(uint64_t node)
{
    return (unsigned)(node & ((1u << INDEX_BITS) - 1)) - 1;
}

long socket_check(uint64_t domain, uint64_t type, uint64_t protocol)
{
    if (domain != AF_INET)
        return -EAFNOSUPPORT;
    switch (type) {
    case SOCK_STREAM:
        return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
    case SOCK_DGRAM:
        return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP
                   ? 0
                   : -EPROTONOSUPPORT;
    case SOCK_RAW:
        return protocol != 0 && protocol <= 255 ? 0 : -EPROTONOSUPPORT;
    default:
        return -ESOCKTNOSUPPORT;
    }
}

uint32_t stream_events(const struct stream_view *v)
{
    const uint32_t readable = POLLIN | POLLRDNORM, writable = POLLOUT | POLLWRNORM;
    uint32_t events = v->has_error ? POLLERR : 0;

    switch (v->state) {
    case STREAM_FRESH:
        return events | writable | POLLHUP;
    case STREAM_CONNECTING:
        return events;
    case STREAM_LISTENING:
        return events | (v->has_accepted ? readable : 0);
    case STREAM_DEAD:
        return events | readable | writable | POLLHUP | POLLRDHUP;
    case STREAM_CONNECTED:
        break;
    }
    if (v->has_input)
        events |= readable;
    if (v->peer_closed || v->read_shut)
        events |= readable | POLLRDHUP;
    if ((v->peer_closed || v->read_shut) && v->write_shut)
        events |= POLLHUP;
    if (v->write_shut || v->room >= v->send_limit / 3)
        events |= writable;
    return events;
}

uint32_t datagram_events(bool has_input, bool has_error, bool read_shut)
{
    return POLLOUT | POLLWRNORM | (has_input || read_shut ? POLLIN | POLLRDNORM : 0) |
           (has_error ? POLLERR : 0) | (read_shut ? POLLRDHUP : 0);
}

uint32_t buffer_limit(int asked, uint32_t least, uint32_t most)
{
    uint64_t twice = (uint64_t)(uint32_t)asked * 2;

    if (twice < least)
        return least;
    return twice > most ? most : (uint32_t)twice;
}

uint32_t low_water_limit(int asked, uint32_t most)
{
    uint32_t wanted = (uint32_t)asked;

    if (wanted == 0)
        return 1;
    return wanted > most ? most : wanted;
}

bool timeout_from(const struct timeval *t, uint32_t *ms)
{
    const uint32_t longest = 1000000; /* s */

    if (t->tv_usec < 0 || t->tv_usec >= 1000000)
        return false;
    if (t->tv_sec < 0) { /* as Linux: at once, which is the shortest there is */
        *ms = 1;
        return true;
    }
    *ms = t->tv_sec >= longest ? longest * 1000
                               : (uint32_t)t->tv_sec * 1000 + (uint32_t)(t->tv_usec + 999) / 1000;
    return true;
}

struct timeval timeout_to(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

int unreachable_error(unsigned code)
{
    static const int errors[] = {ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED,
                                 0 /* size */, EOPNOTSUPP,   ENETUNREACH,  EHOSTDOWN,
                                 ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
                                 EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH};

    return code < sizeof errors / sizeof *errors ? errors[code] : 0;
}

/* RFC 792: 8 bytes of ICMP, then the IP header and at least 8 bytes of the packet it is about. */
bool icmp_error_read(const uint8_t *bytes, size_t length, struct icmp_error *e)
{
    const size_t icmp_header = 8, ip_header_min = 20, ports = 4;
    const uint8_t *ip = bytes + icmp_header;
    size_t ip_header;

    if (length < icmp_header + ip_header_min)
        return false;
    ip_header = (ip[0] & 15) * 4u;
    if (ip[0] >> 4 != 4 || ip_header < ip_header_min || length < icmp_header + ip_header + ports)
        return false;
    e->type = bytes[0];
    e->code = bytes[1];
    e->protocol = ip[9];
    memcpy(&e->source, ip + 12, sizeof e->source);
    memcpy(&e->destination, ip + 16, sizeof e->destination);
    memcpy(&e->source_port, ip + ip_header, sizeof e->source_port);
    memcpy(&e->destination_port, ip + ip_header + 2, sizeof e->destination_port);
    return true;
}
