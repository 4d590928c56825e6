/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens after a death (docs/policies.md). In this order: the incarnation is stopped, policy
 * decides, the fresh one is started; only then is anybody told, anything logged and the remains
 * buried. A restart waits for nothing but what policy says and, on the topmost rung of the ladder,
 * for pci.
 */
#include <stdio.h>

#include "servers/rs/rs.h"

#define DEVICE_PATIENCE SECOND /* for pci to do a device's work */
#define SHUTDOWN_PATIENCE (300 * MS) /* for each stage of the shutdown */
#define FETCH_PATIENCE (500 * MS) /* for the policy runner to fetch a script */
#define CHORES_LATER (5 * MS)

static const char *const defect_names[DEFECTS] = {
    [DEFECT_NONE] = "none",     [DEFECT_EXIT] = "exit",           [DEFECT_EXCEPTION] = "exception",
    [DEFECT_KILLED] = "killed", [DEFECT_HEARTBEAT] = "heartbeat", [DEFECT_COMPLAINT] = "complaint",
    [DEFECT_UPDATE] = "update", [DEFECT_BUDGET] = "budget",
};

static enum { RUNNING, STOPPING_SERVERS, STOPPING_DRIVERS } system_phase;
static enum power power_how;
static int power_status;
uint64_t boot_services_ready;

/* The log line about the last failure. Writing it costs more than a restart, so it comes when the
 * fresh one is at work. */
static void tell_log(struct service *s)
{
    if (!s->untold)
        return;
    s->untold = false;
    if (s->last_defect == DEFECT_EXCEPTION)
        log_info("%s: exception %u (error %llx) at %llx, address %llx", s->name, s->last_detail,
                 (unsigned long long)s->fault.error, (unsigned long long)s->fault.instruction,
                 (unsigned long long)s->fault.address);
    log_info("%s: %s %u%s (incarnation %u, pid %u)%s", s->name, defect_names[s->last_defect],
             s->last_detail, s->died_in_start ? " during its start" : "", s->dead_incarnation,
             s->dead_pid,
             s->state == RS_UP         ? "; replaced"
             : s->state == RS_STARTING ? "; a fresh copy starts"
                                       : "");
}

/* The incarnation runs no more; what is left of it is buried later. */
static void end_incarnation(struct service *s)
{
    spawn_bury(s); /* of the one before: it died before it was ready */
    if (!s->endpoint)
        return;
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0);
    s->remains = s->endpoint;
    service_bind(s, 0);
    s->info->self = 0;
}

enum { MEMORY_SHORT_PAGES = 512 }; /* it may be the reason then */

void core_lost(const char *name, const char *how)
{
    struct kernel_info info;
    char memory[80] = "";

    if (kernel_info(&info) == 0 && info.frames_free < MEMORY_SHORT_PAGES)
        snprintf(memory, sizeof memory, " (too little memory: %u kB of %u MB are free)",
                 (unsigned)(info.frames_free * 4), (unsigned)(info.frames_total >> 8));
    log_info("core server %s %s: the system cannot go on%s", name, how, memory);
    kernel_power(POWER_PANIC, 1);
}

static void core_died(const struct service *s, enum rs_defect defect, uint32_t detail)
{
    char where[64] = "", how[128];

    if (defect == DEFECT_EXCEPTION)
        snprintf(where, sizeof where, " at %llx, address %llx",
                 (unsigned long long)s->fault.instruction, (unsigned long long)s->fault.address);
    snprintf(how, sizeof how, "died (%s %u%s)", defect_names[defect], detail, where);
    core_lost(s->name, how);
}

static void climb(struct service *s, enum rs_defect defect)
{
    struct ladder_death death = {s->rung, defect, s->ready != 0, 0};

    if (s->ready)
        death.lived = clock_now() - s->ready;
    s->rung = ladder_next(&death);
}

/* Those that the manifest names, when s is back after a failure. Theirs are not restarted in turn:
 * so no circle can form. */
static void restart_dependents(const struct service *s)
{
    for (uint32_t i = 0; i < s->manifest->dependents.count; i++) {
        struct service *d = service_named(s->manifest->dependents.name[i]);

        if (d && d != s && service_runs(d) && !service_core(d)) {
            recover_failed(d, DEFECT_UPDATE, 0);
            d->as_dependent = true;
        }
    }
}

