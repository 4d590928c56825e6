/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/disk/stall.c
/* When a disk's driver is stuck, and when its disk, or the machine, is only slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/disk/stall.h"

#define MS 1000000ull

static struct stall stall;
static struct stall_view view;

static void begin(void)
{
    stall = (struct stall){0};
    view = (struct stall_view){.now = 5000 * MS, .incarnation = 1};
    stall_check(&stall, &view);
}

static enum stall_verdict look_after(uint64_t ms)
{
    view.now += ms * MS;
    return stall_check(&stall, &view);
}

/* The first verdict but "ask", of so many looks; questions are answered, or not. */
static enum stall_verdict look_often(unsigned times, bool answers, unsigned *looks)
{
    for (*looks = 1; *looks <= times; ++*looks) {
        enum stall_verdict verdict = look_after(100);

        if (verdict == STALL_PROBE)
            view.is_asked = !answers;
        else if (verdict != STALL_FINE)
            return verdict;
    }
    return STALL_FINE;
}

static void test_deaf(void **state)
{
    unsigned looks;

    begin();
    view.is_open[STALL_TRANSFER] = true; /* even when nobody knows how quick the disk is */
    assert_int_equal(look_often(100, false, &looks), STALL_IS_DEAF);
    assert_in_range(looks, 4, 7);
}

static void test_stuck(void **state)
{
    unsigned looks;

    begin();
    stall_learn(&stall, STALL_TRANSFER, 100000);
    view.is_open[STALL_TRANSFER] = true;
    assert_int_equal(look_often(100, true, &looks), STALL_IS_STUCK);
    assert_in_range(looks, 8, 11);
    assert_int_equal(look_often(100, true, &looks), STALL_FINE); /* once for each stall */
    view.incarnation++;
    assert_int_equal(look_often(100, true, &looks), STALL_FINE);
    view.ended++;
    assert_int_equal(look_often(100, true, &looks), STALL_IS_STUCK);
}

static void test_slow(void **state)
{
    unsigned looks;

    begin();
    view.is_open[STALL_TRANSFER] = true; /* it has never been quick */
    assert_int_equal(look_often(99, true, &looks), STALL_FINE);
    view.ended++;
    look_after(100);
    stall_learn(&stall, STALL_TRANSFER, 600 * MS); /* it has been slow once */
    assert_int_equal(look_often(22, true, &looks), STALL_FINE);
    view.ended++;
    look_after(100);
    view.is_open[STALL_FLUSH] = true; /* how long a flush takes nobody knows */
    assert_int_equal(look_often(99, true, &looks), STALL_FINE);
}

static void test_machine_stands_still(void **state)
{
    begin();
    stall_learn(&stall, STALL_TRANSFER, 100000);
    view.is_open[STALL_TRANSFER] = true;
    for (unsigned n = 0; n < 100; n++)
        assert_int_equal(look_after(1000), STALL_FINE);
}

static void test_it_moves(void **state)
{
    begin();
    stall_learn(&stall, STALL_TRANSFER, 100000);
    view.is_open[STALL_TRANSFER] = true;
    for (unsigned n = 0; n < 1000; n++) {
        view.ended += n % 5 == 0;
        assert_in_range(look_after(100), STALL_FINE, STALL_PROBE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deaf), cmocka_unit_test(test_stuck), cmocka_unit_test(test_slow),
        cmocka_unit_test(test_machine_stands_still), cmocka_unit_test(test_it_moves)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
