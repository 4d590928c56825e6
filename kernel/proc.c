/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots: making, ending and controlling processes. On request of RS and PM; the kernel has no
 * opinion on any. */
#include "kernel/kernel.h"

struct slot slots[ENDPOINT_SLOTS];
unsigned slots_top = 1;
/* where to look for a free slot: low ones first, and not at once the last one freed */
static unsigned search_from = 1;

static struct slot *slot_free(void)
{
    for (unsigned n = 1; n < ENDPOINT_SLOTS; n++) {
        unsigned i = search_from;

        search_from =
            search_from + 1 < ENDPOINT_SLOTS && search_from <= slots_top ? search_from + 1 : 1;
        if (slots[i].state == SLOT_FREE && !slots[i].dying)
            return &slots[i];
    }
    return NULL;
}

/* May s stop, change and end the other? */
static bool may_rule(const struct slot *s, const struct slot *other)
{
    return (s->rights.flags & RIGHT_RULE_ANY) || other->service_id == SERVICE_ID_PROGRAM;
}

/* Who rules programs alone makes programs: whose rights are their routes. */
static bool may_make(const struct slot *s, const struct slot_config *c)
{
    const struct rights routes = {.routes = c->rights.routes};

    if (s->rights.flags & RIGHT_RULE_ANY)
        return true;
    return c->service_id == SERVICE_ID_PROGRAM && memcmp(&c->rights, &routes, sizeof routes) == 0 &&
           (!c->space_of || may_rule(s, slot_find(c->space_of))) &&
           (!c->registers_of || may_rule(s, slot_find(c->registers_of)));
}

static long config_check(const struct slot_config *c)
{
    bool bad = c->priority >= PRIORITIES || c->service_id >= SERVICE_IDS || c->entry >= USER_END ||
               c->stack >= USER_END || (c->flags & ~(SLOT_START | SLOT_CALLING));

    if ((c->space_of && !slot_find(c->space_of)) ||
        (c->registers_of && !slot_find(c->registers_of)))
        return -EDEADSRCDST;
    return bad ? -EINVAL : 0;
}

static void slot_clear(struct slot *s)
{
    unsigned index = (unsigned)(s - slots), generation = s->generation;

    memset(s, 0, sizeof *s);
    s->generation = generation % (ENDPOINT_GENERATIONS - 1) + 1;
    s->endpoint = endpoint_make(index, s->generation);
    list_init(&s->callers);
    list_init(&s->link);
    list_init(&s->timed);
}

/* All that can fail comes before the slot is counted and queued: an error leaves it free. A twin's
 * registers come after the fresh ones, in place of them. A child of fork begins as though its
 * creator had received a call of it, so that the reply is fork's result. */
long slot_make(struct slot *creator, const struct slot_config *c)
{
    struct slot *s = slot_free(), *twin = c->registers_of ? slot_find(c->registers_of) : NULL;
    struct slot *sharer = c->space_of ? slot_find(c->space_of) : NULL;
    uint64_t area;

    if (!s)
        return -EAGAIN;
    area = frame_alloc_raw();
    if (!area)
        return -ENOMEM;
    slot_clear(s);
    s->fpu_area = direct(area);
    s->space = sharer ? sharer->space : space_create();
    if (!s->space) {
        frame_free(area);
        return -ENOMEM;
    }
    if (sharer)
        s->space->users++;
    arch_slot_init(s, c->entry, c->stack);
    if (twin)
        arch_slot_copy(s, twin);
    memcpy(s->name, c->name, sizeof s->name - 1);
    s->guardian = c->guardian;
    s->pager = c->pager;
    s->service_id = c->service_id;
    s->priority = (uint8_t)c->priority;
    s->rights = c->rights;
    s->rights.may_call &= ~(1ull << SERVICE_ID_PROGRAM); /* nobody calls or notifies a program */
    s->rights.may_forward &= ~(1ull << SERVICE_ID_PROGRAM);
    s->rights.may_notify &= ~(1ull << SERVICE_ID_PROGRAM);
    s->fast = s->rights.calls;
    s->payer = s;
    s->stopped = !(c->flags & SLOT_START);
    kernel_page.info.slots_used++;
    if ((unsigned)(s - slots) >= slots_top)
        slots_top = (unsigned)(s - slots) + 1;
    if (c->flags & SLOT_CALLING) {
        s->stopped = false;
        s->state = SLOT_CALLING_STATE;
        s->call_kind = CALL_LINUX;
        s->peer = creator->endpoint;
    } else
        sched_ready(s);
    trace(TRACE_CREATE, creator ? creator->endpoint : 0, s->endpoint, c->service_id, 0);
    return s->endpoint;
}

/* It runs no more, and its endpoint is of the past. False: to be done again, for the others who were
 * blocked on it. */
static bool slot_end(struct slot *s)
{
    if (!s->dying)
        trace(TRACE_DESTROY, current ? current->endpoint : 0, s->endpoint, s->service_id,
              s->registers.rip);
    if (s->state != SLOT_CALLING_STATE)
        sched_remove(s);
    s->dying = ipc_dying(s);
    sched_forget(s);
    irq_release(s);
    s->grants.count = 0;
    return !s->dying;
}

