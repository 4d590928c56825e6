/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots: the bytes of all lie one after the other in one store, which is kept without gaps. */
#include <errno.h>
#include <string.h>

#include "servers/ds/ds.h"

static struct snapshot {
    char owner[16], key[DS_KEY_MAX]; /* key "": unused */
    size_t start, length;
} snapshots[DS_SNAPSHOTS];
static uint8_t store[DS_STORE];
static size_t used;

static struct snapshot *find(const char *owner, const char *key)
{
    for (unsigned i = 0; i < DS_SNAPSHOTS; i++)
        if (snapshots[i].key[0] && !strcmp(snapshots[i].owner, owner) &&
            !strcmp(snapshots[i].key, key))
            return &snapshots[i];
    return NULL;
}

static void give_back(struct snapshot *s)
{
    memmove(store + s->start, store + s->start + s->length, used - s->start - s->length);
    used -= s->length;
    for (unsigned i = 0; i < DS_SNAPSHOTS; i++)
        if (snapshots[i].key[0] && snapshots[i].start > s->start)
            snapshots[i].start -= s->length;
    s->key[0] = 0;
}

/* May the owner have `length` bytes more, in place of `replaced`? */
static bool fits(const char *owner, const struct snapshot *replaced, size_t length)
{
    size_t own = 0, count = 0, freed = replaced ? replaced->length : 0;

    for (unsigned i = 0; i < DS_SNAPSHOTS; i++)
        if (snapshots[i].key[0] && &snapshots[i] != replaced &&
            !strcmp(snapshots[i].owner, owner)) {
            own += snapshots[i].length;
            count++;
        }
    return count < DS_SNAPSHOTS_OF_ONE && own + length <= DS_STORE_OF_ONE &&
           used - freed + length <= DS_STORE;
}

static struct snapshot *append(const char *owner, const char *key, size_t length)
{
    for (unsigned i = 0; i < DS_SNAPSHOTS; i++) {
        struct snapshot *s = &snapshots[i];

        if (s->key[0])
            continue;
        *s = (struct snapshot){.start = used, .length = length};
        strncpy(s->owner, owner, sizeof s->owner - 1);
        strncpy(s->key, key, sizeof s->key - 1);
        used += length;
        return s;
    }
    return NULL;
}

long snapshot_save(const char *owner, const char *key, size_t length, void **memory)
{
    struct snapshot *s = find(owner, key);

    if (!key[0] || length > DS_SNAPSHOT_MAX)
        return -EINVAL;
    if (!fits(owner, s, length))
        return -ENOSPC;
    if (s && s->length != length) {
        give_back(s);
        s = NULL;
    }
    if (!s)
        s = append(owner, key, length);
    if (!s)
        return -ENOSPC;
    *memory = store + s->start;
    return 0;
}

long snapshot_find(const char *owner, const char *key, const void **memory)
{
    struct snapshot *s = find(owner, key);

    if (!s)
        return -ENOENT;
    *memory = store + s->start;
    return (long)s->length;
}

void snapshot_drop(const char *owner, const char *key)
{
    struct snapshot *s = find(owner, key);

    if (s)
        give_back(s);
}

bool snapshot_entry(unsigned n, struct ds_entry *out)
{
    const struct snapshot *s = &snapshots[n];

    *out = (struct ds_entry){.value = {.type = DS_PRIVATE, .length = (uint32_t)s->length}};
    memcpy(out->key, s->key, sizeof out->key);
    memcpy(out->owner, s->owner, sizeof out->owner);
    return s->key[0];
}
