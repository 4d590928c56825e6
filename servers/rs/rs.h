/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reincarnation server: what its files share.
 *
 *     main.c     boot, then the loop
 *     arena.c    memory that is never given back
 *     archive.c, manifests.c  the files of the boot archive; a service for each manifest in it
 *     image.c    a program made ready, so that a start reads and parses nothing
 *     service.c  the table of services: names, ids, rights, endpoints
 *     spawn.c    a fresh incarnation; the end of one
 *     life.c     what comes next in a service's life: a function without effects
 *     recover.c  what happens after a death, how it is done
 *     alternate.c  another program, before one is given up
 *     end.c      what follows when it is
 *     chores.c   what of a recovery can wait until the fresh copy is at work
 *     tell.c     what the log says of deaths
 *     update.c   another program that users bring
 *     swap.c, succeed.c  the same of those that keep their memory
 *     self.c     and of RS itself
 *     poison.c, served.c  requests that kill
 *     corpse.c, kept.c, history.c  what is kept of the dead, to be looked at
 *     event.c    what has happened, until the main loop gets to it
 *     shutdown.c, power.c the end of the services, and of the system
 *     timer.c    alarm
 *     storm.c    deaths on purpose, for tests
 *     watch.c    who is alive and ill: heartbeat, shares of the CPU
 *     device.c, driver.c  devices, work for pci; who drives them
 *     queue.c    memory that drivers share with their clients
 *     iommu.c    what pci needs to keep devices within their memory
 *     control.c  requests of users and of other services
 *     authority.c names in DS, complaints: whose they are
 *     instance.c services that VFS starts, one for each mount
 *     record.c, script.c  recovery records, policy scripts
 *
 * No file calls one that calls it, over however many others: what is below raises events, and the
 * main loop has those above do them (`make style` looks, tools/circles).
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
#include "lib/undo/layout.h"
#include "servers/rs/life.h"
#include "servers/rs/poison.h"

#define SERVICES_MAX 96
#define DEVICES_MAX 64
#define WORKS_MAX 4
#define PAST_ENDPOINTS 4
#define IMAGE_MAPPINGS 20
#define SERVICE_MAPPINGS 16

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
    struct undo_header undo; /* mark 0: it can't be rolled back */
    const char
        *name; /* of its file in the boot archive, of which `sum` is; NULL: it is not from there */
    uint64_t sum;
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
    uint64_t reached; /* bit: number of a device that was stopped, not reset, and may write here */
    uint32_t refused; /* as its header says */
};

struct service {
    char name[SERVICE_NAME_MAX];
    struct manifest *manifest; /* shared by instances; NULL: broken */
    struct image *image; /* that is started; NULL: broken */
    struct image *alternate; /* that its manifest names beside; NULL: none */
    struct image *first; /* that has its name */
    struct {
        struct image *next; /* waits for the end of a step (swap.c); NULL: none */
        struct image *old; /* what it goes back to; NULL: nothing is on probation */
        int error; /* why the last one was not put in; 0: it was */
        uint64_t until; /* clock */
        uint64_t size; /* of the new one */
        bool is_due; /* it has begun, and not taken over yet */
        bool went_back; /* the last one */
    } update;
    uint32_t order; /* among all manifests, as they were read */
    uint32_t id, instance; /* instance 0: NAME, n: NAME.n */
    struct life life;
    enum rs_ready ready_how;
    endpoint_t endpoint; /* 0: none */
    endpoint_t past[PAST_ENDPOINTS]; /* those of its last incarnations, in turn */
    uint32_t past_next;
    endpoint_t
        remains; /* of the last incarnation: stopped, to be destroyed once the fresh one is ready */
    endpoint_t stock; /* a process made ready for the next incarnation: mapped, ... */
    bool stands_by; /* ... and started, up to where it waits; else never run. 0: none */
    uint32_t no_standby; /* the incarnation beside which one has failed: no more until the next */
    uint32_t pid, incarnation, restarts;
    uint32_t last_defect, last_detail, dead_pid, dead_incarnation;
    uint64_t died; /* clock: when its last incarnation was ended */
    const struct service *because; /* as_dependent: with whom it was restarted */
    bool untold, died_in_start; /* untold: the log has no line about the last failure yet */
    struct {
        uint64_t error, address, instruction;
    } fault; /* of the last exception */
    bool holds; /* users want it to be kept when it dies */
    struct {
        bool is_wanted; /* its remains are worth a look */
        bool is_uncaught; /* who talked to it is still to be looked up */
        uint32_t corpse; /* number; 0: not begun */
        const struct image *image;
        uint64_t ns, started_ns; /* clock */
        uint64_t trace_end; /* of the kernel's trace */
        uint64_t error, address, instruction; /* of an exception */
    } death; /* the last one */
    struct history *history; /* what it did last; NULL: of RS */
    uint32_t corpse; /* number of what is to be filled in of its last one; 0: nothing */
    uint64_t started, ready; /* clock; ready 0: not yet */
    uint64_t recovery_total, recovery_max, recoveries;
    uint32_t deaths_in_a_row; /* of one that keeps its memory, since it was last back */
    uint32_t fuse; /* for tests: struct undo_death */
    uint32_t mirror_pages;
    bool has_room; /* its logs have more than at first */
    bool is_fused; /* a log for that is mapped */
    uint64_t storm_every, storm_at; /* ns; clock of the next kill; 0: none */
    uint64_t end_asked; /* clock, when its script of `at-end` was last run; 0: never */

