/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs: servers on the ports of host.h, by calls that never wait; see host.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "abi/proto/file.h"
#include "abi/proto/net.h"
#include "tests/net_host/host.h"
#include "tests/net_host/programs.h"

#define CONNECTIONS 4096 /* those of PORT_DEAF are never let go */
#define PROGRAM 100 /* the endpoint of them all: none ever waits */
#define FORKED 200 /* host_forks: of the first connection's process, and others behind it */
#define FORKED_MAX 600u

struct connection {
    uint64_t node;
    uint16_t port;
    bool asked; /* PORT_FILE: */
    uint32_t sent; /* of the file */
    uint32_t held; /* PORT_ECHO: bytes to give back */
    uint8_t bytes[2048];
};

static struct connection connections[CONNECTIONS];
static const uint16_t ports[] = {PORT_FILE, PORT_ECHO, PORT_SINK, PORT_DEAF, PORT_BUSY};
static uint64_t listeners[5], accepted_count;
static struct message last;
static bool answered;
static uint8_t scratch[65536];
static endpoint_t caller = PROGRAM;
static unsigned top; /* no connection is behind it */

bool host_accepting = true, host_forks;

long program_answered(endpoint_t program, const struct message *m)
{
    (void)program;
    last = *m;
    answered = true;
    return 0;
}

long host_call(uint64_t type, uint64_t w[6])
{
    struct message m = {.source = caller, .type = type};
    long result;

    memcpy(m.w, w, sizeof m.w);
    answered = false;
    result = host_message(&m);
    if (answered) {
        result = (long)last.type;
        m = last;
    }
    memcpy(w, m.w, sizeof m.w);
    return result;
}

static long call(uint64_t type, uint64_t node, const void *at, uint64_t length)
{
    uint64_t w[6] = {node, (uint64_t)(uintptr_t)at, length, 0, O_NONBLOCK, 0};

    return host_call(type, w);
}

static long socket_new_stream(uint64_t *node)
{
    uint64_t w[6] = {AF_INET, SOCK_STREAM, 0, 0, O_NONBLOCK, 0};
    long result = host_call(SOCKET_CREATE, w);

    *node = w[1];
    return result;
}

long host_connect(uint32_t to, uint16_t port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(to)};
    uint64_t node;
    long result = socket_new_stream(&node);

    if (result == 0)
        result = call(SOCKET_CONNECT, node, &name, sizeof name);
    host_idle();
    return result && result != -EINPROGRESS ? result : (long)node;
}

static uint64_t datagram_nodes[DATAGRAM_SOCKETS], datagram_count;

/* Each program asks its server once, so that it waits for an answer. */
void host_datagrams_open(void)
{
    for (unsigned i = 0; i < DATAGRAM_SOCKETS; i++) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(PORT_RESOLVER + i)},
                           server = {.sin_family = AF_INET,
                                     .sin_port = htons(53),
                                     .sin_addr.s_addr = htonl(PEER)};
        uint64_t w[6] = {AF_INET, SOCK_DGRAM, 0, 0, O_NONBLOCK, 0};

        if (datagram_nodes[i])
            call(FILE_CLOSE, datagram_nodes[i], NULL, 0);
        datagram_nodes[i] = 0;
        if (host_call(SOCKET_CREATE, w))
            continue; /* there is no memory for it just now */
        datagram_nodes[i] = w[1];
        if (call(SOCKET_BIND, w[1], &name, sizeof name))
            abort();
        if (i == 1 && call(SOCKET_CONNECT, w[1], &server, sizeof server))
            abort();
    }
    host_idle();
}

uint64_t host_datagrams(void)
{
    return datagram_count;
}

/* ---- programs that get copies ---- */

#define COPIES 4
static uint64_t copy_nodes[COPIES], raw_node;

static uint64_t datagram_socket(uint64_t type, uint64_t protocol, uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    uint64_t w[6] = {AF_INET, type, protocol, 0, O_NONBLOCK, 0}, node;
    static const int options[] = {SO_REUSEADDR, SO_BROADCAST};
    int on = 1;

    if (host_call(SOCKET_CREATE, w))
        abort();
    node = w[1];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t o[6] = {node,      SOL_SOCKET, (uint64_t)options[i], (uint64_t)(uintptr_t)&on,
                         sizeof on, 0};

        host_call(SOCKET_SET_OPTION, o);
    }
    if (port && call(SOCKET_BIND, node, &name, sizeof name))
        abort();
    return node;
}

