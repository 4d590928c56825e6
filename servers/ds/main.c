/* SPDX-License-Identifier: BSD-2-Clause */
/* DS: requests (abi/proto/ds.h). */
#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"
#include "lib/service/service.h"
#include "servers/ds/ds.h"

bool ds_alive(endpoint_t ep)
{
    struct slot_status status;

    return slot_status(ep, &status) == 0;
}

long ds_wake(endpoint_t subscriber)
{
    return ipc_notify(subscriber, NOTIFY_BIT(NOTIFY_BIT_DS));
}

/* Names have owners: what a service may be found under is in its manifest, and RS has that. It is
 * asked every time, so there is no copy that could be out of date. */
bool ds_may_publish(const char *key, endpoint_t ep)
{
    struct message m =
        message_of(RS_MAY_PUBLISH, (struct rs_may_publish_request){.endpoint = (uint64_t)ep});
    struct rs_may_publish_request *r = message_words(&m);

    pack_text(r->key, key, DS_KEY_MAX);
    return ipc_call(service_info()->rs, &m) == 0;
}

/* The service name of a caller: asked of RS once for each endpoint. */
static long owner_of(endpoint_t caller, char name[16])
{
    static struct known {
        endpoint_t ep;
        char name[16];
    } cache[64];
    struct known *k = &cache[endpoint_slot(caller) % 64];

    if (k->ep != caller) {
        struct message m =
            message_of(RS_WHO, (struct rs_endpoint_request){.endpoint = (uint64_t)caller});
        const struct rs_who_reply *who = message_words(&m);
        long result = ipc_call(service_info()->rs, &m);

        if (result < 0)
            return result;
        unpack_text(k->name, who->name, sizeof k->name);
        k->ep = caller;
    }
    memcpy(name, k->name, 16);
    return 0;
}

static long publish(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX];

    unpack_text(key, r->key, sizeof key);
    return names_publish(key, message_caller(m));
}

static long retrieve(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX];

    unpack_text(key, r->key, sizeof key);
    return names_retrieve(key);
}

static long subscribe(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX];

    unpack_text(key, r->key, sizeof key);
    return subscriber_add(message_caller(m), key);
}

static long event(struct message *m)
{
    struct ds_event_reply *reply = message_words(m);
    const struct ds_entry *e;
    long result = subscriber_next(message_caller(m), &e);

    if (result < 0)
        return result;
    pack_text(reply->key, e->key, sizeof e->key);
    reply->endpoint = e->value.type == DS_ENDPOINT ? (uint64_t)e->value.integer : 0;
    reply->type = e->value.type;
    return 0;
}

static long save(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX], owner[16];
    void *memory;
    long result = owner_of(message_caller(m), owner);

    unpack_text(key, r->key, sizeof key);
    if (!result)
        result = snapshot_save(owner, key, r->length, &memory);
    if (!result) {
        result = grant_from(message_caller(m), r->grant, 0, memory, r->length);
        if (result < 0)
            snapshot_drop(owner, key); /* half a snapshot is none */
    }
    return result;
}

static long restore(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX], owner[16];
    const void *memory;
    long result = owner_of(message_caller(m), owner), error;

    unpack_text(key, r->key, sizeof key);
    if (!result)
        result = snapshot_find(owner, key, &memory);
    if (result < 0)
        return result;
    if ((uint64_t)result > r->length)
        return -ENOSPC;
    error = grant_to(message_caller(m), r->grant, 0, memory, (size_t)result);
    return error < 0 ? error : result;
}

static long drop(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX], owner[16];
    long result = owner_of(message_caller(m), owner);

    unpack_text(key, r->key, sizeof key);
    if (!result)
        snapshot_drop(owner, key);
    return result;
}

/* ---- values ---- */

static long set(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX], owner[16];
    struct ds_value value;
    long result = owner_of(message_caller(m), owner);

    unpack_text(key, r->key, sizeof key);
    if (!result)
        result = grant_from(message_caller(m), r->grant, 0, &value, sizeof value);
    return result < 0 ? result : value_set(owner, key, &value);
}

static long get(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX];
    struct ds_value value;
    long result;

    unpack_text(key, r->key, sizeof key);
    result = value_get(key, &value);
    return result < 0 ? result : grant_to(message_caller(m), r->grant, 0, &value, sizeof value);
}

static long unset(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    char key[DS_KEY_MAX], owner[16];
    long result = owner_of(message_caller(m), owner);

    unpack_text(key, r->key, sizeof key);
    return result < 0 ? result : value_unset(owner, key);
}

/* ---- the list ---- */

enum { LISTED = 32 }; /* at most in one step */

/* Keys first, then snapshots: false: nothing is at that place. */
static bool entry_at(uint64_t place, struct ds_entry *out)
{
    if (place >= DS_KEYS)
        return snapshot_entry((unsigned)(place - DS_KEYS), out);
    *out = keys[place];
    if (out->value.type == DS_ENDPOINT)
        owner_of((endpoint_t)out->value.integer, out->owner); /* (of one who has just died: none) */
    return out->key[0] && out->value.type != DS_GONE;
}

static long list(struct message *m)
{
    const struct ds_list_request *r = message_words(m);
    struct ds_list_reply *reply = message_words(m);
    uint64_t place = r->place, n = 0, most = r->count < LISTED ? r->count : LISTED;

    for (; n < most && place < DS_KEYS + DS_SNAPSHOTS; place++) {
        struct ds_entry e;
        long result;

        if (!entry_at(place, &e))
            continue;
        result = grant_to(message_caller(m), r->grant, n * sizeof e, &e, sizeof e);
        if (result < 0)
            return result;
        n++;
    }
    reply->place = place;
    return (long)n;
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        names_sweep();
}

int main(void)
{
    static const struct service_entry entries[] = {
        {DS_PUBLISH, publish}, {DS_RETRIEVE, retrieve}, {DS_SUBSCRIBE, subscribe},
        {DS_EVENT, event},     {DS_SAVE, save},         {DS_RESTORE, restore},
        {DS_DROP, drop},       {DS_SET, set},           {DS_GET, get},
        {DS_UNSET, unset},     {DS_LIST, list},
    };

    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){
        .entries = entries, .count = sizeof entries / sizeof *entries, .notified = notified});
}
