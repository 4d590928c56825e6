/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "servers/ds/ds.h"

struct ds_entry keys[DS_KEYS];
static uint64_t version;

bool key_is_good(const char *key)
{
    return key[0] && !strpbrk(key, "*?");
}

struct ds_entry *key_find(const char *key)
{
    for (unsigned i = 0; key[0] && i < DS_KEYS; i++)
        if (!strcmp(keys[i].key, key))
            return &keys[i];
    return NULL;
}

/* Unused, or that which has been gone the longest. */
static struct ds_entry *room(void)
{
    struct ds_entry *oldest = NULL;

    for (unsigned i = 0; i < DS_KEYS; i++) {
        if (!keys[i].key[0])
            return &keys[i];
        if (keys[i].value.type == DS_GONE && (!oldest || keys[i].version < oldest->version))
            oldest = &keys[i];
    }
    return oldest;
}

struct ds_entry *key_place(const char *key)
{
    struct ds_entry *e = room();

    if (!e)
        return NULL;
    *e = (struct ds_entry){.version = 0};
    strncpy(e->key, key, sizeof e->key - 1);
    return e;
}

void key_changed(struct ds_entry *e)
{
    e->version = ++version;
    subscribers_tell(e->key);
}
