/* SPDX-License-Identifier: BSD-2-Clause */
/* What users and other services ask of RS: lists, control, kills. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/rt/pack.h"
#include "servers/rs/requests.h"

static uint64_t marked; /* clock at the first RS_MARK */

static struct service *named_in(const struct message *m)
{
    const struct rs_name_request *r = message_words(m);
    char name[SERVICE_NAME_MAX];

    unpack_text(name, r->name, sizeof name);
    return service_named(name);
}

long request_lookup(struct message *m, struct service *caller)
{
    const struct service *s = named_in(m);

    (void)caller;
    if (!s)
        return -ESRCH;
    if (s->endpoint && s->life.state != RS_BROKEN)
        return s->endpoint;
    return s->life.state == RS_GIVEN_UP || s->life.state == RS_DOWN || s->life.state == RS_BROKEN ||
                   s->life.state == RS_REFUSED || s->life.state == RS_HELD
               ? -ENXIO
               : -EAGAIN;
}

long request_who(struct message *m, struct service *caller)
{
    const struct rs_endpoint_request *r = message_words(m);
    struct rs_who_reply *reply = message_words(m);
    const struct service *s = service_at((endpoint_t)r->endpoint);

    (void)caller;
    if (!s)
        return -ESRCH;
    pack_text(reply->name, s->name, SERVICE_NAME_MAX);
    reply->memory = s->manifest ? s->manifest->memory : 0;
    reply->pid = s->pid;
    reply->service_id = s->id;
    return 0;
}

/* Entries in use of its grant table; nobody else can say that of all. */
static uint32_t grants_used(const struct slot_status *status)
{
    struct grant table[GRANT_MAX];
    uint32_t used = 0;

    if (!status->grant_count ||
        copy_from(status->endpoint, status->grants, table, status->grant_count * sizeof *table) < 0)
        return 0;
    for (uint64_t i = 0; i < status->grant_count; i++)
        used += table[i].to != 0;
    return used;
}

static struct rs_service describe(const struct service *s)
{
    struct rs_service out = {0};
    struct slot_status status = {0};

    if (s->endpoint)
        slot_status(s->endpoint, &status);
    memcpy(out.name, s->name, sizeof out.name);
    out.pid = s->endpoint ? s->pid : 0;
    out.state = s->life.state;
    out.service_id = s->id;
    out.restarts = s->restarts;
    out.endpoint = s->endpoint;
    out.last_defect = s->last_defect;
    out.last_detail = s->last_detail;
    out.essential = service_essential(s);
    out.started_ns = s->started;
    out.recovery_mean_ns = s->recoveries ? s->recovery_total / s->recoveries : 0;
    out.recovery_max_ns = s->recovery_max;
    out.cpu_ns = status.cpu_ns;
    out.memory_bytes = status.pages * PAGE_SIZE;
    out.incarnation = s->incarnation;
    out.grants_used = grants_used(&status);
    out.failures = s->policy.room ? policy_failures(&s->policy, clock_now()) : 0;
    out.rung = s->life.place.rung;
    out.place = s->life.place.at;
    out.slow = s->is_slow && s->life.state == RS_UP;
    out.mirror_pages = s->mirror_pages;
    out.messages = status.receives;
    if (s->manifest) {
        out.start_order = s->manifest->start;
        snprintf(out.class_name, sizeof out.class_name, "%s",
                 manifest_class_name(s->manifest->class));
        memcpy(out.description, s->manifest->description, sizeof out.description);
        memcpy(out.program, alternate_program(s), sizeof out.program);
    }
    return out;
}

long request_list(struct message *m, struct service *caller)
{
    const struct rs_list_request *r = message_words(m);
    uint64_t first = r->first, room = r->count ? r->count : 1, n;

    (void)caller;
    if (first >= service_count)
        return -ENOENT;
    for (n = 0; n < room && first + n < service_count; n++) {
        struct rs_service out = describe(&services[first + n]);
        long error = grant_to(message_caller(m), r->grant, n * sizeof out, &out, sizeof out);

        if (error)
            return error;
    }
    return (long)n;
}

/* ---- control ---- */

/* A fresh start, with a clean slate. */
static long start_over(struct service *s, enum life_event_type what, uint64_t delay)
{
    queue_prepare(s); /* of one that is not started at boot */
    if (s->manifest->queue_size && !s->queue)
        return -ENOMEM;
    policy_forgive(&s->policy);
    policy_forgive(&s->deaths);
    s->futile = (struct futile){0};
    alternate_forget(s);
    s->holds = false;
    return recover_asked(s, what, false, delay);
}

static long control_up(struct service *s, const struct message *m)
{
    bool was_to_be_held = s->holds;

    (void)m;
    s->holds = false;
    if (service_runs(s))
        return was_to_be_held ? 0 : -EALREADY;
    return start_over(s, LIFE_ASKED_UP, 0);
}

