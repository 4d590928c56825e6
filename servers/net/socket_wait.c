/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that may have to wait: reading, writing, connecting, accepting, and closing that
 * lingers. A program has at most one call in progress, so what is known of it is kept by its slot.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include <lwip/timeouts.h>

#include "abi/proto/pm.h"
#include "servers/net/socket.h"

#define AGAIN_NS 50000000ull /* between attempts of those that nothing wakes */

static struct {
    struct request *waits;
    endpoint_t endpoint; /* that the rest is about */
    /* A new socket went to VFS for this program and has not been heard of since. Nodes; listener 0:
     * none. */
    uint64_t handed, listener;
    /* The answer came too late: the program had just been seized because of a signal. What had
     * been done for it is told with FILE_CANCEL, which is on its way. */
    bool is_lost;
    long lost;
} programs[ENDPOINT_SLOTS];

static uint64_t alarm_at; /* the earliest deadline; 0: none */

static void expire(void *unused);

/* ---- answers ---- */

static bool goes_back(const struct message *m)
{
    const struct file_transfer_request *r = message_words(m);

    switch (m->type) {
    case SOCKET_CREATE:
    case SOCKET_ACCEPT:
    case FILE_CLOSE:
    case FILE_TRUNCATE:
    case FILE_SET_ATTRIBUTES:
        return true;
    case FILE_READ:
    case FILE_WRITE:
    case FILE_READ_VECTOR:
    case FILE_WRITE_VECTOR:
        return r->back & FILE_BACK;
    default:
        return false;
    }
}

/* Whoever should have got this new socket will not. */
static void take_back(uint64_t node, uint64_t listener)
{
    struct socket *s = socket_of(node), *from = socket_of(listener);

    if (s && listener && from && from->state == STREAM_LISTENING)
        tcp_accept_undo(from, s);
    else if (s)
        socket_close(s);
}

long answer_back(struct message *m, long result)
{
    bool is_new = (m->type == SOCKET_CREATE || m->type == SOCKET_ACCEPT) && result == 0;
    const struct file_node_request *of = message_words(m);
    struct file_open_reply *reply = message_words(m);
    uint64_t node = reply->node, listener = m->type == SOCKET_ACCEPT ? of->node : 0;
    endpoint_t program = message_caller(m), vfs = message_via(m);

    if (!vfs) /* VFS's own call */
        return result;
    m->type = FILE_BACK_RESULT;
    reply->result = result;
    if (ipc_forward(program, vfs, m) < 0) {
        if (is_new)
            take_back(node, listener);
        return SERVICE_NO_REPLY;
    }
    if (is_new) {
        programs[endpoint_slot(program)].endpoint = program;
        programs[endpoint_slot(program)].is_lost = false;
        programs[endpoint_slot(program)].handed = node;
        programs[endpoint_slot(program)].listener = listener;
    }
    return SERVICE_NO_REPLY;
}

long answer_now(struct message *m, long result)
{
    return goes_back(m) ? answer_back(m, result) : result;
}

long answer(struct message *m, long result)
{
    endpoint_t program = message_caller(m);

    result = answer_now(m, result);
    return result == SERVICE_NO_REPLY ? 0 : ipc_reply(program, m, result);
}

/* The signal comes after the answer: PM takes back the call of a program that waits here, and the
 * result would be lost. */
static void answer_request(struct request *r, long result)
{
    endpoint_t program = message_caller(&r->m);
    unsigned slot = endpoint_slot(program);
    bool is_connect = r->m.type == SOCKET_CONNECT;
    struct message signal = message_of(
        PM_SIGNAL, (struct pm_signal_request){.signal = SIGPIPE, .thread = (uint64_t)program});

    if (answer(&r->m, result) < 0 && result >= 0) {
        programs[slot].endpoint = program;
        programs[slot].handed = 0;
        programs[slot].is_lost = true;
        programs[slot].lost = result;
        if (is_connect)
            r->socket->connect_reported = false;
    }
    if (r->signal)
        ipc_call(service_info()->pm, &signal);
}

/* ---- attempts ---- */

