/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data store: names to endpoints, values that all services may read, and private snapshots from which a
 * fresh incarnation finds what its predecessor saved. DS is above RS and below everybody else. A published
 * name goes when its publisher dies; a value stays until it is taken back, whoever dies. Names and values
 * share one space of keys. Keys: at most 31 bytes, NUL-terminated, packed in four words (lib/rt/pack.h).
 */
#ifndef ABI_PROTO_DS_H
#define ABI_PROTO_DS_H

#include "abi/message.h"

enum ds_request {
    /* ds_key_request, as all but the last: key -> the caller's endpoint: 0, -EPERM (the caller's manifest does not let it publish that),
       -EEXIST (another that may has it, and lives), -ENOSPC. Repeatable. */
    DS_PUBLISH = PROTOCOL_DS,
    DS_RETRIEVE, /* key -> endpoint, or -ENOENT */
    /* pattern (a key, where each '*' stands for any text, also none, and each '?' for one byte) -> 0.
       NOTIFY_BIT_DS now and after each change. Repeatable. -EINVAL (none), -EPERM (the manifest of ds has
       it not among those that it `notifies`), -ENOSPC (DS_PATTERNS of one subscriber, or too many subscribers). */
    DS_SUBSCRIBE,
    /* the next change for this subscriber; the request's key is not looked at; -ENOENT: no more. Not repeatable. */
    DS_EVENT,
    /* key (private to the caller's service name), length <= DS_SNAPSHOT_MAX: replaces the snapshot -> 0, -ENOSPC */
    DS_SAVE,
    /* key -> bytes copied to the grant, -ENOENT, -ENOSPC (room too small) */
    DS_RESTORE,
    DS_DROP, /* key: forget the snapshot */
    /* key ("SERVICE/...", of the caller's own service), grant of a struct ds_value: sets the value, and tells
       subscribers if it is another than before -> 0, -EPERM (not the caller's key), -EINVAL (type, length,
       or a key with '*' or '?'), -EEXIST (it is a name), -ENOSPC. Repeatable. */
    DS_SET,
    /* key, grant to write a struct ds_value -> 0; -ENOENT (no value; names are retrieved) */
    DS_GET,
    DS_UNSET, /* key: take the value back -> 0, -EPERM, -ENOENT. Repeatable but for its result */
    /* What there is, for people -> how many; 0: that was all. Of snapshots there are only the lengths. */
    DS_LIST,
};
#define DS_KEY_MAX 32
#define DS_SNAPSHOT_MAX 65536
#define DS_VALUE_MAX 120 /* bytes of a value */

struct IN_MESSAGE ds_key_request {
    uint64_t key[DS_KEY_MAX / 8];
    uint64_t grant; /* of SAVE, RESTORE, SET and GET */
    uint64_t length; /* of SAVE and RESTORE: bytes behind the grant */
};
MESSAGE_FITS(struct ds_key_request);

struct IN_MESSAGE ds_event_reply {
    uint64_t key[DS_KEY_MAX / 8];
    uint64_t endpoint; /* 0: a name or a value that is gone, or a value */
    uint64_t type; /* enum ds_type */
};
MESSAGE_FITS(struct ds_event_reply);

struct IN_MESSAGE ds_list_request {
    uint64_t place; /* from which on; 0: the first */
    uint64_t grant, count; /* to write so many struct ds_entry */
};
MESSAGE_FITS(struct ds_list_request);

struct IN_MESSAGE ds_list_reply {
    uint64_t place; /* where to go on */
};
MESSAGE_FITS(struct ds_list_reply);

enum ds_type {
    DS_GONE, /* taken back, or its publisher has died */
    DS_ENDPOINT, /* a name */
    DS_INTEGER, /* signed, 64 bits */
    DS_TEXT, /* `length` bytes, none of them 0 */
    DS_BYTES,
    DS_PRIVATE, /* a snapshot; in lists alone */
};

struct ds_value {
    uint32_t type; /* enum ds_type; DS_SET takes integers, texts and bytes */
    uint32_t length; /* bytes: of an integer 8, of others 0..DS_VALUE_MAX */
    union {
        int64_t integer; /* also the endpoint of a name, in lists */
        char text[DS_VALUE_MAX];
        uint8_t bytes[DS_VALUE_MAX];
    };
};

struct ds_entry {
    char key[DS_KEY_MAX],
        owner[16]; /* owner: a service's name; "": of a name whose publisher has died */
    uint64_t version; /* grows with every change of any key; of a snapshot 0 */
    struct ds_value value;
};

#endif
