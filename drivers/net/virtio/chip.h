/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio network devices: their configuration, and what is in memory (the rest: lib/virtio). Source:
 * Virtual I/O Device (VIRTIO) Version 1.0, OASIS: section 5.1.
 */
#ifndef NET_VIRTIO_CHIP_H
#define NET_VIRTIO_CHIP_H

#include "lib/driver/netdriver.h"
#include "lib/virtio/virtio.h"

extern const struct net_driver virtio_net;

enum virtio_net_feature { /* numbers of bits: 5.1.3 */
                          FEATURE_MAC = 5,
                          FEATURE_STATUS = 16,
};

enum virtio_net_config { /* 5.1.4 */
                         CONFIG_MAC = 0x00, /* six bytes */
                         CONFIG_STATUS = 0x06, /* 16 bits */
                         STATUS_LINK_UP = 1,
};

enum virtio_net_side { RECEIVE, TRANSMIT, SIDES }; /* numbers of queues, too */

/* Ahead of each frame, in the headroom of its buffer. What it says is about checksums, segments and
 * buffers that are merged: nothing of that is negotiated, so it is all zeroes, or ignored. */
#define HEADER 12u
_Static_assert(HEADER <= NET_HEADROOM, "fits ahead of a buffer");

#define QUEUE_LEAST 16u /* descriptors, or it is too slow to be of use */

struct virtio_net_memory { /* in the queue's memory for the chip: outlives us */
    struct {
        struct virtqueue_memory queue;
        /* Of descriptor n: 0, or 1 + the length with which it has come back since it was given. The
         * device may give them back in any order. */
        uint32_t back[VIRTQUEUE_MAX];
    } side[SIDES];
};
_Static_assert(sizeof(struct virtio_net_memory) <= QUEUE_CHIP_SIZE, "fits the chip area");
_Static_assert(VIRTQUEUE_MAX <= NET_RING_SIZE, "a descriptor has one entry");

#endif
