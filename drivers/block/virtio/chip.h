/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio block devices: registers, and what is in memory. Source: Virtual I/O Device (VIRTIO)
 * Version 1.0, OASIS: section 2.4 for virtqueues, 4.1 for PCI, 5.2 for block devices.
 */
#ifndef BLOCK_VIRTIO_CHIP_H
#define BLOCK_VIRTIO_CHIP_H

#include "lib/driver/blockdriver.h"

extern const struct block_driver virtio_driver;

#define NO_VECTOR 0xffffu

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

enum virtio_feature { /* numbers of bits: 5.2.3, 6 */
                      FEATURE_READ_ONLY = 5,
                      FEATURE_BLOCK_SIZE = 6,
                      FEATURE_FLUSH = 9,
                      FEATURE_TOPOLOGY = 10,
                      FEATURE_INDIRECT = 28,
                      FEATURE_VERSION_1 = 32,
};

enum virtio_config { /* of the block device: 5.2.4 */
                     CONFIG_CAPACITY = 0x00, /* 64, in sectors of 512 bytes */
                     CONFIG_BLOCK_SIZE = 0x14,
                     CONFIG_PHYSICAL_EXPONENT = 0x18, /* 8 */
};

enum virtio_request { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_FLUSH = 4, REQUEST_GET_ID = 8 };
enum virtio_result { RESULT_OK = 0, RESULT_ERROR = 1, RESULT_UNSUPPORTED = 2, RESULT_NONE = 0xff };
enum { ID_BYTES = 20 };

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
enum { AVAILABLE_QUIET = 1 /* flag: no interrupts, please */ };

/*
 * Heads. Slot k of the block queue has descriptor k for its command, and descriptor BLOCK_SLOTS + k
 * for the flush after a write that is to be on the medium when it is completed. So the queue has
 * two descriptors for each slot, and it never is full.
 */
enum { HEADS = 2 * BLOCK_SLOTS, PARTS = BLOCK_SEGMENTS + 2 };

struct virtio_memory { /* in the queue's memory for the chip: outlives us */
    struct virtio_descriptor head[HEADS];
    _Alignas(4096) struct {
        uint16_t flags, index, ring[HEADS];
    } available;
    _Alignas(4096) struct {
        uint16_t flags, index;
        struct {
            uint32_t head, length;
        } ring[HEADS];
    } used;
    /* Of each head: 0: not given to the device; else 1 + the place in `available` where it was put.
     * Written before the device can see it there. */
    _Alignas(4096) uint32_t given[HEADS];
    uint32_t taken; /* entries of `used` that have been looked at */
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
