/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reincarnation server's protocol. RS is at the bottom of the call order: everybody may call
 * it, it calls nobody. What it has for others it announces with NOTIFY_BIT_SERVICES; they come and
 * fetch it. Calls return at once. All may be repeated unless said otherwise. "name" is packed into
 * two words, 16 bytes, NUL-padded (lib/rt/pack.h). The structs of the words follow the requests.
 */
#ifndef ABI_PROTO_RS_H
#define ABI_PROTO_RS_H

#include "abi/message.h"

enum rs_request {
    /* from a service: start-up is done. May be sent with a deadline. */
    RS_READY = PROTOCOL_RS,
    /* rs_name_request -> endpoint of the running incarnation, or -ESRCH (unknown), -EAGAIN (down just now),
       -ENXIO (down until somebody starts it: given up, ended, refused, broken, held) */
    RS_LOOKUP,
    RS_WHO, /* from VM, PM, DS: rs_endpoint_request -> 0, -ESRCH */
    /* -> how many struct rs_service were copied to our grant (of 0: one); -ENOENT past the end */
    RS_LIST,
    RS_RECOVERIES, /* rs_list_request -> how many struct rs_recovery were copied */
    /* -> 0, -ESRCH, -EALREADY, -EPERM (an essential service), -ENODEV (its
       device is not there), -ENOEXEC (broken), -ENOTRECOVERABLE (RESTART of one that is given up or
       has refused its device: UP), -ENXIO (not up). From fs/proc (a program with uid 0 wrote to
       /proc/bardo/control), fs/dev (the same with /dev/bardo) or PM. */
    RS_CONTROL,
    RS_KILL, /* from PM -> 0, -ESRCH: a user kills a service (class 3). */
    /* from the client of its queue, or whose manifest says "complains-of" -> 0, -EPERM, -EAGAIN
       (more complaints than failures in the budget of what is complained of: ignored) */
    RS_COMPLAIN,
    /* from a queue client -> struct service_queue copied to our grant; -ENOENT past the end. After every NOTIFY_BIT_SERVICES. */
    RS_QUEUE,
    /* from pci: rs_grant_request, of a struct rs_device -> 0; matched with the manifests */
    RS_DEVICE_FOUND,
    /* from pci, after NOTIFY_BIT_SERVICES: no words: the next thing to do with a device; -ENOENT:
       nothing */
    RS_DEVICE_WORK,
    RS_DEVICE_DONE, /* from pci */
    /* from fs/proc or fs/dev for the policy runner (programs/service --policy-runner), who asks them for
       the next script to run: rs_grant_request, for a struct rs_script; -ENOENT: none.
       NOTIFY_BIT_SERVICES, to who asked last, when there may be one. */
    RS_SCRIPT,
    RS_SCRIPT_DONE, /* -> 0, -ESRCH (no such script, or its deadline has passed) */
    /* from PM. Services are told and may finish, then the machine stops -> 0 */
    RS_SHUTDOWN,
    RS_CORE, /* no words */
    /* no words; from PM for init: the system is up, for the boot-time figure. The first one counts. */
    RS_MARK,
    /* from VFS: rs_grant_request, of a struct rs_instance -> 0: one more instance of that service
       starts; its name is in the struct; -ESRCH (no such service), -EPERM
       (its manifest does not say "instances on-request"), -ENOEXEC, -ENOSPC, -ENOMEM.
       RS_CONTROL_DOWN ends it. Not to be repeated. */
    RS_INSTANCE,
    /* from DS -> 0: the manifest of that service lets it publish the name; -EPERM, -ESRCH */
    RS_MAY_PUBLISH,
    /* from pci -> 0, and what is there is copied to the grant: for the tables of the firmware */
    RS_FIRMWARE,
    /* from pci: a remapping unit (an IOMMU) and memory for its tables: contiguous, zeroed the first
       time, kept when pci dies. -ENOMEM, -ENOSPC */
    RS_IOMMU,
    /* from pci -> memory that this device may reach; -ENOENT past the end */
    RS_DEVICE_MEMORY,
    /* from pci: a device tried to reach other memory -> 0: its driver is replaced; -ESRCH: nobody drives it now, or not for long yet. In any case
       its queue says so (refused). RS_DEVICE_ANY: some have, and it is not known which. */
    RS_DEVICE_FAULT,
    /* from PM -> 0, and all see it: realtime_offset in struct service_info */
    RS_SET_REALTIME,
    /* rs_list_request -> how many struct rs_driven were copied to our grant (of 0: one); -ENOENT past
       the end. Devices of the PCI bus, as pci found them, but bridges between its buses. */
    RS_DEVICES,
    /* from fs/proc, fs/dev: struct rs_corpse (abi/proto/corpse.h) of the corpse with that number, or the
       oldest that is younger, copied to our grant; -ENOENT: there is none */
    RS_CORPSE,
    RS_CORPSE_AREA, /* from fs/proc, fs/dev -> the next part of its memory; -ENOENT */
    /* from fs/proc, fs/dev -> 0, and that much is copied from its memory to our grant; -EINVAL, -ENOENT
       (it has been given back), -EFAULT (nothing is there) */
    RS_CORPSE_MEMORY,
    /* from the client of disk drivers -> registers, to be read (abi/iommu.h); -ENOENT: there is no such,
       or not yet */
    RS_IOMMU_STATUS,
    /* from VM: rs_endpoint_request, of a service that wants more memory than its manifest allows -> 0: unless it
       is a file server, or keeps its memory when it dies, it is replaced for that */
    RS_OVER_MEMORY,
    /* from fs/proc (a program with uid 0 wrote to /proc/bardo/program) -> 0: that much of a program is kept for RS_CONTROL_UPDATE. Offset 0
       begins a new one. -EINVAL: a gap, or more than RS_PROGRAM_MAX; -ENOMEM */
    RS_PROGRAM,
};
#define RS_PROGRAM_PIECE 16384u
#define RS_PROGRAM_MAX (8u << 20)
#define RS_DEVICE_ANY (~0ull)
#define RS_DELAY_MAX_MS 86400000u /* a day */
#define RS_STORM_MIN_US 50u
#define RS_STORM_MAX_US 60000000u
#define RS_FUSE_MAX 1024u

