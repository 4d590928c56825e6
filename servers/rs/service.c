/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of services. Ids, rights and all else that a manifest says are worked out once, before
 * the first start; what changes from incarnation to incarnation is the endpoint.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "servers/rs/history.h"
#include "servers/rs/requests.h"

struct service services[SERVICES_MAX];
unsigned service_count;
static uint8_t at_slot[ENDPOINT_SLOTS]; /* index + 1 */

/* Services with an id of their own, and where service_info has their endpoint. */
static const struct known {
    const char *name;
    uint32_t id, offset; /* offset 0: none */
} known[] = {
    {"rs", SERVICE_RS, offsetof(struct service_info, rs)},
    {"ds", SERVICE_DS, offsetof(struct service_info, ds)},
    {"vm", SERVICE_VM, offsetof(struct service_info, vm)},
    {"pm", SERVICE_PM, offsetof(struct service_info, pm)},
    {"vfs", SERVICE_VFS, offsetof(struct service_info, vfs)},
    {"net", SERVICE_NET, offsetof(struct service_info, net)},
    {"tty", SERVICE_TTY, offsetof(struct service_info, tty)},
    {"log", SERVICE_LOG, offsetof(struct service_info, log)},
    {"pci", SERVICE_PCI, offsetof(struct service_info, pci)},
};
#define KNOWN (sizeof known / sizeof *known)

struct service *service_add(const char *name)
{
    struct service *s = &services[service_count];

    if (service_count == SERVICES_MAX) {
        log_always("%s: more than %d services; not started", name, SERVICES_MAX);
        return NULL;
    }
    s->order = service_count++;
    snprintf(s->name, sizeof s->name, "%s", name);
    life_begin(&s->life, RS_BROKEN);
    return s;
}

struct service *service_named(const char *name)
{
    for (unsigned i = 0; i < service_count; i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}

struct service *service_with_id(uint32_t id)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id == id && services[i].instance == 0)
            return &services[i];
    return NULL;
}

struct service *service_at(endpoint_t endpoint)
{
    unsigned index = endpoint > 0 ? at_slot[endpoint_slot(endpoint)] : 0;

    return index && services[index - 1].endpoint == endpoint ? &services[index - 1] : NULL;
}

void service_bind(struct service *s, endpoint_t endpoint)
{
    if (s->endpoint && service_at(s->endpoint) == s)
        at_slot[endpoint_slot(s->endpoint)] = 0;
    if (s->endpoint > 0 && s->endpoint != endpoint)
        s->past[s->past_next++ % PAST_ENDPOINTS] = s->endpoint;
    s->endpoint = endpoint;
    if (endpoint > 0)
        at_slot[endpoint_slot(endpoint)] = (uint8_t)(s - services + 1);
    for (unsigned k = 0; k < KNOWN && s->instance == 0; k++)
        if (known[k].id == s->id && known[k].offset)
            for (unsigned i = 0; i < service_count; i++)
                if (services[i].info)
                    service_peers(&services[i]);
}

bool service_was_at(const struct service *s, endpoint_t endpoint)
{
    for (unsigned i = 0; i < PAST_ENDPOINTS; i++)
        if (endpoint > 0 && s->past[i] == endpoint)
            return true;
    return false;
}

/* ---- ids and order ---- */

static bool before(const struct service *a, const struct service *b)
{
    uint32_t first = a->manifest ? a->manifest->start : ~0u,
             second = b->manifest ? b->manifest->start : ~0u;

    return first != second ? first < second : strcmp(a->name, b->name) < 0;
}

static bool is_known(const struct service *s)
{
    for (unsigned k = 0; k < KNOWN; k++)
        if (strcmp(s->name, known[k].name) == 0)
            return true;
    return false;
}

/* Those that the system cannot do without come first, then the others as their manifests were
 * read; a broken manifest takes nothing away from the others. */
static void number_rest(void)
{
    uint32_t next = SERVICE_FIRST_FREE;

    for (int essential = 1; essential >= 0; essential--)
        for (unsigned order = 0; order < service_count; order++)
            for (unsigned i = 0; i < service_count; i++) {
                struct service *s = &services[i];

                if (s->order != order || is_known(s) || !s->manifest ||
                    service_essential(s) != essential)
                    continue;
                if (next == SERVICE_ID_PROGRAM) {
                    log_always("%s: no service id is left; not started", s->name);
                    s->manifest = NULL;
                } else
                    s->id = next++;
            }
}

/* In the order of their starts; nobody has a pointer into the table yet. Each is moved once: all
 * that is moved is logged (lib/undo). */