static bool is_receive(uint64_t type)
{
    return type == FILE_READ || type == FILE_READ_VECTOR || type == SOCKET_RECEIVE ||
           type == SOCKET_RECEIVE_FROM || type == SOCKET_RECEIVE_MESSAGE || type == SOCKET_ACCEPT;
}

static long connect_to(struct socket *s, struct request *r)
{
    const struct socket_address_request *name = message_words(&r->m);
    struct sockaddr_in to;
    long result = 0;

    if (!r->begun)
        result = name_read(message_caller(&r->m), name->address, name->length, &to);
    if (result == 0 && s->kind == KIND_TCP)
        return tcp_connect_to(s, r, &to);
    if (result == -EAFNOSUPPORT && s->kind != KIND_TCP && to.sin_family == AF_UNSPEC)
        return datagram_connect(s, NULL);
    return result ? result : datagram_connect(s, &to);
}

static long transfer(struct socket *s, struct request *r)
{
    struct transfer t;
    long result = transfer_begin(&t, &r->m);

    if (result)
        return r->done ? (long)r->done : result;
    if (r->done > t.length) /* the program has changed its vector meanwhile */
        return (long)r->done;
    transfer_skip(&t, r->done);
    if (is_receive(r->m.type))
        return s->kind == KIND_TCP ? stream_receive(s, r, &t) : datagram_receive(s, &t);
    return s->kind == KIND_TCP ? stream_send(s, r, &t) : datagram_send(s, &t);
}

static long attempt_now(struct socket *s, struct request *r)
{
    switch (r->m.type) {
    case SOCKET_ACCEPT:
        return s->kind == KIND_TCP ? tcp_accept_one(s, &r->m) : -EOPNOTSUPP;
    case SOCKET_CONNECT:
        return connect_to(s, r);
    case FILE_CLOSE:
        return tcp_lingers(s) ? LATER : 0;
    default:
        return transfer(s, r);
    }
}

/* The result, or LATER. While the first address is on its way, what cannot be reached is tried
 * again. */
static long attempt(struct socket *s, struct request *r)
{
    long result;

    r->again = false;
    result = attempt_now(s, r);
    r->unreachable = result == -ENETUNREACH && address_coming();
    r->again |= r->unreachable;
    return r->unreachable ? LATER : result;
}

/* What it has got when it does not wait any longer. */
static long unfinished(const struct request *r)
{
    if (r->m.type == FILE_CLOSE)
        return 0;
    if (r->unreachable)
        return -ENETUNREACH;
    if (r->m.type == SOCKET_CONNECT)
        return r->begun ? -EINPROGRESS : -EAGAIN;
    return r->done ? (long)r->done : -EAGAIN;
}

/* ---- those that wait ---- */

/* When something about this request is due; 0: never. */
static uint64_t due(const struct request *r, uint64_t now)
{
    uint64_t again = now + AGAIN_NS;

    return !r->again || (r->deadline && r->deadline < again) ? r->deadline : again;
}

static void arm(uint64_t when, uint64_t now)
{
    uint64_t delay = when > now ? when - now : 0;
    const uint64_t longest = 1000000; /* ms; expire() arms anew */

    if (!when || (alarm_at && alarm_at <= when))
        return;
    alarm_at = when;
    delay = delay / 1000000 + 1;
    sys_untimeout(expire, NULL);
    sys_timeout((uint32_t)(delay < longest ? delay : longest), expire, NULL);
}

static void unlink_request(struct request *r)
{
    struct request **link = &r->socket->requests;

    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    programs[endpoint_slot(message_caller(&r->m))].waits = NULL;
}

static void drop(struct request *r)
{
    unlink_request(r);
    free(r);
}

/* The last step of a request that waited. A close takes its socket along. */
static void finish(struct request *r, long result)
{
    unlink_request(r);
    if (r->m.type == FILE_CLOSE)
        socket_close(r->socket);
    answer_request(r, result);
    free(r);
}