struct IN_MESSAGE rs_ready_request {
    uint64_t how; /* enum rs_ready */
};
MESSAGE_FITS(struct rs_ready_request);

struct IN_MESSAGE rs_name_request {
    uint64_t name[2];
};
MESSAGE_FITS(struct rs_name_request);

struct IN_MESSAGE rs_endpoint_request {
    uint64_t endpoint;
};
MESSAGE_FITS(struct rs_endpoint_request);

struct IN_MESSAGE rs_grant_request {
    uint64_t grant;
};
MESSAGE_FITS(struct rs_grant_request);

struct IN_MESSAGE rs_who_reply {
    uint64_t name[2];
    uint64_t memory; /* bytes, of its manifest; 0: no limit */
    uint64_t pid, service_id;
};
MESSAGE_FITS(struct rs_who_reply);

struct IN_MESSAGE rs_list_request {
    uint64_t first; /* index, or number (RECOVERIES), of the first that is wanted */
    uint64_t grant, count; /* for how many */
};
MESSAGE_FITS(struct rs_list_request);

struct IN_MESSAGE rs_recoveries_reply {
    uint64_t first; /* number of the first of them */
};
MESSAGE_FITS(struct rs_recoveries_reply);

struct IN_MESSAGE rs_control_request {
    uint64_t name[2];
    uint64_t control; /* enum rs_control */
    uint64_t resets; /* of RESTART: 1: the fresh copy resets the device */
    uint64_t argument; /* of RESTART: a delay in ms, RS_DELAY_MAX_MS at most; see enum rs_control */
};
MESSAGE_FITS(struct rs_control_request);

struct IN_MESSAGE rs_kill_request {
    uint64_t pid, signal;
};
MESSAGE_FITS(struct rs_kill_request);

struct IN_MESSAGE rs_complain_request {
    uint64_t name[2];
    uint64_t why; /* enum rs_complaint */
    uint64_t of; /* endpoint it complains of; a stale one is ignored */
};
MESSAGE_FITS(struct rs_complain_request);

struct IN_MESSAGE rs_queue_request {
    uint64_t number; /* 0.. */
    uint64_t grant;
};
MESSAGE_FITS(struct rs_queue_request);

