/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/share.h"

#include <stdlib.h>

#include "abi/proto/net.h"
#include "lib/undo/list.h"

#define FOR_ROOT 8 /* a part of all: only root comes by it */

static const size_t most[SHARE_KINDS] = {
    [SHARE_FILES] = 65536,  [SHARE_PATHS] = 8u << 20,
    [SHARE_PIPES] = 4096,   [SHARE_RINGS] = 16u << 20,
    [SHARE_SOCKETS] = 4096, [SHARE_RECORDS] = 32768,
    [SHARE_RIGHTS] = 16384, [SHARE_LOCKS] = 16384,
    [SHARE_ITEMS] = 65536,  [SHARE_NET_SOCKETS] = NET_SOCKETS,
};

static struct share *shares;
static size_t all[SHARE_KINDS], of_users[SHARE_KINDS]; /* of_users: without root's */

static bool is_empty(const struct share *s)
{
    for (unsigned k = 0; k < SHARE_KINDS; k++)
        if (s->has[k])
            return false;
    return true;
}

static void sweep(void)
{
    for (struct share **link = &shares, *s; (s = list_at(*link));)
        if (is_empty(s)) {
            *link = list_at(s->next);
            free(s);
        } else {
            link = &s->next;
        }
}

struct share *share_of(uint32_t uid)
{
    struct share *s;

    list_for(s, shares, next) if (s->uid == uid) return s;
    sweep();
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->uid = uid;
    list_put(shares, s, next);
    return s;
}

bool share_take(struct share *s, enum share_kind kind, size_t n)
{
    if (!s || n > most[kind] || all[kind] > most[kind] - n)
        return false;
    if (s->uid && (s->has[kind] + n > most[kind] / 2 ||
                   of_users[kind] + n > most[kind] - most[kind] / FOR_ROOT))
        return false;
    share_take_anyway(s, kind, n);
    return true;
}

void share_take_anyway(struct share *s, enum share_kind kind, size_t n)
{
    s->has[kind] += n;
    all[kind] += n;
    if (s->uid)
        of_users[kind] += n;
}

void share_give(struct share *s, enum share_kind kind, size_t n)
{
    s->has[kind] -= n;
    all[kind] -= n;
    if (s->uid)
        of_users[kind] -= n;
}