static long control_down(struct service *s, const struct message *m)
{
    (void)m;
    return recover_asked(s, LIFE_ASKED_DOWN, false, 0);
}

static long control_restart(struct service *s, const struct message *m)
{
    const struct rs_control_request *r = message_words(m);
    uint64_t delay = r->argument;

    if (delay > RS_DELAY_MAX_MS || r->resets > 1)
        return -EINVAL;
    if (s->life.state == RS_DOWN || s->life.state == RS_HELD)
        return start_over(s, LIFE_ASKED_RESTART, delay * MS);
    s->holds = false;
    return recover_asked(s, LIFE_ASKED_RESTART, r->resets == 1, delay * MS);
}

static long control_kill(struct service *s, const struct message *m)
{
    (void)m;
    if (!service_runs(s))
        return -EALREADY;
    recover_failed(s, DEFECT_KILLED, SIGKILL);
    return 0;
}

static long control_hold(struct service *s, const struct message *m)
{
    (void)m;
    if (service_essential(s))
        return -EPERM;
    if (!service_runs(s))
        return recover_asked(s, LIFE_ASKED_HOLD, false, 0);
    if (s->holds)
        return -EALREADY;
    s->holds = true;
    return 0;
}

static long control_update(struct service *s, const struct message *m)
{
    const struct rs_control_request *r = message_words(m);
    long result = update_begin(s, r->argument);

    if (result < 0)
        return result;
    return result ? 0 : recover_asked(s, LIFE_ASKED_RESTART, false, 0);
}

static long control_updated(struct service *s, const struct message *m)
{
    (void)m;
    return update_state(s);
}

/* The room that logs have taken lately is given back, too (of all services). */
static long control_forget(struct service *s, const struct message *m)
{
    (void)m;
    timer_chores(clock_now());
    return corpses_forget(s);
}

long request_control(struct message *m, struct service *caller)
{
    const struct rs_control_request *r = message_words(m);
    static long (*const controls[])(struct service *, const struct message *) = {
        [RS_CONTROL_UP] = control_up,           [RS_CONTROL_DOWN] = control_down,
        [RS_CONTROL_RESTART] = control_restart, [RS_CONTROL_KILL] = control_kill,
        [RS_CONTROL_STORM] = control_storm,     [RS_CONTROL_FUSE] = control_fuse,
        [RS_CONTROL_HOLD] = control_hold,       [RS_CONTROL_FORGET] = control_forget,
        [RS_CONTROL_UPDATE] = control_update,   [RS_CONTROL_UPDATED] = control_updated,
    };
    struct service *s = named_in(m);

    if (!service_takes_orders(caller) &&
        !(s && instance_may_control(s, caller, (enum rs_control)r->control)))
        return -EPERM;
    if (!s)
        return -ESRCH;
    if (r->control >= sizeof controls / sizeof *controls)
        return -EINVAL;
    if (!s->manifest || !s->image || s->life.state == RS_BROKEN)
        return s->id == SERVICE_RS ? -EPERM : -ENOEXEC;
    if (service_essential(s) && r->control < RS_CONTROL_KILL)
        return -EPERM;
    if (service_waits_for_device(s))
        return -ENODEV;
    return controls[r->control](s, m);
}

/* Signals whose default is to do nothing, or to stop and go on: services take no notice. */
static bool harmless(uint64_t signal)
{
    return signal == 0 || signal == SIGCHLD || signal == SIGCONT || signal == SIGURG ||
           signal == SIGWINCH || signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
           signal == SIGTTOU;
}

long request_kill(struct message *m, struct service *caller)
{
    const struct rs_kill_request *r = message_words(m);

    if (caller->id != SERVICE_PM)
        return -EPERM;
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (s->pid != r->pid || !s->endpoint)
            continue;
        if (harmless(r->signal))
            return 0;
        recover_failed(s, DEFECT_KILLED, (uint32_t)r->signal);
        return 0;
    }
    return -ESRCH;
}

/* ---- boot time ---- */

long request_mark(struct message *m, struct service *caller)
{
    (void)m;
    if (!service_speaks_for_users(caller))
        return -EPERM;
    if (marked == 0)
        marked = clock_now();
    return 0;
}

long request_core(struct message *m, struct service *caller)
{
    struct rs_core_reply *reply = message_words(m);

    (void)caller;
    reply->marked = marked;
    reply->ready = boot_services_ready;
    return 0;
}

/* What grows and grows is ill. Those of files hold as much as fits, and those that keep their memory get
 * by with what they have. */
long request_over_memory(struct message *m, struct service *caller)
{
    const struct rs_endpoint_request *r = message_words(m);
    struct service *s = service_at((endpoint_t)r->endpoint);

    if (caller->id != SERVICE_VM)
        return -EPERM;
    if (s && !service_keeps_memory(s) && s->manifest->class != CLASS_FS)
        event_raise_failed(s, DEFECT_BUDGET, BUDGET_MEMORY);
    return 0;
}
