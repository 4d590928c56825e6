/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values belong to a service, not to an incarnation: the key says to which, "SERVICE/...", so nobody needs a
 * line in a manifest for them, and nobody can speak for another.
 */
#include <errno.h>
#include <string.h>

#include "servers/ds/ds.h"

static bool is_owners(const char *owner, const char *key)
{
    size_t n = strlen(owner);

    return n && !strncmp(key, owner, n) && key[n] == '/' && key[n + 1];
}

static bool is_value(const struct ds_entry *e)
{
    return e->value.type != DS_GONE && e->value.type != DS_ENDPOINT;
}

static bool is_good(const struct ds_value *v)
{
    switch (v->type) {
    case DS_INTEGER:
        return v->length == sizeof v->integer;
    case DS_TEXT:
        return v->length <= DS_VALUE_MAX && !memchr(v->text, 0, v->length);
    case DS_BYTES:
        return v->length <= DS_VALUE_MAX;
    }
    return false;
}

static bool is_same(const struct ds_value *a, const struct ds_value *b)
{
    return a->type == b->type && a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

static unsigned set_by(const char *owner)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DS_KEYS; i++)
        n += is_value(&keys[i]) && !strcmp(keys[i].owner, owner);
    return n;
}

/* The entry for the owner's key, an old or a new one; or why there is none. */
static long entry_for(const char *owner, const char *key, struct ds_entry **out)
{
    struct ds_entry *e = key_find(key);

    if (e && e->value.type == DS_ENDPOINT)
        return -EEXIST;
    if ((!e || !is_value(e)) && set_by(owner) >= DS_VALUES_OF_ONE)
        return -ENOSPC;
    *out = e ? e : key_place(key);
    return *out ? 0 : -ENOSPC;
}

long value_set(const char *owner, const char *key, const struct ds_value *value)
{
    struct ds_entry *e;
    long result;

    if (!is_owners(owner, key))
        return -EPERM;
    if (!key_is_good(key) || !is_good(value))
        return -EINVAL;
    result = entry_for(owner, key, &e);
    if (result < 0)
        return result;
    if (is_same(&e->value, value))
        return 0;
    e->value = (struct ds_value){.type = value->type, .length = value->length};
    memcpy(e->value.bytes, value->bytes, value->length);
    strncpy(e->owner, owner, sizeof e->owner - 1);
    key_changed(e);
    return 0;
}

long value_get(const char *key, struct ds_value *out)
{
    const struct ds_entry *e = key_find(key);

    if (!e || !is_value(e))
        return -ENOENT;
    *out = e->value;
    return 0;
}

long value_unset(const char *owner, const char *key)
{
    struct ds_entry *e = key_find(key);

    if (!is_owners(owner, key))
        return -EPERM;
    if (!e || !is_value(e))
        return -ENOENT;
    e->value = (struct ds_value){.type = DS_GONE};
    key_changed(e);
    return 0;
}
