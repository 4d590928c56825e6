/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock server: what its files share.
 *
 *     main.c     /dev/rtc0: the file protocol, rtc(4)
 *     driver.c   the queue to the driver of the hardware's clock; the time at boot
 *
 * The system's time is not here: that is the kernel's clock plus an offset, which PM sets
 * (realtime_now() in lib/rt/kernel.h). So it goes on whoever dies.
 */
#ifndef CLOCK_CLOCK_H
#define CLOCK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/clock_queue.h"

#define NS 1000000000ull

struct clock_request {
    enum clock_operation operation;
    uint64_t set_ns, set_at_ns; /* of CLOCK_SET: abi/clock_queue.h */
};

struct clock_answer {
    int status; /* 0 or -errno */
    int64_t seconds; /* of CLOCK_READ: since 1970 */
};

/* ---- driver.c ---- */

/* Finds the driver's queue, and asks for the time that the system begins with. */
void driver_begin(void);
/* Of every notification. */
void driver_notified(uint64_t bits);
/* There is no driver, and none will come before somebody starts it: no device, given up, down. */
bool driver_is_gone(void);
/* Nothing is asked of it now. */
bool driver_is_free(void);
/* When it is free: ask. The answer comes by clock_answered(), also while drivers die. */
void driver_ask(const struct clock_request *request);

/* ---- main.c ---- */

/* Of what was asked last. */
void clock_answered(const struct clock_answer *answer);

#endif
