/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "servers/ds/ds.h"

static bool is_name(const struct ds_entry *e)
{
    return e->value.type == DS_ENDPOINT;
}

static endpoint_t endpoint_of(const struct ds_entry *e)
{
    return (endpoint_t)e->value.integer;
}

static void gone(struct ds_entry *e)
{
    e->value = (struct ds_value){.type = DS_GONE};
    key_changed(e);
}

static unsigned published_by(endpoint_t ep)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DS_KEYS; i++)
        n += is_name(&keys[i]) && endpoint_of(&keys[i]) == ep;
    return n;
}

/* Has the key somebody else, now? */
static bool is_taken(const struct ds_entry *e)
{
    return is_name(e) ? ds_alive(endpoint_of(e)) : e->value.type != DS_GONE;
}

long names_publish(const char *key, endpoint_t ep)
{
    struct ds_entry *e = key_find(key);

    if (!key_is_good(key))
        return -EINVAL;
    if (!ds_may_publish(key, ep))
        return -EPERM;
    if (e && is_name(e) && endpoint_of(e) == ep)
        return 0;
    if (e && is_taken(e))
        return -EEXIST;
    if (published_by(ep) >= DS_NAMES_OF_ONE)
        return -ENOSPC;
    if (!e)
        e = key_place(key);
    if (!e)
        return -ENOSPC;
    e->owner[0] = 0;
    e->value =
        (struct ds_value){.type = DS_ENDPOINT, .length = sizeof e->value.integer, .integer = ep};
    key_changed(e);
    return 0;
}

long names_retrieve(const char *key)
{
    struct ds_entry *e = key_find(key);

    if (!e || !is_name(e))
        return -ENOENT;
    if (!ds_alive(endpoint_of(e))) {
        gone(e);
        return -ENOENT;
    }
    return endpoint_of(e);
}

void names_sweep(void)
{
    for (unsigned i = 0; i < DS_KEYS; i++)
        if (is_name(&keys[i]) && !ds_alive(endpoint_of(&keys[i])))
            gone(&keys[i]);
}
