/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Services that are more than one process: for each place of an ISA device in the manifest, and
 * those of which VFS starts an instance for each mount ("instances on-request"). The first is
 * called like its base, the others BASE.1 and so on. Of the latter one that is down is used again,
 * with its queue.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/rt/error.h"
#include "servers/rs/requests.h"

static struct service *instance_number(const struct service *base, unsigned number)
{
    char name[SERVICE_NAME_MAX + 8];
    struct service *s;

    if (snprintf(name, sizeof name, "%s.%u", base->name, number) >= SERVICE_NAME_MAX)
        return NULL;
    s = service_add(name);
    if (!s || !service_prepare_instance(s, base, number))
        return NULL;
    life_begin(&s->life, RS_DOWN);
    return s;
}

static struct service *instance_add(const struct service *base)
{
    unsigned number = 1;

    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id == base->id && services[i].instance >= number)
            number = services[i].instance + 1;
    return instance_number(base, number);
}

void instances_of_places(void)
{
    unsigned bases = service_count;

    for (unsigned i = 0; i < bases; i++) {
        const struct manifest *m = services[i].manifest;

        for (unsigned n = 1; m && services[i].image && n < m->places; n++)
            if (!instance_number(&services[i], n))
                log_always("%s: no service for its device %u: its name is too long", m->name, n);
    }
}

/* One that is down, or one more. Not one into whose queue a disk may yet write for the mount of
 * before: its driver is gone, but without a reset what the disk has begun it may finish. */
static struct service *instance_of(const struct service *base)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id == base->id && services[i].manifest == base->manifest &&
            services[i].life.state == RS_DOWN && !(services[i].queue && services[i].queue->reached))
            return &services[i];
    return instance_add(base);
}

static long start(struct service *s, const struct rs_instance *wanted)
{
    long error;

    snprintf(s->info->parameters, sizeof s->info->parameters, "%s", wanted->parameters);
    policy_forgive(&s->policy);
    policy_forgive(&s->deaths);
    /* what an earlier one has left in the queue is of another mount */
    life_next(&s->life, &(struct life_event){.type = LIFE_ASKED_UP, .rung = RUNG_RESET});
    queue_prepare(s);
    if (s->manifest->queue_size && !s->queue)
        return -ENOMEM;
    error = spawn(s);
    if (error < 0)
        log_always("%s: cannot be started: %s", s->name, error_name(error));
    return error;
}

long request_instance(struct message *m, struct service *caller)
{
    const struct rs_grant_request *r = message_words(m);
    struct rs_instance_reply *reply = message_words(m);
    struct rs_instance wanted;
    struct service *base, *s;
    long error;

    if (caller->id != SERVICE_VFS)
        return -EPERM;
    if (grant_from(message_caller(m), r->grant, 0, &wanted, sizeof wanted) < 0)
        return -EFAULT;
    wanted.base[sizeof wanted.base - 1] = wanted.parameters[sizeof wanted.parameters - 1] = 0;
    base = service_named(wanted.base);
    if (!base)
        return -ESRCH;
    if (!base->manifest || !base->image)
        return -ENOEXEC;
    if (!base->manifest->on_request)
        return -EPERM;
    s = instance_of(base);
    if (!s)
        return -ENOSPC;
    error = start(s, &wanted);
    if (error < 0)
        return error;
    memcpy(wanted.name, s->name, sizeof wanted.name);
    error = grant_to(message_caller(m), r->grant, 0, &wanted, sizeof wanted);
    reply->endpoint = (uint64_t)s->endpoint;
    return error;
}

bool instance_may_control(const struct service *s, const struct service *caller,
                          enum rs_control what)
{
    return caller->id == SERVICE_VFS && s->manifest && s->manifest->on_request &&
           what == RS_CONTROL_DOWN;
}