static void sort(void)
{
    static struct service held;
    unsigned from[SERVICES_MAX];

    for (unsigned i = 0; i < service_count; i++) {
        unsigned j = i;

        for (; j > 0 && before(&services[i], &services[from[j - 1]]); j--)
            from[j] = from[j - 1];
        from[j] = i;
    }
    for (unsigned begin = 0; begin < service_count; begin++) {
        unsigned to = begin, next;

        if (from[begin] == begin)
            continue;
        held = services[begin];
        for (; (next = from[to]) != begin; to = next) {
            services[to] = services[next];
            from[to] = to;
        }
        services[to] = held;
        from[to] = to;
    }
}

void services_number(void)
{
    sort();
    for (unsigned i = 0; i < service_count; i++) {
        services[i].id = SERVICE_ID_PROGRAM; /* of none: nobody can be given a right to it */
        for (unsigned k = 0; k < KNOWN; k++)
            if (strcmp(services[i].name, known[k].name) == 0)
                services[i].id = known[k].id;
    }
    number_rest();
}

/* ---- rights ---- */

static uint64_t id_mask(const struct service *s, const struct manifest_names *names,
                        const char *key)
{
    uint64_t mask = names->all ? ~0ull : 0;

    for (uint32_t i = 0; i < names->count; i++) {
        const struct service *other = service_named(names->name[i]);
        const char *word = names->name[i];

        for (unsigned k = 0; k < service_count && !other && strstr(word, "/*"); k++)
            if (services[k].manifest && manifest_names_it(word, "", services[k].manifest->class))
                mask |= 1ull << services[k].id;
        if (other && other->id < SERVICE_ID_PROGRAM)
            mask |= 1ull << other->id;
        else if (!strstr(word, "/*"))
            log_always("%s: '%s %s': there is no such service", s->name, key, names->name[i]);
    }
    return mask;
}

/* All services are numbered by now, whatever order their manifests are in. Who calls up to it would
 * close a circle with it: so it loses the right to call that one, even where it may call all. */
static void prepare_rights(struct service *s)
{
    const struct manifest *m = s->manifest;
    struct rights *r = &s->config.rights;

    r->calls = m->kernel_calls | (m->irqs || m->devices || m->places ? 1ull << KERNEL_IRQ_ACK : 0);
    r->may_call = id_mask(s, &m->calls, "calls") | 1ull << SERVICE_RS;
    r->may_call |= id_mask(s, &m->calls_up, "calls-up");
    r->may_forward = id_mask(s, &m->forwards, "forwards");
    for (unsigned i = 0; i < service_count; i++) /* whoever may call it is not called by it */
        if (services[i].manifest && manifest_lists(&services[i].manifest->calls_up, m))
            r->may_call &= ~(1ull << services[i].id);
    r->may_notify = id_mask(s, &m->notifies, "notifies");
    (void)id_mask(s, &m->dependents, "dependents"); /* only to say which of them do not exist */
    r->routes = m->routes;
    r->flags = m->right_flags;
    for (uint32_t i = 0; i < m->ports; i++) {
        r->ports[i].first = m->port[i].first;
        r->ports[i].last = m->port[i].last;
    }
    for (unsigned i = 0; i < service_count;
         i++) { /* the two ends of a queue may notify each other */
        const struct manifest *other = services[i].manifest;

        if (other && other->queue_size && strcmp(other->queue_client, m->name) == 0)
            r->may_notify |= 1ull << services[i].id;
        if (m->queue_size && strcmp(services[i].name, m->queue_client) == 0)
            r->may_notify |= 1ull << services[i].id;
    }
}

/* ---- what a start needs ---- */

static void add_mapping(struct service *s, uint64_t address, uint64_t bytes, uint64_t flags,
                        const void *source)
{
    s->mapping[s->mappings++] =
        (struct mapping){address, (bytes + PAGE_SIZE - 1) / PAGE_SIZE, flags, (uint64_t)source};
}

static void prepare_policy(struct service *s)
{
    const struct manifest *m = s->manifest;

    s->policy.limits =
        (struct policy_limits){m->budget, m->budget_window_s * SECOND, m->backoff_free,
                               m->backoff_first_ms * MS, m->backoff_max_ms * MS};
    s->policy.room = policy_room(&s->policy.limits);
    s->deaths = s->policy;
    s->deaths.failure = arena_alloc(s->deaths.room * sizeof *s->deaths.failure);
    s->heartbeat = (struct heartbeat){m->heartbeat_ms * MS, m->heartbeat_high_ms * MS};
    if (m->restart && policy_lasts(&s->policy.limits, policy_useless_life(&s->heartbeat)) == ~0ull)
        log_always("%s: its budget cannot be used up by one that hangs: %u failures in %u s",
                   s->name, m->budget, m->budget_window_s);
    s->policy.failure = arena_alloc(s->policy.room * sizeof *s->policy.failure);
}

static int64_t realtime_offset; /* as it was last set; for those who come later */

