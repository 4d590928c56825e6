/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main loop of every server and driver.
 *
 *     int main(void)
 *     {
 *         ...prepare; adopt what the predecessor left (service_restore()); publish names...
 *         service_ready(RS_READY_FRESH);
 *         service_run(&(struct service_table){
 *             .entries = table, .count = ..., .notified = on_notify});
 *     }
 *
 * service_run() receives, finds the handler by the message's type and replies with what the handler
 * left in the message. The top of the loop is the commit point: between two messages the state is
 * consistent. Keep it so.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/message.h"
#include "abi/proto/ds.h"
#include "abi/proto/rs.h"
#include "abi/service.h"

/* A handler returns the result for the caller (words in m), or SERVICE_NO_REPLY when it has
 * replied, forwarded or keeps the caller waiting. */
#define SERVICE_NO_REPLY (-0x7fffffffL)
typedef long (*service_handler)(struct message *m);
/* Handlers are found by the lower half of a type: the upper is the protocol's (FILE_TYPE_MASK). */
#define SERVICE_TYPE_MASK 0xffffffffull

struct service_entry {
    uint64_t type;
    service_handler handle;
};

struct service_table {
    const struct service_entry *entries; /* in any order; service_run() indexes them by type */
    size_t count;
    /* More tables, NULL at the end, each with an entry without a handler at its end. They are used where
     * they are: constants, of which no bit is lost. NULL: none */
    const struct service_entry *const *more;
    service_handler fallback; /* for types not listed; NULL: -ENOSYS */
    void (*notified)(uint64_t bits); /* notifications, but NOTIFY_BIT_SHUTDOWN */
    /* RS wants the service to end: finish what must be; then it exits with 0. NULL: nothing to
     * finish */
    void (*shutdown)(void);
    /* Output to memory that is shared with others, when all before is committed; may be repeated. NULL:
     * none */
    void (*publish)(void);
    void (*idle)(void); /* before every receive that might block: send batched work; NULL: none */
};

/* Tell RS that start-up is done. */
void service_ready(enum rs_ready how);

/* What it is at work on besides what has just come: a request that it had put off; NULL: nothing any
 * more. If it dies of that again and again, that is refused (docs/decisions/0009). */
#ifdef UNDO
static inline void service_serving(const struct message *m)
{
    (void)m;
}
#else
void service_serving(const struct message *m);
#endif

/* Never returns. */
void service_run(const struct service_table *table) __attribute__((noreturn));

/* Publish a name in DS, retrieve one (0: not there), subscribe to changes (a key, or a pattern with stars
 * and question marks). 0 or -errno. */
long service_publish(const char *key);
endpoint_t service_retrieve(const char *key);
long service_subscribe(const char *pattern);
/* The next change after NOTIFY_BIT_DS: 1 and key, *ep (0: gone, or a value, which service_get() has); 0: no
 * more. */
int service_event(char key[32], endpoint_t *ep);

/* Private snapshots in DS: save; restore returns bytes, or -ENOENT when there is none. */
long service_save(const char *key, const void *data, size_t length);
long service_restore(const char *key, void *data, size_t room);

/*
 * Values in DS: each service sets those whose keys begin with its own name and a slash ("net/e0/address"), any
 * that may call DS reads them, and `service store` shows them to people. They outlive who set them. 0 or
 * -errno, abi/proto/ds.h; of a text that is longer than DS_VALUE_MAX only so much is kept.
 */
long service_set(const char *key, const struct ds_value *value);
long service_set_integer(const char *key, int64_t integer);
long service_set_text(const char *key, const char *text);
long service_get(const char *key, struct ds_value *value);
long service_unset(const char *key);

/* The caller's queue of that number, counted as RS has made them, from 0. False: there is none (yet). */
bool service_queue(uint32_t number, struct service_queue *queue);
/* What RS says of the service of that name. False: there is none. */
bool service_status(const char *name, struct rs_service *status);
/* It is down, and will not be back by itself: ordered, given up, refused, broken, or without a device. */
bool service_is_gone(const char *name);

/* Complain about a peer to RS: class 5 defect. */
void service_complain(const char *name, endpoint_t of, enum rs_complaint why);

/*
 * Grants: lend `length` bytes at `address` to `to`; returns an index (>= 0) for a message, or
 * -ENOSPC. Take it back with grant_revoke() when the reply is there. The table is set up on first
 * use.
 */
long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags);
void grant_revoke(long index);
/* What was lent to `from`, which is dead, is lent to its successor. */
void grants_move(endpoint_t from, endpoint_t to);

#endif