    struct slot_config config; /* all but the endpoints */
    struct service_info *info; /* the frame that it sees at SERVICE_INFO */
    const struct service_note *note; /* what it writes at SERVICE_NOTE; NULL: it does not */
    void *stack_page; /* what its first stack page looks like */
    uint32_t mappings;
    struct mapping mapping[SERVICE_MAPPINGS];
    uint32_t irq_count;
    struct {
        uint32_t line, flags;
    } irq[SERVICE_IRQS];

    struct device *device;
    struct queue *queue; /* a driver's own */
    struct policy policy; /* of what counts against its budget */
    struct futile futile; /* of a driver */
    struct poison poison;
    struct policy deaths; /* of all, kills and restarts, too: scripts are told how many */
    struct policy_verdict verdict; /* on the last failure */
    struct looks looks;
    struct heartbeat heartbeat;
    struct pulse pulse;
    bool is_starved; /* at the last look: it was not let run since the one before */
    bool is_slow; /* beyond the low mark just now */
    uint64_t slow_told; /* clock, when the log was last told so; 0: never */
    struct share share;
    uint64_t paid, in_vain; /* as of the last look: slot_status.paid_ns; in_vain_of() in watch.c */
    bool is_held; /* for what it has paid while all who are of no use have more than their share */
    bool runs_last; /* at the lowest priority, for that or for its own share */
    struct flood flood; /* of its device's MSIs */
    uint64_t wake; /* clock, when LIFE_TIME is due; 0: nothing is waited for */
    uint32_t script; /* number of the script that decides */
    uint64_t script_deadline;
    struct rs_recovery *record; /* being filled in, or NULL */
    uint64_t last_record; /* number; 0: none */
};

/* ---- arena.c ---- */
/* zeroed; for good. Ends the system when there is none: only used while booting or for a new
 * device. */
void *arena_pages(uint64_t pages);
void *arena_alloc(size_t size); /* aligned to 16, zeroed, for good */
/* In one piece of physical memory, at most QUEUE_STRIDE; NULL: too little memory. At any time. */
void *arena_contiguous(uint64_t size);

/* ---- archive.c ---- */
struct cpio_entry;
/* Each file of it, in order; of two files with one name the later counts. */
void archive_each(void (*visit)(const struct cpio_entry *entry));
/* lib/bardo/NAME, when archive_each() has come by it; NULL: it is not there */
const void *archive_program(const char *name, uint64_t *size);

/* ---- manifests.c ---- */
void manifests_read(void);

/* ---- image.c ---- */
/* A program in memory, in memory of pages(), which may be NULL. 0, -ENOEXEC (the log says why, of `path`),
 * -ENOMEM. */
long image_make(struct image *image, const char *path, const char *file, uint64_t size,
                void *(*pages)(uint64_t count));
struct image *image_prepare(const char *name); /* lib/bardo/NAME; NULL: it has told the log why */
/* Compared with the file: all of it, or (address not 0) the page of that address alone. True: memory was damaged
 * there, and is as it was. */
