/* SPDX-License-Identifier: BSD-2-Clause */
/* getsockopt(2), setsockopt(2) of sockets of this machine: those of level SOL_SOCKET that mean
 * something here. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/time.h>

#include "servers/vfs/unix.h"

/* On or off, without effect here, but they are remembered as on Linux. */
#define SWITCHES                                                                                   \
    (1u << SO_DEBUG | 1u << SO_REUSEADDR | 1u << SO_DONTROUTE | 1u << SO_BROADCAST |               \
     1u << SO_KEEPALIVE | 1u << SO_REUSEPORT)

enum { BUFFER_MIN = 4096, BUFFER_LEAST_MESSAGE = 256 * 1024 };

static long give(struct client *c, const uint64_t *call, const void *value, size_t size)
{
    uint32_t room, n;

    if (user_read(c, call[4], &room, sizeof room))
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    n = room < size ? room : (uint32_t)size;
    return user_write(c, call[3], value, n) || user_write(c, call[4], &n, sizeof n) ? -EFAULT : 0;
}

static long give_int(struct client *c, const uint64_t *call, int value)
{
    return give(c, call, &value, sizeof value);
}

static long give_timeout(struct client *c, const uint64_t *call, uint64_t ns)
{
    struct timeval t = {(time_t)(ns / 1000000000u), (suseconds_t)(ns % 1000000000u / 1000u)};

    return give(c, call, &t, sizeof t);
}

long unix_get_option(struct client *c, struct unix_socket *s, const uint64_t *call)
{
    uint32_t option = (uint32_t)call[2];
    int error = s->error;

    if ((uint32_t)call[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    switch (option) {
    case SO_TYPE:
        return give_int(c, call, s->type);
    case SO_DOMAIN:
        return give_int(c, call, AF_UNIX);
    case SO_PROTOCOL:
        return give_int(c, call, 0);
    case SO_ACCEPTCONN:
        return give_int(c, call, s->listening);
    case SO_ERROR:
        s->error = 0;
        return give_int(c, call, error);
    case SO_SNDBUF:
        return give_int(c, call, (int)(s->peer ? s->peer->queue.ring.limit : s->queue.ring.limit));
    case SO_RCVBUF:
        return give_int(c, call, (int)s->queue.ring.limit);
    case SO_RCVTIMEO:
        return give_timeout(c, call, s->timeouts[0]);
    case SO_SNDTIMEO:
        return give_timeout(c, call, s->timeouts[1]);
    case SO_PEERCRED:
        return give(c, call, &s->peer_credentials, sizeof s->peer_credentials);
    case SO_LINGER:
        return give(c, call, &(struct linger){0}, sizeof(struct linger));
    default:
        return option < 32 && (SWITCHES >> option & 1)
                   ? give_int(c, call, s->switches >> option & 1)
                   : -ENOPROTOOPT;
    }
}

static long set_timeout(struct client *c, uint64_t *timeout, const uint64_t *call)
{
    struct timeval t;

    if ((uint32_t)call[4] < sizeof t)
        return -EINVAL;
    if (user_read(c, call[3], &t, sizeof t))
        return -EFAULT;
    if (t.tv_usec < 0 || t.tv_usec >= 1000000)
        return -EDOM;
    if (t.tv_sec < 0)
        *timeout = 1; /* as Linux: it is over at once */
    else
        *timeout = t.tv_sec > 1000000000
                       ? 0
                       : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
    return 0;
}

/* Twice what was asked for, as Linux has it; never so little that a message could not
 * be received. */
static void set_buffer(struct unix_socket *s, int bytes)
{
    size_t size = bytes < BUFFER_MIN / 2 ? BUFFER_MIN : (size_t)bytes * 2;

    if (s->type != SOCK_STREAM && size < BUFFER_LEAST_MESSAGE)
        size = BUFFER_LEAST_MESSAGE;
    ring_set_limit(&s->queue.ring, size < RING_LIMIT_MAX ? size : RING_LIMIT_MAX);
}

long unix_set_option(struct client *c, struct unix_socket *s, const uint64_t *call)
{
    uint32_t option = (uint32_t)call[2];
    int value;

    if ((uint32_t)call[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (option == SO_RCVTIMEO || option == SO_SNDTIMEO)
        return set_timeout(c, &s->timeouts[option == SO_SNDTIMEO], call);
    if ((uint32_t)call[4] < sizeof value)
        return -EINVAL;
    if (user_read(c, call[3], &value, sizeof value))
        return -EFAULT;
    if (option == SO_RCVBUF) {
        set_buffer(s, value);
    } else if (option == SO_SNDBUF) {
        if (s->peer && s->type != SOCK_DGRAM)
            set_buffer(s->peer, value);
    } else if (option < 32 && (SWITCHES >> option & 1)) {
        s->switches = (s->switches & ~(1u << option)) | (uint32_t)(value != 0) << option;
    } else if (option != SO_LINGER) {
        return -ENOPROTOOPT;
    }
    return 0;
}
