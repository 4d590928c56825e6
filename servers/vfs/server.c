/* SPDX-License-Identifier: BSD-2-Clause */
/* File servers by their names in DS: finding them, their deaths and returns, calls that need no
 * program. */
#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/pack.h"
#include "servers/vfs/vfs.h"

enum { BACK_SECONDS = 10 }; /* how long a program waits for a server that has died */
#define SECOND_NS 1000000000ull
#define LOOK_NS 100000000ull /* between two questions whether it is given up */
#define FINISH_LOOK_NS 5000000ull /* the same, by who is not to be interrupted */
/* for plain calls: they are answered at once, or the server hangs */
#define CANCEL_DEADLINE_NS 100000000ull
enum { POLLS_AT_ONCE = 64 };
#define HUNG_NS 1000000000ull /* one that did not answer is not called for so long */

static struct server *servers;

/* By which RS knows it. */
static void learn_name(struct server *s)
{
    struct message m =
        message_of(RS_WHO, (struct rs_endpoint_request){.endpoint = (uint64_t)s->endpoint});
    const struct rs_who_reply *who = message_words(&m);

    if (ipc_call(service_info()->rs, &m) == 0)
        unpack_text(s->service, who->name, sizeof s->service);
}

/* It will not come back by itself. */
static bool is_given_up(const struct server *s)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);

    if (!s->service[0])
        return false;
    pack_text(r->name, s->service, sizeof s->service);
    return ipc_call(service_info()->rs, &m) == -ENXIO;
}

/* Those that are down while RS replaces them stay in the list with endpoint 0. */
struct server *server_find(const char *key)
{
    struct server *s = list_at(servers);
    endpoint_t ep;

    while (s && strcmp(s->key, key) != 0)
        s = list_at(s->next);
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
    s->has_files = strncmp(key, "fs/", 3) == 0;
    list_put(servers, s, next);
    learn_name(s);
    return s;
}

struct server *server_expect(const char *key, endpoint_t ep)
{
    struct server *s = list_at(servers);

    while (s && strcmp(s->key, key) != 0)
        s = list_at(s->next);
    if (!s && strlen(key) < sizeof s->key) {
        s = calloc(1, sizeof *s);
        if (!s)
            return NULL;
        strcpy(s->key, key);
        s->has_files = true;
        list_put(servers, s, next);
    }
    if (s) {
        s->endpoint = s->last = ep;
        s->traits = 0;
        learn_name(s);
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
        for (struct server *s = list_at(servers); s; s = list_at(s->next))
            if (strcmp(s->key, key) == 0 && s->endpoint != ep) {
                if (ep)
                    came_back(s, ep);
                else
                    s->endpoint = 0;
            }
}

/* DS tells when it is back; nobody tells when RS gives it up. */
static long wait_a_while(struct client *c, struct server *s, uint64_t deadline)
{
    uint64_t at = clock_now() + LOOK_NS;
    long result;

    if (c->finishes) {
        wait_through(c, FINISH_LOOK_NS);
        return clock_now() < deadline ? 0 : -ETIMEDOUT;
    }
    result = wait_on(c, &s->back, at < deadline ? at : deadline);
    return result == -ETIMEDOUT && at < deadline ? 0 : result;
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
        if (is_given_up(s))
            return -EIO;
        result = wait_a_while(c, s, deadline);
        if (result == -EINTR)
            c->interrupted = false; /* programs know nothing of this wait: the call is made again */
        if (result)
            return result == -ETIMEDOUT ? -EIO : result;
    }
    return 0;
}

/* ---- grants ---- */

enum { GRANTS = 60 }; /* of the table's; the others are for calls to essential servers */

static unsigned grants_out;

/* One that does not answer keeps what it has: a server may have as many as are left, so that one or
 * two of them do not stop those who need others. */
static bool may_have(const struct server *s, unsigned n)
{
    return s->grants + 2 * n - 1 <= GRANTS - grants_out;
}

static void wake_oldest(struct wait_queue *q)
{
    struct waiter *w = list_at(q->first);

    while (w && list_at(w->next))
        w = w->next;
    if (w)
        wait_wake(w);
}

static void grants_offer(void)
{
    for (struct server *s = list_at(servers); s; s = list_at(s->next))
        if (s->wants_grant.first && may_have(s, 1))
            wake_oldest(&s->wants_grant);
}

long server_grant(struct client *c, struct server *s, const void *address, size_t length,
                  uint32_t flags, unsigned more)
{
    long grant;

    while (!may_have(s, 1 + more)) {
        long result = wait_on(c, &s->wants_grant, WAIT_FOREVER);

        if (result) {
            c->interrupted = false; /* programs know nothing of this wait */
            grants_offer();
            return result;
        }
    }
    grant = grant_make(s->last, address, length, flags);
    if (grant < 0)
        return -ENOMEM;
    s->grants++;
    grants_out++;
    return grant;
}

void server_revoke(struct server *s, long grant)
{
    grant_revoke(grant);
    s->grants--;
    grants_out--;
    grants_offer();
}

