/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio entropy devices: what is in memory (registers and rings: lib/virtio). They have one queue,
 * no features and no configuration. Source: Virtual I/O Device (VIRTIO) Version 1.0, OASIS: section
 * 5.4.
 */
#ifndef CHAR_RANDOM_CHIP_H
#define CHAR_RANDOM_CHIP_H

#include <stdbool.h>

#include "abi/entropy_queue.h"
#include "lib/virtio/virtio.h"

struct entropy_memory { /* in the queue, at ENTROPY_CHIP_OFFSET: outlives us */
    struct virtqueue_memory queue;
    uint32_t given; /* number of the request that the device has; noted before it gets it */
};

struct entropy_device {
    struct entropy_queue *queue;
    uint64_t physical; /* of `queue` */
    struct virtqueue ring;
    const char *mismatch; /* why it was not adopted; NULL */
    bool wake_client; /* a request has been completed */
};

/* Ends the driver when there is no queue, or it is too small. */
void entropy_open(struct entropy_device *d, void *queue, uint64_t physical, uint64_t size);

/* Adopts the device (when may_adopt) or resets it, and counts that in the queue. 0; -ENODEV,
 * -EOPNOTSUPP: not a device for us; -EIO: it does not answer. */
int entropy_start(struct entropy_device *d, bool may_adopt, enum queue_driver_state *how);

/* Completes what the device has done, and gives it what the client has posted. */
void entropy_serve(struct entropy_device *d);

/* Takes its interrupt back. */
void entropy_acknowledge(void);

#endif