bool image_mend(const struct image *image, uint64_t address);
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
bool service_was_at(const struct service *s, endpoint_t endpoint); /* one of its last dead */
void services_number(void); /* ids in order of names, once all manifests are read */
void service_prepare(struct service *s); /* everything for its starts, but device and queue */
bool service_prepare_instance(struct service *s, const struct service *base, unsigned instance);
void service_peers(struct service *s); /* its info page: endpoints of those that it may talk to */
/* pm and fs/proc: they have checked who it is. For control, policy scripts and the dead: fs/dev does, too. */
bool service_speaks_for_users(const struct service *s);
bool service_takes_orders(const struct service *s);
void service_tell(const char *name); /* NOTIFY_BIT_SERVICES to it, if it runs */
void service_tell_dependents(struct service *s);
void service_tell_all(void); /* somebody is gone for good */
/* One for which no fresh copy would do: it goes on with what it had, or the system stops. */
static inline bool service_essential(const struct service *s)
{
    return s->manifest && s->manifest->essential;
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
    return life_runs(&s->life);
}
static inline bool service_keeps_memory(const struct service *s)
{
    return s->manifest && s->manifest->rolled_back && s->image;
}
static inline bool service_is_watched(const struct service *s) /* watch.c looks at it */
{
    return s->manifest && s->id != SERVICE_RS && service_runs(s);
}

/* ---- alternate.c ---- */
const char *alternate_program(const struct service *s); /* that it runs: of lib/bardo */
/* Its next incarnation runs the alternate, and the log says why. False: it has none, or runs it. */
bool alternate_try(struct service *s, const char *why);
void alternate_forget(struct service *s); /* the next one runs the first program again */
/* Counts a failure against its budget; before that is used up for good the alternate is tried. */
struct policy_verdict alternate_verdict(struct service *s);

/* ---- end.c ---- */
enum manifest_end end_of(const struct service *s); /* what would follow now */
void end_begin(struct service *s, const struct policy_verdict *v); /* it has been given up */
/* The script of its `at-end` has not been run in time. */
void end_is_late(struct service *s, const struct life_event *e);
enum power end_power(const struct service *s); /* how its `at-end` ends the system */

/* ---- tell.c ---- */
/* About the last failure, once. That costs more than a restart, so it comes when the fresh one is
 * at work. */
void tell_death(struct service *s);
void tell_essential_death(const struct service *s, enum rs_defect defect, uint32_t detail);
void tell_backoff(const struct service *s, const struct policy_verdict *v);
void tell_given_up(const struct service *s, const struct policy_verdict *v);
void tell_held(const struct service *s);
void tell_refused(const struct service *s);

/* ---- spawn.c ---- */
long spawn_create(struct service *s); /* the process, ready to run; 0 or -errno */
void spawn_start(struct service *s);
long spawn(struct service *s); /* both */
void spawn_bury(struct service *s); /* destroy the remains */
void spawn_stock(struct service *s); /* have a process ready for this driver's successor */
void spawn_unstock(struct service *s);
bool spawn_stock_died(endpoint_t ep, const char *why); /* false: it is none that stands by */
void spawn_look(void); /* do those that stand by come to where they wait? */

/* ---- recover.c ---- */
struct event;
/* Whatever it is doing, its incarnation ends. */
void recover_failed(struct service *s, enum rs_defect defect, uint32_t detail);
void recover_ready(struct service *s, enum rs_ready how); /* it has told that it is up */
/* LIFE_ASKED_*: 0, or -errno of life_next(). Of a restart: whether the fresh copy resets its device; delay, ns. */
long recover_asked(struct service *s, enum life_event_type what, bool resets, uint64_t delay);
void recover_happened(const struct event *event); /* EVENT_LIFE */
extern uint64_t boot_services_ready; /* clock at the latest first RS_READY */

/* ---- chores.c ---- */
void chores_later(void); /* when there is time */
void chores_soon(void); /* there is a corpse to be caught before the trace is written over */
void chores_do(void); /* EVENT_CHORES */

/* ---- shutdown.c ---- */
void shutdown_begin(enum power how, int status);
void shutdown_step(void); /* one of those that were told has ended */

/* ---- power.c ---- */
bool power_goes_down(enum power how, int status); /* from now on; false: it does already */
bool shutdown_has_begun(void);
void power_end(void); /* now */
/* NAME, which cannot be replaced, HOW: says so, and stops the system. */
void essential_lost(const char *name, const char *how);

/* ---- succeed.c ---- */
#define SUCCEED_NEVER (~0ull)
/* It has died, and is to go on. 0: it does; else succeed_look() is due so many ns later, or never:
 * it can't. */
