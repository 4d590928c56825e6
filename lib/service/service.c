/* SPDX-License-Identifier: BSD-2-Clause */
/* The server loop and the wrappers of RS's and DS's protocols. */
#include "lib/service/service.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/proto/ds.h"
#include "abi/proto/vfs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/attend.h"

#define INDEX_SIZE                                                                                 \
    2048 /* handlers by a hash of the type; Linux numbers and protocols do not collide in it */

/* Kept here, not where the caller has it: on a stack it would have no mirror (lib/undo). */
static struct service_table served;
static uint16_t entry_index[INDEX_SIZE]; /* 1 more than the place of the entry; 0: none */

/* Of a place: the table's number, 0 the first, and within that. */
enum { PLACE_BITS = 10, PLACES = 1 << PLACE_BITS, TABLES = (1 << 16) / PLACES };

static unsigned hash(uint64_t type)
{
    return (unsigned)(type < MESSAGE_LINUX_MAX ? type & 511
                                               : 512 + (type & 0xff) + (type >> 8 & 15) % 5 * 256) %
           INDEX_SIZE;
}

static void index_entry(uint64_t type, unsigned table, size_t number)
{
    unsigned at = hash(type);

    if (table >= TABLES || number >= PLACES - 1)
        panic("too many handlers");
    while (entry_index[at])
        at = (at + 1) % INDEX_SIZE;
    entry_index[at] = (uint16_t)((table << PLACE_BITS) + number + 1);
}

static void serve_table(const struct service_table *table)
{
    served = *table;
    for (size_t i = 0; i < table->count; i++)
        index_entry(table->entries[i].type, 0, i);
    for (unsigned t = 0; table->more && table->more[t]; t++)
        for (size_t i = 0; table->more[t][i].handle; i++)
            index_entry(table->more[t][i].type, t + 1, i);
}

static const struct service_entry *entry_at(unsigned place)
{
    unsigned table = place >> PLACE_BITS;

    return (table ? served.more[table - 1] : served.entries) + place % PLACES;
}

static service_handler look_for(uint64_t type)
{
    for (size_t i = 0; i < served.count; i++)
        if (served.entries[i].type == type)
            return served.entries[i].handle;
    for (unsigned t = 0; served.more && served.more[t]; t++)
        for (size_t i = 0; served.more[t][i].handle; i++)
            if (served.more[t][i].type == type)
                return served.more[t][i].handle;
    return served.fallback;
}

/* What the index leads to is what was asked for; what it does not lead to, since a bit of it has flipped
 * perhaps, is looked for. (It may lead nowhere, then: a death, of which the mirror mends it.) */
static service_handler find(uint64_t type)
{
    for (unsigned at = hash(type); entry_index[at]; at = (at + 1) % INDEX_SIZE) {
        const struct service_entry *e = entry_at(entry_index[at] - 1u);

        if (e->type == type && e->handle)
            return e->handle;
    }
    if (served.fallback && type < MESSAGE_LINUX_MAX)
        return served.fallback;
    return look_for(type);
}

#ifndef UNDO
static bool has_nothing; /* but notifications of queues that are deferred */
#endif

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
        if (served.shutdown)
            served.shutdown();
        exit(0);
    }
#ifndef UNDO
    bits = attend_begin(bits);
    has_nothing = bits == 0;
    if (has_nothing)
        return;
#endif
    if (served.notified)
        served.notified(bits);
}

/* Returns whom to answer, with the words of m; 0: nobody. */
static endpoint_t handle(struct message *m, long *answer)
{
    endpoint_t from = message_caller(m);
    service_handler handler;
    long result;

    if (from == ENDPOINT_KERNEL) {
        if (m->type == MESSAGE_NOTIFY)
            notified(m->w[0]);
        return 0;
    }
    handler = find(m->type & SERVICE_TYPE_MASK);
    result = handler ? handler(m) : -ENOSYS;
    if (result == SERVICE_NO_REPLY)
        return 0;
    *answer = result;
    return from;
}

#ifdef UNDO
static void steps(void)
{
    for (;;) {
        if (served.publish && !undo_in_step) {
            served.publish();
            undo_forget();
        }
        undo_receive();
        if (undo_status >= 0) {
            long result = 0;
            endpoint_t to = handle(&undo_message, &result);

            undo_answer(to, result);
        }
        if (served.idle)
            served.idle();
        undo_commit();
    }
}

void service_run(const struct service_table *table)
{
    serve_table(table);
    if (served.idle)
        served.idle();
    undo_loop(steps);
}
#else
/* ---- requests that kill (servers/rs/poison.h) ---- */

static struct service_note nowhere, *note = &nowhere;

static void note_begin(void)
{
    if (service_info()->has_note)
        note = (struct service_note *)SERVICE_NOTE;
    *note = (struct service_note){0};
}

void service_serving(const struct message *m)
{
    if (m) {
        note->request = *m;
        note->began = __builtin_ia32_rdtsc();
    }
    __atomic_store_n(&note->serves, m != NULL, __ATOMIC_RELEASE);
}

static const struct service_refused *refused(const struct message *m)
{
    const struct service_refused *all = service_info()->refused;
    uint64_t sum = service_sum(m);

    for (unsigned i = 0; i < SERVICE_REFUSED; i++)
        if (all[i].sum == sum && clock_now() < all[i].until)
            return &all[i];
    return NULL;
}

/* VFS waits for some of those that it hands on, and tells people. */
static endpoint_t refuse(const struct message *m, const struct service_refused *r, long *answer)
{
    struct message back =
        message_of(MESSAGE_REFUSED, (struct vfs_refused_request){.cost = r->cost, .type = m->type});

    if (message_via(m) == service_info()->vfs &&
        ipc_forward(message_caller(m), message_via(m), &back) == 0)
        return 0;
    *answer = -EIO;
    return message_caller(m);
}

/* What a program has asked for is noted. */
static endpoint_t serve(struct message *m, long *answer)
{
    const struct service_refused *r;
    endpoint_t to;

    if (message_via(m) == 0)
        return handle(m, answer);
    r = service_info()->refuses ? refused(m) : NULL;
    if (r)
        return refuse(m, r, answer);
    service_serving(m);
    to = handle(m, answer);
    service_serving(NULL);
    note->served++;
    return to;
}

/* What is being served, in a place that has a name: who looks at a dead one finds it by that
 * (programs/service/corpse.c). */
struct message service_request;
uint64_t service_serves; /* 0: it waits */

void service_run(const struct service_table *table)
{
    struct message *m = &service_request;
    endpoint_t to = 0;
    long result = 0;

    serve_table(table);
    for (;;) {
        if (served.idle && !has_nothing)
            served.idle();
        if (served.publish)
            served.publish();
        attend_end();
        has_nothing = false;
        m->type = (uint64_t)result;
        service_serves = 0;
        if (ipc_reply_receive(to, m, attend_wait()) < 0) { /* the commit point */
            to = 0;
            continue;
        }
        service_serves = 1;
        to = serve(m, &result);
    }
}
#endif

void service_ready(enum rs_ready how)
{
    struct message m = message_of(RS_READY, (struct rs_ready_request){.how = how});

#ifndef UNDO
    note_begin();
#endif

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
