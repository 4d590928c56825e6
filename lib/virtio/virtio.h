/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all drivers of virtio devices on PCI share: registers, negotiation, split virtqueues. Source:
 * Virtual I/O Device (VIRTIO) Version 1.0, OASIS: section 2.4 for virtqueues, 4.1 for PCI.
 *
 * The structures of PCI are found by the PCI server, and come as service_info()->device.window[].
 *
 * A virtqueue lies in memory that outlives the driver. The device's positions are in there, too, so
 * a fresh driver goes on where its predecessor was. What the device does not keep is kept beside
 * it: `taken`, how far the ring of used ones has been looked at; and `start`: the rings' indices
 * begin at 0 whenever the device is reset, the numbers of a driver's own entries do not.
 *
 * There is one vector: queues and configuration share the driver's interrupt 0.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define NO_VECTOR 0xffffu
#define VIRTQUEUE_MAX 256u /* descriptors; a power of two */

enum virtio_window { WINDOW_COMMON, WINDOW_NOTIFY, WINDOW_ISR, WINDOW_DEVICE };

enum virtio_common { /* 4.1.4.3; 32 bits unless said otherwise */
                     COMMON_DEVICE_FEATURE_SELECT = 0x00,
                     COMMON_DEVICE_FEATURE = 0x04,
                     COMMON_DRIVER_FEATURE_SELECT = 0x08,
                     COMMON_DRIVER_FEATURE = 0x0c,
                     COMMON_CONFIG_VECTOR = 0x10, /* 16: of MSI-X */
                     COMMON_STATUS = 0x14, /* 8 */
                     COMMON_QUEUE_SELECT = 0x16, /* 16, as the next */
                     COMMON_QUEUE_SIZE = 0x18,
                     COMMON_QUEUE_VECTOR = 0x1a,
                     COMMON_QUEUE_ENABLE = 0x1c,
                     COMMON_QUEUE_NOTIFY = 0x1e,
                     COMMON_QUEUE_TABLE = 0x20, /* 64, as two of 32; so are the next */
                     COMMON_QUEUE_AVAILABLE = 0x28,
                     COMMON_QUEUE_USED = 0x30,
};

enum virtio_status { /* 2.1 */
                     STATUS_ACKNOWLEDGE = 1,
                     STATUS_DRIVER = 2,
                     STATUS_DRIVER_OK = 4,
                     STATUS_FEATURES_OK = 8,
                     STATUS_ALIVE = 15, /* all of them */
};

enum virtio_feature { /* numbers of bits, of all devices: 6 */
                      FEATURE_INDIRECT = 28,
                      FEATURE_VERSION_1 = 32,
                      FEATURE_PLATFORM =
                          33, /* it reaches memory as a PCI device does: by an IOMMU */
};
#define FEATURE(n) (1ull << (n))

struct virtio_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
enum virtio_descriptor_flag {
    DESCRIPTOR_NEXT = 1,
    DESCRIPTOR_WRITE = 2, /* the device writes it */
    DESCRIPTOR_INDIRECT = 4, /* it leads to a table of descriptors */
};
enum {
    AVAILABLE_QUIET = 1, /* flag: no interrupts, please */
    USED_QUIET = 1, /* flag: it need not be told of new ones */
};

struct virtqueue_memory { /* the device reaches it; outlives us */
    struct virtio_descriptor descriptor[VIRTQUEUE_MAX];
    _Alignas(64) struct {
        uint16_t flags, index, ring[VIRTQUEUE_MAX];
    } available;
    _Alignas(64) struct {
        uint16_t flags, index;
        struct {
            uint32_t head, length;
        } ring[VIRTQUEUE_MAX];
    } used;
    _Alignas(64) uint32_t start; /* the driver's number of what was given first */
    uint16_t taken; /* entries of `used` that have been looked at */
};

struct virtqueue {
    struct virtqueue_memory *memory;
    uint64_t physical; /* of `memory` */
    uint16_t number; /* of the device's queues */
    uint16_t size; /* a power of two, at most VIRTQUEUE_MAX */
    uint32_t notify; /* where in its window it is told */
};

/* ---- the device ---- */

/* All four windows are there. Else it is a device of before VIRTIO 1.0. */
bool virtio_has_windows(void);
volatile void *virtio_window(enum virtio_window w);

/* A reset; afterwards the device reaches no memory any more. 0 or -EIO: it does not come to rest. */
int virtio_stop(void);
/* Of what it offers, all that is `wanted`; -EOPNOTSUPP: something that is `needed` is not there, or
 * it does not like the choice. After virtio_stop(). */
int virtio_negotiate(uint64_t wanted, uint64_t needed, uint64_t *chosen);
/* Its changes of configuration raise the interrupt, too; else none does. -EIO: it has no vector. */
int virtio_watch_configuration(bool watch);
/* Negotiated, its queues set up: it works from here on. */
void virtio_begin(void);
/* Did a predecessor bring it so far, and is it in order? */
bool virtio_is_alive(void);
uint64_t virtio_chosen(void);
/* Takes back an interrupt by the pin; true: the configuration has changed. An MSI-X has nothing to
 * take back, and nothing to tell: false. */
bool virtio_acknowledge(void);

/* ---- a queue ---- */

/* q->memory, physical, number are filled in, and q->size with the most that is wanted; what the
 * device has is less, perhaps, but not below `least`. Nothing is given. 0 or -errno. */
int virtqueue_set_up(struct virtqueue *q, unsigned least, uint32_t start);
/* Is it set up as that does it? Fills in q->size. */
bool virtqueue_is_ours(struct virtqueue *q);

/* The n-th (from 0) of those that are given next; the device does not see it yet. */
static inline void virtqueue_put(const struct virtqueue *q, uint32_t n, uint32_t head)
{
    struct virtqueue_memory *m = q->memory;

    m->available.ring[(m->available.index + n) % q->size] = (uint16_t)head;
}
/* That many have been put: the device sees them, by one store, and is told if it wants to be. */
void virtqueue_give(const struct virtqueue *q, uint32_t count);
/* For a fresh driver: its predecessor may have died between the two. */
void virtqueue_tell(const struct virtqueue *q);

/* What has come back and has not been looked at; false: nothing. Once it is noted where it outlives
 * us: virtqueue_taken(). */
bool virtqueue_look(const struct virtqueue *q, uint32_t *head, uint32_t *length);
void virtqueue_taken(const struct virtqueue *q);

static inline void virtqueue_mask(const struct virtqueue *q)
{
    *(volatile uint16_t *)&q->memory->available.flags = AVAILABLE_QUIET;
}
/* The next that comes back raises an interrupt. False: one has come back meanwhile, which did not. */
bool virtqueue_unmask(const struct virtqueue *q);

#endif
