/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fresh incarnation: this is the part of a recovery that everybody waits for. It makes a process, and as many mappings as there
 * are; nothing is read, parsed, allocated in RS or written to the log.
 */
#include <errno.h>

#include "abi/proto/pm.h"
#include "servers/rs/rs.h"

static const struct {
    uint32_t id;
    enum route route;
} routes[] = {{SERVICE_VM, ROUTE_VM}, {SERVICE_PM, ROUTE_PM}, {SERVICE_VFS, ROUTE_VFS}};

static long map_all(endpoint_t ep, const struct mapping *m, uint32_t count)
{
    for (const struct mapping *end = m + count; m < end; m++) {
        long error = memory_map(ep, m->address, m->pages, m->flags, ENDPOINT_SELF, m->source);

        if (error < 0)
            return error;
    }
    return 0;
}

static uint32_t fresh_pid(void)
{
    static uint32_t next = 3; /* RS itself has 2 */

    for (;;) {
        uint32_t pid = next;
        bool used = false;

        next = next < PID_SERVICE_MAX ? next + 1 : 3;
        for (unsigned i = 0; i < service_count; i++)
            used |= services[i].pid == pid && services[i].endpoint;
        if (!used)
            return pid;
    }
}

static endpoint_t pager_of(const struct service *s)
{
    const struct service *vm = s->config.rights.routes >> ROUTE_VM & 1 ? service_with_id(SERVICE_VM) : NULL;

    return vm && vm != s ? vm->endpoint : 0;
}

static void take_place(struct service *s, endpoint_t ep)
{
    struct service_info *info = s->info;

    s->pid = fresh_pid();
    s->incarnation++;
    info->self = ep;
    info->pid = s->pid;
    info->incarnation = s->incarnation;
    info->adopt = s->rung == RUNG_ADOPT;
    service_bind(s, ep);
    for (unsigned i = 0; i < sizeof routes / sizeof *routes; i++)
        if (routes[i].id == s->id)
            kernel_route(routes[i].route, ep);
}

long spawn_create(struct service *s)
{
    endpoint_t ep;
    long error;

    s->config.pager = pager_of(s);
    ep = slot_create(&s->config);
    if (ep < 0)
        return ep;
    error = map_all(ep, s->image->mapping, s->image->mappings);
    if (!error)
        error = map_all(ep, s->mapping, s->mappings);
    if (error) {
        slot_destroy(ep);
        return error;
    }
    take_place(s, ep);
    error = queue_map_client(s);
    if (error) {
        service_bind(s, 0);
        slot_destroy(ep);
        return error;
    }
    device_bind_irqs(s);
    s->state = RS_STARTING;
    s->ready = 0;
    s->wanted_down = false;
    return 0;
}

void spawn_start(struct service *s)
{
    slot_control(s->endpoint, SLOT_CONTROL_START, 0);
    s->started = clock_now();
    pulse_begin(&s->pulse, s->started);
    over_begin(&s->over, s->started);
    timer_set(s, WAIT_NOTHING, 0);
    timer_watch(s);
}

long spawn(struct service *s)
{
    long error = spawn_create(s);

    if (!error)
        spawn_start(s);
    return error;
}

void spawn_bury(struct service *s)
{
    if (s->remains)
        slot_destroy(s->remains);
    s->remains = 0;
}