long request_set_realtime(struct message *m, struct service *caller)
{
    const struct rs_set_realtime_request *r = message_words(m);

    if (caller->id != SERVICE_PM)
        return -EPERM;
    realtime_offset = r->offset;
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].info)
            __atomic_store_n(&services[i].info->realtime_offset, realtime_offset, __ATOMIC_RELAXED);
    return 0;
}

static void prepare_info(struct service *s)
{
    const struct service_info *own = service_info();
    struct service_info *info = s->info = arena_pages((sizeof *info + PAGE_SIZE - 1) / PAGE_SIZE);

    memcpy(info->name, s->name, sizeof info->name);
    info->service_id = s->id;
    info->device.bus = SERVICE_NO_BUS;
    info->irqs = s->manifest->irqs;
    info->archive_mapped = s->manifest->archive;
    info->archive_size = s->manifest->archive ? own->archive_size : 0;
    info->realtime_offset = realtime_offset;
    memcpy(info->parameters, s->manifest->parameters, sizeof info->parameters);
}

/* What the kernel shows us. */
static void add_shown(struct service *s, uint64_t address, uint64_t bytes)
{
    uint64_t flags;

    add_mapping(s, address, bytes, MAP_READ | MAP_PHYSICAL,
                (const void *)memory_query(ENDPOINT_SELF, address, &flags));
}

/* The device of that instance, where its manifest says where such devices are. */
static void prepare_place(struct service *s)
{
    const struct manifest *m = s->manifest;
    uint64_t first;

    if (s->instance >= m->places)
        return;
    first = m->place[s->instance].first;
    s->config.rights.ports[0].first = m->place[s->instance].first;
    s->config.rights.ports[0].last = m->place[s->instance].last;
    s->info->device.bar[0].address = s->info->device.bar[0].physical = first;
    s->info->device.bar[0].size = m->place[s->instance].last - first + 1;
    s->info->device.bar[0].is_port = 1;
    if (!m->place[s->instance].has_irq)
        return;
    s->irq[s->irq_count].line = m->place[s->instance].irq;
    s->irq[s->irq_count++].flags = IRQ_EDGE;
    s->info->irqs = s->irq_count;
}

/* As though it were a BAR of a PCI device; the first is of ports, where these are given by place. */
static void add_registers(struct service *s)
{
    const struct manifest *m = s->manifest;
    struct service_device *d = &s->info->device;
    unsigned n = m->places != 0;

    if (m->registers_size == 0)
        return;
    d->bar[n].address = DEVICE_WINDOW;
    d->bar[n].physical = m->registers;
    d->bar[n].size = m->registers_size;
    add_mapping(s, DEVICE_WINDOW, m->registers_size,
                MAP_READ | MAP_WRITE | MAP_PHYSICAL | MAP_UNCACHED, (void *)m->registers);
}

/* As though it were the device's next BAR. What the loader says is not to be believed: where there is RAM the
 * kernel maps nothing, and the service cannot be started. */
