/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service has in the data store. */
#include <errno.h>
#include <string.h>

#include "abi/proto/ds.h"
#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"
#include "lib/service/service.h"

static long ds_call(uint64_t type, const char *key, uint64_t grant, uint64_t length,
                    struct message *m)
{
    endpoint_t ds = service_info()->ds;
    struct ds_key_request *r = message_words(m);

    if (!ds)
        return -EPERM;
    *m = (struct message){.type = type};
    pack_text(r->key, key, DS_KEY_MAX);
    r->grant = grant;
    r->length = length;
    return ipc_call(ds, m);
}

long service_publish(const char *key)
{
    struct message m;

    return ds_call(DS_PUBLISH, key, 0, 0, &m);
}

endpoint_t service_retrieve(const char *key)
{
    struct message m;
    long result = ds_call(DS_RETRIEVE, key, 0, 0, &m);

    return result > 0 ? (endpoint_t)result : 0;
}

long service_subscribe(const char *pattern)
{
    struct message m;

    return ds_call(DS_SUBSCRIBE, pattern, 0, 0, &m);
}

int service_event(char key[32], endpoint_t *ep)
{
    struct message m;
    const struct ds_event_reply *event = message_words(&m);

    if (ds_call(DS_EVENT, "", 0, 0, &m) < 0)
        return 0;
    unpack_text(key, event->key, DS_KEY_MAX);
    *ep = (endpoint_t)event->endpoint;
    return 1;
}

static long lent(uint64_t type, const char *key, const void *data, size_t length, uint32_t flags)
{
    long grant = grant_make(service_info()->ds, data, length, flags), result;
    struct message m;

    if (grant < 0)
        return grant;
    result = ds_call(type, key, (uint64_t)grant, length, &m);
    grant_revoke(grant);
    return result;
}

long service_save(const char *key, const void *data, size_t length)
{
    return lent(DS_SAVE, key, data, length, GRANT_READ);
}

long service_restore(const char *key, void *data, size_t room)
{
    return lent(DS_RESTORE, key, data, room, GRANT_WRITE);
}

long service_set(const char *key, const struct ds_value *value)
{
    return lent(DS_SET, key, value, sizeof *value, GRANT_READ);
}

long service_set_integer(const char *key, int64_t integer)
{
    return service_set(
        key, &(struct ds_value){.type = DS_INTEGER, .length = sizeof integer, .integer = integer});
}

long service_set_text(const char *key, const char *text)
{
    struct ds_value value = {.type = DS_TEXT, .length = (uint32_t)strnlen(text, DS_VALUE_MAX)};

    memcpy(value.text, text, value.length);
    return service_set(key, &value);
}

long service_get(const char *key, struct ds_value *value)
{
    return lent(DS_GET, key, value, sizeof *value, GRANT_WRITE);
}

long service_unset(const char *key)
{
    struct message m;

    return ds_call(DS_UNSET, key, 0, 0, &m);
}