/* Its remains: registers and memory under a new name, for whoever may copy from anybody. */
static endpoint_t slot_keep(struct slot *s)
{
    s->generation = s->generation % (ENDPOINT_GENERATIONS - 1) + 1;
    s->endpoint = endpoint_make((unsigned)(s - slots), s->generation);
    s->state = SLOT_FAULTED;
    s->rights = (struct rights){0};
    s->fast = s->pending = 0;
    s->guardian = s->pager = s->peer = s->forwarder = s->seized_from = 0;
    s->service_id = SERVICE_ID_PROGRAM; /* nobody calls or notifies it */
    return s->endpoint;
}

static void slot_destroy(struct slot *s)
{
    arch_slot_free(s);
    frame_free((uint64_t)s->fpu_area - DIRECT_MAP);
    space_release(s->space);
    s->space = NULL;
    kernel_page.info.slots_used--;
}

long call_slot_create(struct slot *s, const uint64_t *a)
{
    struct slot_config config;
    long error = copy_in(s, &config, a[0], sizeof config);

    if (!error)
        error = config_check(&config);
    if (!error && !may_make(s, &config))
        error = -EPERM;
    return error ? error : slot_make(s, &config);
}

long call_slot_destroy(struct slot *s, const uint64_t *a)
{
    struct slot *victim = &slots[endpoint_slot((endpoint_t)a[0])];

    if (victim->endpoint != (endpoint_t)a[0] || (victim->state == SLOT_FREE && !victim->dying))
        return -EDEADSRCDST;
    if (victim == s)
        return -EINVAL;
    if (!may_rule(s, victim))
        return -EPERM;
    if (!slot_end(victim))
        return call_again(s);
    if (a[1] == SLOT_KEEP)
        return slot_keep(victim);
    slot_destroy(victim);
    return 0;
}

static void set_stopped(struct slot *s, bool stopped)
{
    s->stopped = stopped;
    if (s->state == SLOT_READY)
        (stopped ? sched_remove : sched_ready)(s);
}

static void set_priority(struct slot *s, uint8_t priority)
{
    bool queued = s->state == SLOT_READY && s != current && !s->stopped;

    if (queued)
        sched_remove(s);
    s->priority = priority;
    if (queued)
        sched_ready(s);
}

static long seize(struct slot *target, struct slot *s)
{
    endpoint_t server;
    long how = ipc_seize(target, s, &server);

    s->registers.rdx = (uint64_t)(uint32_t)server;
    return how;
}

long call_slot_control(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    uint64_t value = a[2];

    if (!target)
        return -EDEADSRCDST;
    if (!may_rule(s, target))
        return -EPERM;
    switch (a[1]) {
    case SLOT_CONTROL_STOP:
    case SLOT_CONTROL_START:
        if (target == s)
            return -EINVAL;
        if (target->stopped != (a[1] == SLOT_CONTROL_STOP))
            set_stopped(target, !target->stopped);
        return 0;
    case SLOT_CONTROL_SEIZE:
        return seize(target, s);
    case SLOT_CONTROL_PRIORITY:
        if (value >= PRIORITIES)
            return -EINVAL;
        set_priority(target, (uint8_t)value);
        return 0;
    case SLOT_CONTROL_FS_BASE:
        if (value >= USER_END)
            return -EPERM;
        target->registers.fs_base = value;
        return 0;
    case SLOT_CONTROL_GUARDIAN:
        target->guardian = (endpoint_t)value;
        return 0;
    case SLOT_CONTROL_NAME: /* the last byte stays 0 */
        return copy_in(s, target->name, value, sizeof target->name - 1);
    case SLOT_CONTROL_FRESH:
        arch_slot_fresh(target);
        return 0;
    case SLOT_CONTROL_FPU_GET:
        return arch_fpu_get(target, s, value);
    case SLOT_CONTROL_FPU_SET:
        return target->state == SLOT_READY ? -EBUSY : arch_fpu_set(target, s, value);
    default:
        return -EINVAL;
    }
}

long call_slot_status(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    struct slot_status status;

    if (!target)
        return -EDEADSRCDST;
    status = (struct slot_status){
        .endpoint = target->endpoint,
        .peer = target->state == SLOT_CALLING_STATE || target->state == SLOT_RECEIVING_ONE
                    ? target->peer
                    : 0,
        .state = target->state == SLOT_READY && target->stopped ? SLOT_STOPPED : target->state,
        .service_id = target->service_id,
        .receives = target->receives,
        .cpu_ns = ticks_to_ns(target->cpu_ticks),
        .paid_ns = ticks_to_ns(target->paid_ticks),
        .pages = target->space->pages,
        .grants = target->grants.address,
        .grant_count = target->grants.count,
    };
    memcpy(status.name, target->name, sizeof status.name);
    return copy_out(s, a[1], &status, sizeof status);
}

long call_registers_get(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_find((endpoint_t)a[0]);

    if (!target)
        return -EDEADSRCDST;
    if (!may_rule(s, target))
        return -EPERM;
    return target == s ? -EBUSY : copy_out(s, a[1], &target->registers, sizeof target->registers);
}

long call_registers_set(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_find((endpoint_t)a[0]);
    struct registers registers;
    long error;

    if (!target)
        return -EDEADSRCDST;
    if (target == s)
        return -EBUSY;
    if (!may_rule(s, target))
        return -EPERM;
    error = copy_in(s, &registers, a[1], sizeof registers);
    if (error)
        return error;
    arch_registers_sanitise(&registers);
    target->registers = registers;
    target->from_syscall = 0; /* all registers count from now on */
    if (target->state == SLOT_FAULTED) /* and it is as good as new */
        sched_ready(target);
    return 0;
}
