/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens after a death (docs/policies.md). In this order: the incarnation is stopped, policy
 * decides, the fresh one is started; only then is anybody told, anything logged and the remains
 * buried. A restart waits for nothing but what policy says and, on the topmost rung of the ladder,
 * for pci. What comes next is life.c's to say; here is how it is done.
 */
#include "lib/rt/error.h"
#include "servers/rs/rs.h"

#define STOP_PATIENCE (500 * MS) /* for a service to finish when told to */
/* Two restarts on request within that: the second counts as a failure. */
#define UPDATE_SOON SECOND

uint64_t boot_services_ready;

/* The incarnation runs no more; what is left of it is buried later. */
static void end_incarnation(struct service *s)
{
    spawn_bury(s); /* of the one before: it died before it was ready */
    if (!s->endpoint)
        return;
    s->died = clock_now();
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0);
    watch_end(s);
    s->remains = s->endpoint;
    succeed_forget(s);
    service_bind(s, 0);
    s->info->self = 0;
}

static long step(struct service *s, struct life_event *event);

static enum manifest_strategy strategy_of(const struct service *s)
{
    enum manifest_strategy strategy = manifest_strategy(s->manifest);

    if (strategy == STRATEGY_ONE &&
        ladder_reached(&s->manifest->ladder, s->life.place.at, LADDER_DEPENDENTS))
        return STRATEGY_ALL;
    return strategy;
}

/* Those who depend on s, now that it is back. Theirs are not restarted in turn: so no circle can
 * form. Nor is who was started when s was dead already: it knows nothing of the dead one. */
static void restart_dependents(const struct service *s)
{
    enum manifest_strategy strategy = strategy_of(s);

    for (struct service *d = services; strategy != STRATEGY_ONE && d < services + service_count;
         d++) {
        if (d == s || !service_runs(d) || service_essential(d) || d->started > s->died ||
            !manifest_restarts(s->name, s->manifest, strategy, d->name, d->manifest, d > s))
            continue;
        d->because = s;
        step(d, &(struct life_event){
                    .type = LIFE_ENDED, .defect = DEFECT_UPDATE, .as_dependent = true});
    }
}

/* Ends a service that is not wanted; its device must reach no memory from here on. */
static void stop(struct service *s, const struct life_event *e)
{
    (void)e;
    record_step(s, STEP_POLICY);
    end_incarnation(s);
    spawn_bury(s);
    corpse_complete(s);
    spawn_unstock(s);
    script_forget(s);
    s->record = NULL;
    if (s->device && s->device->enabled) {
        queue_device_stopped(s);
        device_work(s->device, DEVICE_QUIESCE, 0, 0);
        s->device->enabled = false;
    }
    service_tell_all();
}

static void stop_wanted(struct service *s, const struct life_event *e)
{
    stop(s, e);
    log_always("%s: down", s->name);
}

static void give_up(struct service *s, const struct life_event *e)
{
    stop(s, e);
    tell_death(s);
    tell_given_up(s, &e->verdict);
    end_begin(s, &e->verdict);
}

static void end_system(struct service *s, const struct life_event *e)
{
    (void)e;
    log_always("%s: nobody has ended the system in order: it goes down now", s->name);
    event_raise(&(struct event){.what = EVENT_POWER, .how = end_power(s)});
}

static void hold(struct service *s, const struct life_event *e)
{
    stop(s, e);
    tell_death(s);
    tell_held(s);
}

static void refuse(struct service *s, const struct life_event *e)
{
    stop(s, e);
    tell_refused(s);
}

/* Whatever its script says from now on comes too late. */
static void decided(struct service *s)
{
    script_forget(s);
    record_step(s, STEP_POLICY);
}

/* ---- starting ---- */

static void start(struct service *s, const struct life_event *e)
{
    struct device *d = s->device;

    (void)e;
    decided(s);
    if (d && d->enabled && s->life.place.rung == RUNG_BUS_RESET) {
        log_always("%s: resetting its device from outside", s->name);
        device_work(d, DEVICE_QUIESCE, 0, 0);
        d->enabled = false;
    }
    if (d && !d->enabled) {
        device_work(d, DEVICE_ENABLE, 0, 0);
        d->enabled = true;
    }
    step(s, &(struct life_event){.type = LIFE_STARTS, .busy = d && device_busy(d)});
}

