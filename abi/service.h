/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RS tells a fresh incarnation: one page, read-only, at SERVICE_INFO. All a service needs to
 * begin is in it, so that starting costs no call and no parsing. The same on the first start and on
 * the hundredth.
 */
#ifndef ABI_SERVICE_H
#define ABI_SERVICE_H

#include "abi/kernel.h"
#include "abi/message.h"

/* Service ids. RS gives 16 and up to the others in the order of their manifests' names. */
enum service_id {
    SERVICE_RS,
    SERVICE_DS,
    SERVICE_VM,
    SERVICE_PM,
    SERVICE_VFS,
    SERVICE_NET,
    SERVICE_TTY,
    SERVICE_LOG,
    SERVICE_PCI,
    SERVICE_FIRST_FREE = 16
};

#define SERVICE_NAME_MAX 16
#define SERVICE_BARS 6
#define FRAMEBUFFER_BAR 1
#define SERVICE_IRQS 8
#define SERVICE_REGIONS 16
#define SERVICE_PARAMETERS_MAX 512
#define SERVICE_WINDOWS 4

#define SERVICE_NO_BUS 0xffff

struct service_device { /* the device it drives; bus SERVICE_NO_BUS: none on the PCI bus */
    uint16_t bus, device_function; /* device << 3 | function */
    uint16_t vendor, device;
    uint32_t has_msix, pad; /* has_msix: MSI-X is in use, its vector 0 is the driver's irq 0 */
    struct {
        /* where it is mapped: DEVICE_WINDOW + n * DEVICE_STRIDE (and what the physical address has
         * beyond a page's); for an I/O BAR: the first port. Of an ISA device with "framebuffer yes"
         * number FRAMEBUFFER_BAR is the loader's picture (struct kernel_framebuffer). */
        uint64_t address;
        uint64_t physical, size;
        uint32_t is_port, pad;
    } bar[SERVICE_BARS];
    /* Where a virtio device has its structures (VIRTIO 1.0, 4.1.4): common configuration,
     * notification, ISR status, device configuration. */
    struct {
        uint64_t address; /* 0: none, or not in a mapped memory BAR */
        uint32_t length, multiplier; /* multiplier: of notification */
    } window[SERVICE_WINDOWS];
};

struct service_queue { /* a queue that RS made and keeps: memory shared by a client and a driver */
    char driver[SERVICE_NAME_MAX];
    uint64_t address; /* in our space: QUEUE_WINDOW + ... ; 0: no queue */
    uint64_t size, physical; /* contiguous */
    endpoint_t client; /* for the driver: whom to notify, with NOTIFY_BIT_PEER + number */
    uint32_t number; /* 0..23, the client's number for it */
    uint32_t class; /* of the driver: enum manifest_class */
    uint32_t share; /* of a processor that the driver has for what is of no use, per mille */
};

struct service_region { /* memory that the driver's device may be told to reach, beside its queue */
    uint64_t physical, size; /* size 0: unused */
};

/* A request that has killed copy after copy: the next one does not look at it. */
struct service_refused {
    uint64_t sum; /* service_sum() of it; 0: unused */
    uint64_t until; /* clock */
    uint64_t cost; /* ns in which others had nothing of the service, each time that it came */
};
#define SERVICE_REFUSED 8

struct service_info {
    char name[SERVICE_NAME_MAX];
    /* 0: not up. To know an endpoint is no right to call it. */
    endpoint_t self, rs, ds, vm, pm, vfs, log, pci, net, tty;
    uint32_t service_id, pid;
    uint32_t incarnation; /* 1 for the first */
    /* driver: 1 try to adopt the device, 0 reset it (the recovery ladder is at "reset") */
    uint32_t adopt;
    /* 1: there is an incarnation that drives the device, and who reads this is not that one, but stands by
     * until it is 0: "standby" of the manifest. A notification (NOTIFY_BIT_QUEUE) tells. */
    uint32_t stands_by;
    struct service_device device;
    struct service_queue queue; /* a driver's own */
    /* block drivers: the queues of their client's other drivers; may change at any time */
    struct service_region region[SERVICE_REGIONS];
    struct service_refused refused[SERVICE_REFUSED];
    uint32_t refuses; /* 0: there is none */
    uint32_t has_note; /* a struct service_note lies at SERVICE_NOTE */
    uint32_t irqs; /* bound as NOTIFY_BIT_IRQ + 0.. */
    uint32_t archive_mapped;
    uint64_t archive_size; /* bytes at BOOT_ARCHIVE when mapped */
    /* ns: what is added to the clock (since boot) to have the time since 1970. RS writes it into the
     * pages of all whenever the time is set: realtime_now() in lib/rt/kernel.h. */
    int64_t realtime_offset;
    char parameters[SERVICE_PARAMETERS_MAX]; /* the manifest's "parameters" line */
};

/* What it is at work on, for RS, which looks there when it has died. */
struct service_note {
    struct message request; /* as it came */
    uint64_t serves; /* 1: it is at work on that */
    uint64_t began; /* since then: TSC */
    uint64_t served; /* how many requests of programs this incarnation has handled */
};

/* The same request has the same sum, whoever hands it on again; never 0. */
static inline uint64_t service_sum(const struct message *m)
{
    uint64_t sum = (m->source ^ m->type << 17) * 0x9e3779b97f4a7c15ull;

    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        sum = ((sum ^ sum >> 29) + m->w[i]) * 0xbf58476d1ce4e5b9ull;
    return (sum ^ sum >> 31) | 1;
}

#endif
