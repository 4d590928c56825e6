/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue between the clock server and a driver of a clock that goes on while the machine is off.
 * As with abi/queue.h, RS makes the memory before the driver's first start (manifest: `queue 4K
 * clock`), it belongs to the client, and it outlives every incarnation of both sides.
 *
 * There is one request: the client fills in `operation` and its arguments, stores a fresh number in
 * `posted`, and notifies the driver. The driver does it, fills in the result, stores the same number
 * in `completed`, and notifies the client. Each is one store, so either side may die between any two
 * instructions: a fresh driver does (again) what is posted and not completed. That is right for both
 * operations: to read twice changes nothing, and what is to be set is a time at an instant, so that
 * it is the same time later, too.
 *
 * Trust: the client checks that `completed` is the number it waits for, and that the result is in
 * range; the driver, that what is to be set is.
 */
#ifndef ABI_CLOCK_QUEUE_H
#define ABI_CLOCK_QUEUE_H

#include "abi/queue.h"

#define CLOCK_QUEUE_MAGIC 0x514b4c43u /* "CLKQ" */
/* Seconds since 1970 that such clocks can have: the years 1970 to 2099. */
#define CLOCK_SECONDS_END 4102444800ll

enum clock_operation { CLOCK_READ = 1, CLOCK_SET };

struct clock_queue {
    struct queue_header header;
    /* by the client */
    _Alignas(64) uint32_t posted;
    uint32_t operation; /* enum clock_operation */
    uint64_t set_ns; /* CLOCK_SET: ns since 1970... */
    uint64_t set_at_ns; /* ...when the clock (ns since boot) was this */
    /* by the driver */
    _Alignas(64) uint32_t completed;
    /* 0; -EIO: it does not answer; -EINVAL: what it says is no date; -ERANGE: not a time that it can
     * have */
    int32_t status;
    int64_t seconds; /* CLOCK_READ: since 1970, whole... */
    uint64_t at_ns; /* ...as read when the clock (ns since boot) was this */
};
_Static_assert(sizeof(struct clock_queue) <= 4096, "fits 4K");

#endif
