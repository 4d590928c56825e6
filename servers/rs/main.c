/* SPDX-License-Identifier: BSD-2-Clause */
/* RS: boot is the first incarnation of every service; then a loop that answers and recovers. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/rt/error.h"
#include "lib/undo/undo.h"
#include "servers/rs/history.h"
#include "servers/rs/requests.h"

#define VECTOR_PAGE_FAULT 14
#define ROOM_FOR SECOND /* of more room for a log: others of its kind may follow */

static const char *const needed[] = {"ds", "vm", "pm", "vfs", "ram"};

/* ---- messages ---- */

static long request_ready(struct message *m, struct service *caller)
{
    const struct rs_ready_request *r = message_words(m);

    /* The answer first: what follows takes its time, and it has work to do. */
    ipc_reply_result(message_caller(m), 0);
    if (r->how == RS_READY_ROLLED_BACK) {
        succeeded(caller, clock_now());
        return -EINPROGRESS;
    }
    recover_ready(caller, r->how <= RS_READY_RESET ? (enum rs_ready)r->how : RS_READY_FRESH);
    history_take(clock_now()); /* at the boot there is much of others */
    return -EINPROGRESS;
}

static long request_shutdown(struct message *m, struct service *caller)
{
    const struct rs_shutdown_request *r = message_words(m);

    if (caller->id != SERVICE_PM)
        return -EPERM;
    if (r->power > POWER_PANIC)
        return -EINVAL;
    ipc_reply_result(message_caller(m), 0); /* those who finish may need it yet */
    shutdown_begin((enum power)r->power, (int)r->status);
    return -EINPROGRESS;
}

/* Results go to the caller, but -EINPROGRESS: it has been answered, or is not to be. */
static long (*const requests[])(struct message *m, struct service *caller) = {
    [RS_READY - PROTOCOL_RS] = request_ready,
    [RS_LOOKUP - PROTOCOL_RS] = request_lookup,
    [RS_WHO - PROTOCOL_RS] = request_who,
    [RS_LIST - PROTOCOL_RS] = request_list,
    [RS_RECOVERIES - PROTOCOL_RS] = request_recoveries,
    [RS_CONTROL - PROTOCOL_RS] = request_control,
    [RS_KILL - PROTOCOL_RS] = request_kill,
    [RS_COMPLAIN - PROTOCOL_RS] = request_complain,
    [RS_QUEUE - PROTOCOL_RS] = request_queue,
    [RS_DEVICE_FOUND - PROTOCOL_RS] = request_device_found,
    [RS_DEVICE_WORK - PROTOCOL_RS] = request_device_work,
    [RS_DEVICE_DONE - PROTOCOL_RS] = request_device_done,
    [RS_SCRIPT - PROTOCOL_RS] = request_script,
    [RS_SCRIPT_DONE - PROTOCOL_RS] = request_script_done,
    [RS_SHUTDOWN - PROTOCOL_RS] = request_shutdown,
    [RS_CORE - PROTOCOL_RS] = request_core,
    [RS_MARK - PROTOCOL_RS] = request_mark,
    [RS_INSTANCE - PROTOCOL_RS] = request_instance,
    [RS_MAY_PUBLISH - PROTOCOL_RS] = request_may_publish,
    [RS_FIRMWARE - PROTOCOL_RS] = request_firmware,
    [RS_IOMMU - PROTOCOL_RS] = request_iommu,
    [RS_DEVICE_MEMORY - PROTOCOL_RS] = request_device_memory,
    [RS_DEVICE_FAULT - PROTOCOL_RS] = request_device_fault,
    [RS_SET_REALTIME - PROTOCOL_RS] = request_set_realtime,
    [RS_DEVICES - PROTOCOL_RS] = request_devices,
    [RS_CORPSE - PROTOCOL_RS] = request_corpse,
    [RS_CORPSE_AREA - PROTOCOL_RS] = request_corpse_area,
    [RS_CORPSE_MEMORY - PROTOCOL_RS] = request_corpse_memory,
    [RS_IOMMU_STATUS - PROTOCOL_RS] = request_iommu_status,
    [RS_OVER_MEMORY - PROTOCOL_RS] = request_over_memory,
    [RS_PROGRAM - PROTOCOL_RS] = request_program,
};