/* Ends a service that is not wanted; its device must reach no memory from here on. */
void recover_stop(struct service *s, enum rs_state state)
{
    end_incarnation(s);
    spawn_bury(s);
    spawn_unstock(s);
    timer_set(s, WAIT_NOTHING, 0);
    script_forget(s);
    s->state = state;
    s->record = NULL;
    if (s->device && s->device->enabled) {
        device_work(s->device, DEVICE_QUIESCE, 0, 0);
        s->device->enabled = false;
    }
    service_tell_dependents(s);
}

static void give_up(struct service *s, uint32_t failures)
{
    record_step(s, STEP_POLICY);
    recover_stop(s, RS_GIVEN_UP);
    tell_log(s);
    log_info(
        "%s: given up after %u failures in %u s (last: %s %u); 'service up %s' starts it again",
        s->name, failures, s->manifest->budget_window_s, defect_names[s->last_defect],
        s->last_detail, s->name);
}

/* ---- starting ---- */

static void start_failed(struct service *s, long error)
{
    struct policy_verdict v = policy_failure(&s->policy, clock_now());

    log_info("%s: cannot be started: error %ld", s->name, -error);
    if (v.give_up || service_core(s)) {
        give_up(s, v.failures);
        return;
    }
    s->state = RS_BACKOFF;
    timer_set(s, WAIT_BACKOFF, clock_now() + (v.delay > 100 * MS ? v.delay : 100 * MS));
}

static void start_now(struct service *s)
{
    bool has_msi = s->device && (s->device->found.has_msi || s->device->found.has_msix);
    long error;

    /* its names and its vector are for the fresh one */
    if (!s->queue || has_msi || s->manifest->on_request) {
        spawn_bury(s);
        service_tell_dependents(s);
    }
    s->as_dependent = false;
    record_step(s, STEP_STOPPED);
    error = spawn(s);
    if (error < 0) {
        start_failed(s, error);
        return;
    }
    record_step(s, STEP_SPAWNED);
}

void recover_start(struct service *s)
{
    struct device *d = s->device;

    if (d && d->enabled && s->rung == RUNG_BUS_RESET) {
        log_info("%s: resetting its device from outside", s->name);
        device_work(d, DEVICE_QUIESCE, 0, 0);
        d->enabled = false;
    }
    if (d && !d->enabled) {
        device_work(d, DEVICE_ENABLE, 0, 0);
        d->enabled = true;
    }
    if (d && device_busy(d)) {
        s->state = RS_BACKOFF;
        timer_set(s, WAIT_DEVICE, clock_now() + DEVICE_PATIENCE);
        return;
    }
    start_now(s);
}

void recover_device_ready(struct service *s)
{
    timer_set(s, WAIT_NOTHING, 0);
    start_now(s);
}

/* ---- after a failure ---- */

static void decide(struct service *s, const struct policy_verdict *v)
{
    if (v->give_up) {
        give_up(s, v->failures);
        return;
    }
    record_step(s, STEP_POLICY);
    if (v->delay == 0) {
        recover_start(s);
        return;
    }
    spawn_bury(s);
    s->state = RS_BACKOFF;
    timer_set(s, WAIT_BACKOFF, clock_now() + v->delay);
    service_tell_dependents(s);
    tell_log(s);
    log_info("%s: %u failures in %u s; restart in %llu ms", s->name, v->failures,
             s->manifest->budget_window_s, (unsigned long long)(v->delay / MS));
}

static struct policy_verdict
    verdict_of[SERVICES_MAX]; /* of a failure that a script decides about */

void recover_by_manifest(struct service *s)
{
    script_forget(s);
    timer_set(s, WAIT_NOTHING, 0);
    decide(s, &verdict_of[s - services]);
}

static void shutdown_step(void);

static void ended_as_wanted(struct service *s)
{
    end_incarnation(s);
    if (system_phase != RUNNING) {
        s->state = RS_DOWN;
        timer_set(s, WAIT_NOTHING, 0);
        shutdown_step();
        return;
    }
    recover_stop(s, RS_DOWN);
    service_tell_dependents(s);
    log_info("%s: down", s->name);
}

