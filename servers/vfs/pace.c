/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that have killed copy after copy of a server, and are refused (servers/rs/poison.h): their
 * callers get EIO, and could ask for the same at once. So requests of that kind by that user go to that
 * server one at a time for a while, so far apart that it is there for others most of the time. They
 * wait, and do not fail: most are good ones.
 */
#include "servers/vfs/vfs.h"

enum {
    PACES = 16,
    SPARED = 10 /* the server is there for others so many times as long as it was not */
};
#define PAUSE_MAX_NS 10000000000ull /* between two */
#define LASTS_MIN_NS 1000000000ull /* since the last that was refused */

static struct pace {
    const struct server *server; /* NULL: unused */
    uint64_t type, pause, next, end; /* ns; clock: when the next one may go; when all may again */
    uint32_t uid;
} paces[PACES];
static unsigned used;

static struct pace *pace_of(const struct client *c, const struct server *s, uint64_t type)
{
    for (struct pace *p = paces; p < paces + PACES; p++)
        if (p->server == s && p->type == type && p->uid == c->uid)
            return p;
    return NULL;
}

static struct pace *oldest(void)
{
    struct pace *found = paces;

    for (struct pace *p = paces; p < paces + PACES && found->server; p++)
        if (!p->server || p->end < found->end)
            found = p;
    return found;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void pace_set(const struct client *c, const struct server *s, uint64_t type, uint64_t cost)
{
    uint64_t now = clock_now(), kind = type & FILE_TYPE_MASK;
    struct pace *p = pace_of(c, s, kind);

    if (cost == 0) /* of a server that keeps its memory: it was not away */
        return;
    log_info("%s: request %#x of process %d has killed copy after copy: it fails", s->service,
             (unsigned)kind, c->pid);
    if (!p)
        p = oldest();
    used += p->server == NULL;
    *p = (struct pace){.server = s,
                       .type = kind,
                       .uid = c->uid,
                       .pause = least(SPARED * least(cost, PAUSE_MAX_NS), PAUSE_MAX_NS)};
    p->next = now + p->pause;
    p->end = p->next + SPARED * p->pause + LASTS_MIN_NS;
}

uint64_t pace_turn(const struct client *c, const struct server *s, uint64_t type)
{
    uint64_t now = used ? clock_now() : 0, turn;
    struct pace *p = used ? pace_of(c, s, type & FILE_TYPE_MASK) : NULL;

    if (p && now >= p->end) {
        *p = (struct pace){0};
        used--;
        return 0;
    }
    if (!p)
        return 0;
    turn = p->next > now ? p->next : now;
    p->next = turn + p->pause;
    return turn > now ? turn : 0;
}