static void request(struct message *m, struct service *caller)
{
    endpoint_t from = message_caller(m);
    uint64_t n = m->type - PROTOCOL_RS;
    long result = -ENOSYS;

    if (n < sizeof requests / sizeof *requests)
        result = caller ? requests[n](m, caller) : -EPERM;
    if (result != -EINPROGRESS)
        ipc_reply(from, m, result);
}

/* RS is every service's guardian: their faults and exits are messages like others, so no death has
 * to be looked for. A fault where undo has come to the end of its room is none: the page is given,
 * and the instruction repeated. What is no service is a process made ahead, for one. */
static void handle(struct message *m)
{
    struct service *s = service_at(message_caller(m));

    switch (m->type) {
    case MESSAGE_NOTIFY:
        if (m->w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM))
            timer_expired();
        break;
    case MESSAGE_EXCEPTION:
        if (s && m->w[0] == VECTOR_PAGE_FAULT && succeed_wants_room(s, m->w[2]) &&
            succeed_make_room(s, m->w[2])) {
            ipc_reply_result(message_caller(m), 0);
            timer_chores(clock_now() + ROOM_FOR);
        } else if (s) {
            s->fault.error = m->w[1];
            s->fault.address = m->w[2];
            s->fault.instruction = m->w[3];
            recover_failed(s, DEFECT_EXCEPTION, (uint32_t)m->w[0]);
        } else
            spawn_stock_died(message_caller(m), "died of an exception");
        break;
    case SYS_exit:
    case SYS_exit_group:
        if (s)
            recover_failed(s, DEFECT_EXIT, (uint32_t)m->w[0] & 0xff);
        else
            spawn_stock_died(message_caller(m), "has ended");
        break;
    default:
        request(m, s);
    }
}

/* ---- events ---- */

static void happened(const struct event *event)
{
    switch (event->what) {
    case EVENT_LIFE:
        recover_happened(event);
        break;
    case EVENT_CHORES:
        chores_do();
        break;
    case EVENT_LOOK:
        watch_look(event->now, event->every);
        spawn_look();
        updates_look(event->now);
        corpses_look();
        undo_alive();
        break;
    case EVENT_HISTORY:
        history_take(event->now);
        break;
    case EVENT_STRIKE:
        storm_strike(event->service);
        break;
    case EVENT_POWER:
        shutdown_begin(event->how, 0);
        break;
    case EVENT_STAGE:
        shutdown_step();
        break;
    }
}

static void handle_events(void)
{
    struct event event;

    while (event_take(&event))
        happened(&event);
}

/* ---- boot ---- */

static void prepare_all(void)
{
    manifests_read();
    authority_check();
    services_number();
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].id != SERVICE_RS)
            service_prepare(&services[i]);
    instances_of_places();
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].life.state == RS_DOWN && !services[i].manifest->on_request)
            queue_prepare(&services[i]); /* of ISA devices; of others when pci has found them */
    self_prepare();
}

/* All processes are made before the first runs: so each knows the endpoints of the others from its
 * first instruction. */
static void start_all(void)
{
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        bool starts = s->life.state == RS_DOWN && !s->manifest->on_request;
        long error = starts ? spawn_create(s) : 0;

        if (error)
            log_always("%s: cannot be started: %s%s", s->name, error_name(error),
                       error == -ENOMEM ? " (too little memory)" : "");
    }
    log_is_aloud = false;
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].life.state == RS_STARTING)
            spawn_start(&services[i]);
}

static void check_needed(void)
{
    for (unsigned i = 0; i < sizeof needed / sizeof *needed; i++) {
        const struct service *s = service_named(needed[i]);

        if (s && s->life.state == RS_STARTING)
            continue;
        essential_lost(needed[i], s ? "could not be started" : "is not in the boot archive");
    }
}

static void steps(void)
{
    for (;;) {
        undo_receive();
        if (undo_status == 0) {
            self_look();
            handle(&undo_message);
            handle_events();
        }
        undo_commit();
    }
}

int main(void)
{
    log_is_aloud = true; /* a broken manifest may be that of the terminals */
    prepare_all();
    start_all();
    check_needed();
    undo_loop(steps);
}