static void fail(struct service *s, enum rs_defect defect)
{
    struct policy_verdict *v = &verdict_of[s - services];

    if (defect == DEFECT_UPDATE) {
        record_step(s, STEP_POLICY);
        recover_start(s);
        return;
    }
    *v = policy_failure(&s->policy, clock_now());
    if (!s->manifest->restart) {
        record_step(s, STEP_POLICY);
        recover_stop(s, RS_DOWN);
        return;
    }
    if (s->manifest->policy[0] && script_ask(s, v->failures)) {
        spawn_bury(s);
        s->state = RS_SCRIPT_DECIDES;
        s->script_deadline = clock_now() + s->manifest->deadline_ms * MS;
        timer_set(s, WAIT_SCRIPT, clock_now() + FETCH_PATIENCE);
        service_tell_dependents(s);
        return;
    }
    decide(s, v);
}

void recover_chores(void)
{
    for (unsigned i = 0; i < service_count; i++) {
        tell_log(&services[i]);
        spawn_stock(&services[i]);
    }
}

void recover_failed(struct service *s, enum rs_defect defect, uint32_t detail)
{
    if (s->wanted_down || system_phase != RUNNING) {
        ended_as_wanted(s);
        return;
    }
    if (service_core(s)) {
        core_died(s, defect, detail);
        return;
    }
    record_begin(s, defect, detail);
    end_incarnation(s);
    tell_log(s); /* of the one before, when that came to nothing */
    s->untold = true;
    s->last_defect = defect;
    s->last_detail = detail;
    s->died_in_start = s->ready == 0;
    s->dead_incarnation = s->incarnation;
    s->dead_pid = s->pid;
    climb(s, defect);
    fail(s, defect);
    timer_chores(clock_now() + CHORES_LATER);
}

void recover_ready(struct service *s, enum rs_ready how)
{
    if (s->state != RS_STARTING)
        return;
    s->state = RS_UP;
    s->ready = clock_now();
    s->ready_how = how;
    if (s->incarnation == 1)
        boot_services_ready = s->ready;
    pulse_begin(&s->pulse, s->ready);
    record_ready(s, how);
    spawn_bury(s);
    if (s->incarnation > 1 || s->queue)
        service_tell_dependents(s);
    record_step(s, STEP_PUBLISHED);
    if (s->incarnation > 1 && !s->as_dependent)
        restart_dependents(s);
    if (s->id == SERVICE_PCI)
        device_forget_handed();
    timer_chores(clock_now() + CHORES_LATER);
}

/* Its time has come: see enum wait. */
void recover_wake(struct service *s)
{
    enum wait wait = s->wait;

    timer_set(s, WAIT_NOTHING, 0);
    if (system_phase != RUNNING && wait != WAIT_STOP)
        return;
    switch (wait) {
    case WAIT_BACKOFF:
        recover_start(s);
        break;
    case WAIT_RESTART:
        recover_failed(s, DEFECT_UPDATE, 0);
        break;
    case WAIT_DEVICE:
        log_info("%s: pci did not answer in time", s->name);
        start_now(s);
        break;
    case WAIT_STOP:
        ended_as_wanted(s);
        break;
    case WAIT_SCRIPT:
        if (script_fetched(s) && clock_now() < s->script_deadline) {
            timer_set(s, WAIT_SCRIPT, s->script_deadline);
            return;
        }
        log_info("%s: policy script %s %s; by manifest", s->name, s->manifest->policy,
                 script_fetched(s) ? "did not decide within its deadline" : "is run by nobody");
        recover_by_manifest(s);
        break;
    default:
        break;
    }
}

/* ---- the end of the system ---- */

/* Servers first, so that drivers can still bring out what those have; core servers are not told. */
static bool tell_stage(bool drivers)
{
    bool waiting = false;

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (!s->endpoint || s->id == SERVICE_RS || service_core(s) || service_drives(s) != drivers)
            continue;
        if (!s->wanted_down) {
            s->wanted_down = true;
            ipc_notify(s->endpoint, NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN));
            timer_set(s, WAIT_STOP, clock_now() + SHUTDOWN_PATIENCE);
        }
        waiting = true;
    }
    return waiting;
}

static void shutdown_step(void)
{
    if (system_phase == STOPPING_SERVERS) {
        if (tell_stage(false))
            return;
        system_phase = STOPPING_DRIVERS;
    }
    if (!tell_stage(true))
        kernel_power(power_how, power_status);
}

void recover_shutdown(enum power how, int status)
{
    if (system_phase != RUNNING)
        return;
    power_how = how;
    power_status = status;
    system_phase = STOPPING_SERVERS;
    log_info("the system goes down");
    shutdown_step();
}
