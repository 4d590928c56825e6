/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The class library of character drivers. A driver is a table of functions (the chip's half) and a
 * manifest:
 *
 *     int main(void)
 *     {
 *         char_driver_run(&my_chip);
 *     }
 *
 * The library owns the loop (driverloop.h), the queue (abi/char_queue.h), the interrupt and the
 * shutdown. The chip's half moves bytes between the chip and a piece of memory, and never sees the
 * rings.
 *
 * What is committed: a byte counts as sent once send() has returned, as received once receive()
 * has; the library publishes the index right after. So a driver may die at any moment; see
 * abi/char_queue.h for what that costs.
 */
#ifndef DRIVER_CHARDRIVER_H
#define DRIVER_CHARDRIVER_H

#include <stdbool.h>

#include "abi/char_queue.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"

struct char_device;

struct char_driver {
    const char *name;
    const char *class; /* as in the manifest; NULL: "char" */

    /* Is the device live and set up just as reset() leaves it? Then change nothing and
     * return true. */
    bool (*adopt)(struct char_device *d);
    /* From any state to: set up, interrupts off. Bytes that wait in the device stay there. 0 or
     * -errno: it does not answer. */
    int (*reset)(struct char_device *d);
    /* Read up to `room` bytes from the device; returns how many. */
    uint32_t (*receive)(struct char_device *d, uint8_t *to, uint32_t room);
    /* Give the device up to `count` bytes; returns how many it took. NULL: a device that only
     * receives. */
    uint32_t (*send)(struct char_device *d, const uint8_t *from, uint32_t count);
    /* From now on interrupt when there is something to receive (if wanted), when there is room to
     * send (if wanted). */
    void (*want)(struct char_device *d, bool receive, bool send);
    /* Is there, of what is wanted, something now? Clears the interrupt's cause. */
    bool (*pending)(struct char_device *d);
    /* ns from one look at the device to the next while something is wanted, for a device whose
     * interrupts do not tell all; 0: they do. (One without an interrupt is looked at in any
     * case.) */
    uint64_t look_every;
    /* What the client asks of it (abi/char_queue.h); NULL: it never does. */
    uint32_t (*status)(struct char_device *d);
    /* What its predecessor left in the transmit ring is not sent: the client, which hears of the
     * death, says from where to go on (`taker` of the queue). */
    bool starts_over;
    /* For the test that the client asks for (abi/char_queue.h), or NULL: from now on (off: no
     * more) the device receives what is sent, instead of sending it; interrupts are off.
     * False: not now, there is still something to be sent, or it cannot do it. adopt() refuses a
     * device that is in this mode; reset() of one clears what it holds. */
    bool (*loop)(struct char_device *d, bool on);
};

/* A ring, as seen by its driver. */
struct char_flow {
    struct char_ring *ring;
    uint8_t *bytes;
    uint32_t size;
    uint32_t spare; /* of a receive ring: kept free for what comes in the middle of a test */
    uint32_t at; /* our own index: `written` of a receive ring, `taken` of a transmit ring */
};

struct char_device {
    const struct char_driver *driver;
    struct char_queue *queue;
    unsigned ports; /* the first of its I/O BAR; 0: it has none */
    struct char_flow receive, transmit;
    bool is_polled; /* it has no interrupt */
    bool wake_client; /* it waits for what was done */
    bool wants_receive, wants_send; /* as told to the chip */
    bool may_send; /* of one that starts over: the client has said so */
};

extern const struct driver_class char_class; /* its `driver`: a struct char_driver */

/* Runs the driver; never returns. Uses service_info(). */
static inline __attribute__((noreturn)) void char_driver_run(const struct char_driver *driver)
{
    driver_loop_run(&char_class, driver);
}

/* ---- the logic, without kernel calls; for char_class and the unit tests ---- */

/* Takes in the queue's indices. Ends the driver when there is no queue or its indices make no
 * sense. */
void char_device_open(struct char_device *d, const struct char_driver *driver, unsigned ports,
                      void *queue, uint64_t size);
/* Adopts (when `may_adopt`) or resets; counts it in the queue. -errno: the device is dead. */
int char_device_start(struct char_device *d, bool may_adopt, enum queue_driver_state *state);
/* One turn: receive and send, a few kB at most; and a test, if one is asked for. True: something
 * moved, so another turn may find more. */
bool char_device_serve(struct char_device *d);
/* Before sleeping: ask the client for notifications and the chip for interrupts; false: there is
 * more to do already. */
bool char_device_settle(struct char_device *d);

#endif
