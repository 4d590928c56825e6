/* SPDX-License-Identifier: BSD-2-Clause */
/* Readiness. VFS asks what a socket is ready for, and to be told once when that changes. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>

#include <lwip/tcp.h>

#include "servers/net/socket.h"

static struct socket *ready, **ready_end = &ready; /* VFS has not fetched them yet */
static bool notify_due;

uint32_t socket_events(const struct socket *s)
{
    if (s->kind != KIND_TCP)
        return datagram_events(s->datagrams != NULL, s->error != 0, s->read_shut);
    return stream_events(&(struct stream_view){.state = s->state,
                                               .has_input = s->in_bytes >= stream_low_water(s),
                                               .has_accepted = s->accepted != NULL,
                                               .has_error = s->error != 0,
                                               .peer_closed = s->peer_closed,
                                               .read_shut = s->read_shut,
                                               .write_shut = s->write_shut,
                                               .room = stream_room(s),
                                               .send_limit = (uint32_t)stream_limit(s)});
}

long poll_socket(struct socket *s, struct message *m)
{
    const struct file_poll_request *r = message_words(m);
    uint32_t wanted = (uint32_t)r->events | POLLERR | POLLHUP, now = socket_events(s) & wanted;

    if (r->tell == 1 && !now)
        s->told |= wanted;
    return now;
}

void poll_check(struct socket *s)
{
    if (!s->told || s->is_ready || !(socket_events(s) & s->told))
        return;
    s->told = 0;
    s->is_ready = true;
    s->next_ready = NULL;
    *ready_end = s;
    ready_end = &s->next_ready;
    notify_due = true;
}

void poll_forget(struct socket *s)
{
    struct socket **link = &ready;

    if (!s->is_ready)
        return;
    while (*link != s)
        link = &(*link)->next_ready;
    *link = s->next_ready;
    if (!*link)
        ready_end = link;
}

static uint64_t next_ready(void)
{
    struct socket *s = ready;

    if (!s)
        return 0;
    ready = s->next_ready;
    if (!ready)
        ready_end = &ready;
    s->is_ready = false;
    poll_check(s); /* asked for again meanwhile */
    return s->node;
}

/* When the last word is 0 VFS knows that there are no more. */
long poll_events(struct message *m)
{
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = next_ready();
    return 0;
}

void poll_notify(void)
{
    if (!notify_due)
        return;
    notify_due = false;
    ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}
