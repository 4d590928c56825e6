/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs on their way to file servers and back. While a server has a client, client->behind names it; when that
 * server dies the kernel gives the client back (MESSAGE_BOUNCED), and what it was handed is repeated with the fresh incarnation, if that is safe.
 */
#include <string.h>

#include "lib/coro/coro.h"
#include "servers/vfs/vfs.h"

/* As marked in abi/proto/file.h. */
bool request_is_once(uint64_t type)
{
    switch (type) {
    case FILE_WRITE:
    case FILE_WRITE_VECTOR:
    case FILE_CREATE:
    case FILE_SYMLINK:
    case FILE_LINK:
    case FILE_UNLINK:
    case FILE_RENAME:
    case SOCKET_SEND:
    case SOCKET_RECEIVE:
    case SOCKET_RECEIVE_FROM:
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        return true;
    default:
        return false;
    }
}

/* 0, or the error of a server that is not there any more. */
static long forward(struct client *c, struct server *s, const struct message *m)
{
    struct message copy = *m;
    long result;

    if (!s->endpoint)
        return -EDEADSRCDST;
    result = ipc_forward(c->endpoint, s->endpoint, &copy);
    if (result == 0) {
        c->behind = s;
        c->behind_endpoint = s->endpoint;
    }
    return result;
}

/* Forward; a server that is dead is waited for. */
static long forward_patiently(struct client *c, struct server *s, const struct message *m)
{
    for (;;) {
        endpoint_t ep = s->endpoint;
        long result = forward(c, s, m);

        if (result == 0 || (result != -EDEADSRCDST && ep))
            return result == 0 ? 0 : -EIO;
        result = server_wait(c, s, ep);
        if (result)
            return result;
    }
}

long ask(struct client *c, struct server *s, struct message *m, enum again again)
{
    for (;;) {
        endpoint_t ep;
        long result = c->cancelled ? -EINTR : forward_patiently(c, s, m);

        if (result)
            return result;
        ep = c->behind_endpoint;
        c->answered = false;
        while (!c->answered && !c->cancelled && c->behind)
            coro_yield();
        if (c->answered) {
            *m = c->answer;
            return (long)m->w[0];
        }
        if (c->cancelled)
            return -EINTR;
        if (again == ONCE)
            return -EIO; /* bounced: it may have been done or not */
        result = server_wait(c, s, ep);
        if (result)
            return result;
    }
}

long hand_over(struct client *c, struct server *s, const struct message *m)
{
    long result = c->cancelled ? -EINTR : forward_patiently(c, s, m);

    if (result)
        return result;
    c->handed = *m;
    return SERVICE_NO_REPLY;
}

void ask_answered(struct client *c, const struct message *m)
{
    c->behind = NULL;
    if (!c->work)
        return; /* a server that sends back what it should answer: the client stays blocked no longer than that */
    c->answer = *m;
    c->answered = true;
    client_resume(c);
}

static void repeat(void *argument)
{
    struct client *c = argument;
    struct message m = c->handed;
    struct server *s = c->behind;

    c->behind = NULL;
    c->result = server_wait(c, s, c->behind_endpoint);
    if (c->result == 0)
        c->result = hand_over(c, s, &m);
}

void ask_bounced(struct client *c, const struct message *m)
{
    (void)m;
    if (!c->behind)
        return;
    if (c->work) { /* ask() decides */
        c->behind = NULL;
        client_resume(c);
    } else if (request_is_once(c->handed.type) && c->handed.type != SOCKET_RECEIVE && c->handed.type != SOCKET_RECEIVE_FROM) {
        c->behind = NULL;
        ipc_reply_result(c->endpoint, -EIO);
    } else {
        client_begin(c, repeat);
    }
}

bool ask_take_back(struct client *c, long *taken)
{
    struct message m = {.type = FILE_CANCEL, .w = {(uint64_t)c->endpoint}};
    struct server *s = c->behind;
    long result;

    *taken = 0;
    c->behind = NULL;
    if (!s || s->endpoint != c->behind_endpoint)
        return false;
    result = server_call(s, &m);
    if (result == 1)
        *taken = (long)m.w[1];
    return result == 1;
}
