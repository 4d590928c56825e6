/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues: memory that a driver shares with its client. It is RS's, so it outlives both, and each
 * fresh copy of either gets it again.
 */
#include "abi/queue.h"

#include <errno.h>
#include <string.h>

#include "servers/rs/requests.h"

#define QUEUES_MAX 48
#define QUEUES_PER_CLIENT 24

static struct queue queues[QUEUES_MAX];
static unsigned queue_count;

const struct queue *queue_next(const struct queue *q)
{
    q = q ? q + 1 : queues;
    return q < queues + queue_count ? q : NULL;
}

static uint32_t queues_of(const struct service *client)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < queue_count; i++)
        n += queues[i].client == client;
    return n;
}

static uint64_t client_address(const struct queue *q)
{
    return QUEUE_WINDOW + q->number * QUEUE_STRIDE;
}

static long map_into_client(const struct queue *q, endpoint_t ep)
{
    return memory_map(ep, client_address(q), q->size / PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_SHARE,
                      ENDPOINT_SELF, (uint64_t)q->memory);
}

static void describe(const struct queue *q, struct service_queue *out, uint64_t address)
{
    memset(out, 0, sizeof *out);
    memcpy(out->driver, q->driver->name, sizeof out->driver);
    out->address = address;
    out->size = q->size;
    out->physical = q->physical;
    out->client = q->client->endpoint;
    out->number = q->number;
    out->class = q->driver->manifest->class;
    out->share = share_permille(q->driver->manifest->cpu_permille,
                                q->driver->manifest->class >= CLASS_NET, false, false);
}

/* What a disk driver's device may reach beside its own queue: that of the file servers whose
 * requests its client passes on. */
static void regions_prepare(const struct service *client)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct service_info *info = queues[i].driver->info;
        unsigned n = 0;

        if (queues[i].client != client || queues[i].driver->manifest->class != CLASS_BLOCK)
            continue;
        for (unsigned j = 0; j < queue_count && n < SERVICE_REGIONS; j++)
            if (queues[j].client == client && queues[j].driver->manifest->class == CLASS_FS)
                info->region[n++] = (struct service_region){queues[j].physical, queues[j].size};
        if (queues[i].driver->device)
            device_memory_changed(queues[i].driver->device);
    }
}

static struct queue *made_for(const struct service *s)
{
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].driver == s)
            return &queues[i];
    return NULL;
}

/* Made once, and never given back: an instance that is used again finds it, and no number comes to
 * mean another one. That of which its client could have nothing yet is nobody's, and is kept. */
static struct queue *make(struct service *s)
{
    struct queue *q = &queues[queue_count];
    uint64_t flags;

    *q = (struct queue){.driver = s,
                        .size = s->manifest->queue_size,
                        .memory = arena_contiguous(s->manifest->queue_size)};
    if (!q->memory)
        return NULL;
    q->physical = (uint64_t)memory_query(ENDPOINT_SELF, (uint64_t)q->memory, &flags);
    queue_count++;
    return q;
}

static bool share_with(struct queue *q, struct service *client)
{
    q->number = queues_of(client);
    if (client->endpoint && map_into_client(q, client->endpoint) < 0)
        return false;
    q->client = client;
    return true;
}

/* A client that runs already gets it at once, any other with its start (queue_map_client()). It is
 * told when it is mapped there: what it cannot have it must not touch, and without it the driver is
 * of no use. */
long queue_prepare(struct service *s)
{
    struct service *client = service_named(s->manifest->queue_client);
    struct queue *q = made_for(s);

    if (s->manifest->queue_size == 0 || s->queue)
        return 0;
    if (!client || (queue_count == QUEUES_MAX && !q) || queues_of(client) == QUEUES_PER_CLIENT) {
        log_always("%s: no queue to %s: %s", s->name, s->manifest->queue_client,
                   client ? "too many queues" : "no such service");
        return 0;
    }
    if (!q)
        q = make(s);
    if (!q || !share_with(q, client)) {
        log_always("%s: too little memory for its queue of %llu kB%s%s", s->name,
                   (unsigned long long)s->manifest->queue_size / 1024, q ? " at " : "",
                   q ? client->name : "");
        return -ENOMEM;
    }
    s->queue = q;
    describe(q, &s->info->queue, QUEUE_WINDOW);
    regions_prepare(client);
    s->mapping[s->mappings++] = (struct mapping){
        QUEUE_WINDOW, q->size / PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_SHARE, (uint64_t)q->memory};
    if (client->endpoint)
        ipc_notify(client->endpoint, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
    return 0;
}

long queue_map_client(const struct service *client, endpoint_t ep)
{
    long error = 0;

    for (unsigned i = 0; i < queue_count && !error; i++)
        if (queues[i].client == client)
            error = map_into_client(&queues[i], ep);
    return error;
}

void queue_tell_drivers(const struct service *client)
{
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].client == client)
            service_peers(queues[i].driver);
}

uint64_t queue_reintegrated(const struct queue *q, uint32_t incarnation)
{
    const volatile struct queue_header *header = q->memory;
    uint64_t at = 0;

    if (q->size < sizeof *header)
        return 0;
    if (header->magic != 0 && header->reintegrated_incarnation == incarnation)
        at = header->reintegrated_ns;
    return undo_input(at);
}

void queue_device_stopped(const struct service *s)
{
    for (unsigned n = 0; n < SERVICE_REGIONS; n++)
        for (unsigned i = 0; i < queue_count; i++)
            if (s->info->region[n].size && s->info->region[n].physical == queues[i].physical)
                queues[i].reached |= 1ull << device_number(s->device);
}

void queue_device_reset(const struct service *s)
{
    for (unsigned i = 0; i < queue_count; i++)
        queues[i].reached &= ~(1ull << device_number(s->device));
}

void queue_refused(const struct service *s)
{
    for (unsigned i = 0; i < queue_count; i++) {
        struct queue *q = &queues[i];
        struct queue_header *header = q->memory;

        if ((!s || q->driver == s) && q->size >= sizeof *header)
            queue_publish(&header->refused, ++q->refused);
    }
}

bool queue_is_of_disks(const struct service *client)
{
    for (unsigned i = 0; i < queue_count; i++)
        if (queues[i].client == client && queues[i].driver->manifest->class == CLASS_BLOCK)
            return true;
    return false;
}

long request_queue(struct message *m, struct service *caller)
{
    const struct rs_queue_request *r = message_words(m);

    for (unsigned i = 0; i < queue_count; i++) {
        struct service_queue out;

        if (queues[i].client != caller || queues[i].number != r->number)
            continue;
        describe(&queues[i], &out, client_address(&queues[i]));
        return grant_to(message_caller(m), r->grant, 0, &out, sizeof out);
    }
    return -ENOENT;
}
