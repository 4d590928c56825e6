/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients by their slots, and the places that they are in. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "servers/vfs/vfs.h"

static struct client *clients[ENDPOINT_SLOTS];

_Static_assert(offsetof(struct client, endpoint) == 0 && offsetof(struct client, uid) == 8,
               "words are verified");

struct client *client_of(endpoint_t ep)
{
    struct client *const *at = &clients[endpoint_slot(ep)], *c = *at;

    if (!c || c->endpoint != ep) { /* or a bit has flipped */
        undo_verify_word(at);
        c = *at;
        if (c)
            undo_verify_word(c);
    }
    if (!c || c->endpoint != ep)
        return NULL;
    undo_verify_word(&c->uid);
    return c;
}

/* PM hands over the end of a client before its slot has another. */
struct client *client_new(endpoint_t ep, int pid)
{
    struct client **at = &clients[endpoint_slot(ep)];

    if (*at)
        return NULL;
    *at = calloc(1, sizeof **at);
    if (*at) {
        (*at)->endpoint = ep;
        (*at)->pid = pid;
    }
    return *at;
}

void client_free(struct client *c)
{
    wait_forget(c);
    clients[endpoint_slot(c->endpoint)] = NULL;
    free(c->exe);
    free(c);
}

struct client *client_next(struct client *c)
{
    unsigned i = 0;

    if (c) {
        undo_verify_word(c); /* its endpoint */
        i = endpoint_slot(c->endpoint) + 1;
    }
    for (; i < ENDPOINT_SLOTS; i++)
        if (clients[i]) {
            undo_verify_word(&clients[i]);
            return clients[i];
        }
    return NULL;
}

struct place *place_new(void)
{
    struct place *p = calloc(1, sizeof *p);

    if (p) {
        p->references = 1;
        p->umask = 022;
    }
    return p;
}

struct place *place_copy(const struct place *from)
{
    struct place *p = place_new();

    if (!p)
        return NULL;
    p->umask = from->umask;
    p->cwd = from->cwd;
    p->root = from->root;
    if (p->cwd.file)
        file_get(p->cwd.file);
    if (p->root.file)
        file_get(p->root.file);
    return p;
}

/* c, when there is one, is the last user's. */
void place_put(struct client *c, struct place *p)
{
    if (!p || --p->references)
        return;
    if (p->cwd.file)
        file_put(c, p->cwd.file);
    if (p->root.file)
        file_put(c, p->root.file);
    free(p);
}
