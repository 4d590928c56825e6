/* SPDX-License-Identifier: BSD-2-Clause */
/* The server loop and the wrappers of RS's and DS's protocols. */
#include "lib/service/service.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/proto/ds.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"

#define INDEX_SIZE                                                                                 \
    2048 /* handlers by a hash of the type; Linux numbers and protocols do not collide in it */

static service_handler handler_index[INDEX_SIZE];
static uint64_t type_index[INDEX_SIZE];

static unsigned hash(uint64_t type)
{
    return (unsigned)(type < MESSAGE_LINUX_MAX ? type & 511
                                               : 512 + (type & 0xff) + (type >> 8 & 15) % 5 * 256) %
           INDEX_SIZE;
}

static void index_build(const struct service_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        unsigned at = hash(table->entries[i].type), n = 0;

        while (handler_index[at] && n++ < INDEX_SIZE)
            at = (at + 1) % INDEX_SIZE;
        if (n >= INDEX_SIZE)
            panic("too many handlers");
        handler_index[at] = table->entries[i].handle;
        type_index[at] = table->entries[i].type;
    }
}

static service_handler find(uint64_t type, service_handler fallback)
{
    for (unsigned at = hash(type); handler_index[at]; at = (at + 1) % INDEX_SIZE)
        if (type_index[at] == type)
            return handler_index[at];
    return fallback;
}

static void notified(const struct service_table *table, uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
        if (table->shutdown)
            table->shutdown();
        exit(0);
    }
    if (table->notified)
        table->notified(bits);
}

/* Returns whom to answer, with the words of m; 0: nobody. */
static endpoint_t handle(const struct service_table *table, struct message *m, long *answer)
{
    endpoint_t from = message_caller(m);
    service_handler handler;
    long result;

    if (from == ENDPOINT_KERNEL) {
        if (m->type == MESSAGE_NOTIFY)
            notified(table, m->w[0]);
        return 0;
    }
    handler = find(m->type & SERVICE_TYPE_MASK, table->fallback);
    result = handler ? handler(m) : -ENOSYS;
    if (result == SERVICE_NO_REPLY)
        return 0;
    *answer = result;
    return from;
}

#ifdef UNDO
static const struct service_table *served;

static void steps(void)
{
    for (;;) {
        if (served->publish && !undo_in_step) {
            served->publish();
            undo_forget();
        }
        undo_receive();
        if (undo_status >= 0) {
            long result = 0;
            endpoint_t to = handle(served, &undo_message, &result);

            undo_answer(to, result);
        }
        if (served->idle)
            served->idle();
        undo_commit();
    }
}

void service_run(const struct service_table *table)
{
    index_build(table);
    served = table;
    if (table->idle)
        table->idle();
    undo_loop(steps);
}
#else
/* What is being served, in a place that has a name: who looks at a dead one finds it by that
 * (programs/service/corpse.c). */
struct message service_request;
uint64_t service_serves; /* 0: it waits */

void service_run(const struct service_table *table)
{
    struct message *m = &service_request;
    endpoint_t to = 0;
    long result = 0;

    index_build(table);
    for (;;) {
        if (table->idle)
            table->idle();
        if (table->publish)
            table->publish();
        m->type = (uint64_t)result;
        service_serves = 0;
        if (ipc_reply_receive(to, m, 0) < 0) { /* the commit point */
            to = 0;
            continue;
        }
        service_serves = 1;
        to = handle(table, m, &result);
    }
}
#endif

void service_ready(enum rs_ready how)
{
    struct message m = message_of(RS_READY, (struct rs_ready_request){.how = how});

    ipc_call(service_info()->rs, &m);
}

void service_complain(const char *name, endpoint_t of, enum rs_complaint why)
{
    struct message m =
        message_of(RS_COMPLAIN, (struct rs_complain_request){.why = why, .of = (uint64_t)of});
    struct rs_complain_request *r = message_words(&m);

    pack_text(r->name, name, SERVICE_NAME_MAX);
    ipc_call(service_info()->rs, &m);
}
