/* SPDX-License-Identifier: BSD-2-Clause */
/* Time-outs: what programs give, and the deadlines that become of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/rt/span.h"

static uint64_t span(int64_t seconds, int64_t parts, uint64_t per_second)
{
    uint64_t ns = 12345;

    assert_int_equal(time_of((int64_t[]){seconds, parts}, per_second, &ns), 0);
    return ns;
}

static void test_spans(void **state)
{
    assert_int_equal(span(0, 0, NS_PER_SECOND), 0);
    assert_int_equal(span(1, 999999999, NS_PER_SECOND), 1999999999);
    assert_int_equal(span(1, 999999, 1000000), 1999999000);
    assert_int_equal(span(INT64_MAX, 0, NS_PER_SECOND), SPAN_MOST);
    assert_int_equal(span(INT64_MAX, 999999999, NS_PER_SECOND), SPAN_MOST);
    assert_int_equal(span(INT64_MAX, 999999, 1000000), SPAN_MOST);
}

/* Longer is never less, at any place where a product or a sum could wrap. */
static void test_spans_grow(void **state)
{
    uint64_t before = 0;

    for (int bit = 2; bit < 63; bit++)
        for (int64_t near = -1; near <= 1; near++) {
            uint64_t ns = span((1ll << bit) + near, 999999999, NS_PER_SECOND);

            assert_true(ns >= before && ns <= SPAN_MOST);
            before = ns;
        }
    assert_int_equal(time_of_seconds(UINT64_MAX), SPAN_MOST);
    assert_true(time_of_seconds(SPAN_MOST / NS_PER_SECOND - 1) < SPAN_MOST);
}

static void test_no_spans(void **state)
{
    static const int64_t wrong[][2] = {{0, 1000000000}, {1, 2000000000}, {0, -1},
                                       {-1, 0},         {INT64_MIN, 0},  {0, INT64_MAX}};
    uint64_t ns;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(time_of(wrong[i], NS_PER_SECOND, &ns), -EINVAL);
        assert_int_equal(time_of(wrong[i], 1000000, &ns), -EINVAL);
    }
    assert_int_equal(time_of((int64_t[]){0, 1000000}, 1000000, &ns), -EINVAL);
}

static void test_deadlines(void **state)
{
    static const uint64_t nows[] = {0,        1, NS_PER_SECOND, DEADLINE_MOST - 1, DEADLINE_MOST,
                                    SPAN_MOST};

    assert_int_equal(time_after(5, 7), 12);
    assert_int_equal(time_after(0, 0), 1); /* not 0: that is none */
    for (size_t i = 0; i < sizeof nows / sizeof *nows; i++) {
        assert_true(time_after(nows[i], SPAN_MOST) >= nows[i]);
        assert_true(time_after(nows[i], SPAN_MOST) <= DEADLINE_MOST || nows[i] > DEADLINE_MOST);
        assert_true(time_after(nows[i], UINT64_MAX) >= nows[i]);
    }
    /* A deadline in ticks of a processor of 6 GHz. */
    assert_true((unsigned __int128)DEADLINE_MOST * 6 < UINT64_MAX);
    assert_int_equal(time_at(100, 1000, 1050), 150);
    assert_int_equal(time_at(100, 1000, 1000), 1);
    assert_int_equal(time_at(100, 1000, 10), 1);
    assert_true(time_at(100, 1000, SPAN_MOST) > 1000 * NS_PER_SECOND);
}

static void test_timers(void **state)
{
    assert_int_equal(time_next(100, 100, 10), 110);
    assert_int_equal(time_next(105, 100, 10), 110);
    assert_int_equal(time_next(135, 100, 10), 145); /* what was missed is left out */
    assert_true(time_next(100, 100, SPAN_MOST) > 1000 * NS_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans),    cmocka_unit_test(test_spans_grow),
        cmocka_unit_test(test_no_spans), cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_timers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