static void spawn_fresh(struct service *s, const struct life_event *e)
{
    bool has_msi = s->device && (s->device->found.has_msi || s->device->found.has_msix);
    long error;

    if (e->type == LIFE_TIME)
        log_always("%s: pci did not answer in time", s->name);
    /* its names and its vector are for the fresh one */
    if (!s->queue || has_msi || s->manifest->on_request) {
        spawn_bury(s);
        service_tell_dependents(s);
    }
    record_step(s, STEP_STOPPED);
    error = queue_prepare(s); /* of one for which there was too little memory */
    if (error == 0)
        error = spawn(s);
    if (error == 0) {
        record_step(s, STEP_SPAWNED);
        return;
    }
    log_always("%s: cannot be started: %s", s->name, error_name(error));
    step(s, &(struct life_event){.type = LIFE_SPAWN_FAILED, .verdict = alternate_verdict(s)});
}

static void integrate(struct service *s, const struct life_event *e)
{
    (void)e;
    watch_ready(s);
    record_ready(s, s->ready_how);
    spawn_bury(s);
    if (s->incarnation > 1 || s->queue)
        service_tell_dependents(s);
    record_step(s, STEP_PUBLISHED);
    if (s->incarnation > 1 && !s->life.as_dependent)
        restart_dependents(s);
    if (s->id == SERVICE_PCI)
        device_forget_handed();
    corpse_complete(s);
    chores_later();
}

/* ---- after a failure ---- */

/* Nobody is there for a while. */
static void go_quiet(struct service *s)
{
    spawn_bury(s);
    if (s->device)
        device_mute(s->device);
}

static void back_off(struct service *s, const struct life_event *e)
{
    record_step(s, STEP_POLICY);
    go_quiet(s);
    service_tell_dependents(s);
    corpse_complete(s);
    tell_death(s);
    tell_backoff(s, &e->verdict);
}

/* What users and dependencies ask for is no failure, and counts against nothing. But restarts on
 * request that follow one another at once do: a script that runs wild, say. */
static bool counts(const struct service *s, enum rs_defect defect)
{
    if (defect == DEFECT_KILLED || s->life.as_dependent || s->poison.is_one ||
        (defect == DEFECT_UPDATE && s->update.is_due))
        return false;
    return defect != DEFECT_UPDATE || s->ready == 0 || clock_now() - s->ready < UPDATE_SOON;
}

static void postpone(struct service *s, const struct life_event *e)
{
    (void)e;
    decided(s);
}

/* What users kill is none of the manifest's. */
static bool holds(const struct service *s)
{
    return s->holds || (s->manifest->hold && s->last_defect != DEFECT_KILLED);
}

static void decide(struct service *s)
{
    step(s, &(struct life_event){.type = LIFE_DECIDED,
                                 .defect = s->last_defect,
                                 .verdict = s->verdict,
                                 .holds = holds(s)});
}

static bool has_script(const struct service *s)
{
    return s->manifest->restart && s->manifest->policy[0] &&
           ladder_asks_script(&s->manifest->ladder, s->life.place.at);
}

static void count_failure(struct service *s)
{
    enum rs_defect defect = s->last_defect;
    uint32_t deaths = policy_failure(&s->deaths, clock_now()).failures;

    s->verdict = (struct policy_verdict){0};
    if (counts(s, defect))
        s->verdict = alternate_verdict(s);
    else if (s->poison.is_one)
        s->verdict = poison_verdict(&s->poison, deaths);
    if (defect != DEFECT_UPDATE && has_script(s) && !holds(s) && script_ask(s, deaths))
        step(s, &(struct life_event){.type = LIFE_SCRIPT_ASKED});
    else
        decide(s);
}

static bool is_own_fault(enum rs_defect defect)
{
    return defect == DEFECT_EXIT || defect == DEFECT_EXCEPTION || defect == DEFECT_HEARTBEAT;
}

/* A bit of its program may have flipped, which all its copies share. Looked at is all of it when it dies again and
 * again, else where it has died. */