struct IN_MESSAGE rs_device_found_reply {
    uint64_t msix_table; /* where it is mapped into pci; 0: it is not to be used */
    uint64_t is_driven; /* 1: somebody drives it */
};
MESSAGE_FITS(struct rs_device_found_reply);

struct IN_MESSAGE rs_device_work_reply {
    uint64_t place; /* bus << 8 | devfn */
    uint64_t work; /* enum rs_device_work */
    uint64_t arguments[2];
};
MESSAGE_FITS(struct rs_device_work_reply);

struct IN_MESSAGE rs_device_done_request {
    uint64_t place, work; /* as above */
    /* 0 or -errno; of a quiesce: DEVICE_WAS_RESET, or 0: there is no reset that hits it alone, it is
       only bus master no more */
    int64_t result;
};
MESSAGE_FITS(struct rs_device_done_request);

struct IN_MESSAGE rs_script_done_request {
    uint64_t number; /* of the script */
    uint64_t status; /* exit status, or enum script_status (abi/proto/script.h) */
};
MESSAGE_FITS(struct rs_script_done_request);

struct IN_MESSAGE rs_shutdown_request {
    uint64_t power; /* enum power */
    uint64_t status; /* of the machine, where it has one */
};
MESSAGE_FITS(struct rs_shutdown_request);

struct IN_MESSAGE rs_core_reply {
    uint64_t marked; /* clock at the first RS_MARK; 0: not yet, as in the next */
    uint64_t ready; /* clock when all services that had a device had been ready once */
};
MESSAGE_FITS(struct rs_core_reply);

struct IN_MESSAGE rs_instance_reply {
    uint64_t endpoint;
};
MESSAGE_FITS(struct rs_instance_reply);

struct IN_MESSAGE rs_may_publish_request {
    uint64_t key[4]; /* DS_KEY_MAX bytes */
    uint64_t endpoint;
};
MESSAGE_FITS(struct rs_may_publish_request);

struct IN_MESSAGE rs_firmware_request {
    uint64_t physical; /* not of RAM */
    uint64_t grant, length; /* bytes, a page at most */
};
MESSAGE_FITS(struct rs_firmware_request);

struct IN_MESSAGE rs_iommu_request {
    uint64_t number; /* of the unit, below IOMMU_UNITS */
    uint64_t registers; /* its physical page */
};
MESSAGE_FITS(struct rs_iommu_request);

struct IN_MESSAGE rs_iommu_reply {
    uint64_t registers, tables; /* where they are mapped into pci */
    uint64_t physical, size; /* of the tables */
    uint64_t vector; /* of MSIs that become pci's interrupt 0; 0: none */
};
MESSAGE_FITS(struct rs_iommu_reply);

struct IN_MESSAGE rs_device_memory_request {
    uint64_t place; /* bus << 8 | devfn */
    uint64_t index; /* of the piece: 0.. */
};
MESSAGE_FITS(struct rs_device_memory_request);

struct IN_MESSAGE rs_device_memory_reply {
    uint64_t physical, size;
};
MESSAGE_FITS(struct rs_device_memory_reply);

struct IN_MESSAGE rs_device_fault_request {
    uint64_t place; /* bus << 8 | devfn, or RS_DEVICE_ANY */
    uint64_t reason; /* the hardware's */
};
MESSAGE_FITS(struct rs_device_fault_request);

struct IN_MESSAGE rs_set_realtime_request {
    int64_t offset; /* ns, to be added to the clock to have the time since 1970 */
};
MESSAGE_FITS(struct rs_set_realtime_request);

struct IN_MESSAGE rs_corpse_request {
    uint64_t number, grant;
};
MESSAGE_FITS(struct rs_corpse_request);

struct IN_MESSAGE rs_corpse_area_request {
    uint64_t number, address; /* from which on */
};
MESSAGE_FITS(struct rs_corpse_area_request);

struct IN_MESSAGE rs_corpse_area_reply {
    uint64_t address; /* where it begins */
    uint64_t pages; /* 32 at most: there may be more behind */
};
MESSAGE_FITS(struct rs_corpse_area_reply);

struct IN_MESSAGE rs_corpse_memory_request {
    uint64_t number, address, length; /* bytes, 1..4096 */
    uint64_t grant;
};
MESSAGE_FITS(struct rs_corpse_memory_request);

