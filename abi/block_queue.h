/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block queue: how requests go down to a disk. The same between a file server (client) and the
 * disk server, and between the disk server (client) and a driver; "driver" below is whoever serves.
 * The memory is RS's, as with every queue (abi/queue.h), and outlives both sides.
 *
 * There are no rings: the table of requests is the queue. The client fills in slot k and publishes
 * posted[k], a number that it has not used for this slot before; the driver does what is asked,
 * fills in status[k] and publishes completed[k] = posted[k]. A request is in flight while the two
 * differ. So each step is one store, either side may die between any two instructions, and a fresh
 * driver finds in the table all that is to be done.
 *
 * Requests may be done in any order and, when the driver dies, more than once (but for writes to a
 * unit with BLOCK_UNIT_ONCE): reads and writes are idempotent as long as the client has no two in flight that overlap, and leaves the data alone
 * until they are completed. What was written is on the medium once a BLOCK_FLUSH that was posted
 * after its completion is completed, or at its own completion with BLOCK_FUA.
 *
 * Memory of a transfer: segments at device (physical) addresses. They lie in this queue's memory or
 * in that of the client's own clients; RS lists what is allowed in service_info()->region, and the
 * driver checks. So data moves between the disk and the file server's memory, whoever is between.
 *
 * Notifications as with net queues: the driver notifies with NOTIFY_BIT_PEER + number after a
 * completion while client_waits, the client with NOTIFY_BIT_QUEUE after a post while driver_waits.
 */
#ifndef ABI_BLOCK_QUEUE_H
#define ABI_BLOCK_QUEUE_H

#include "abi/queue.h"

#define BLOCK_QUEUE_MAGIC 0x4b434c42u /* "BLCK" */
#define BLOCK_SLOTS 32u /* requests in flight, at most; as many as AHCI has command slots */
#define BLOCK_UNITS 8u /* disks of a controller, at most */
#define BLOCK_SEGMENTS 64u
#define BLOCK_SECTOR 512u /* sector numbers count these, whatever the disk's own size is */
#define BLOCK_TRANSFER_MAX 0x100000u /* bytes of one request */

#define BLOCK_CHIP_OFFSET 0x10000u /* for the driver alone */
#define BLOCK_CHIP_SIZE 0x20000u
#define BLOCK_BUFFERS_OFFSET 0x30000u /* for the client alone */
/* The queue to a RAM disk: from here to its end it is the disk; the client's buffers end before. */
#define BLOCK_RAM_OFFSET 0x500000u

enum block_operation { BLOCK_READ = 1, BLOCK_WRITE, BLOCK_FLUSH };
enum block_flag {
    BLOCK_FUA = 1,
    /* Set by the client while the request is in flight: it is not to be begun any more, but fails.
     * So a request that a disk never answers ends with the next reset of the device. */
    BLOCK_ABANDONED = 2,
};
enum block_status {
    BLOCK_OK,
    BLOCK_ERROR, /* the medium or the device says so */
    BLOCK_INVALID, /* beyond the end, bad segments, unknown operation */
    BLOCK_READ_ONLY,
    BLOCK_GONE, /* no such unit (any more) */
    BLOCK_LOST, /* its driver has died over it, and it must not be repeated (BLOCK_UNIT_ONCE) */
};

struct block_segment {
    uint64_t address; /* physical, a multiple of 512 */
    uint32_t length, pad; /* bytes, a multiple of 512 */
};

struct block_request {
    uint32_t operation; /* enum block_operation */
    uint32_t flags; /* enum block_flag */
    uint32_t unit;
    uint32_t sectors; /* to transfer; 0 for FLUSH */
    uint64_t sector; /* the first */
    uint64_t cookie; /* the client's own */
    uint32_t segments, pad;
    struct block_segment segment[BLOCK_SEGMENTS];
};

enum block_unit_flag {
    BLOCK_UNIT_PRESENT = 1,
    BLOCK_UNIT_READ_ONLY = 2,
    BLOCK_UNIT_WRITE_CACHE =
        4, /* without FLUSH or FUA a completed write may be lost with the power */
    BLOCK_UNIT_COPY = 8, /* the driver reaches this queue's own buffers alone, not other regions */
    /* What is written stays, and is written in order: a write begins at `next`, and is never
     * repeated by anybody. One that its driver dies over ends with BLOCK_LOST. */
    BLOCK_UNIT_ONCE = 16,
};

struct block_unit {
    uint64_t sectors; /* of 512 bytes */
    uint32_t flags; /* enum block_unit_flag */
    uint32_t logical_size; /* bytes: what a request must be a multiple of; 512 or 4096 */
    uint32_t physical_size;
    uint32_t generation; /* another one: another medium */
    char model[41], serial[21];
    /* BLOCK_UNIT_ONCE: the sectors before it have been written, or begun */
    uint64_t next;
    uint64_t refused; /* sectors that were to be written again, and were not */
};

struct block_queue {
    struct queue_header header;
    /* by a file server: what it wants as unit 0; then it counts attach_wanted up */
    char wanted[16]; /* number of the device: "8:1" */
    endpoint_t client; /* whom to notify */
    uint32_t wants_write;
    uint32_t attach_wanted;
    /* by the driver, before `incarnation` */
    char kind[8]; /* how its disks are called: "sd" */
    uint32_t attach_done; /* disk server: unit 0 is what attach_wanted asked for, or ... */
    uint32_t attach_error; /* ... errno: why not */
    struct block_unit unit[BLOCK_UNITS];
    _Alignas(64) uint32_t posted[BLOCK_SLOTS]; /* by the client */
    uint32_t driver_waits; /* by the driver */
    _Alignas(64) uint32_t completed[BLOCK_SLOTS]; /* by the driver */
    uint32_t client_waits; /* by the client */
    _Alignas(64) uint32_t status[BLOCK_SLOTS]; /* enum block_status, by the driver */
    _Alignas(64) struct block_request request[BLOCK_SLOTS]; /* by the client */
    /* by the client: what has been done, since boot; of no meaning to the driver. Here, so that it
     * outlives the client */
    struct block_count {
        uint64_t reads, sectors_read, writes, sectors_written;
    } count[BLOCK_UNITS];
    /* by the client, for its successor: the unit is the one that it uses, should another be just
     * like it (a checked disk and its copy). 0: not */
    uint8_t is_chosen[BLOCK_UNITS];
};
_Static_assert(sizeof(struct block_queue) <= BLOCK_CHIP_OFFSET, "before the chip's memory");

#endif
