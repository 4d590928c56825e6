/* SPDX-License-Identifier: BSD-2-Clause */
/* File servers by their names in DS: finding them, their deaths and returns, calls that need no
 * program. */
#include <stdlib.h>
#include <string.h>

#include "servers/vfs/vfs.h"

enum { BACK_SECONDS = 10 }; /* how long a program waits for a server that has died */
#define SECOND_NS 1000000000ull
/* for plain calls: they are answered at once, or the server hangs */
#define CANCEL_DEADLINE_NS 100000000ull

static struct server *servers;

/* Those that are down while RS replaces them stay in the list with endpoint 0. */
struct server *server_find(const char *key)
{
    struct server *s = servers;
    endpoint_t ep;

    while (s && strcmp(s->key, key) != 0)
        s = s->next;
    if (s)
        return s;
    ep = service_retrieve(key);
    if (!ep || strlen(key) >= sizeof s->key)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    strcpy(s->key, key);
    s->endpoint = s->last = ep;
    s->calls_us = strcmp(key, "fs/proc") == 0;
    s->next = servers;
    servers = s;
    return s;
}

struct server *server_expect(const char *key, endpoint_t ep)
{
    struct server *s = servers;

    while (s && strcmp(s->key, key) != 0)
        s = s->next;
    if (!s && strlen(key) < sizeof s->key) {
        s = calloc(1, sizeof *s);
        if (!s)
            return NULL;
        strcpy(s->key, key);
        s->next = servers;
        servers = s;
    }
    if (s) {
        s->endpoint = s->last = ep;
        s->traits = 0;
    }
    return s;
}

void servers_start(void)
{
    service_subscribe("fs/*");
    service_subscribe("chr/*");
    service_subscribe("blk/*");
    service_subscribe("net");
}

/* A fresh incarnation knows nothing of what the old one was told: pollers look again. */
static void came_back(struct server *s, endpoint_t ep)
{
    grants_move(s->last, ep);
    s->endpoint = s->last = ep;
    if (s->traits & TRAIT_REMEMBERS)
        remote_reopen(s);
    wake_all(&s->back);
    remote_server_back(s);
}

void server_events(void)
{
    char key[32];
    endpoint_t ep;

    while (service_event(key, &ep) > 0)
        for (struct server *s = servers; s; s = s->next)
            if (strcmp(s->key, key) == 0 && s->endpoint != ep) {
                if (ep)
                    came_back(s, ep);
                else
                    s->endpoint = 0;
            }
}

long server_wait(struct client *c, struct server *s, endpoint_t dead)
{
    uint64_t deadline = clock_now() + BACK_SECONDS * SECOND_NS;

    if (s->endpoint == dead)
        s->endpoint = 0; /* DS will tell */
    while (!s->endpoint) {
        endpoint_t ep = service_retrieve(s->key);
        long result;

        if (ep && ep != dead) {
            came_back(s, ep);
            break;
        }
        result = wait_on(c, &s->back, deadline);
        if (result == -EINTR)
            c->interrupted = false; /* programs know nothing of this wait: the call is made again */
        if (result)
            return result == -ETIMEDOUT ? -EIO : result;
    }
    return 0;
}

long server_grant(struct server *s, const void *address, size_t length, uint32_t flags)
{
    return grant_make(s->last, address, length, flags);
}

long server_call(struct server *s, struct message *m)
{
    if (s->calls_us || !s->endpoint)
        return -EAGAIN;
    return ipc_call_deadline(s->endpoint, m, CANCEL_DEADLINE_NS);
}

void server_poll_events(void)
{
    for (struct server *s = servers; s; s = s->next)
        while (s->tells && s->endpoint) {
            struct message m = {.type = FILE_POLL_EVENTS};
            unsigned n = 0;

            if (server_call(s, &m) < 0)
                break;
            while (n < MESSAGE_WORDS && m.w[n])
                remote_ready(s, m.w[n++]);
            if (n < MESSAGE_WORDS)
                break;
        }
}
