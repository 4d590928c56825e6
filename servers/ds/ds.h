/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data store: what its files share. All memory is static: DS runs below VM.
 *
 *     main.c         requests
 *     names.c        keys to endpoints
 *     values.c       keys to what their owners say
 *     keys.c         the table of both, and its versions
 *     subscribers.c  who wants to know of which keys, and what has changed for them
 *     snapshots.c    private snapshots
 *
 * All but main.c is logic alone, but for the four functions that main.c, or a test, supplies.
 */
#ifndef DS_DS_H
#define DS_DS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/endpoint.h"
#include "abi/proto/ds.h"

#define DS_KEYS 192
#define DS_SUBSCRIBERS 32
#define DS_PATTERNS 8 /* of one subscriber */
#define DS_NAMES_OF_ONE 16 /* that one process has published */
#define DS_VALUES_OF_ONE 16 /* that one service has set */
#define DS_SNAPSHOTS 64
#define DS_SNAPSHOTS_OF_ONE 8 /* of one service; so none can take the room of all */
#define DS_STORE_OF_ONE (96 * 1024)
#define DS_STORE (256 * 1024) /* bytes of all snapshots together */

/* Supplied by main.c, and by the tests. */
bool ds_alive(endpoint_t ep);
long ds_wake(endpoint_t subscriber); /* -EPERM: it may not be notified */
bool ds_may_publish(const char *key, endpoint_t ep); /* by its manifest */

/* ---- keys.c ---- */

/*
 * A key that there is, or was: value.type says what it is, DS_GONE that it is not any more (whoever has
 * not asked yet finds it absent). key "": unused. Each change has a version of its own, greater than all
 * before it; a subscriber remembers up to which it has been told. So events need no queue, cannot
 * overflow, and are coalesced by key.
 */
extern struct ds_entry keys[DS_KEYS];

struct ds_entry *key_find(const char *key); /* also one that is gone; NULL: none */
struct ds_entry *key_place(const char *key); /* for a new one; NULL: no room */
void key_changed(struct ds_entry *e); /* a new version, and subscribers are told */
bool key_is_good(const char *key); /* for something new */

/* ---- subscribers.c ---- */

/* Those whose patterns match are woken. */
void subscribers_tell(const char *key);

/* Each returns 0 or -errno as abi/proto/ds.h says. */
long subscriber_add(endpoint_t who, const char *pattern);
long subscriber_next(endpoint_t who, const struct ds_entry **changed);

/* Does the key match the pattern (abi/proto/ds.h)? */
bool pattern_matches(const char *pattern, const char *key);

/* ---- names.c ---- */

long names_publish(const char *key, endpoint_t ep);
long names_retrieve(const char *key); /* endpoint or -ENOENT */
void names_sweep(void); /* forget the names of those who have died */

/* ---- values.c; owner: the service's name ---- */

long value_set(const char *owner, const char *key, const struct ds_value *value);
long value_get(const char *key, struct ds_value *out);
long value_unset(const char *owner, const char *key);

/* ---- snapshots.c; owner: the service's name, so that the next incarnation finds it ---- */

/* The memory returned is filled by the caller. */
long snapshot_save(const char *owner, const char *key, size_t length, void **memory);
long snapshot_find(const char *owner, const char *key, const void **memory); /* length or -ENOENT */
void snapshot_drop(const char *owner, const char *key);
/* Of place n (0..DS_SNAPSHOTS-1) what a list may say; false: nothing is there. */
bool snapshot_entry(unsigned n, struct ds_entry *out);

#endif
