/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data store: what its files share. All memory is static: DS runs below VM.
 *
 *     main.c       requests
 *     names.c      keys to endpoints, subscriptions, events (pure logic but for ds_alive())
 *     snapshots.c  private snapshots (pure logic)
 */
#ifndef DS_DS_H
#define DS_DS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/endpoint.h"
#include "abi/proto/ds.h"

#define DS_NAMES 128
#define DS_SUBSCRIBERS 32
#define DS_PATTERNS 8 /* of one subscriber */
#define DS_NAMES_OF_ONE 16 /* that one process has published */
#define DS_SNAPSHOTS 64
#define DS_SNAPSHOTS_OF_ONE 8 /* of one service; so none can take the room of all */
#define DS_STORE_OF_ONE (96 * 1024)
#define DS_STORE (256 * 1024) /* bytes of all snapshots together */

/* Supplied by main.c, and by the tests. */
bool ds_alive(endpoint_t ep);
void ds_wake(endpoint_t subscriber);
bool ds_may_publish(const char *key, endpoint_t ep); /* by its manifest */

/* Each returns 0 or -errno as abi/proto/ds.h says. */
long names_publish(const char *key, endpoint_t ep);
long names_retrieve(const char *key); /* endpoint or -ENOENT */
long names_subscribe(endpoint_t who, const char *pattern);
long names_event(endpoint_t who, char key[DS_KEY_MAX], endpoint_t *ep);
void names_sweep(void); /* forget the names of those who have died */

/* owner: the service's name, so that the next incarnation finds it. The memory returned by
 * snapshot_save is filled by the caller. */
long snapshot_save(const char *owner, const char *key, size_t length, void **memory);
long snapshot_find(const char *owner, const char *key, const void **memory); /* length or -ENOENT */
void snapshot_drop(const char *owner, const char *key);

#endif
