/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio block devices: their configuration, and what is in memory (the rest: lib/virtio). Source:
 * Virtual I/O Device (VIRTIO) Version 1.0, OASIS: section 5.2.
 */
#ifndef BLOCK_VIRTIO_CHIP_H
#define BLOCK_VIRTIO_CHIP_H

#include "lib/driver/blockdriver.h"
#include "lib/virtio/virtio.h"

extern const struct block_driver virtio_block;

enum virtio_block_feature { /* numbers of bits: 5.2.3 */
                            FEATURE_READ_ONLY = 5,
                            FEATURE_BLOCK_SIZE = 6,
                            FEATURE_FLUSH = 9,
                            FEATURE_TOPOLOGY = 10,
};

enum virtio_config { /* of the block device: 5.2.4 */
                     CONFIG_CAPACITY = 0x00, /* 64, in sectors of 512 bytes */
                     CONFIG_BLOCK_SIZE = 0x14,
                     CONFIG_PHYSICAL_EXPONENT = 0x18, /* 8 */
};

enum virtio_request { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_FLUSH = 4, REQUEST_GET_ID = 8 };
enum virtio_result { RESULT_OK = 0, RESULT_ERROR = 1, RESULT_UNSUPPORTED = 2, RESULT_NONE = 0xff };
enum { ID_BYTES = 20 };

/*
 * Heads. Slot k of the block queue has descriptor k for its command, and descriptor BLOCK_SLOTS + k
 * for the flush after a write that is to be on the medium when it is completed. So the queue has
 * two descriptors for each slot, and it never is full.
 */
enum { HEADS = 2 * BLOCK_SLOTS, PARTS = BLOCK_SEGMENTS + 2 };

struct virtio_memory { /* in the queue's memory for the chip: outlives us */
    struct virtqueue_memory queue;
    /* Of each head: 0: not given to the device; else 1 + the place in `available` where it was put.
     * Written before the device can see it there. */
    _Alignas(4096) uint32_t given[HEADS];
    struct virtio_command {
        uint32_t type, reserved;
        uint64_t sector;
        uint8_t result, is_flushed, pad[2]; /* is_flushed: a flush follows */
        uint32_t written; /* bytes that the device is to write into memory */
    } command[HEADS];
    char id[ID_BYTES + 4];
    _Alignas(16) struct virtio_descriptor part[HEADS][PARTS];
};
_Static_assert(sizeof(struct virtio_memory) <= BLOCK_CHIP_SIZE, "fits into the chip's memory");

#endif
