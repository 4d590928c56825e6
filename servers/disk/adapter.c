/* SPDX-License-Identifier: BSD-2-Clause */
/* The queues to the drivers, and what is under way in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/attend.h"
#include "servers/disk/guard.h"

enum { TRIES = 3 };

struct adapter *adapters[ADAPTERS_MAX];
static unsigned count;

static void create(const struct service_queue *where)
{
    struct adapter *a = calloc(1, sizeof *a);

    if (!a || count == ADAPTERS_MAX || where->size < BLOCK_BUFFERS_OFFSET + CHUNK_BYTES) {
        log_info("no room for the disks of %.16s", where->driver);
        free(a);
        return;
    }
    a->place = *where;
    block_client_open(&a->client, where);
    a->orphans = a->client.used;
    a->refused = queue_read(&a->client.queue->header.refused);
    for (unsigned k = 0; k < BLOCK_SLOTS; k++)
        a->client.posted_ns[k] = clock_now(); /* a predecessor's: as if just now */
    chunks_make(a);
    copies_make(a);
    adapters[count++] = a;
    block_client_ready(&a->client);
}

static void fetch_queues(void)
{
    static uint32_t next;
    struct service_queue place = {0};

    for (; service_queue(next, &place); next++)
        if (place.class == CLASS_BLOCK)
            create(&place);
        else if (place.class == CLASS_FS)
            volume_create(&place);
    dma_look();
}

/* ---- jobs ---- */

struct job *adapter_begin(struct adapter *a, struct block_request **request)
{
    int slot = block_slot(&a->client);
    struct block_request *r;

    if (slot < 0)
        return NULL;
    r = *request = block_request(&a->client, slot);
    memset(r, 0, offsetof(struct block_request, segment));
    a->job[slot] = (struct job){0};
    return &a->job[slot];
}

void adapter_post_raw(struct adapter *a, struct job *job)
{
    block_post(&a->client, (int)(job - a->job), clock_now());
}

struct job *adapter_post(struct adapter *a, struct job *job)
{
    const struct block_request *r = block_request(&a->client, (int)(job - a->job));
    struct guard *g = guard_of(a, r->unit);

    if (g)
        return guard_post(g, a, job, r); /* the slot stays free */
    adapter_post_raw(a, job);
    return job;
}

static void finish(struct adapter *a, int slot, bool is_sure, uint64_t now)
{
    struct job *job = &a->job[slot];
    uint32_t status = block_status(&a->client, slot);

    if (a->orphans >> slot & 1) { /* our predecessor's: whoever waited for it asks us again */
        a->orphans &= ~(1u << slot);
        block_free(&a->client, slot);
        return;
    }
    if (status == BLOCK_OK && !is_sure) {
        if (dma_repeats(a, slot, now))
            return;
        status = BLOCK_LOST;
    }
    if (status == BLOCK_ERROR && !job->is_elsewhere && job->late < LATE_MAX &&
        !adapter_must_not_repeat(a, slot) && ++job->tries < TRIES) {
        block_post(&a->client, slot, now);
        return;
    }
    if (!news_of_request(a, slot, &status))
        return;
    watch_ended(a, slot, now);
    block_free(&a->client, slot);
    job->done(job, block_error(status));
}

bool adapters_serve(void)
{
    bool moved = false;

    for (unsigned i = 0; i < count; i++) {
        struct adapter *a = adapters[i];
        uint32_t done, doubtful;

        if (attend_defers(a->place.number))
            continue;
        done = block_finished(&a->client, clock_now());
        doubtful = done ? dma_doubtful(a) : 0;
        watch_driver(a);
        news_of_units(a);
        for (uint32_t rest = done; rest; rest &= rest - 1) {
            int slot = __builtin_ctz(rest);

            finish(a, slot, !(doubtful >> slot & 1), clock_now());
        }
        dma_go_on(a, clock_now());
        moved |= done != 0;
    }
    moved |= guards_serve();
    devices_look();
    if (moved)
        calls_retry();
    return moved;
}

uint64_t adapters_settle(void)
{
    uint64_t again = 0;

    for (unsigned i = 0; i < count; i++) {
        if (block_kick(&adapters[i]->client))
            ipc_notify(adapters[i]->client.driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
        if (!block_settle(&adapters[i]->client))
            again |= attend_more(adapters[i]->place.number);
    }
    return again;
}

/* ---- drivers that are no more, or do not answer ---- */

/* Nobody will do them: they fail. The slots stay used, the memory is the device's until RS has
 * stopped that, which it has when the driver is gone for good. */
static void fail_all(struct adapter *a)
{
    a->client.held = 0;
    for (uint32_t rest = a->client.used & ~a->orphans; rest; rest &= rest - 1) {
        struct job *job = &a->job[__builtin_ctz(rest)];

        a->orphans |= 1u << __builtin_ctz(rest);
        job->done(job, ENXIO);
    }
}

void adapters_look(void)
{
    fetch_queues();
    for (unsigned i = 0; i < count; i++) {
        struct adapter *a = adapters[i];
        bool gone = driver_is_gone(a);

        if (gone && !a->is_gone)
            log_always("the disks of %.16s are gone with their driver", a->place.driver);
        a->is_gone = gone;
        if (gone)
            fail_all(a);
    }
    adapters_serve();
    calls_retry();
}
