/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/progress.c
/* When a terminal complains of its driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "servers/tty/progress.h"

static struct tty_progress p;
static uint64_t now;

/* Looks, every 50 ms, in which it complains, up to that many: the first; 0: never. */
static unsigned complains_in(unsigned looks, uint32_t pending, uint32_t gone)
{
    for (unsigned n = 1; n <= looks; n++, now += TTY_LOOK)
        if (tty_progress_check(&p, pending, gone, now))
            return n;
    return 0;
}

static int setup(void **state)
{
    p = (struct tty_progress){0};
    now = 1000;
    return 0;
}

static void test_stuck(void **state)
{
    assert_in_range(complains_in(100, 5, 0), TTY_STUCK_LOOKS, TTY_STUCK_LOOKS + 1);
    assert_in_range(complains_in(300, 5, 0), 100, TTY_STUCK_LAST); /* nor does the next one send */
    assert_int_equal(complains_in(10000, 5, 0), 0); /* nobody reads at the other end */
    assert_int_equal(p.look_at, 0);
    assert_int_equal(complains_in(1, 4, 1), 0);
    assert_int_not_equal(complains_in(100, 4, 1), 0); /* it moved once */
}

static void test_slow_is_not_stuck(void **state)
{
    for (uint32_t n = 0; n < 1000; n++)
        assert_int_equal(complains_in(TTY_STUCK_LOOKS / 2, 100, n), 0);
}

static void test_nothing_to_send(void **state)
{
    assert_int_equal(complains_in(1000, 0, 0), 0);
    assert_int_equal(p.look_at, 0);
    complains_in(5, 5, 0);
    assert_int_not_equal(p.look_at, 0);
}

/* A machine that stood still for long looks once. */
static void test_a_pause_proves_nothing(void **state)
{
    complains_in(2, 5, 0);
    now += 100 * TTY_LOOK;
    assert_int_equal(complains_in(TTY_STUCK_LOOKS - 2, 5, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_stuck, setup),
        cmocka_unit_test_setup(test_slow_is_not_stuck, setup),
        cmocka_unit_test_setup(test_nothing_to_send, setup),
        cmocka_unit_test_setup(test_a_pause_proves_nothing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
