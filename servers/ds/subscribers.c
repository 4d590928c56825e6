/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "servers/ds/ds.h"

static struct subscriber {
    endpoint_t who; /* 0: unused */
    uint64_t told;
    char pattern[DS_PATTERNS][DS_KEY_MAX];
} subscribers[DS_SUBSCRIBERS];

/* The latest star is the only one to come back to: what an earlier one would take besides, that one can take, too.
 * So the time is at most the product of the lengths, 31 by 31. */
bool pattern_matches(const char *pattern, const char *key)
{
    const char *star = NULL, *from = key;

    while (*key) {
        if (*pattern == '*') {
            star = pattern++;
            from = key;
        } else if (*pattern == '?' || *pattern == *key) {
            pattern++;
            key++;
        } else if (star) {
            pattern = star + 1;
            key = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool wants(const struct subscriber *s, const char *key)
{
    for (unsigned i = 0; i < DS_PATTERNS && s->pattern[i][0]; i++)
        if (pattern_matches(s->pattern[i], key))
            return true;
    return false;
}

void subscribers_tell(const char *key)
{
    for (unsigned i = 0; i < DS_SUBSCRIBERS; i++)
        if (subscribers[i].who && wants(&subscribers[i], key))
            ds_wake(subscribers[i].who);
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

long subscriber_add(endpoint_t who, const char *pattern)
{
    struct subscriber *s = subscriber_of(who);
    unsigned at = 0;

    if (!pattern[0])
        return -EINVAL;
    if (ds_wake(who) == -EPERM) /* it would wait for ever */
        return -EPERM;
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
    return 0;
}

long subscriber_next(endpoint_t who, const struct ds_entry **changed)
{
    struct subscriber *s = subscriber_of(who);
    const struct ds_entry *next = NULL;

    if (!s)
        return -ENOENT;
    for (unsigned i = 0; i < DS_KEYS; i++) {
        const struct ds_entry *e = &keys[i];

        if (e->key[0] && e->version > s->told && (!next || e->version < next->version) &&
            wants(s, e->key))
            next = e;
    }
    if (!next)
        return -ENOENT;
    s->told = next->version;
    *changed = next;
    return 0;
}