uint64_t succeed(struct service *s, enum rs_defect defect, uint32_t detail);
uint64_t succeed_look(struct service *s);
/* It has died: for log and records. */
void succeed_record(struct service *s, enum rs_defect defect, uint32_t detail);
void succeeded(struct service *s, uint64_t when); /* it is back since then */
/* A fault at that address is no defect: its logs need more room. False: there is none. */
void succeed_forget(struct service *s); /* there will be a fresh copy */
bool succeed_wants_room(const struct service *s, uint64_t address);
bool succeed_make_room(struct service *s, uint64_t address);
bool succeed_take_room(struct service *s); /* again; false: not just now */

/* ---- self.c ---- */
void self_prepare(void);
bool service_is_self(const struct service *s);
void self_look(void); /* at the beginning of a step: it may have died in the last one */
void self_die(void); /* here; the step goes on behind it */
void self_strike(uint64_t ns); /* the same when that much of the CPU is used, wherever it is then */

/* ---- served.c ---- */
bool poison_look(struct service *s, bool is_own_fault); /* it has died: life_event.in_request */

/* ---- corpse.c, kept.c ---- */
void corpse_note(struct service *s); /* it has just died, and is stopped */
/* Its remains become a corpse, as cheaply as can be. False: they are not wanted. */
bool corpse_lay(struct service *s);
/* One that keeps its memory has died, with these registers, and has not gone on yet. */
void corpse_copy(struct service *s, const struct registers *r);
/* RS itself: a copy of its stack's pages from `stack` on is at UNDO_DEAD_STACK. */
void corpse_copy_self(struct service *s, const struct registers *r, uint64_t stack, uint64_t pages);
/* Who talked to it, before the trace has forgotten that: its successor has been started. */
void corpse_catch(struct service *s);
/* What may wait until its successor is at work, or must not. */
void corpse_complete(struct service *s);
void corpses_tidy(void); /* what may wait longer */
void corpses_look(void); /* from time to time: memory may be short */
bool corpses_drop(void); /* memory is needed now; true: there is more now */
long corpses_forget(struct service *s); /* -ENOENT: there are none */

/* ---- storm.c ---- */
long control_storm(struct service *s, const struct message *m);
long control_fuse(struct service *s, const struct message *m);
void storm_strike(struct service *s);

/* ---- event.c ---- */
/*
 * What has happened, as those saw it whom recover.c itself uses: timers, devices, scripts, watches.
 * They raise it, the main loop has it done; so nothing calls back upwards.
 */
struct event {
    enum event_what {
        EVENT_LIFE, /* to a service: the members up to detail say what */
        EVENT_CHORES, /* it is time for what was put off */
        EVENT_LOOK, /* for a look at all who run: now, every */
        EVENT_HISTORY, /* to go on with what they did: now */
        EVENT_STRIKE, /* for the next death of that service, for tests */
        EVENT_POWER, /* the system is to end: how */
        EVENT_STAGE, /* one of those that were told to finish has ended */
    } what;
    struct service *service;
    enum life_event_type type;
    enum life_wait wait; /* LIFE_TIME: what that was for */
    endpoint_t endpoint; /* LIFE_ENDED: of whom */
    enum rs_defect defect;
    uint32_t detail;
    enum power how;
    uint64_t now, every; /* clock; ns from one look to the next */
};
void event_raise(const struct event *event);
void event_raise_failed(struct service *s, enum rs_defect defect, uint32_t detail);
bool event_take(struct event *event); /* the oldest; false: there is none */

/* ---- timer.c ---- */
void timer_set(struct service *s, uint64_t when); /* LIFE_TIME is raised then; 0: it is not */
void timer_chores(uint64_t when); /* EVENT_CHORES is raised then */
void timer_history(uint64_t when); /* EVENT_HISTORY likewise */
void timer_watch(const struct service *s); /* a service with a heartbeat runs */
void timer_storm(uint64_t when);
void timer_expired(void); /* the alarm has gone off */

/* ---- watch.c ---- */
uint64_t watch_useful(const struct service *s); /* what a driver has done, as its client counts */
bool watch_waits(const struct service *s); /* it had not come back to its loop between two looks */
#define WATCH_UNCOUNTED (~0ull) /* nobody counts */
void watch_begin(struct service *s); /* a fresh incarnation runs, or one goes on */
void watch_end(struct service *s); /* it runs no more, and is not destroyed yet */
void watch_ready(struct service *s); /* its start is done */
void watch_look(uint64_t now, uint64_t every); /* at all who run. every: ns from look to look */

