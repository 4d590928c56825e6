/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and who wants to know of them. Each name has a version, which grows with every change of
 * any name; a subscriber remembers up to which version it has been told. So events need no queue,
 * cannot overflow, and are coalesced by key.
 */
#include <errno.h>
#include <string.h>

#include "servers/ds/ds.h"

static struct name {
    char key[DS_KEY_MAX]; /* "" unused */
    endpoint_t ep; /* 0: gone */
    uint64_t version;
} names[DS_NAMES];

static struct subscriber {
    endpoint_t who; /* 0: unused */
    uint64_t told;
    char pattern[DS_PATTERNS][DS_KEY_MAX];
} subscribers[DS_SUBSCRIBERS];

static uint64_t version;

static bool matches(const char *pattern, const char *key)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*')
        return !strncmp(pattern, key, n - 1);
    return n && !strcmp(pattern, key);
}

static bool wants(const struct subscriber *s, const char *key)
{
    for (unsigned i = 0; i < DS_PATTERNS; i++)
        if (matches(s->pattern[i], key))
            return true;
    return false;
}

static void changed(struct name *n, endpoint_t ep)
{
    n->ep = ep;
    n->version = ++version;
    for (unsigned i = 0; i < DS_SUBSCRIBERS; i++)
        if (subscribers[i].who && wants(&subscribers[i], n->key))
            ds_wake(subscribers[i].who);
}

static struct name *find(const char *key)
{
    for (unsigned i = 0; i < DS_NAMES; i++)
        if (names[i].key[0] && !strcmp(names[i].key, key))
            return &names[i];
    return NULL;
}

/* A place for a new key: unused, or one that has been gone the longest (whoever has not asked yet
 * finds it absent). */
static struct name *place(void)
{
    struct name *oldest = NULL;

    for (unsigned i = 0; i < DS_NAMES; i++) {
        if (!names[i].key[0])
            return &names[i];
        if (!names[i].ep && (!oldest || names[i].version < oldest->version))
            oldest = &names[i];
    }
    return oldest;
}

static unsigned published_by(endpoint_t ep)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DS_NAMES; i++)
        n += names[i].key[0] && names[i].ep == ep;
    return n;
}

long names_publish(const char *key, endpoint_t ep)
{
    struct name *n = find(key);

    if (!key[0] || strchr(key, '*'))
        return -EINVAL;
    if (!ds_may_publish(key, ep))
        return -EPERM;
    if (n && n->ep == ep)
        return 0;
    if (n && n->ep && ds_alive(n->ep))
        return -EEXIST;
    if (published_by(ep) >= DS_NAMES_OF_ONE)
        return -ENOSPC;
    if (!n) {
        n = place();
        if (!n)
            return -ENOSPC;
        strcpy(n->key, key);
    }
    changed(n, ep);
    return 0;
}

long names_retrieve(const char *key)
{
    struct name *n = find(key);

    if (n && n->ep && !ds_alive(n->ep))
        changed(n, 0);
    return n && n->ep ? n->ep : -ENOENT;
}

static struct subscriber *subscriber_of(endpoint_t who)
{
    for (unsigned i = 0; i < DS_SUBSCRIBERS; i++)
        if (subscribers[i].who == who)
            return &subscribers[i];
    return NULL;
}

static struct subscriber *subscriber_new(endpoint_t who)
{
    struct subscriber *s = subscriber_of(0);

    for (unsigned i = 0; !s && i < DS_SUBSCRIBERS; i++)
        if (!ds_alive(subscribers[i].who))
            s = &subscribers[i];
    if (s)
        *s = (struct subscriber){.who = who};
    return s;
}

long names_subscribe(endpoint_t who, const char *pattern)
{
    struct subscriber *s = subscriber_of(who);
    unsigned at = 0;

    if (!pattern[0])
        return -EINVAL;
    if (!s)
        s = subscriber_new(who);
    if (!s)
        return -ENOSPC;
    while (at < DS_PATTERNS && s->pattern[at][0] && strcmp(s->pattern[at], pattern))
        at++;
    if (at == DS_PATTERNS)
        return -ENOSPC;
    strcpy(s->pattern[at], pattern);
    s->told = 0; /* tell all there is, once more */
    ds_wake(who);
    return 0;
}

long names_event(endpoint_t who, char key[DS_KEY_MAX], endpoint_t *ep)
{
    struct subscriber *s = subscriber_of(who);
    struct name *next = NULL;

    if (!s)
        return -ENOENT;
    for (unsigned i = 0; i < DS_NAMES; i++) {
        struct name *n = &names[i];

        if (n->key[0] && n->version > s->told && wants(s, n->key) &&
            (!next || n->version < next->version))
            next = n;
    }
    if (!next)
        return -ENOENT;
    s->told = next->version;
    memcpy(key, next->key, DS_KEY_MAX);
    *ep = next->ep;
    return 0;
}

void names_sweep(void)
{
    for (unsigned i = 0; i < DS_NAMES; i++)
        if (names[i].key[0] && names[i].ep && !ds_alive(names[i].ep))
            changed(&names[i], 0);
}
