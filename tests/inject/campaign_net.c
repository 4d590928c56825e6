/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work for a network card: echo requests to the gateway, in bursts, of all sizes, with contents
 * that tell whether what comes back is what was sent; and TCP (campaign_stream.c). Both ways are used
 * alike, and nothing outside the emulator takes part: so the same faults give the same run,
 * instruction by instruction.
 *
 * For that the emulator's network must know our address before the first burst. It is forgotten when
 * a saved machine goes on, and what waits for an address is sent whenever the emulator's own loop
 * comes by, which is the host's business. Asking for the address of its name server, whom we have
 * never asked for anything, tells it ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "campaign.h"

#define NAME_SERVER "10.0.2.3"

enum { BURST = 4, EVERY = 5 /* ms */, LENGTH_MAX = 1400, HEADER = sizeof(struct icmphdr) };

struct echo {
    struct icmphdr header;
    uint64_t number;
    uint8_t bytes[LENGTH_MAX];
};

static unsigned length_of(uint64_t number)
{
    return (unsigned)(number * 0x9e3779b97f4a7c15ull >> 40) % LENGTH_MAX;
}

/* Not the number itself: an Internet sum of both, in their two byte orders, is that of a message 255
 * before it (257 * 255 = 65535), and about so old is what a buffer had before. */
static uint16_t sequence_of(uint64_t number)
{
    return (uint16_t)(number * 0x9e3779b97f4a7c15ull >> 24);
}

static uint16_t sum(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint32_t total = 0;

    for (size_t i = 0; i < length; i++)
        total += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}

static void ask(struct progress *p, int fd, uint64_t number)
{
    static struct echo e;
    unsigned length = length_of(number);

    memset(&e.header, 0, sizeof e.header);
    e.header.type = ICMP_ECHO;
    e.header.un.echo.sequence = htons(sequence_of(number));
    e.number = number;
    pattern(e.bytes, length, number, 0);
    unit_told(p, send(fd, &e, HEADER + sizeof e.number + length, MSG_DONTWAIT));
}

/* A frame that was damaged on its way has a wrong sum, and is as good as lost. */
static void check(struct progress *p, const struct echo *e, size_t length)
{
    static uint8_t expected[LENGTH_MAX];

    if (sum(e, length) != 0)
        return;
    if (length < HEADER + sizeof e->number ||
        length != HEADER + sizeof e->number + length_of(e->number)) {
        p->wrong++;
        return;
    }
    length -= HEADER + sizeof e->number;
    pattern(expected, (unsigned)length, e->number, 0);
    if (memcmp(expected, e->bytes, length) != 0)
        p->wrong++;
    else
        unit_done_of(p, 0);
}

/* -1: not now. */
static int connect_to(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address)};
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void introduce_us(struct progress *p)
{
    struct pollfd wait = {.fd = connect_to(NAME_SERVER), .events = POLLIN};

    if (wait.fd < 0)
        return;
    ask(p, wait.fd, 0);
    poll(&wait, 1, EVERY);
    close(wait.fd);
}

/* Answers, until the time has come. */
static void listen_to(struct progress *p, int fd, const char *peer, uint64_t until)
{
    static struct echo e;
    ssize_t n;

    while (now() < until) {
        struct pollfd wait[] = {{.fd = fd, .events = POLLIN}, {.fd = -1}};

        if (peer)
            wait[1] = stream_poll();
        if (poll(wait, 2, EVERY) <= 0)
            continue;
        if (wait[0].revents && (n = recv(fd, &e, sizeof e, MSG_DONTWAIT)) >= HEADER)
            check(p, &e, (size_t)n);
        if (wait[1].revents)
            stream_step(p, peer);
    }
}

/* ADDRESS, or ADDRESS,PEER: who is asked, and who sends back what comes by TCP. */
void work_net(struct progress *p, const char *argument)
{
    const char *peer = strchr(argument, ',');
    char address[32] = "";
    uint64_t number = 0;
    int fd = -1;

    memcpy(address, argument, peer ? (size_t)(peer - argument) : strlen(argument));
    peer = peer ? peer + 1 : NULL;
    if (peer)
        p->last_of[0] = p->last_of[1] = now();
    for (;;) {
        if (p->pause) /* the peer knows nothing of us when a saved machine goes on */
            stream_close();
        if (unit_pause(p))
            introduce_us(p);
        p->check = 0; /* each unit is checked when it comes */
        if (fd < 0)
            fd = connect_to(address);
        if (peer && stream_poll().fd < 0)
            stream_step(p, peer);
        for (int i = 0; fd >= 0 && i < BURST; i++)
            ask(p, fd, ++number);
        listen_to(p, fd, peer, now() + EVERY * MS);
    }
}
