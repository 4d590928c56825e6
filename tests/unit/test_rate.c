/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pm/rate.c
/* The clock's rate: from any TSC and whatever the kernel has measured at boot to the right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "servers/pm/rate.h"

static uint64_t true_hz, tsc;

/* The PIT as it stands when the TSC does; the reading may be up to took / 2 off. */
static struct rate_sample sample(uint64_t took)
{
    uint64_t at = tsc - took / 2 + (took ? (uint64_t)rand() % took : 0);
    unsigned __int128 ticks = (unsigned __int128)at * RATE_PIT_HZ / true_hz;

    return (struct rate_sample){tsc, took, (uint16_t)(0 - ticks)};
}

static void pass(unsigned seconds)
{
    tsc += seconds * true_hz + (uint64_t)rand() % 1000000;
}

static uint64_t ppb(uint64_t hz)
{
    uint64_t off = hz > true_hz ? hz - true_hz : true_hz - hz;

    return (uint64_t)((unsigned __int128)off * 1000000000 / true_hz);
}

/* Off by so many millionths in the beginning; then for so many measurements. */
static uint64_t run(uint64_t at_boot, unsigned measurements, uint64_t took)
{
    struct rate rate;
    struct rate_sample now = sample(took);
    uint64_t hz = at_boot;

    rate_begin(&rate, &now);
    while (measurements--) {
        uint64_t measured;

        pass(rate.seconds);
        now = sample(took);
        measured = rate_measure(&rate, &now, hz);
        hz = measured ? measured : hz;
    }
    return hz;
}

static void test_any_tsc(void **state)
{
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t wrong;

        true_hz = 500000000 + (uint64_t)rand() % 4500000000;
        tsc = (uint64_t)rand() * 1000;
        wrong = true_hz + true_hz / 10000 * ((uint64_t)rand() % 20) - true_hz / 1000;
        assert_true(ppb(run(wrong, 1, 0)) < 2000); /* a tick of the PIT in a second */
        assert_true(ppb(run(wrong, 8, 0)) < 20);
        assert_true(ppb(run(wrong, 8, true_hz / 1000000 * 5)) < 100);
        assert_true(ppb(run(wrong, 40, true_hz / 1000000 * 5)) < 200);
    }
}

/* What cannot be read well is not believed, until it has gone on for long enough. */
static void test_bad_readings(void **state)
{
    true_hz = 2000000000;
    tsc = 12345;
    assert_int_equal(run(2000200000, 2, true_hz / 1000), 2000200000);
    assert_true(ppb(run(2000200000, 20, true_hz / 1000)) < RATE_GOOD_PPM * 1000);
}

/* One bad reading spoils one measurement. */
static void test_one_bad_reading(void **state)
{
    struct rate rate;
    struct rate_sample now;

    true_hz = 3000000000;
    tsc = 777;
    now = sample(true_hz / 100);
    rate_begin(&rate, &now);
    pass(rate.seconds);
    now = sample(0);
    assert_int_equal(rate_measure(&rate, &now, true_hz + 100000), 0);
    pass(rate.seconds);
    now = sample(0);
    assert_true(ppb(rate_measure(&rate, &now, true_hz + 100000)) < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_tsc),
        cmocka_unit_test(test_bad_readings),
        cmocka_unit_test(test_one_bad_reading),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