struct IN_MESSAGE rs_iommu_status_request {
    uint64_t number; /* of an IOMMU */
};
MESSAGE_FITS(struct rs_iommu_status_request);

struct IN_MESSAGE rs_iommu_status_reply {
    uint64_t registers; /* where they are mapped into the caller */
};
MESSAGE_FITS(struct rs_iommu_status_reply);

struct IN_MESSAGE rs_program_request {
    uint64_t offset, grant, length; /* bytes, 1..RS_PROGRAM_PIECE */
};
MESSAGE_FITS(struct rs_program_request);

struct rs_instance {
    char base[16];
    char name[16]; /* out */
    char parameters[256]; /* for service_info */
};

enum rs_ready {
    RS_READY_FRESH,
    RS_READY_ADOPTED,
    RS_READY_RESET,
    RS_READY_ROLLED_BACK, /* of one that keeps its memory: the step that it died in is done */
};

enum rs_defect { /* the classes of defect */
                 DEFECT_NONE,
                 DEFECT_EXIT, /* 1 exit or panic */
                 DEFECT_EXCEPTION, /* 2 CPU or MMU exception */
                 DEFECT_KILLED, /* 3 killed by a user */
                 DEFECT_HEARTBEAT, /* 4 heartbeat missed */
                 DEFECT_COMPLAINT, /* 5 complaint by a server */
                 DEFECT_UPDATE, /* 6 update or restart on request */
                 /* 7 over budget: more CPU than its manifest says (detail: how much of it, per mille), or
                    more memory (BUDGET_MEMORY) */
                 DEFECT_BUDGET,
                 DEFECT_STORM, /* 8 above its share of the CPU, and of no use to its client */
                 DEFECT_DMA, /* 9 its device was told to reach memory that is not its own */
                 DEFECTS,
};

#define BUDGET_MEMORY 0

enum rs_state {
    RS_DOWN,
    RS_STARTING,
    RS_UP,
    RS_BACKOFF /* waits to be restarted */,
    RS_SCRIPT_DECIDES,
    RS_GIVEN_UP,
    RS_NO_DEVICE,
    RS_BROKEN /* bad manifest or image */,
    RS_REFUSED, /* it has said that this device is none that it can drive */
    RS_HELD, /* it has died, and is kept for inspection until `up` or `restart` */
};

/* Exit status of a driver that finds, before it has ever been ready, a device that is none of its:
 * it is not started again. (The number is EX_UNAVAILABLE of sysexits.h.) */
#define RS_EXIT_REFUSED 69
/* Of an essential server: it would be no use to let it go on; the system stops. (EX_OSERR.) */
#define RS_EXIT_HOPELESS 71
#define RS_PANIC_STATUS 0x7e /* as of the kernel's own panic: QEMU's status is 253 then */

enum rs_control {
    RS_CONTROL_UP,
    RS_CONTROL_DOWN,
    RS_CONTROL_RESTART,
    RS_CONTROL_KILL,
    /* argument: kills at random instants, so many us apart on average, RS_STORM_MIN_US to RS_STORM_MAX_US; 0: no more */
    RS_CONTROL_STORM,
    /* argument: dies at one of so many stores of some steps, RS_FUSE_MAX at most; 0: no more; -ENOTSUP */
    RS_CONTROL_FUSE,
    RS_CONTROL_HOLD, /* it is not replaced when it dies, or now; -ENXIO: it is down */
    RS_CONTROL_FORGET, /* what is kept of its dead, but for one that is held */
    /* the program of RS_PROGRAM, of `argument` bytes, is its own from now on, and takes over at once. Not of
       those that keep their memory (-ENOTSUP). -EINVAL: another one is there; -ENXIO: it is not up;
       -ENOEXEC, -ENOMEM */
    RS_CONTROL_UPDATE,
    /* what has become of that: 0 it stands, or there was none; -EBUSY it is not ready yet,
       -EAGAIN it is on probation, -ECANCELED it has failed, and the one before is back */
    RS_CONTROL_UPDATED,
};