/* ---- device.c ---- */
void device_work(struct device *d, enum rs_device_work work, uint64_t first, uint64_t second);
void device_forget_handed(void); /* pci has a fresh incarnation: it gets all work again */
bool device_busy(const struct device *d);
unsigned device_number(const struct device *d); /* below DEVICES_MAX */
void device_bind_irqs(struct service *s); /* of the incarnation just created */
/* Its MSIs are for nobody: it raises none until they are bound again. (A pin is masked then.) What
 * is missed meanwhile its next driver looks for. */
void device_mute(struct device *d);
void device_memory_changed(struct device *d); /* what it may reach is more than before */
struct device *device_at(uint64_t place); /* bus << 8 | device << 3 | function; NULL: none */
struct device *device_add(const struct rs_device *found); /* NULL: there are too many */
void device_work_done(struct device *d); /* the work that pci had */

/* ---- update.c ---- */
/* The program that came, of that size, is the next to be started, and on probation from now on: 0; 1: it has
 * been so already, and is asked for once more; or it comes by itself, at the end of a step. */
long update_begin(struct service *s, uint64_t size);
long update_state(const struct service *s); /* the result of RS_CONTROL_UPDATED */
/* It has failed: if it is an update on probation, the program before it is the next to be started. */
bool update_goes_back(struct service *s, enum rs_defect defect, uint32_t detail);
void updates_look(uint64_t now); /* those whose probation is over */
bool updates_try(void); /* those that wait for the end of a step; false: one still does */

/* ---- swap.c ---- */
bool swap_fits(const struct image *image, const struct image *before);
long swap_prepare_self(struct service *s); /* RS's own image is described; 0 or an error */
/* 0: it goes on with that program (RS itself when this step is over); -EAGAIN: it was in the middle of a step; or why it goes on with the old one. */
long swap_try(struct service *s, struct image *image);
/* It has died, and is to go on with that one. False: it can't. */
bool swap_back(struct service *s, struct image *image);

/* ---- iommu.c ---- */
bool iommu_works(void);
/* Its registers, to be read by s: where they are. -ENOENT: there is no such unit, or not yet. */
long iommu_show(struct service *s, uint64_t n, uint64_t *address);

/* ---- queue.c ---- */
/* A driver's queue, mapped into both. -ENOMEM: not yet; 0: all others, without a queue, too. */
long queue_prepare(struct service *s);
const struct queue *queue_next(const struct queue *q); /* all; NULL: the first, and the end */
/* All its queues into a process of its. */
long queue_map_client(const struct service *client, endpoint_t ep);
void queue_tell_drivers(const struct service *client); /* it has a new endpoint */
uint64_t queue_reintegrated(const struct queue *q, uint32_t incarnation); /* clock, 0: not yet */
/* The device of s has no driver any more: what it was told may be under way yet. It was reset. */
void queue_device_stopped(const struct service *s);
void queue_device_reset(const struct service *s);
/* The device of s was kept from memory; NULL: one of all. */
void queue_refused(const struct service *s);
bool queue_is_of_disks(const struct service *client); /* it has one to a disk driver */

/* ---- authority.c ---- */
void authority_check(void); /* manifests that call uphill are refused */

/* ---- instance.c ---- */
void instances_of_places(void); /* further devices of ISA drivers, before the first start */
bool instance_may_control(const struct service *s, const struct service *caller,
                          enum rs_control what);

/* ---- record.c ---- */
void record_begin(struct service *s, enum rs_defect defect, uint32_t detail);
void record_step(struct service *s,
                 enum rs_step step); /* once: a later one of the same step is ignored */
void record_ready(struct service *s, enum rs_ready how);
void record_back(struct service *s, uint64_t when); /* the same of one that was rolled back */

/* ---- script.c ---- */
bool script_ask(struct service *s, uint32_t failures); /* false: nobody is there to run it */
/* It has been given up: WHY, and then the arguments, are told to a script that decides nothing. It
 * is run when there is somebody to run it. */
void script_ask_at_end(struct service *s, const char *path, uint32_t failures, uint32_t deadline_ms,
                       const char *why, const char *arguments);
void script_forget(struct service *s); /* somebody else has decided */
bool script_fetched(const struct service *s); /* the runner has taken it */
void script_tell_late(const struct service *s); /* that of `at-end`: nobody has run it in time */

#endif
