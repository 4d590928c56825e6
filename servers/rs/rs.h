/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reincarnation server: what its files share.
 *
 *     main.c     boot, then the loop
 *     archive.c  manifests and images out of the boot archive; arena
 *     image.c    a program made ready, so that a start reads and parses nothing
 *     service.c  the table of services: names, ids, rights, endpoints
 *     spawn.c    a fresh incarnation; the end of one
 *     recover.c  what happens after a death
 *     timer.c    alarm, heartbeat
 *     device.c   devices, their drivers, work for pci
 *     queue.c    memory that drivers share with their clients
 *     control.c  requests of users and of other services
 *     instance.c services that VFS starts, one for each mount
 *     record.c   recovery records
 *     script.c   policy scripts
 *
 * RS calls nobody and never waits but in its loop. It has no VM below it: memory comes from the
 * arena, and all that a restart needs is allocated before the first start.
 */
#ifndef RS_RS_H
#define RS_RS_H

#include "abi/kernel.h"
#include "abi/proto/rs.h"
#include "abi/service.h"
#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/rs/policy.h"

#define SERVICES_MAX 64
#define DEVICES_MAX 64
#define WORKS_MAX 4
#define IMAGE_MAPPINGS 20
#define SERVICE_MAPPINGS 12

/* One kernel_map() call of a start. */
struct mapping {
    uint64_t address, pages, flags;
    uint64_t source; /* in RS's space for MAP_SHARE and MAP_COPY, physical for MAP_PHYSICAL */
};

/* A program ready to be started, any number of times. */
struct image {
    uint64_t entry;
    uint64_t headers, header_count; /* for the auxiliary vector */
    uint32_t mappings;
    struct mapping mapping[IMAGE_MAPPINGS];
};

struct device {
    struct rs_device found; /* as pci told */
    struct service *owner;
    uint32_t works; /* waiting for pci, in order; the first may be in its hands */
    struct {
        enum rs_device_work work;
        uint64_t arguments[2];
    } work[WORKS_MAX];
    bool handed_over;
    bool enabled;
    uint64_t msix_table; /* of its MSI-X table: where pci has it mapped; 0: not in use */
    uint64_t msi_vector; /* that the device was programmed with; 0 none */
};

struct queue { /* memory shared by a client and a driver; kept for ever */
    struct service *driver, *client;
    uint32_t number; /* the client's */
    uint64_t size, physical;
    void *memory; /* in RS's space */
};

enum wait { /* what service.wake is for */
            WAIT_NOTHING,
            WAIT_BACKOFF, /* start then */
            WAIT_RESTART, /* it runs; replace it then */
            WAIT_DEVICE, /* start when the device's work is done, or then */
            WAIT_STOP, /* told to shut down; ended then */
            WAIT_SCRIPT, /* the policy script decides; by manifest then */
};

struct service {
    char name[SERVICE_NAME_MAX];
    struct manifest *manifest; /* shared by instances; NULL: broken */
    struct image *image; /* NULL: broken */
    uint32_t id, instance; /* instance 0: NAME, n: NAME.n */
    enum rs_state state;
    enum rs_ready ready_how;
    endpoint_t endpoint; /* 0: none */
    endpoint_t
        remains; /* of the last incarnation: stopped, to be destroyed once the fresh one is ready */
    endpoint_t stock; /* a process made ready for the next incarnation: mapped, never run; 0 none */
    uint32_t pid, incarnation, restarts;
    uint32_t last_defect, last_detail, dead_pid, dead_incarnation;
    bool untold, died_in_start; /* untold: the log has no line about the last failure yet */
    struct {
        uint64_t error, address, instruction;
    } fault; /* of the last exception */
    uint64_t started, ready; /* clock; ready 0: not yet */
    uint64_t recovery_total, recovery_max, recoveries;

    struct slot_config config; /* all but the endpoints */
    struct service_info *info; /* the frame that it sees at SERVICE_INFO */
    void *stack_page; /* what its first stack page looks like */
    uint32_t mappings;
    struct mapping mapping[SERVICE_MAPPINGS];
    uint32_t irq_count;
    struct {
        uint32_t line, flags;
    } irq[SERVICE_IRQS];

    struct device *device;
    struct queue *queue; /* a driver's own */
    struct policy policy;
    enum rung rung;
    struct pulse pulse;
    struct over over;
    enum wait wait;
    uint64_t wake; /* clock; 0: nothing */
    bool wanted_down; /* its next end is no failure */
    bool as_dependent; /* it was restarted because another was: its own dependents are not */
    uint32_t script; /* number of the script that decides */
    uint64_t script_deadline;
    struct rs_recovery *record; /* being filled in, or NULL */
    uint64_t last_record; /* number; 0: none */
};

/* ---- archive.c ---- */
/* zeroed; for good. Ends the system when there is none: only used while booting or for a new
 * device. */
void *arena_pages(uint64_t pages);
void *arena_alloc(size_t size); /* aligned to 16, zeroed, for good */
void archive_read(void); /* manifests -> services */
const void *archive_file(const char *name, uint64_t *size); /* NULL: not there */

/* ---- image.c ---- */
struct image *image_prepare(const char *name); /* lib/bardo/NAME; NULL: it has told the log why */
void stack_prepare(struct service *s); /* fills stack_page, sets config.stack */