enum rs_complaint {
    COMPLAINT_PROTOCOL = 1 /* broke a rule of the queue that has no reason of its own */,
    COMPLAINT_DEADLINE,
    COMPLAINT_DATA,
    COMPLAINT_SILENCE /* nothing comes through it any more, though something should */,
    COMPLAINT_USELESS /* it is busy with nothing of use */,
    COMPLAINT_INDEX /* more is done in its queue, it says, than it was given */,
    COMPLAINT_LENGTH /* something there is longer, it says, than the room that it has */
};

#define IOMMU_UNITS 4
#define DEVICE_WAS_RESET 1

enum rs_device_work {
    DEVICE_ENABLE = 1 /* memory, I/O and bus mastering on */,
    DEVICE_QUIESCE /* reset (FLR, or bus reset), bus mastering off */,
    DEVICE_MSI, /* arguments: address, data: program and enable MSI or MSI-X entry 0; address 0: raise none */
    DEVICE_MEMORY /* RS_DEVICE_MEMORY has more than before */
};

enum power {
    POWER_OFF,
    POWER_RESET,
    POWER_PANIC /* as when an essential server is lost */
};

enum rs_rung { /* what an incarnation is told to do with the device */
               RS_RUNG_ADOPT, /* as it is */
               RS_RUNG_RESET,
               RS_RUNG_BUS_RESET, /* pci has reset it beforehand */
               RS_RUNGS
};

struct rs_service {
    char name[16];
    uint32_t pid, state, service_id, restarts; /* restarts: since boot */
    endpoint_t endpoint;
    uint32_t last_defect, last_detail; /* detail: signal, vector, exit status or complaint */
    uint32_t essential; /* 1: nobody can replace it */
    uint64_t started_ns; /* clock when this incarnation was started */
    uint64_t recovery_mean_ns, recovery_max_ns, cpu_ns, memory_bytes;
    uint32_t incarnation, start_order; /* start_order: the manifest's "start" */
    uint32_t grants_used; /* entries in use of its grant table */
    uint32_t failures; /* that count against its budget and are not forgotten yet */
    uint32_t rung; /* enum rs_rung: on which this incarnation was started */
    uint32_t place; /* on which rung of its manifest's ladder that was, the first is 0 */
    uint32_t slow; /* 1: it is up, but beyond the low mark of its heartbeat */
    uint32_t mirror_pages; /* of its memory: what its commits have left (lib/undo/mirror.c) */
    uint64_t messages; /* how often this incarnation has come back for the next message */
    char class_name[8], description[64]; /* of the manifest; "" when that is broken */
    char program[16]; /* that it runs: its name, or what its manifest calls `alternate` */
};

enum rs_step {
    STEP_DETECTED,
    STEP_POLICY,
    STEP_STOPPED,
    STEP_SPAWNED,
    STEP_READY,
    STEP_PUBLISHED,
    STEP_REINTEGRATED,
    STEPS
};

struct rs_recovery { /* a line of /proc/recovery */
    uint64_t number;
    char name[16];
    uint32_t defect, detail, incarnation, ready; /* ready: enum rs_ready */
    uint32_t old_pid, new_pid;
    uint64_t step_ns[STEPS]; /* clock; 0: not (yet) taken */
};

struct rs_device { /* what pci found */
    uint16_t bus, device_function, vendor, device;
    uint32_t class_code; /* class << 16 | subclass << 8 | programming interface */
    uint32_t gsi, irq_flags; /* legacy interrupt; 0xffffffff none */
    uint32_t has_msi, has_msix;
    uint32_t msix_bar, msix_offset; /* where its table is: a 16-byte entry for each vector */
    struct {
        uint64_t physical, size;
        uint32_t is_port, pad;
    } bar[6];
    struct rs_window {
        uint32_t bar, offset, length, multiplier; /* length 0: none */
    } window[4]; /* of virtio devices: SERVICE_WINDOWS in abi/service.h */
};

struct rs_driven { /* a device and who drives it */
    uint16_t bus, device_function, vendor, device;
    uint32_t class_code; /* as in struct rs_device */
    uint32_t state; /* of its driver: enum rs_state */
    char driver[16]; /* "": there is none */
};

struct rs_script {
    uint32_t number, defect, failures;
    uint32_t deadline_ms; /* the runner ends it then, whatever it is doing */
    char path[128], component[16], parameters[256];
};

#endif
