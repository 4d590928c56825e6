/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Services of which VFS starts an instance for each mount ("instances on-request"). The first is
 * called like its base, the others BASE.1 and so on. One that is down is used again, with its
 * queue.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "servers/rs/rs.h"

static struct service *instance_add(const struct service *base)
{
    char name[SERVICE_NAME_MAX + 8];
    unsigned number = 1;
    struct service *s;

    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id == base->id && services[i].instance >= number)
            number = services[i].instance + 1;
    if (snprintf(name, sizeof name, "%s.%u", base->name, number) >= SERVICE_NAME_MAX)
        return NULL;
    s = service_add(name);
    if (!s || !service_prepare_instance(s, base, number))
        return NULL;
    s->state = RS_DOWN;
    return s;
}

/* One that is down, or one more. */
static struct service *instance_of(const struct service *base)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id == base->id && services[i].manifest == base->manifest &&
            services[i].state == RS_DOWN)
            return &services[i];
    return instance_add(base);
}

static long start(struct service *s, const struct rs_instance *wanted)
{
    long error;

    snprintf(s->info->parameters, sizeof s->info->parameters, "%s", wanted->parameters);
    policy_forgive(&s->policy);
    s->rung = RUNG_RESET; /* what an earlier one has left in the queue is of another mount */
    queue_prepare(s);
    if (s->manifest->queue_size && !s->queue)
        return -ENOMEM;
    error = spawn(s);
    if (error < 0)
        log_info("%s: cannot be started: error %ld", s->name, -error);
    return error;
}

long request_instance(struct message *m, struct service *caller)
{
    struct rs_instance wanted;
    struct service *base, *s;
    long error;

    if (caller->id != SERVICE_VFS)
        return -EPERM;
    if (grant_from(message_caller(m), m->w[0], 0, &wanted, sizeof wanted) < 0)
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
    error = grant_to(message_caller(m), m->w[0], 0, &wanted, sizeof wanted);
    m->w[0] = (uint64_t)s->endpoint;
    return error;
}

bool instance_may_control(const struct service *s, const struct service *caller,
                          enum rs_control what)
{
    return caller->id == SERVICE_VFS && s->manifest && s->manifest->on_request &&
           what == RS_CONTROL_DOWN;
}