/* ---- service.c ---- */
extern struct service services[SERVICES_MAX];
extern unsigned service_count;
struct service *service_add(const char *name);
struct service *service_named(const char *name); /* NULL: none */
struct service *service_with_id(uint32_t id); /* the first with that id */
struct service *service_at(endpoint_t endpoint); /* of the running incarnation; NULL: none */
void service_bind(struct service *s,
                  endpoint_t endpoint); /* that is its incarnation now; 0: none */
void services_number(void); /* ids in order of names, once all manifests are read */
void service_prepare(struct service *s); /* everything for its starts, but device and queue */
bool service_prepare_instance(struct service *s, const struct service *base, unsigned instance);
void service_peers(struct service *s); /* its info page: endpoints of those that it may talk to */
bool service_speaks_for_users(
    const struct service *s); /* pm and fs/proc: they have checked who it is */
void service_tell(const char *name); /* NOTIFY_BIT_SERVICES to it, if it runs */
void service_tell_dependents(struct service *s);
static inline bool service_core(const struct service *s)
{
    return s->manifest && s->manifest->class == CLASS_CORE;
}
static inline bool service_waits_for_device(const struct service *s)
{
    return s->manifest->devices != 0 && !s->device;
}
static inline bool service_drives(const struct service *s) /* a device */
{
    return s->manifest && (s->manifest->isa || s->manifest->devices);
}
static inline bool service_runs(const struct service *s)
{
    return s->state == RS_UP || s->state == RS_STARTING;
}

/* ---- spawn.c ---- */
long spawn_create(struct service *s); /* the process, ready to run; 0 or -errno */
void spawn_start(struct service *s);
long spawn(struct service *s); /* both */
void spawn_bury(struct service *s); /* destroy the remains */
void spawn_stock(
    struct service *s); /* a driver that runs: have a process ready for its successor */
void spawn_unstock(struct service *s);

/* ---- recover.c ---- */
/* NAME, which cannot be replaced, HOW: says so, and stops the system. */
void core_lost(const char *name, const char *how);
void recover_failed(struct service *s, enum rs_defect defect,
                    uint32_t detail); /* whatever it is doing, its incarnation ends */
void recover_by_manifest(
    struct service *s); /* after a failure that a script did not take care of */
void recover_start(struct service *s); /* now: device first if the ladder says so */
void recover_device_ready(struct service *s); /* pci has done all that it waited for */
void recover_ready(struct service *s, enum rs_ready how); /* it has told that it is up */
void recover_stop(
    struct service *s,
    enum rs_state state); /* ends it for good (RS_DOWN, RS_GIVEN_UP); quiesces its device */
void recover_wake(struct service *s); /* its time has come */
void recover_chores(void); /* what was put off: log lines, a process for the next time */
void recover_shutdown(enum power how, int status);
extern uint64_t boot_services_ready; /* clock at the latest first RS_READY */

/* ---- timer.c ---- */
void timer_set(struct service *s, enum wait what, uint64_t when); /* 0: cancel */
void timer_chores(uint64_t when); /* recover_chores() then */
void timer_watch(const struct service *s); /* a service with a heartbeat runs */
void timer_expired(void); /* the alarm has gone off */

/* ---- device.c ---- */
void device_work(struct device *d, enum rs_device_work work, uint64_t argument0,
                 uint64_t argument1);
void device_forget_handed(void); /* pci has a fresh incarnation: it gets all work again */
bool device_busy(const struct device *d);
void device_bind_irqs(struct service *s); /* of the incarnation just created */
long request_device_found(struct message *m, struct service *caller);
long request_device_work(struct message *m, struct service *caller);
long request_device_done(struct message *m, struct service *caller);

/* ---- queue.c ---- */
void queue_prepare(struct service *s); /* a driver's queue, mapped into both */
long queue_map_client(const struct service *client,
                      endpoint_t ep); /* all its queues into a process of its */
void queue_tell_drivers(const struct service *client); /* it has a new endpoint */
uint64_t queue_reintegrated(const struct queue *q, uint32_t incarnation); /* clock, 0: not yet */
long request_queue(struct message *m, struct service *caller);

/* ---- control.c ---- */
long request_lookup(struct message *m, struct service *caller);
long request_who(struct message *m, struct service *caller);
long request_list(struct message *m, struct service *caller);
long request_control(struct message *m, struct service *caller);
long request_kill(struct message *m, struct service *caller);
long request_complain(struct message *m, struct service *caller);
long request_mark(struct message *m, struct service *caller);
long request_core(struct message *m, struct service *caller);

/* ---- instance.c ---- */
long request_instance(struct message *m, struct service *caller);
bool instance_may_control(const struct service *s, const struct service *caller,
                          enum rs_control what);

/* ---- record.c ---- */
void record_begin(struct service *s, enum rs_defect defect, uint32_t detail);
void record_step(struct service *s,
                 enum rs_step step); /* once: a later one of the same step is ignored */
void record_ready(struct service *s, enum rs_ready how);
long request_recoveries(struct message *m, struct service *caller);

/* ---- script.c ---- */
bool script_ask(struct service *s, uint32_t failures); /* false: nobody is there to run it */
void script_forget(struct service *s); /* somebody else has decided */
bool script_fetched(const struct service *s); /* the runner has taken it */
long request_script(struct message *m, struct service *caller);
long request_script_done(struct message *m, struct service *caller);

#endif
