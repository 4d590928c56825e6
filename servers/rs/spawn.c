/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fresh incarnation: this is the part of a recovery that everybody waits for. It makes a process,
 * and as many mappings as there are; nothing is read, parsed, allocated in RS or written to the
 * log. For a driver of a device even that is done beforehand, while its predecessor is at work:
 * then a restart binds the interrupt and starts it.
 */
#include <errno.h>

#include "abi/proto/pm.h"
#include "servers/rs/rs.h"

#define STANDBY_START (20 * MS) /* of the CPU, until it waits: it is some us */

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
    const struct service *vm =
        s->config.rights.routes >> ROUTE_VM & 1 ? service_with_id(SERVICE_VM) : NULL;

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
    info->adopt = s->life.place.rung == RUNG_ADOPT;
    info->stands_by = 0;
    service_bind(s, ep);
    queue_tell_drivers(s);
    for (unsigned i = 0; i < sizeof routes / sizeof *routes; i++)
        if (routes[i].id == s->id)
            kernel_route(routes[i].route, ep);
}

/* A process with all that can be known beforehand: mapped, not started. Endpoint or -errno. */
static endpoint_t make(struct service *s)
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
    if (!error)
        error = queue_map_client(s, ep);
    if (!error)
        return ep;
    slot_destroy(ep);
    return (endpoint_t)error;
}

/* It has come to where it waits (lib/driver/driverloop.c). */
static bool waits(endpoint_t ep)
{
    struct slot_status status;

    return slot_status(ep, &status) == 0 && status.state == SLOT_RECEIVING;
}

long spawn_create(struct service *s)
{
    endpoint_t ep;

    if (s->stands_by && !waits(s->stock))
        spawn_unstock(s); /* it has not come so far yet, or never will */
    ep = s->stock ? s->stock : make(s);
    s->stock = 0;
    if ((ep == -ENOMEM || ep == -EAGAIN) && corpses_drop())
        ep = make(s);
    if (ep < 0)
        return ep;
    take_place(s, ep);
    device_bind_irqs(s);
    life_next(&s->life, &(struct life_event){.type = LIFE_SPAWNED});
    s->ready = 0;
    return 0;
}

static void stand_by(struct service *s)
{
    s->info->stands_by = 1;
    s->stands_by = true;
    slot_control(s->stock, SLOT_CONTROL_START, 0);
}

void spawn_stock(struct service *s)
{
    endpoint_t ep;

    if (s->stock || s->life.state != RS_UP || !(service_drives(s) || s->update.is_due))
        return;
    ep = make(s);
    s->stock = ep > 0 ? ep : 0; /* no memory: the next start tries again */
    if (s->stock && s->manifest->standby && s->no_standby != s->incarnation)
        stand_by(s);
}

void spawn_unstock(struct service *s)
{
    if (s->stock)
        slot_destroy(s->stock);
    s->stock = 0;
    s->stands_by = false;
    s->info->stands_by = 0;
}

/* The next incarnation is made when it is needed, as it is where nothing stands by. */
static void stock_failed(struct service *s, const char *why)
{
    spawn_unstock(s);
    s->no_standby = s->incarnation;
    log_always("%s: the fresh copy that stands by %s; it goes without", s->name, why);
}

bool spawn_stock_died(endpoint_t ep, const char *why)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].stands_by && services[i].stock == ep) {
            stock_failed(&services[i], why);
            return true;
        }
    return false;
}

void spawn_look(void)
{
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        struct slot_status status;

        if (s->stands_by && slot_status(s->stock, &status) == 0 && status.state != SLOT_RECEIVING &&
            status.cpu_ns > STANDBY_START)
            stock_failed(s, "does not come to where it waits");
    }
}

void spawn_start(struct service *s)
{
    if (s->stands_by)
        ipc_notify(s->endpoint, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    else
        slot_control(s->endpoint, SLOT_CONTROL_START, 0);
    s->stands_by = false;
    s->started = clock_now();
    watch_begin(s);
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
    if (s->remains && !corpse_lay(s))
        slot_destroy(s->remains);
    s->remains = 0;
}
