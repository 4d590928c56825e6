/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues: the memory that a client (net, a file server) shares with a driver. RS makes it,
 * physically contiguous, before the driver's first start; it belongs to the client and outlives
 * every incarnation of the driver.
 *
 *     offset 0                    struct net_queue (or block_queue): indices and entries
 *     QUEUE_CHIP_OFFSET           the chip's own descriptor rings and the like, for the driver alone
 *     QUEUE_BUFFERS_OFFSET        buffers, placed by the client
 *
 * A network queue has two rings, receive and transmit. Each is in order: entry k (k free-running,
 * slot k modulo the size) is filled in by the client, which then advances `posted`; the driver does
 * what it says, fills in `length` and `status`, and advances `completed`. There is no other state:
 * a driver's position is `completed` and `posted`, each advance is one store, and so a driver may
 * die between any two instructions. Chip descriptor k modulo N always belongs to entry k. (The four
 * rings free/used of many designs say the same twice; see docs/decisions.)
 *
 * Trust: the client keeps its own copy of `posted` and of every offset it has posted, reads only
 * `completed`, `length` and `status`, and checks completed - last <= posted - last and length <=
 * what it lent. The driver checks posted - completed <= size, and offset + length against the
 * queue's size.
 *
 * Barriers: fill in, then queue_publish() the index; queue_read() the index, then read what it
 * covers.
 *
 * A driver posts NOTIFY_BIT_PEER + number to the client after completing something while
 * `client_waits` is set; the client notifies the driver (NOTIFY_BIT_QUEUE) after posting while
 * `driver_waits` is set.
 */
#ifndef ABI_QUEUE_H
#define ABI_QUEUE_H

#include <stdint.h>

#include "abi/endpoint.h"

#define QUEUE_CHIP_OFFSET 0x8000u
#define QUEUE_CHIP_SIZE 0x18000u
#define QUEUE_BUFFERS_OFFSET 0x20000u

#define NET_QUEUE_MAGIC 0x4e455451u /* "NETQ" */
#define NET_RING_SIZE 256u /* entries, a power of two */
#define NET_BUFFER_SIZE 2048u
/* Bytes ahead of each buffer that are the driver's, for a chip that has a header before the frame. */
#define NET_HEADROOM 16u
#define NET_BUFFER_ROOM (NET_BUFFER_SIZE - NET_HEADROOM)
#define NET_FRAME_MAX 1514u /* without FCS */
#define NET_QUEUE_BYTES (QUEUE_BUFFERS_OFFSET + 2 * NET_RING_SIZE * NET_BUFFER_SIZE)

enum net_status { NET_FRAME_OK = 0, NET_FRAME_BAD = 1 /* length 0: give the buffer back */ };

struct net_entry {
    uint32_t offset; /* of the buffer in the queue, behind its headroom; by the client */
    uint32_t size; /* receive: room; transmit: bytes to send; by the client */
    uint32_t length; /* receive: bytes there; by the driver */
    uint32_t status; /* enum net_status; by the driver */
};

struct net_ring {
    _Alignas(64) uint32_t posted; /* by the client */
    uint32_t driver_waits; /* by the driver: wants a notification when posted advances */
    _Alignas(64) uint32_t completed; /* by the driver */
    uint32_t client_waits; /* by the client: wants a notification when completed advances */
    _Alignas(64) struct net_entry entry[NET_RING_SIZE];
};

enum queue_driver_state {
    QUEUE_DRIVER_NONE, /* as RS made it, zeroed */
    QUEUE_DRIVER_ADOPTED, /* this incarnation went on where its predecessor was: nothing was lost */
    QUEUE_DRIVER_RESET, /* it had to reset: what was on its way in may have been lost */
};

/* How every queue between a driver and its client begins. */
struct queue_header {
    /* by the client, before the first post */
    uint32_t magic;
    uint32_t client_ready; /* all is set up: before, the driver leaves the device quiet */
    /* by the driver */
    _Alignas(64) uint32_t driver_state; /* enum queue_driver_state */
    /* of the driver that wrote driver_state: when it changes, a fresh copy is at work */
    uint32_t incarnation;
    endpoint_t driver; /* its endpoint, whom to notify (the kernel checks that the client may) */
    uint64_t ready_ns; /* clock when it was ready */
    uint64_t errors, resets, adoptions; /* counted over all incarnations */
    /* by the client, for the recovery record: clock when the first frame or block moved after the
     * change of incarnation; of a disk that nothing was asked of: when the client knew of it */
    _Alignas(64) uint64_t reintegrated_ns;
    uint32_t reintegrated_incarnation, pad;
    /* by the client: counts what was of use to it, a frame, a block, a character. RS looks at it: a
     * driver that keeps the processor busy while this stands still is ill. */
    uint64_t useful;
    /* by the client: ns of its own time that it has spent on looks of which nothing of use came
     * (lib/service/account.h). For RS they are the driver's. */
    uint64_t in_vain_ns;
    /* by RS: counts how often the driver's device was kept from memory that is not its own, or may have
     * been. What was completed before a change of it, and not looked at, may not have been done. */
    uint32_t refused, pad_refused;
};

struct net_queue {
    struct queue_header header;
    /* by the driver */
    uint8_t mac[6];
    uint8_t link_up, pad;
    uint32_t mtu; /* 1500 */
    struct net_ring receive, transmit;
};
_Static_assert(sizeof(struct net_queue) <= QUEUE_CHIP_OFFSET,
               "net_queue fits before the chip's rings");

static inline uint32_t queue_read(const volatile uint32_t *index)
{
    /* pairs with queue_publish() of the other side */
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void queue_publish(volatile uint32_t *index, uint32_t value)
{
    /* the entries before the index that covers them */
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* By the client, once all is set up; and for each fresh driver: its predecessor may have written
 * where it must not, and no copy of a driver works for a client that is not ready. */
static inline void queue_claim(struct queue_header *h, uint32_t magic)
{
    *(volatile uint32_t *)&h->magic = magic;
    queue_publish(&h->client_ready, 1);
}

#endif