bool server_hangs(const struct server *s)
{
    return s->hung == s->endpoint && clock_now() < s->hung_until;
}

long server_call(struct server *s, struct message *m)
{
    long result;

    if (s->calls_us || !s->endpoint)
        return -EAGAIN;
    if (server_hangs(s))
        return -ETIMEDOUT;
    result = ipc_call_deadline(s->endpoint, m, CANCEL_DEADLINE_NS);
    s->hung = result == -ETIMEDOUT ? s->endpoint : 0;
    if (s->hung)
        s->hung_until = clock_now() + HUNG_NS;
    return result;
}

/* What a fresh incarnation has open it has by the same node: TRAIT_REMEMBERS, and sockets. */
bool server_knows_nodes(const struct server *s, uint64_t type)
{
    type &= FILE_TYPE_MASK;
    return (s->traits & TRAIT_REMEMBERS) || strcmp(s->key, "net") == 0 ||
           (type >= SOCKET_CREATE && type < FILE_READ_VECTOR);
}

/* ---- what they must hear of ----
 *
 * One that did not answer in time is left alone for a while, and then goes on with what it has. What it had not
 * heard of would stay open there for ever.
 */

#define OWED_LOOK_NS 200000000ull /* between two looks whether they can be told */
#define OWED_NS 60000000000ull

struct owed {
    struct owed *next;
    struct server *server;
    endpoint_t to; /* 0: whichever is there */
    struct message m;
    uint64_t until; /* nobody is waited for longer */
};

static struct owed *owed_first, **owed_end = &owed_first;

static bool is_for(const struct owed *o, endpoint_t incarnation)
{
    return !o->to || o->to == incarnation;
}

/* False: later. (One that timed out may have received it, and closing twice would be worse than never.) */
static bool tell(const struct owed *o)
{
    struct server *s = o->server;
    struct message m = o->m;

    if (clock_now() > o->until)
        return true;
    if (!s->endpoint)
        return o->to; /* that one is dead */
    if (is_for(o, s->endpoint) && server_hangs(s))
        return false;
    if (is_for(o, s->endpoint))
        server_call(s, &m);
    return true;
}

static void tell_all(void);

static void tell_later(void)
{
    wait_timer(TIMER_OWED, clock_now() + OWED_LOOK_NS, tell_all);
}

static void tell_all(void)
{
    for (struct owed **link = &owed_first; list_at(*link);) {
        struct owed *o = *link;

        if (!tell(o)) {
            link = &o->next;
            continue;
        }
        *link = list_at(o->next);
        if (!*link)
            owed_end = link;
        free(o);
    }
    if (list_at(owed_first))
        tell_later();
}

void server_tell(struct server *s, const struct message *m, endpoint_t to)
{
    struct owed now = {.server = s, .to = to, .m = *m, .until = clock_now() + OWED_NS}, *later;

    if (tell(&now))
        return;
    later = malloc(sizeof *later);
    if (!later) {
        log_info("no memory for what %s is to hear of", s->key);
        return;
    }
    *later = now;
    if (!owed_first) /* else it is set: to set it anew each time would be to put it off */
        tell_later();
    *list_at(owed_end) = later;
    owed_end = &later->next;
}

/* ---- readiness ---- */

/*
 * A server tells of a node once: an answer that comes too late is lost, and who waits for it would
 * wait for ever. So all who wait for something of that server look again, until one is in time.
 */
static void look_again(void)
{
    for (struct server *s = list_at(servers); s; s = list_at(s->next)) {
        if (!s->is_owed)
            continue;
        s->is_owed = false;
        for (struct server *t = list_at(servers); t;
             t = list_at(t->next)) /* it may have two names */
            if (t->endpoint == s->endpoint)
                remote_server_back(t);
    }
    server_poll_events();
}

void servers_look_again(void)
{
    for (struct server *s = list_at(servers); s; s = list_at(s->next))
        s->is_owed |= s->tells && s->endpoint;
    look_again();
}

long server_poll_call(struct server *s, struct message *m)
{
    long result = server_call(s, m);

    if (result == -ETIMEDOUT) {
        s->is_owed = true;
        wait_timer(TIMER_SERVERS, s->hung_until, look_again);
    }
    return result;
}

/* One that always has more is asked again in another step: others have their turn before. */
void server_poll_events(void)
{
    for (struct server *s = list_at(servers); s; s = list_at(s->next))
        for (unsigned times = 0; s->tells && s->endpoint; times++) {
            struct message m = {.type = FILE_POLL_EVENTS};
            unsigned n = 0;

            if (times == POLLS_AT_ONCE) {
                ipc_notify(service_info()->self, NOTIFY_BIT(NOTIFY_BIT_POLL));
                break;
            }
            if (server_poll_call(s, &m) < 0)
                break;
            for (; n < MESSAGE_WORDS && m.w[n]; n++)
                if (m.w[n] == FILE_IS_READ_ONLY)
                    mounts_read_only(s);
                else
                    remote_ready(s, m.w[n]);
            if (n < MESSAGE_WORDS)
                break;
        }
}
