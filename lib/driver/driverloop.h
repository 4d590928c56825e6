/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a driver, of whatever class: tell the client and RS, then sleep and serve. */
#ifndef DRIVER_DRIVERLOOP_H
#define DRIVER_DRIVERLOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/queue.h"

struct driver_class {
    const char *name; /* "net": what the names of such drivers begin with in DS */
    /* A turn before anybody knows of us, so that the client, which is woken then in any case, finds
     * something done; or NULL. */
    void (*first)(void *device);
    /* RS knows of us: interrupts may come; or NULL. */
    void (*started)(void *device);
    /*
     * Serve until nothing moves and nothing that may come is missed. bits: the notifications that
     * we have been woken by; those of interrupts are to be acknowledged. False: there is more to do.
     */
    bool (*wake)(void *device, uint64_t bits);
    /* No interrupts any more: the driver ends. */
    void (*silence)(void *device);
};

/*
 * A device has been adopted or reset (`state`; mismatch: why the latter, or NULL). Never returns.
 * Every kernel call and every page touched before the client knows lengthens the recovery: what can
 * wait (the name in DS, log lines) comes some milliseconds later.
 */
void driver_loop_run(const struct driver_class *class, void *device, struct queue_header *header,
                     enum queue_driver_state state, const char *mismatch) __attribute__((noreturn));

/* ---- for wake() ---- */

void driver_notify_client(void);
/* Wake us then, at the latest. */
void driver_wake_in(uint64_t ns);

#endif
