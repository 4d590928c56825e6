/* SPDX-License-Identifier: BSD-2-Clause */
/* What users and other services ask of RS: lists, control, kills, complaints. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/rt/pack.h"
#include "servers/rs/rs.h"

#define STOP_PATIENCE (500 * MS) /* for a service to finish when told to */
#define DELAY_MAX_MS 86400000u

static uint64_t marked; /* clock at the first RS_MARK */

static struct service *named_in(const struct message *m)
{
    char name[SERVICE_NAME_MAX];

    unpack_text(name, m->w, sizeof name);
    return service_named(name);
}

long request_lookup(struct message *m, struct service *caller)
{
    const struct service *s = named_in(m);

    (void)caller;
    return !s ? -ESRCH : s->endpoint && s->state != RS_BROKEN ? s->endpoint : -EAGAIN;
}

long request_who(struct message *m, struct service *caller)
{
    const struct service *s = service_at((endpoint_t)m->w[0]);

    (void)caller;
    if (!s)
        return -ESRCH;
    pack_text(m->w, s->name, SERVICE_NAME_MAX);
    m->w[2] = s->manifest ? s->manifest->memory : 0;
    m->w[3] = s->pid;
    m->w[4] = s->id;
    return 0;
}

static struct rs_service describe(const struct service *s)
{
    struct rs_service out = {0};
    struct slot_status status = {0};

    if (s->endpoint)
        slot_status(s->endpoint, &status);
    memcpy(out.name, s->name, sizeof out.name);
    out.pid = s->endpoint ? s->pid : 0;
    out.state = s->state;
    out.service_id = s->id;
    out.restarts = s->restarts;
    out.endpoint = s->endpoint;
    out.last_defect = s->last_defect;
    out.last_detail = s->last_detail;
    out.core = service_core(s);
    out.started_ns = s->started;
    out.recovery_mean_ns = s->recoveries ? s->recovery_total / s->recoveries : 0;
    out.recovery_max_ns = s->recovery_max;
    out.cpu_ns = status.cpu_ns;
    out.memory_bytes = status.pages * PAGE_SIZE;
    out.incarnation = s->incarnation;
    if (s->manifest) {
        out.start_order = s->manifest->start;
        snprintf(out.class_name, sizeof out.class_name, "%s",
                 manifest_class_name(s->manifest->class));
        memcpy(out.description, s->manifest->description, sizeof out.description);
    }
    return out;
}

long request_list(struct message *m, struct service *caller)
{
    uint64_t first = m->w[0], room = m->w[2] ? m->w[2] : 1, n;

    (void)caller;
    if (first >= service_count)
        return -ENOENT;
    for (n = 0; n < room && first + n < service_count; n++) {
        struct rs_service out = describe(&services[first + n]);
        long error = grant_to(message_caller(m), m->w[1], n * sizeof out, &out, sizeof out);

        if (error)
            return error;
    }
    return (long)n;
}

/* ---- control ---- */

static long control_up(struct service *s, const struct message *m)
{
    (void)m;
    if (service_runs(s))
        return -EALREADY;
    queue_prepare(s); /* of one that is not started at boot */
    if (s->manifest->queue_size && !s->queue)
        return -ENOMEM;
    policy_forgive(&s->policy);
    script_forget(s);
    if (s->state == RS_GIVEN_UP || s->state == RS_DOWN)
        s->rung =
            s->device ? RUNG_RESET : RUNG_ADOPT; /* nobody has looked after its device meanwhile */
    record_step(s, STEP_POLICY);
    recover_start(s);
    return 0;
}

static long control_down(struct service *s, const struct message *m)
{
    (void)m;
    if (s->wanted_down || s->state == RS_DOWN)
        return -EALREADY;
    if (!service_runs(s)) {
        recover_stop(s, RS_DOWN);
        return 0;
    }
    s->wanted_down = true;
    ipc_notify(s->endpoint, NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN));
    timer_set(s, WAIT_STOP, clock_now() + STOP_PATIENCE);
    return 0;
}

static long control_restart(struct service *s, const struct message *m)
{
    uint64_t delay = m->w[4];
    enum rs_defect defect = m->w[3] == DEFECT_COMPLAINT ? DEFECT_COMPLAINT : DEFECT_UPDATE;

    if (delay > DELAY_MAX_MS)
        return -EINVAL;
    if (!service_runs(s) && delay == 0) {
        if (s->state == RS_SCRIPT_DECIDES ||
            s->state == RS_BACKOFF) { /* a script has decided: no clean slate */
            script_forget(s);
            record_step(s, STEP_POLICY);
            recover_start(s);
            return 0;
        }
        return control_up(s, m);
    }
    if (delay == 0) {
        recover_failed(s, defect, 0);
        return 0;
    }
    if (service_runs(s)) { /* it works until then */
        timer_set(s, WAIT_RESTART, clock_now() + delay * MS);
        return 0;
    }
    script_forget(s);
    record_step(s, STEP_POLICY);
    s->state = RS_BACKOFF;
    timer_set(s, WAIT_BACKOFF, clock_now() + delay * MS);
    return 0;
}

static long control_kill(struct service *s, const struct message *m)
{
    (void)m;
    if (!service_runs(s))
        return -EALREADY;
    recover_failed(s, DEFECT_KILLED, SIGKILL);
    return 0;
}

long request_control(struct message *m, struct service *caller)
{
    static long (*const controls[])(struct service *, const struct message *) = {
        [RS_CONTROL_UP] = control_up,
        [RS_CONTROL_DOWN] = control_down,
        [RS_CONTROL_RESTART] = control_restart,
        [RS_CONTROL_KILL] = control_kill,
    };
    struct service *s = named_in(m);

    if (!service_speaks_for_users(caller) &&
        !(s && instance_may_control(s, caller, (enum rs_control)m->w[2])))
        return -EPERM;
    if (!s)
        return -ESRCH;
    if (m->w[2] >= sizeof controls / sizeof *controls)
        return -EINVAL;
    if (!s->manifest || !s->image || s->state == RS_BROKEN)
        return s->id == SERVICE_RS ? -EPERM : -ENOEXEC;
    if (service_core(s))
        return -EPERM;
    if (service_waits_for_device(s))
        return -ENODEV;
    return controls[m->w[2]](s, m);
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
    if (caller->id != SERVICE_PM)
        return -EPERM;
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (s->pid != m->w[0] || !s->endpoint)
            continue;
        if (harmless(m->w[1]))
            return 0;
        if (s->id == SERVICE_RS)
            core_lost(s->name, "was killed");
        recover_failed(s, DEFECT_KILLED, (uint32_t)m->w[1]);
        return 0;
    }
    return -ESRCH;
}

long request_complain(struct message *m, struct service *caller)
{
    struct service *s = named_in(m);

    if (!s || !s->manifest)
        return -ESRCH;
    if (s->endpoint != (endpoint_t)m->w[3] || !service_runs(s))
        return 0; /* about an incarnation of the past */
    if (!caller->manifest || service_core(s) || s == caller || service_drives(caller))
        return -EPERM;
    log_info("%s complains of %s (%llu)", caller->name, s->name, (unsigned long long)m->w[2]);
    recover_failed(s, DEFECT_COMPLAINT, (uint32_t)m->w[2]);
    return 0;
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
    (void)caller;
    m->w[0] = marked;
    m->w[1] = boot_services_ready;
    return 0;
}