static void add_framebuffer(struct service *s)
{
    const struct kernel_framebuffer *f = &kernel_info()->framebuffer;
    struct service_device *d = &s->info->device;
    unsigned n = FRAMEBUFFER_BAR;
    uint64_t size = (uint64_t)f->pitch * f->height, offset = f->physical % PAGE_SIZE;

    if (!s->manifest->framebuffer || f->physical == 0 || size == 0 ||
        size > DEVICE_STRIDE - PAGE_SIZE)
        return;
    d->bar[n].address = DEVICE_WINDOW + n * DEVICE_STRIDE + offset;
    d->bar[n].physical = f->physical;
    d->bar[n].size = size;
    add_mapping(s, DEVICE_WINDOW + n * DEVICE_STRIDE,
                (offset + size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE,
                MAP_READ | MAP_WRITE | MAP_PHYSICAL | MAP_UNCACHED, (void *)(f->physical - offset));
}

/* Of those whom programs ask for something, and who are replaced when they die of it. */
static void add_note(struct service *s)
{
    void *page;

    if (service_keeps_memory(s) || s->manifest->class > CLASS_FS)
        return;
    s->note = page = arena_pages(1);
    s->info->has_note = 1;
    add_mapping(s, SERVICE_NOTE, PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_SHARE, page);
}

/* prepare_info() makes the page that all about devices is written into. The manifest's interrupts
 * are counted from 0, so a place's comes after them; what pci finds comes after both, when there is
 * a device. */
static void prepare_process(struct service *s)
{
    const struct manifest *m = s->manifest;

    prepare_info(s);
    s->history = arena_alloc(sizeof *s->history);
    prepare_policy(s);
    prepare_rights(s);
    memcpy(s->config.name, s->name, sizeof s->config.name);
    s->config.guardian = service_info()->self;
    s->config.service_id = s->id;
    s->config.priority = m->priority;
    s->config.entry = s->image->entry;
    for (s->irq_count = 0; s->irq_count < m->irqs; s->irq_count++) {
        s->irq[s->irq_count].line = m->irq[s->irq_count];
        s->irq[s->irq_count].flags = IRQ_EDGE;
    }
    prepare_place(s);
    s->stack_page = arena_pages(1);
    stack_prepare(s);
    add_mapping(s, SERVICE_STACK_TOP - PAGE_SIZE, PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_COPY,
                s->stack_page);
    if (m->stack > PAGE_SIZE)
        add_mapping(s, SERVICE_STACK_TOP - m->stack, m->stack - PAGE_SIZE, MAP_READ | MAP_WRITE,
                    NULL);
    add_shown(s, KERNEL_PAGE, sizeof(struct kernel_page));
    if (m->reads >> RING_LOG & 1)
        add_shown(s, KERNEL_LOG_RING, LOG_RING_SIZE);
    if (m->reads >> RING_TRACE & 1)
        add_shown(s, KERNEL_TRACE_RING, TRACE_RING_SIZE * sizeof(struct trace_event));
    add_mapping(s, SERVICE_INFO, sizeof *s->info, MAP_READ | MAP_SHARE, s->info);
    add_note(s);
    if (service_keeps_memory(s)) {
        add_mapping(s, UNDO_LOG, UNDO_WINDOW_FIRST, MAP_READ | MAP_WRITE, NULL);
        add_mapping(s, UNDO_JOURNAL, UNDO_WINDOW_FIRST, MAP_READ | MAP_WRITE, NULL);
        add_mapping(s, UNDO_OUTBOX, UNDO_WINDOW_FIRST, MAP_READ | MAP_WRITE, NULL);
    }
    add_registers(s);
    add_framebuffer(s);
    if (m->archive)
        add_mapping(s, BOOT_ARCHIVE, service_info()->archive_size, MAP_READ | MAP_SHARE,
                    (void *)BOOT_ARCHIVE);
}

void service_prepare(struct service *s)
{
    if (!s->manifest)
        return;
    s->image = image_prepare(s->name);
    if (!s->image)
        return;
    if (s->manifest->rolled_back && s->image->undo.mark == 0) {
        log_always("%s: its program cannot be rolled back; not started", s->name);
        s->image = NULL;
        return;
    }
    s->first = s->image;
    if (s->manifest->alternate[0])
        s->alternate = image_prepare(s->manifest->alternate);
    if (s->manifest->alternate[0] && !s->alternate)
        log_always("%s: goes without its alternate, %s", s->name, s->manifest->alternate);
    prepare_process(s);
    life_begin(&s->life, s->manifest->devices ? RS_NO_DEVICE : RS_DOWN);
}

bool service_prepare_instance(struct service *s, const struct service *base, unsigned instance)
{
    s->manifest = base->manifest;
    s->image = s->first = base->first;
    s->alternate = base->alternate;
    s->id = base->id; /* the same rights, and the same rights of others towards it */
    s->instance = instance;
    if (!s->image)
        return false;
    prepare_process(s);
    service_peers(s); /* who is already there */
    life_begin(&s->life, RS_NO_DEVICE);
    return true;
}

/* ---- who knows whom ---- */

bool service_speaks_for_users(const struct service *s)
{
    return s->id == SERVICE_PM || (strcmp(s->name, "proc") == 0 && s->manifest);
}

bool service_takes_orders(const struct service *s)
{
    return service_speaks_for_users(s) || (strcmp(s->name, "dev") == 0 && s->manifest);
}

void service_peers(struct service *s)
{
    for (unsigned k = 0; k < KNOWN; k++) {
        const struct service *other = known[k].offset ? service_with_id(known[k].id) : NULL;

        *(endpoint_t *)((char *)s->info + known[k].offset) = other ? other->endpoint : 0;
    }
    if (s->queue)
        s->info->queue.client = s->queue->client->endpoint;
}

void service_tell(const char *name)
{
    const struct service *s = service_named(name);

    if (s && s->endpoint)
        ipc_notify(s->endpoint, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
}

void service_tell_all(void)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].endpoint && services[i].id != SERVICE_RS)
            ipc_notify(services[i].endpoint, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
}

void service_tell_dependents(struct service *s)
{
    service_tell("ds"); /* what it published is gone, or stale */
    if (s->config.rights.routes >> ROUTE_VM & 1)
        service_tell("vm"); /* so are its regions */
    if (s->queue && s->queue->client->endpoint)
        ipc_notify(s->queue->client->endpoint, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
    for (uint32_t i = 0; s->manifest && i < s->manifest->dependents.count; i++)
        service_tell(s->manifest->dependents.name[i]);
}
