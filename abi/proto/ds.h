/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data store: names to endpoints, and private snapshots from which a fresh incarnation finds
 * what its predecessor saved. DS is above RS and below everybody else. A published name goes when
 * its publisher dies. Keys: at most 31 bytes, NUL-terminated, packed in w[0..3].
 */
#ifndef ABI_PROTO_DS_H
#define ABI_PROTO_DS_H

#include "abi/message.h"

enum ds_request {
    /* key -> the caller's endpoint: 0, -EPERM (the caller's manifest does not let it publish that),
       -EEXIST (another that may has it, and lives), -ENOSPC. Repeatable. */
    DS_PUBLISH = PROTOCOL_DS,
    DS_RETRIEVE, /* key -> endpoint, or -ENOENT */
    /* pattern (a key, or a prefix ending in '*') -> 0. NOTIFY_BIT_DS now and after each change.
       Repeatable. */
    DS_SUBSCRIBE,
    /* the next change for this subscriber: w[0..3] key, w[4] endpoint (0: gone); -ENOENT: no more.
       Not repeatable. */
    DS_EVENT,
    /* key (private to the caller's service name), w[4] our grant, w[5] length (<= DS_SNAPSHOT_MAX):
       replaces the snapshot -> 0, -ENOSPC */
    DS_SAVE,
    /* key, w[4] our grant, w[5] room -> bytes copied, -ENOENT, -ENOSPC (room too small) */
    DS_RESTORE,
    DS_DROP, /* key: forget the snapshot */
};
#define DS_KEY_MAX 32
#define DS_SNAPSHOT_MAX 65536

#endif
