/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time of a driver that waits for its device: it goes on by what the driver does, and by nothing
 * else. So a test says what of a wait it was awake for. For tests with "// flags: -Itests/unit/host"
 * that stand on lib/driver/wait.c.
 */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"

enum { FAKE_LOOK = 100, FAKE_ACCESS_TIME = 1000 }; /* ns: at the clock; at a register */

static uint64_t fake_now = 1000000000;
static uint64_t fake_slept; /* of it, since the test began */

uint64_t clock_now(void)
{
    return fake_now += FAKE_LOOK;
}

void driver_pause(uint64_t ns)
{
    assert_int_not_equal(ns, 0);
    fake_now += ns;
    fake_slept += ns;
}

/* From `begin` on at least `ns` went by, which the driver slept through. */
static inline void fake_has_slept(uint64_t begin, uint64_t slept_before, uint64_t ns)
{
    uint64_t took = fake_now - begin, slept = fake_slept - slept_before;

    assert_true(took >= ns);
    assert_true(slept >= ns - ns / 50 - DRIVER_SPIN);
    assert_true(took - slept <= took / 50 + DRIVER_SPIN);
}

/* `what` waits for the device for `ns`, asleep. */
#define FAKE_SLEEPS(ns, what)                                                                      \
    do {                                                                                           \
        uint64_t begin_of_it = fake_now, slept_by_then = fake_slept;                               \
                                                                                                   \
        what;                                                                                      \
        fake_has_slept(begin_of_it, slept_by_then, ns);                                            \
    } while (0)

#endif