bool request_keep(struct socket *s, const struct request *r)
{
    unsigned slot = endpoint_slot(message_caller(&r->m));
    struct request *kept = malloc(sizeof *kept), **end = &s->requests;
    uint64_t now = clock_now();

    if (!kept)
        return false;
    if (programs[slot].waits) /* of a program that is no more: it has one call at a time */
        drop(programs[slot].waits);
    *kept = *r;
    kept->next = NULL;
    kept->socket = s;
    kept->waited = true;
    while (*end)
        end = &(*end)->next;
    *end = kept;
    programs[slot].waits = kept;
    arm(due(kept, now), now);
    return true;
}

static void expire(void *unused)
{
    uint64_t now = clock_now();

    (void)unused;
    alarm_at = 0;
    for (unsigned slot = 0; slot < ENDPOINT_SLOTS; slot++) {
        struct request *r = programs[slot].waits;

        if (r && r->deadline && r->deadline <= now) {
            finish(r, unfinished(r));
        } else if (r) {
            if (r->again)
                socket_dirty(r->socket);
            arm(due(r, now), now);
        }
    }
}

static uint64_t deadline_of(const struct socket *s, const struct request *r)
{
    uint32_t ms = is_receive(r->m.type) ? s->receive_timeout : s->send_timeout;

    return ms ? clock_now() + ms * 1000000ull : 0;
}

/* Of each direction the first that cannot go on holds up those behind it. */
void requests_retry(struct socket *s)
{
    bool held[2] = {false, false};
    uint64_t node = s->node;

    for (struct request *r = s->requests, *next; r; r = next) {
        bool direction = is_receive(r->m.type);
        long result = held[direction] ? LATER : attempt(s, r);

        next = r->next;
        if (result == LATER) {
            held[direction] = true;
            continue;
        }
        finish(r, result);
        if (socket_of(node) != s)
            return;
    }
}

void requests_fail(struct socket *s, long error)
{
    while (s->requests) {
        struct request *r = s->requests;

        unlink_request(r);
        answer(&r->m, r->m.type == FILE_CLOSE ? 0 : error);
        free(r);
    }
}

/* ---- requests arrive, and are taken back ---- */

void request_arrived(const struct message *m)
{
    programs[endpoint_slot(message_caller(m))].handed = 0;
    programs[endpoint_slot(message_caller(m))].is_lost = false;
}

static bool must_queue(const struct socket *s, const struct message *m)
{
    for (const struct request *r = s->requests; r; r = r->next)
        if (is_receive(r->m.type) == is_receive(m->type))
            return true;
    return false;
}

long request_begin(struct message *m)
{
    const struct file_node_request *of = message_words(m);
    struct socket *s = socket_of(of->node);
    struct request r = {.socket = s, .m = *m};
    long result;

    request_arrived(m);
    if (!s)
        return answer_now(m, -EBADF);
    s->served_by = message_caller(m);
    result = must_queue(s, m) ? LATER : attempt(s, &r);
    if (result == LATER && transfer_may_wait(m)) {
        r.deadline = deadline_of(s, &r);
        if (request_keep(s, &r))
            return SERVICE_NO_REPLY;
        result = r.done ? (long)r.done : -ENOBUFS;
    } else if (result == LATER) {
        result = unfinished(&r);
    }
    answer_request(&r, result);
    return SERVICE_NO_REPLY;
}

long request_cancel(struct message *m)
{
    const struct file_program_request *of = message_words(m);
    struct file_cancel_reply *reply = message_words(m);
    endpoint_t program = (endpoint_t)of->program;
    unsigned slot = endpoint_slot(program);
    struct request *r = programs[slot].waits;

    if (r && message_caller(&r->m) == program) {
        reply->done = (int64_t)r->done;
        if (r->m.type == FILE_CLOSE)
            r->socket->linger = false; /* VFS closes it by itself now */
        drop(r);
        return 1;
    }
    if (programs[slot].endpoint != program)
        return 0;
    if (programs[slot].handed)
        take_back(programs[slot].handed, programs[slot].listener);
    programs[slot].handed = 0;
    if (!programs[slot].is_lost)
        return 0;
    programs[slot].is_lost = false;
    reply->done = programs[slot].lost;
    return 1;
}
