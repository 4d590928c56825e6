/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that call by chance, among themselves, with themselves and with the peer; see play.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "abi/proto/file.h"
#include "tests/net_host/host.h"
#include "tests/net_host/play.h"
#include "tests/net_host/programs.h"

#define SOCKETS 24
#define PORTS 7500u /* few, so that they meet */

static uint64_t nodes[SOCKETS]; /* 0: none */
static uint8_t bytes[70000];

static uint32_t below(uint32_t n)
{
    return play_choose(n);
}

static long call(uint64_t type, uint64_t node, const void *at, uint64_t length)
{
    uint64_t w[6] = {node, (uint64_t)(uintptr_t)at, length, 0, O_NONBLOCK, 0};

    return host_call(type, w);
}

static struct sockaddr_in some_name(void)
{
    static const uint32_t addresses[] = {0,    HOST_ADDRESS, INADDR_LOOPBACK, HOST_ADDRESS,
                                         PEER, HOST_SECOND,  0x0a0002ff,      0xe0000001};
    static const uint16_t servers[] = {PORT_FILE, PORT_ECHO, PORT_SINK, PORT_DEAF, PORT_BUSY};
    uint32_t address = addresses[below(sizeof addresses / sizeof *addresses)];
    uint16_t port = (uint16_t)(PORTS + below(4));

    if (below(4) == 0)
        port = servers[below(sizeof servers / sizeof *servers)];
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

static uint64_t new_socket(void)
{
    static const uint64_t kinds[][2] = {{SOCK_STREAM, 0},           {SOCK_STREAM, 0},
                                        {SOCK_STREAM, 0},           {SOCK_DGRAM, 0},
                                        {SOCK_DGRAM, IPPROTO_ICMP}, {SOCK_RAW, IPPROTO_UDP}};
    const uint64_t *kind = kinds[below(sizeof kinds / sizeof *kinds)];
    uint64_t w[6] = {AF_INET, kind[0], kind[1], 0, O_NONBLOCK, 0};

    return host_call(SOCKET_CREATE, w) ? 0 : w[1];
}

static void set_option(uint64_t node)
{
    static const int options[][2] = {
        {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_KEEPALIVE},  {SOL_SOCKET, SO_BROADCAST},
        {SOL_SOCKET, SO_RCVBUF},    {SOL_SOCKET, SO_SNDBUF},     {IPPROTO_TCP, TCP_NODELAY},
        {IPPROTO_TCP, TCP_MAXSEG},  {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},
        {IPPROTO_IP, IP_TTL},       {IPPROTO_IP, IP_HDRINCL},    {IPPROTO_TCP, TCP_KEEPCNT},
    };
    static const int values[] = {0, 1, 2, 88, 100, 1459, 1460, 5000, 65536};
    const int *option = options[below(sizeof options / sizeof *options)];
    int value = values[below(sizeof values / sizeof *values)];
    struct linger linger = {1, 0};
    uint64_t w[6] = {
        node, (uint64_t)option[0], (uint64_t)option[1], (uint64_t)(uintptr_t)&value, sizeof value,
        0};

    if (below(8) == 0) {
        w[1] = SOL_SOCKET;
        w[2] = SO_LINGER;
        w[3] = (uint64_t)(uintptr_t)&linger;
        w[4] = sizeof linger;
    }
    host_call(SOCKET_SET_OPTION, w);
}

static void accept_from(uint64_t node)
{
    uint64_t w[6] = {node, 0, 0, 0, O_NONBLOCK, 0};
    unsigned i = below(SOCKETS);

    if (host_call(SOCKET_ACCEPT, w))
        return;
    if (nodes[i])
        call(FILE_CLOSE, nodes[i], NULL, 0);
    nodes[i] = w[1];
}

static uint64_t some_length(void)
{
    static const uint32_t lengths[] = {0, 1, 7, 8, 20, 63, 64, 1459, 1460, 1461, 30000, 65507};

    return lengths[below(sizeof lengths / sizeof *lengths)];
}

void calls_step(void)
{
    unsigned i = below(SOCKETS);
    struct sockaddr_in name = some_name();
    uint64_t w[6] = {nodes[i], below(3), 0, 0, O_NONBLOCK, 0};

    if (!nodes[i]) {
        nodes[i] = new_socket();
        return;
    }
    switch (below(12)) {
    case 0:
        call(SOCKET_BIND, nodes[i], &name, sizeof name);
        break;
    case 1:
    case 2:
        call(SOCKET_CONNECT, nodes[i], &name, sizeof name);
        break;
    case 3:
        w[1] = below(200);
        host_call(SOCKET_LISTEN, w);
        break;
    case 4:
        accept_from(nodes[i]);
        break;
    case 5:
    case 6:
    case 7:
        call(FILE_WRITE, nodes[i], bytes, some_length());
        break;
    case 8:
        call(FILE_READ, nodes[i], bytes, some_length());
        break;
    case 9:
        host_call(SOCKET_SHUTDOWN, w);
        break;
    case 10:
        set_option(nodes[i]);
        break;
    case 11:
        call(FILE_CLOSE, nodes[i], NULL, 0);
        nodes[i] = 0;
        break;
    }
    host_idle();
}
