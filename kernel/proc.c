/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots: making, ending and controlling processes. On request of RS and PM; the kernel has no
 * opinion on any. */
#include "kernel/kernel.h"

struct slot slots[ENDPOINT_SLOTS];
unsigned slots_used, slots_top = 1;
/* where to look for a free slot: low ones first, and not at once the last one freed */
static unsigned search_from = 1;

static struct slot *slot_free(void)
{
    for (unsigned n = 1; n < ENDPOINT_SLOTS; n++) {
        unsigned i = search_from;

        search_from =
            search_from + 1 < ENDPOINT_SLOTS && search_from <= slots_top ? search_from + 1 : 1;
        if (slots[i].state == SLOT_FREE)
            return &slots[i];
    }
    return NULL;
}

static long config_check(const struct slot_config *c)
{
    bool bad = c->priority >= PRIORITIES || c->service_id >= SERVICE_IDS ||
               c->budget_permille > 1000 || c->entry >= USER_END || c->stack >= USER_END ||
               (c->flags & ~(SLOT_START | SLOT_CALLING));

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

long slot_make(struct slot *creator, const struct slot_config *c)
{
    struct slot *s = slot_free(), *twin = c->registers_of ? slot_find(c->registers_of) : NULL;
    struct slot *sharer = c->space_of ? slot_find(c->space_of) : NULL;

    if (!s)
        return -EAGAIN;
    slot_clear(s);
    s->space = sharer ? sharer->space : space_create();
    if (!s->space)
        return -ENOMEM;
    if (sharer)
        s->space->users++;
    arch_slot_init(s, c->entry, c->stack);
    if (twin && arch_slot_copy(s, twin) < 0) {
        space_release(s->space);
        return -ENOMEM;
    }
    memcpy(s->name, c->name, sizeof s->name - 1);
    s->guardian = c->guardian;
    s->pager = c->pager;
    s->service_id = c->service_id;
    s->priority = s->ready_priority = (uint8_t)c->priority;
    s->budget_permille = c->budget_permille;
    s->special = c->budget_permille ? SPECIAL_BUDGET : 0;
    s->rights = c->rights;
    s->rights.may_call &= ~(1ull << SERVICE_ID_PROGRAM); /* nobody calls or notifies a program */
    s->rights.may_notify &= ~(1ull << SERVICE_ID_PROGRAM);
    s->fast = c->budget_permille ? 0 : s->rights.calls;
    s->stopped = !(c->flags & SLOT_START);
    slots_used++;
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

void slot_destroy(struct slot *s)
{
    trace(TRACE_DESTROY, current ? current->endpoint : 0, s->endpoint, s->service_id,
          s->registers.rip);
    if (s->state != SLOT_CALLING_STATE)
        sched_remove(s);
    ipc_dying(s);
    sched_forget(s);
    irq_release(s);
    arch_slot_free(s);
    space_release(s->space);
    s->space = NULL;
    s->grants.count = 0;
    slots_used--;
}

long call_slot_create(struct slot *s, const uint64_t *a)
{
    struct slot_config config;
    long error = copy_in(s, &config, a[0], sizeof config);

    if (!error)
        error = config_check(&config);
    return error ? error : slot_make(s, &config);
}

long call_slot_destroy(struct slot *s, const uint64_t *a)
{
    struct slot *victim = slot_find((endpoint_t)a[0]);

    if (!victim)
        return -EDEADSRCDST;
    if (victim == s)
        return -EINVAL;
    slot_destroy(victim);
    return 0;
}

static long control_stop(struct slot *s, uint64_t value)
{
    (void)value;
    s->stopped = true;
    if (s->state == SLOT_READY)
        sched_remove(s);
    return 0;
}

static long control_start(struct slot *s, uint64_t value)
{
    (void)value;
    if (s->stopped) {
        s->stopped = false;
        if (s->state == SLOT_READY)
            sched_ready(s);
    }
    return 0;
}

static long control_priority(struct slot *s, uint64_t value)
{
    bool queued = s->state == SLOT_READY && s != current && !s->stopped;

    if (value >= PRIORITIES)
        return -EINVAL;
    if (queued)
        sched_remove(s);
    s->priority = s->ready_priority = (uint8_t)value;
    if (queued)
        sched_ready(s);
    return 0;
}

static long control_fs_base(struct slot *s, uint64_t value)
{
    if (value >= USER_END)
        return -EPERM;
    s->registers.fs_base = value;
    return 0;
}

static long control_guardian(struct slot *s, uint64_t value)
{
    s->guardian = (endpoint_t)value;
    return 0;
}

static long control_name(struct slot *s, uint64_t value)
{
    long error = copy_in(current, s->name, value, sizeof s->name);

    s->name[sizeof s->name - 1] = 0;
    return error;
}

static long control_fresh(struct slot *s, uint64_t value)
{
    (void)value;
    arch_slot_fresh(s);
    return 0;
}

static long control_fpu_get(struct slot *s, uint64_t value)
{
    return arch_fpu_get(s, current, value);
}

static long control_fpu_set(struct slot *s, uint64_t value)
{
    return s->state == SLOT_READY ? -EBUSY : arch_fpu_set(s, current, value);
}

long call_slot_control(struct slot *s, const uint64_t *a)
{
    static long (*const controls[])(struct slot *, uint64_t) = {
        [SLOT_CONTROL_STOP] = control_stop,         [SLOT_CONTROL_START] = control_start,
        [SLOT_CONTROL_PRIORITY] = control_priority, [SLOT_CONTROL_FS_BASE] = control_fs_base,
        [SLOT_CONTROL_GUARDIAN] = control_guardian, [SLOT_CONTROL_NAME] = control_name,
        [SLOT_CONTROL_FRESH] = control_fresh,       [SLOT_CONTROL_FPU_GET] = control_fpu_get,
        [SLOT_CONTROL_FPU_SET] = control_fpu_set,
    };
    struct slot *target = slot_named(s, a[0]);
    endpoint_t server;
    long result;

    if (!target)
        return -EDEADSRCDST;
    if (a[1] == SLOT_CONTROL_SEIZE) {
        result = ipc_seize(target, s, &server);
        s->registers.rdx = (uint64_t)(uint32_t)server;
        return result;
    }
    if (a[1] >= sizeof controls / sizeof *controls || !controls[a[1]] ||
        (target == s && a[1] == SLOT_CONTROL_STOP))
        return -EINVAL;
    return controls[a[1]](target, a[2]);
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
        .over_budget = target->over_budget,
        .pages = target->space->pages,
    };
    memcpy(status.name, target->name, sizeof status.name);
    return copy_out(s, a[1], &status, sizeof status);
}

long call_registers_get(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_find((endpoint_t)a[0]);

    if (!target)
        return -EDEADSRCDST;
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
    error = copy_in(s, &registers, a[1], sizeof registers);
    if (error)
        return error;
    arch_registers_sanitise(&registers);
    target->registers = registers;
    target->from_syscall = 0; /* all registers count from now on */
    return 0;
}