void host_copies_open(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(HOST_ADDRESS)};

    copy_nodes[0] = datagram_socket(SOCK_DGRAM, IPPROTO_ICMP, PING_IDENT);
    copy_nodes[1] = datagram_socket(SOCK_RAW, IPPROTO_ICMP, 0);
    copy_nodes[2] = datagram_socket(SOCK_DGRAM, 0, PORT_SHARED);
    copy_nodes[3] = datagram_socket(SOCK_DGRAM, 0, PORT_SHARED);
    raw_node = datagram_socket(SOCK_RAW, IPPROTO_RAW, 0);
    if (call(SOCKET_CONNECT, raw_node, &to, sizeof to))
        abort();
}

void host_raw_packet(const void *bytes, size_t length)
{
    call(FILE_WRITE, raw_node, bytes, length);
    host_idle();
}

static bool read_datagram(uint64_t node)
{
    bool any = node && call(FILE_READ, node, scratch, sizeof scratch) >= 0;

    datagram_count += any;
    return any;
}

static bool read_copy(uint64_t node)
{
    return node && call(FILE_READ, node, scratch, sizeof scratch) >= 0;
}

uint64_t host_connections(void)
{
    return accepted_count;
}

void programs_start(void)
{
    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(ports[i])};
        uint64_t w[6] = {0, 4, 0, 0, 0, 0};

        if (socket_new_stream(&listeners[i]) || call(SOCKET_BIND, listeners[i], &name, sizeof name))
            abort();
        w[0] = listeners[i];
        if (host_call(SOCKET_LISTEN, w))
            abort();
    }
}

static struct connection *unused(void)
{
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (!connections[i].node)
            return &connections[i];
    return NULL;
}

static bool accept_one(unsigned i)
{
    uint64_t w[6] = {listeners[i], 0, 0, 0, O_NONBLOCK, 0};
    struct connection *c = unused();

    if ((ports[i] == PORT_BUSY && !host_accepting) || !c || host_call(SOCKET_ACCEPT, w) != 0)
        return false;
    *c = (struct connection){.node = w[1], .port = ports[i]};
    top = c - connections >= top ? (unsigned)(c - connections) + 1 : top;
    accepted_count++;
    return true;
}

static void hang_up(struct connection *c)
{
    call(FILE_CLOSE, c->node, NULL, 0);
    c->node = 0;
}

static bool give_file(struct connection *c)
{
    uint32_t left = FILE_BYTES - c->sent;
    long n = call(FILE_WRITE, c->node, scratch, left < sizeof scratch ? left : sizeof scratch);

    if (n > 0)
        c->sent += (uint32_t)n;
    if (c->sent == FILE_BYTES || (n < 0 && n != -EAGAIN))
        hang_up(c);
    return n > 0;
}

static bool give_back(struct connection *c)
{
    long n = call(FILE_WRITE, c->node, c->bytes, c->held);

    if (n > 0) {
        c->held -= (uint32_t)n;
        memmove(c->bytes, c->bytes + n, c->held);
    }
    if (n < 0 && n != -EAGAIN)
        hang_up(c);
    return n > 0;
}

/* True: something was done. */
static bool serve(struct connection *c)
{
    bool echo = c->port == PORT_ECHO || c->port == PORT_BUSY;
    long n;

    if (c->port == PORT_DEAF)
        return false;
    if (c->asked)
        return give_file(c);
    if (c->held)
        return give_back(c);
    n = call(FILE_READ, c->node, echo ? c->bytes : scratch,
             echo ? sizeof c->bytes : sizeof scratch);
    if (n == 0 || (n < 0 && n != -EAGAIN))
        hang_up(c);
    else if (n > 0 && echo)
        c->held = (uint32_t)n;
    else if (n > 0)
        c->asked = c->port == PORT_FILE;
    return n >= 0;
}

bool programs_work(void)
{
    bool any = false, more = true;

    for (unsigned turn = 0; more && turn < 64; turn++) {
        more = false;
        for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++)
            more |= accept_one(i);
        for (unsigned i = 0; i < top; i++) {
            caller = host_forks ? (endpoint_t)(FORKED + i % FORKED_MAX) : PROGRAM;
            if (connections[i].node)
                more |= serve(&connections[i]);
        }
        caller = PROGRAM;
        more |= read_datagram(datagram_nodes[0]) | read_datagram(datagram_nodes[1]);
        for (unsigned i = 0; i < COPIES; i++)
            more |= read_copy(copy_nodes[i]);
        any |= more;
    }
    return any;
}

long host_counter(const char *name)
{
    const char *text = host_table(NET_GUARD), *at = text;
    size_t length = strlen(name);

    while ((at = strstr(at, name))) {
        if ((at == text || at[-1] == '\n') && at[length] == ' ')
            return atol(at + length);
        at += length;
    }
    return -1;
}