static void mend_program(struct service *s, const struct life_event *e, bool is_again)
{
    bool is_mended = false;

    if (is_own_fault(e->defect) && (is_again || e->defect == DEFECT_EXCEPTION))
        is_mended = image_mend(s->image, is_again ? 0 : s->fault.instruction);
    if (is_mended)
        spawn_unstock(s); /* made of what was damaged */
}

static void replace(struct service *s, const struct life_event *e)
{
    record_begin(s, e->defect, e->detail);
    end_incarnation(s);
    tell_death(s); /* of the one before, when that came to nothing */
    s->untold = true;
    s->last_defect = e->defect;
    s->last_detail = e->detail;
    s->died_in_start = s->ready == 0;
    s->dead_incarnation = s->incarnation;
    s->dead_pid = s->pid;
    corpse_note(s);
    mend_program(s, e, s->died_in_start || clock_now() - s->ready < SECOND);
    update_goes_back(s, e->defect, e->detail);
    count_failure(s);
    s->update.is_due = false;
    s->death.is_uncaught = true;
    chores_soon();
}

static void restart(struct service *s, const struct life_event *e)
{
    (void)e;
    recover_failed(s, DEFECT_UPDATE, 0);
}

static void succeed_later(struct service *s, uint64_t later)
{
    if (later == SUCCEED_NEVER && service_essential(s))
        tell_essential_death(s, s->last_defect, s->last_detail);
    else if (later == SUCCEED_NEVER)
        recover_failed(s, DEFECT_EXIT, RS_EXIT_HOPELESS);
    else if (later != 0)
        step(s, &(struct life_event){.type = LIFE_CALLING, .delay = later});
}

static void go_on(struct service *s, const struct life_event *e)
{
    if (service_is_self(s))
        self_die();
    else {
        mend_program(s, e, s->deaths_in_a_row > 0);
        update_goes_back(s, e->defect, e->detail);
        succeed_later(s, succeed(s, e->defect, e->detail));
    }
    s->death.is_uncaught = true;
    chores_soon();
}

static void look_at_call(struct service *s, const struct life_event *e)
{
    (void)e;
    succeed_later(s, succeed_look(s));
}

static void await_script(struct service *s, const struct life_event *e)
{
    (void)e;
    go_quiet(s);
    corpse_complete(s);
    s->script_deadline = clock_now() + s->manifest->deadline_ms * MS;
    service_tell_dependents(s);
}

static void by_manifest(struct service *s, const struct life_event *e)
{
    if (e->type == LIFE_TIME)
        log_always("%s: policy script %s %s; by manifest", s->name, s->manifest->policy,
                   script_fetched(s) ? "did not decide within its deadline" : "is run by nobody");
    script_forget(s);
    decide(s);
}

static void tell_to_stop(struct service *s, const struct life_event *e)
{
    (void)e;
    ipc_notify(s->endpoint, NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN));
}

static void stop_system(struct service *s, const struct life_event *e)
{
    tell_essential_death(s, e->defect, e->detail);
}

static void stop_last(struct service *s, const struct life_event *e)
{
    (void)e;
    end_incarnation(s);
    event_raise(&(struct event){.what = EVENT_STAGE});
}

static void nothing(struct service *s, const struct life_event *e)
{
    (void)s;
    (void)e;
}

/* ---- what has happened ---- */

/* What it has died of by itself is undone, and what it was doing is done again. All else is no use to
 * repeat with the same memory, and is not wanted where somebody wants it to end. */
static bool goes_on(const struct service *s, const struct life_event *e)
{
    if (!service_keeps_memory(s) || (e->defect == DEFECT_EXIT && e->detail == RS_EXIT_HOPELESS))
        return false;
    if (service_essential(s))
        return true;
    if (e->defect != DEFECT_EXIT && e->defect != DEFECT_EXCEPTION && e->defect != DEFECT_KILLED &&
        e->defect != DEFECT_HEARTBEAT)
        return false;
    return !s->life.wanted_down && !shutdown_has_begun() && !s->holds &&
           (!s->manifest->hold || e->defect == DEFECT_KILLED);
}

/* All that life_next() may look at beside the life itself is put in the event: the same two always
 * give the same effect. The timer is set ahead of the effect, which may take a step of its own,
 * with another patience. */
