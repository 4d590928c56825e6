/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP, up and down at once: messages to a peer that sends all back. Each says what it is and has the
 * sum of its contents; what comes back is compared, and the host looks at what has reached the peer
 * (tools/campaign_machine.py). Nothing here waits: who calls does, for what stream_poll() names.
 *
 * A connection that breaks is an error that a program is told of; the next goes to another port of the
 * peer's. What is left of an older one there may come first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "campaign.h"

enum { CONTENTS_MAX = 5000, UNDERWAY_MAX = 12000, PORT = 7, PORTS = 4, ROOM = 4 * 8192 };
enum { SUMMED = 16 /* where that begins which the sum is of */ };
#define MAGIC 0x9d1f3b5a7ce28046ull

struct head {
    uint64_t magic, sum; /* sum: of all that follows */
    uint64_t number;
    uint32_t connection, length; /* length: of the contents */
};

static struct {
    int fd; /* 0: none */
    bool connected, begun; /* begun: a message of this connection has come back */
    uint32_t connection;
    uint64_t last; /* number of the last message made */
    uint64_t expected; /* of the next that comes back */
    size_t underway; /* bytes */
    uint8_t out[sizeof(struct head) + CONTENTS_MAX], in[ROOM];
    size_t out_at, out_end, have;
} stream;

/* CRC-32 as in zip files, which is what the host checks, too. */
static uint64_t sum(const uint8_t *bytes, size_t length)
{
    static uint32_t table[256];
    uint32_t crc = ~0u;

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
    }
    while (length--)
        crc = crc >> 8 ^ table[(crc ^ *bytes++) & 255];
    return ~crc;
}

static void make_message(void)
{
    struct head h = {.magic = MAGIC, .number = ++stream.last, .connection = stream.connection};
    uint8_t *contents = stream.out + sizeof h;

    h.length = (uint32_t)(h.number * 0x9e3779b97f4a7c15ull >> 40) % CONTENTS_MAX;
    pattern(contents, h.length, h.number, 4);
    memcpy(stream.out, &h, sizeof h);
    h.sum = sum(stream.out + SUMMED, sizeof h - SUMMED + h.length);
    memcpy(stream.out, &h, SUMMED);
    stream.out_at = 0;
    stream.out_end = sizeof h + h.length;
}

static void drop_input(size_t bytes)
{
    stream.have -= bytes;
    memmove(stream.in, stream.in + bytes, stream.have);
}

/* False: more is needed. Before the first message of this connection anything may come. */
static bool take_message(struct progress *p)
{
    struct head h;
    bool ours;

    if (stream.have < sizeof h)
        return false;
    memcpy(&h, stream.in, sizeof h);
    ours = h.magic == MAGIC && h.length < CONTENTS_MAX;
    if (ours && stream.have < sizeof h + h.length)
        return false;
    ours = ours && h.sum == sum(stream.in + SUMMED, sizeof h - SUMMED + h.length);
    if (ours && h.connection == stream.connection && h.number == stream.expected) {
        stream.begun = true;
        stream.expected++;
        stream.underway -= sizeof h + h.length;
        drop_input(sizeof h + h.length);
        unit_done_of(p, 1);
        return true;
    }
    if (stream.begun) { /* TCP is to see to the order, and that nothing is changed */
        p->wrong++;
        stream.begun = false;
    }
    drop_input(1);
    return true;
}

void stream_close(void)
{
    if (stream.fd > 0)
        close(stream.fd);
    stream.fd = 0;
    stream.connected = false;
}

static void broken(struct progress *p)
{
    p->errors += stream.connected;
    stream_close();
}

static void connect_to(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address)};

    stream.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    stream.connection++;
    stream.begun = false;
    stream.expected = stream.last + 1;
    stream.have = stream.out_at = stream.out_end = stream.underway = 0;
    to.sin_port = htons((uint16_t)(PORT + stream.connection % PORTS));
    if (stream.fd > 0 && connect(stream.fd, (struct sockaddr *)&to, sizeof to) < 0 &&
        errno != EINPROGRESS)
        stream_close();
}

static void send_some(struct progress *p)
{
    for (;;) {
        ssize_t n;

        if (stream.out_at == stream.out_end) {
            if (stream.underway > UNDERWAY_MAX)
                return;
            make_message();
            stream.underway += stream.out_end;
        }
        n = send(stream.fd, stream.out + stream.out_at, stream.out_end - stream.out_at,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != ENOTCONN && errno != EINTR)
            broken(p);
        if (n <= 0)
            return;
        stream.connected = true;
        stream.out_at += (size_t)n;
    }
}

static void receive_some(struct progress *p)
{
    ssize_t n = recv(stream.fd, stream.in + stream.have, ROOM - stream.have, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != ENOTCONN && errno != EINTR)) {
        broken(p);
        return;
    }
    stream.have += n > 0 ? (size_t)n : 0;
    while (take_message(p))
        continue;
}

struct pollfd stream_poll(void)
{
    bool full = stream.out_at == stream.out_end && stream.underway > UNDERWAY_MAX;

    return (struct pollfd){.fd = stream.fd > 0 ? stream.fd : -1,
                           .events = (short)(POLLIN | (full ? 0 : POLLOUT))};
}

void stream_step(struct progress *p, const char *address)
{
    if (stream.fd <= 0)
        connect_to(address);
    else
        receive_some(p);
    if (stream.fd > 0)
        send_some(p);
}
