/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/wait.c
// flags: -Itests/unit/host
/* Waiting for a device (lib/driver/driver.h): asleep, hardly longer than it takes, and fairly. */
#include "tests/unit/fake_clock.h"

#define MS 1000000ull

static uint64_t ready_at; /* clock */
static unsigned looks;

static bool is_ready(void)
{
    looks++;
    fake_now += FAKE_ACCESS_TIME;
    return fake_now >= ready_at;
}

static bool waits_for(uint64_t takes, uint64_t patience)
{
    struct driver_wait wait = {.patience = patience};

    looks = 0;
    ready_at = fake_now + takes;
    while (!is_ready())
        if (!driver_waits(&wait))
            return false;
    return true;
}

/* Never more than twice as long as the device takes, nor 1 ms longer; and not asleep as long as a
 * sleep would take longer. */
static void test_hardly_longer(void **state)
{
    for (uint64_t takes = 0; takes < 20 * MS; takes += 1 + takes / 50) {
        uint64_t begin = fake_now, slept = fake_slept, took;

        assert_true(waits_for(takes, 100 * MS));
        took = fake_now - begin;
        assert_true(took >= takes && took <= 2 * takes + 2000 && took <= takes + MS + 2000);
        if (takes < DRIVER_SPIN)
            assert_int_equal(fake_slept, slept);
        else
            assert_true(took - (fake_slept - slept) <= DRIVER_SPIN + 2000 + took / 20);
    }
}

static void test_sleeps(void **state)
{
    for (uint64_t patience = MS; patience < 10000 * MS; patience *= 3) {
        FAKE_SLEEPS(patience, assert_false(waits_for(~0ull / 2, patience)));
        assert_true(looks < 100 + 2 * (patience / MS));
    }
}

/* We were not let run between a look and the clock, for longer than our patience: the device was
 * ready in time, and that is seen. */
static void test_one_look_more(void **state)
{
    struct driver_wait wait = {.patience = MS};

    assert_true(driver_waits(&wait));
    fake_now += 1000 * MS;
    assert_true(driver_waits(&wait));
    assert_false(driver_waits(&wait));
    assert_false(driver_waits(&wait));
}

static void test_delay(void **state)
{
    for (uint64_t ns = 0; ns < 10 * MS; ns += 1 + ns / 7) {
        uint64_t begin = fake_now, slept = fake_slept;

        driver_delay(ns);
        assert_true(fake_now - begin >= ns && fake_now - begin <= ns + 3 * FAKE_LOOK);
        assert_true(fake_now - begin - (fake_slept - slept) <= DRIVER_SPIN + 3 * FAKE_LOOK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hardly_longer),
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_one_look_more),
        cmocka_unit_test(test_delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
