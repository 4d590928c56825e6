/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The class library of network drivers. A driver is a table of functions (the chip's half) and a
 * manifest:
 *
 *     int main(void)
 *     {
 *         net_driver_run(&my_chip);
 *     }
 *
 * The library owns the loop (driverloop.h), the queue (abi/queue.h), the interrupt and the shutdown.
 * The chip's half moves frames between chip and the entries of the queue, and never sees who is
 * behind them.
 *
 * Positions. Every ring entry has a free-running number k. Of each ring the library knows
 * `completed` (below it all is done; the only position that is stored, in the queue) and `lent`
 * (below it the chip has been told). The chip's half must be able to tell `lent` from the chip's
 * registers alone: that is what adopt() does, and why a driver may die between any two
 * instructions:
 *   - a frame is in memory but `completed` does not cover it: the fresh copy sees the chip's mark
 *     and completes it;
 *   - a descriptor is filled in but the chip not told: `lent` does not cover it: it is filled in
 *     again, identically;
 *   - `completed` covers it but the chip has not got a new buffer: `posted` says so, and it is
 *     lent.
 * One rule keeps this true: `completed` is published before a descriptor is used again.
 */
#ifndef DRIVER_NETDRIVER_H
#define DRIVER_NETDRIVER_H

#include <stdbool.h>

#include "abi/queue.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"

struct net_device;

struct net_driver {
    const char *name;
    uint64_t registers_size; /* bytes of registers that the chip has at least; 0: not by a BAR */
    /* Masking costs nothing, and its interrupts may be MSIs, which nobody else masks while we work:
     * mask() on every wake, not only on those that no interrupt has caused. */
    bool masks_always;
    /* It sends while we do something else, and an interrupt for each batch would cost more than it
     * brings: what was sent is completed on the next wake, or after some ms. */
    bool tells_late;

    /*
     * Is the device live and set up just as reset() leaves it, with rings that agree entry by entry
     * with the queue? Then set both `lent` and return true: the device goes on. Else set
     * d->mismatch, return false, and leave everything to reset(). The device may be receiving
     * meanwhile. Leaves the device's interrupts masked.
     */
    bool (*adopt)(struct net_device *d);
    /*
     * From any state to: receiving, with nothing lent; the next frames are for entries `completed`
     * of both rings. Interrupts masked. 0, or -errno: the device does not answer as it should.
     */
    int (*reset)(struct net_device *d);
    /* The station address and, as the result, whether the link is up. */
    bool (*identify)(struct net_device *d, uint8_t mac[6]);

    void (*mask)(struct net_device *d); /* no interrupts */
    /* Interrupts; at once when a cause is pending. False: one is, for which the chip will raise
     * none; look again. */
    bool (*unmask)(struct net_device *d);
    bool (*acknowledge)(
        struct net_device *d); /* clear the causes; true: the link may have changed */

    /*
     * Complete received frames, from entry receive.completed to at most receive.lent: length and
     * status; returns how many. They are published when it returns, and it is called once more
     * before the driver sleeps.
     */
    uint32_t (*receive)(struct net_device *d);
    /* Give the chip receive entries first..end-1; returns how many it took. */
    uint32_t (*lend)(struct net_device *d, uint32_t first, uint32_t end);
    /* Give it transmit entries first..end-1; returns how many it took. */
    uint32_t (*transmit)(struct net_device *d, uint32_t first, uint32_t end);
    /* Complete sent frames, from entry transmit.completed on; returns how many. */
    uint32_t (*transmitted)(struct net_device *d);
};

struct net_position {
    uint32_t completed; /* as published */
    uint32_t lent; /* completed <= lent <= posted */
    uint32_t posted; /* as last seen, checked */
};

struct net_device {
    const struct net_driver *driver;
    volatile void *registers;
    struct net_queue *queue;
    uint8_t *chip; /* QUEUE_CHIP_SIZE bytes for the chip's rings */
    uint32_t chip_physical,
        physical; /* addresses for the device, of chip area and queue (queues lie below 4 GB) */
    uint64_t size; /* of the queue */
    struct net_position receive, transmit;
    bool wake_client; /* something was completed that the client waits for */
    bool tell_sent; /* for unmask(): an interrupt is to come when something was sent */
    const char *mismatch; /* why adopt() failed, for the log */
};

extern const struct driver_class net_class; /* its `driver`: a struct net_driver */

/* Runs the driver; never returns. Uses service_info(). */
static inline __attribute__((noreturn)) void net_driver_run(const struct net_driver *driver)
{
    driver_loop_run(&net_class, driver);
}

/* ---- for the chip's half ---- */

static inline struct net_entry *net_receive_entry(const struct net_device *d, uint32_t k)
{
    return &d->queue->receive.entry[k % NET_RING_SIZE];
}
static inline struct net_entry *net_transmit_entry(const struct net_device *d, uint32_t k)
{
    return &d->queue->transmit.entry[k % NET_RING_SIZE];
}

/*
 * Offset of the buffer of an entry, checked to lie in the queue's buffers with its headroom, *size at least
 * `least` and at most `most` bytes. Ends the driver when the client broke the rules: it must not
 * make the device write elsewhere.
 */
uint32_t net_buffer(const struct net_device *d, const struct net_entry *entry, uint32_t least,
                    uint32_t most, uint32_t *size);

/* adopt()'s way out: notes what did not check out. */
static inline bool net_mismatch(struct net_device *d, const char *what)
{
    d->mismatch = what;
    return false;
}

/* ---- the logic, without kernel calls; for net_class and the unit tests ---- */

/* Takes in the queue's positions. Ends the driver when they make no sense. */
void net_device_open(struct net_device *d, const struct net_driver *driver,
                     volatile void *registers, void *queue, uint64_t physical, uint64_t size);
/* Adopts (when `may_adopt`) or resets; counts it in the queue. -errno: the device is dead. */
int net_device_start(struct net_device *d, bool may_adopt, enum queue_driver_state *state);
/* One turn: send, lend, receive. True: something moved, so another turn may find more. */
bool net_device_serve(struct net_device *d);
/* Before sleeping: ask for notifications; false: the client has posted meanwhile, so
 * serve again. */
bool net_device_settle(struct net_device *d);
/* Thereafter, before unmask(): fills in tell_sent. True: something was given to the chip that no
 * interrupt tells of. */
bool net_device_sends_quietly(struct net_device *d);

#endif
