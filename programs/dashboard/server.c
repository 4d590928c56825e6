/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: each has its request, whose head and body fit into it, and its answer. All is bounded: their
 * number, what a request may have, and how long each step may take. Nobody waits for anybody.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "programs/dashboard/dashboard.h"

#define CONNECTIONS 24u
#define REQUEST_MS 5000 /* for a request to come, from its first byte or the connection on */
#define IDLE_MS 30000 /* between two of them */
#define SEND_MS 15000 /* without any progress */
#define LINGER_MS 2000 /* for who was refused to read why, though it is still sending */
#define LINGER_MOST 1000000 /* bytes that it may yet send */

#define HEADERS                                                                                    \
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: "              \
    "no-referrer\r\nX-Frame-Options: DENY\r\nContent-Security-Policy: default-src 'none'; "        \
    "script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "    \
    "form-action 'none'; frame-ancestors 'none'\r\n"

enum phase { FREE, READS, WRITES, LINGERS };

static struct connection {
    enum phase phase;
    int fd;
    bool is_known; /* it had the password */
    bool closes; /* after this answer */
    uint64_t deadline; /* ms */
    size_t have; /* bytes of request[] */
    long head; /* of these, once the head is whole; 0: it is not */
    struct http_request r; /* once it is */
    size_t dropped; /* in LINGERS */
    char *answer; /* head and body */
    size_t length, sent;
    char request[HTTP_HEAD_MAX + HTTP_BODY_MAX + 1];
} connections[CONNECTIONS];

static const struct identity *identity;
static int guardian;

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void end_connection(struct connection *c)
{
    close(c->fd);
    free(c->answer);
    c->answer = NULL;
    c->phase = FREE;
}

/* ---- answers ---- */

/* What there is to send, as one piece of memory. */
static bool make_answer(struct connection *c, const struct answer *a, bool has_body)
{
    FILE *out = open_memstream(&c->answer, &c->length);

    c->sent = 0;
    if (!out)
        return false;
    fprintf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s" HEADERS "\r\n",
            a->status, http_reason(a->status), a->type, a->length, a->more,
            c->closes ? "Connection: close\r\n" : "");
    if (has_body && a->length)
        fwrite(a->body, 1, a->length, out);
    return fclose(out) == 0;
}

static void say(struct connection *c, struct answer *a, bool has_body)
{
    bool is_made = make_answer(c, a, has_body);

    if (!a->is_fixed)
        free(a->body);
    c->phase = WRITES;
    c->deadline = now_ms() + SEND_MS;
    if (!is_made)
        end_connection(c);
}

static void refuse(struct connection *c, int status)
{
    struct answer a;

    api_refuse(status, NULL, &a);
    if (status == 405)
        a.more = "Allow: GET, HEAD, POST\r\n";
    c->closes = true;
    say(c, &a, true);
}

/* A request that has come whole is answered; what follows it stays. */
static void take_request(struct connection *c)
{
    struct answer a;
    size_t whole;

    if (c->head == 0)
        c->head = http_parse(c->request, c->have, &c->r);
    if (c->head < 0)
        refuse(c, (int)-c->head);
    whole = (size_t)c->head + c->r.body;
    if (c->head <= 0 || c->have < whole)
        return;
    api_answer(&c->r, guardian, identity, &a);
    c->is_known |= a.status != 401 && a.status != 421;
    c->closes = !c->r.keep_alive;
    say(c, &a, c->r.method != HTTP_HEAD);
    c->have -= whole;
    c->head = 0;
    memmove(c->request, c->request + whole, c->have);
}

/* ---- phases ---- */

static void read_more(struct connection *c)
{
    size_t room = sizeof c->request - 1 - c->have;
    ssize_t n = recv(c->fd, c->request + c->have, room, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_connection(c);
        return;
    }
    if (c->have == 0)
        c->deadline = now_ms() + REQUEST_MS;
    c->have += (size_t)n;
    take_request(c);
}

static void answer_sent(struct connection *c)
{
    free(c->answer);
    c->answer = NULL;
    if (c->closes) {
        shutdown(c->fd, SHUT_WR);
        c->phase = LINGERS;
        c->dropped = 0;
        c->deadline = now_ms() + LINGER_MS;
        return;
    }
    c->phase = READS;
    c->deadline = now_ms() + (c->have ? REQUEST_MS : IDLE_MS);
    if (c->have)
        take_request(c);
}

static void write_more(struct connection *c)
{
    ssize_t n = send(c->fd, c->answer + c->sent, c->length - c->sent, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_connection(c);
        return;
    }
    c->deadline = now_ms() + SEND_MS;
    c->sent += (size_t)n;
    if (c->sent == c->length)
        answer_sent(c);
}

/* To close with bytes unread would reset the connection, and the peer might lose the answer. */
static void drop_more(struct connection *c)
{
    ssize_t n = recv(c->fd, c->request, sizeof c->request, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->dropped += n > 0 ? (size_t)n : 0;
    if (n <= 0 || c->dropped > LINGER_MOST)
        end_connection(c);
}

static void time_out(struct connection *c)
{
    if (c->phase == READS && c->have)
        refuse(c, 408);
    else
        end_connection(c);
}

/* ---- all of them ---- */

/* A free one; else that of a stranger, the one that has had its time for longest. */
static struct connection *find_room(void)
{
    struct connection *found = NULL;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &connections[i];

        if (c->phase == FREE)
            return c;
        if (!c->is_known && (!found || c->deadline < found->deadline))
            found = c;
    }
    if (found)
        end_connection(found);
    return found;
}

/* false: there is none, or none more for now */
static bool take_connection(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *c = fd >= 0 ? find_room() : NULL;

    if (!c) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    c->phase = READS;
    c->fd = fd;
    c->is_known = c->closes = false;
    c->have = 0;
    c->head = 0;
    c->deadline = now_ms() + REQUEST_MS;
    return true;
}

static void serve(struct connection *c)
{
    switch (c->phase) {
    case READS:
        read_more(c);
        break;
    case WRITES:
        write_more(c);
        break;
    case LINGERS:
        drop_more(c);
        break;
    case FREE:
        break;
    }
}

static void wait_for_any(int listener, uint64_t until)
{
    struct pollfd p[CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
    uint64_t now = now_ms();

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        const struct connection *c = &connections[i];

        p[i + 1] = (struct pollfd){.fd = c->phase == FREE ? -1 : c->fd,
                                   .events = c->phase == WRITES ? POLLOUT : POLLIN};
    }
    if (poll(p, CONNECTIONS + 1, now < until ? (int)(until - now) : 0) < 0)
        return;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (connections[i].phase != FREE && p[i + 1].fd == connections[i].fd && p[i + 1].revents)
            serve(&connections[i]);
    while (p[0].revents && take_connection(listener)) {
    }
    now = now_ms();
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (connections[i].phase != FREE && now >= connections[i].deadline)
            time_out(&connections[i]);
}

void server_run(int listener, int orders, const struct identity *who)
{
    uint64_t next = now_ms();

    identity = who;
    guardian = orders;
    for (;;) {
        uint64_t now = now_ms();

        if (now >= next) {
            sample_take();
            next = now + SAMPLE_MS;
        }
        wait_for_any(listener, next);
    }
}