static long step(struct service *s, struct life_event *e)
{
    static void (*const effects[LIFE_EFFECTS])(struct service *, const struct life_event *) = {
        [LIFE_DO_NOTHING] = nothing,           [LIFE_DO_START] = start,
        [LIFE_DO_SPAWN] = spawn_fresh,         [LIFE_DO_INTEGRATE] = integrate,
        [LIFE_DO_REPLACE] = replace,           [LIFE_DO_RESTART] = restart,
        [LIFE_DO_POSTPONE] = postpone,         [LIFE_DO_BACK_OFF] = back_off,
        [LIFE_DO_AWAIT_SCRIPT] = await_script, [LIFE_DO_BY_MANIFEST] = by_manifest,
        [LIFE_DO_TELL] = tell_to_stop,         [LIFE_DO_STOP] = stop,
        [LIFE_DO_STOP_WANTED] = stop_wanted,   [LIFE_DO_STOP_LAST] = stop_last,
        [LIFE_DO_GIVE_UP] = give_up,           [LIFE_DO_REFUSE] = refuse,
        [LIFE_DO_PANIC] = stop_system,         [LIFE_DO_SUCCEED] = go_on,
        [LIFE_DO_LOOK] = look_at_call,         [LIFE_DO_HOLD] = hold,
        [LIFE_DO_POWER] = end_system,          [LIFE_DO_END_LATE] = end_is_late,
    };
    long effect;

    e->is_essential = service_essential(s);
    e->keeps_memory = goes_on(s, e);
    e->restarts = s->manifest && s->manifest->restart;
    e->going_down = shutdown_has_begun();
    e->ladder = s->manifest ? &s->manifest->ladder : NULL;
    e->at_end = end_of(s);
    effect = life_next(&s->life, e);
    if (effect < 0)
        return effect;
    if (s->life.patience != LIFE_UNCHANGED)
        timer_set(s, s->life.patience ? clock_now() + s->life.patience : 0);
    effects[effect](s, e);
    return 0;
}

void recover_failed(struct service *s, enum rs_defect defect, uint32_t detail)
{
    struct life_event e = {.type = LIFE_ENDED,
                           .defect = defect,
                           .detail = detail,
                           .reached_ready = s->ready != 0,
                           .lived = s->ready ? clock_now() - s->ready : 0};

    /* its state is not a device's: ext4 would have to forget what is not on the disk yet */
    e.was_silent = s->manifest && s->manifest->class == CLASS_FS && detail == COMPLAINT_DEADLINE;
    e.in_request = poison_look(s, is_own_fault(defect));
    e.refuses = defect == DEFECT_EXIT && detail == RS_EXIT_REFUSED && service_drives(s);
    if (e.refuses && !s->life.has_been_ready && !s->life.wanted_down && !shutdown_has_begun() &&
        alternate_try(s, "it says that it cannot drive its device"))
        e.refuses = false;
    step(s, &e);
}

void recover_ready(struct service *s, enum rs_ready how)
{
    if (s->life.state != RS_STARTING)
        return;
    s->ready = clock_now();
    s->ready_how = how;
    if (s->device && how == RS_READY_RESET)
        queue_device_reset(s);
    if (s->incarnation == 1)
        boot_services_ready = s->ready;
    step(s, &(struct life_event){.type = LIFE_READY});
}

long recover_asked(struct service *s, enum life_event_type what, bool resets, uint64_t delay)
{
    struct life_event e = {.type = what, .resets = resets, .delay = delay};

    e.rung = s->device ? RUNG_RESET : RUNG_ADOPT;
    if (what == LIFE_ASKED_DOWN && delay == 0)
        e.delay = STOP_PATIENCE;
    return step(s, &e);
}

void recover_happened(const struct event *event)
{
    struct service *s = event->service;
    struct life_event e = {.type = event->type};
    uint64_t now = clock_now();

    switch (event->type) {
    case LIFE_ENDED:
        if (event->endpoint == s->endpoint) /* not one that is gone already */
            recover_failed(s, event->defect, event->detail);
        return;
    case LIFE_TIME:
        if (event->wait != s->life.wait) /* what it waited for has come */
            return;
        if (script_fetched(s) && now < s->script_deadline)
            e.script_left = s->script_deadline - now;
        break;
    default:
        break;
    }
    step(s, &e);
}
