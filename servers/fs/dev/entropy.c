/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/dev/entropy.h"

#include <stdbool.h>
#include <string.h>

#include "abi/entropy_queue.h"
#include "abi/message.h"
#include "abi/proto/pm.h"
#include "lib/random/pool.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"

#define SOURCES_MAX 4 /* devices; of more only the first are asked */
#define EVERY 60000000000ull /* ns between two requests to a device */
/* ns between two answers that are of use: each fresh copy is asked, and there could be fresh ones without end. */
#define OF_USE 1000000000ull

static struct random_pool pool;
static struct source {
    struct service_queue where;
    struct entropy_queue *queue; /* NULL: none */
    endpoint_t driver;
    uint32_t incarnation; /* of the driver that we know; 0: none yet */
    uint32_t posted; /* what we stored last */
    bool waits; /* for what was posted */
    bool is_known; /* the log has said that it gives something */
    bool is_fresh; /* nothing has come from this incarnation yet */
    uint64_t useful_at; /* clock: when something has come that was counted */
} sources[SOURCES_MAX];

/* What PM has goes into our pool, what we have into PM's: 32 bytes each way. */
static void exchange(void)
{
    struct message m = {.type = PM_RANDOM};

    random_pool_take(&pool, m.w, RANDOM_KEY_BYTES);
    if (ipc_call(service_info()->pm, &m) < 0)
        return; /* (it will have what we got with the next ones) */
    random_pool_add(&pool, m.w, RANDOM_KEY_BYTES);
    memset(&m, 0, sizeof m);
}

/*
 * A fresh copy does not begin with what the processor and PM have alone, but also with what the one before left
 * in DS. It is overwritten as soon as it has been used: two copies never begin with the same.
 */
static void seed_save(void)
{
    uint8_t seed[RANDOM_KEY_BYTES];

    random_pool_take(&pool, seed, sizeof seed);
    service_save("seed", seed, sizeof seed);
    memset(seed, 0, sizeof seed);
}

static void seed_restore(void)
{
    uint8_t seed[RANDOM_KEY_BYTES];

    if (service_restore("seed", seed, sizeof seed) == sizeof seed)
        random_pool_add(&pool, seed, sizeof seed);
    memset(seed, 0, sizeof seed);
    seed_save();
}

/* ---- devices ---- */

static void post(struct source *s)
{
    s->waits = true;
    queue_publish(&s->queue->posted, ++s->posted);
    ipc_notify(s->driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
}

static void note_moved(struct source *s)
{
    struct queue_header *h = &s->queue->header;
    uint64_t now = clock_now();

    if (s->useful_at == 0 || now - s->useful_at >= OF_USE) {
        s->useful_at = now;
        h->useful++;
    }
    if (!s->is_fresh)
        return;
    s->is_fresh = false;
    h->reintegrated_ns = now;
    queue_publish(&h->reintegrated_incarnation, s->incarnation); /* last: it covers the time */
}

static void take(struct source *s)
{
    uint32_t length = *(volatile uint32_t *)&s->queue->length;
    uint8_t bytes[ENTROPY_BYTES];

    if (length > sizeof bytes)
        length = sizeof bytes;
    memcpy(bytes, s->queue->bytes, length);
    random_pool_add(&pool, bytes, length);
    memset(s->queue->bytes, 0, sizeof bytes);
    exchange();
    s->waits = false;
    note_moved(s);
    if (!s->is_known)
        log_info("random numbers: %u bytes of %s's device have been mixed in", length,
                 s->where.driver);
    s->is_known = true;
}

/* Does the driver keep to the rules? Else they are put right for the next one. */
static bool is_sound(const struct source *s)
{
    uint32_t completed = queue_read(&s->queue->completed);

    if (completed == s->posted || completed == s->posted - 1)
        return true;
    s->queue->completed = s->posted - s->waits;
    return false;
}

/* What is ours in the queue is written once more: the one before may have written there. */
static void greet(struct source *s, uint32_t incarnation)
{
    s->incarnation = incarnation;
    s->driver = s->queue->header.driver;
    s->is_fresh = incarnation != s->queue->header.reintegrated_incarnation;
    is_sound(s);
    queue_publish(&s->queue->posted, s->posted);
    queue_claim(&s->queue->header, ENTROPY_QUEUE_MAGIC);
    if (s->waits)
        ipc_notify(s->driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    else
        post(s);
}

static void look(struct source *s)
{
    uint32_t incarnation = s->queue ? queue_read(&s->queue->header.incarnation) : 0;

    if (incarnation == 0 || attend_defers(s->where.number))
        return;
    if (incarnation != s->incarnation)
        greet(s, incarnation);
    else if (!is_sound(s))
        service_complain(s->where.driver, s->driver, COMPLAINT_INDEX);
    if (s->waits && queue_read(&s->queue->completed) == s->posted)
        take(s);
}

static void take_queue(struct source *s, const struct service_queue *where)
{
    struct entropy_queue *q = (struct entropy_queue *)where->address;

    s->where = *where;
    if (s->queue == q)
        return;
    if (where->size < sizeof *q) {
        log_info("the queue of %s is too small", where->driver);
        return;
    }
    s->queue = q;
    /* a predecessor may have posted, and not have seen the end of it */
    s->posted = queue_read(&q->posted);
    s->waits = s->posted != queue_read(&q->completed);
    queue_claim(&q->header, ENTROPY_QUEUE_MAGIC);
}

static void find_queues(void)
{
    struct service_queue where;

    for (uint32_t n = 0; n < SOURCES_MAX && service_queue(n, &where); n++)
        take_queue(&sources[n], &where);
}

static void ask_all(void)
{
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        if (sources[i].incarnation && !sources[i].waits)
            post(&sources[i]);
    seed_save();
    clock_alarm(clock_now() + EVERY);
}

void entropy_notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        find_queues();
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        look(&sources[i]);
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        ask_all();
}

void entropy_begin(void)
{
    random_pool_stir(&pool, clock_now());
    exchange();
    seed_restore();
    find_queues();
    for (unsigned i = 0; i < SOURCES_MAX; i++)
        look(&sources[i]);
    clock_alarm(clock_now() + EVERY);
}

/* ---- programs ---- */

void entropy_take(void *out, size_t length)
{
    random_pool_stir(&pool, clock_now());
    random_pool_take(&pool, out, length);
}

void entropy_add(const void *bytes, size_t length)
{
    random_pool_add(&pool, bytes, length);
    exchange();
}
