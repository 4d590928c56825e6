/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vm/region.c
/* VM's regions, against a map with one cell for each page. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/vm/region.h"

#define PAGE 4096ull
#define PAGES 200

static struct regions regions;
static uint8_t cells[PAGES]; /* 0: free; else protection + 1 */

static int setup(void **state)
{
    memset(&regions, 0, sizeof regions);
    memset(cells, 0, sizeof cells);
    return 0;
}

static void add(unsigned first, unsigned last, uint32_t protection)
{
    assert_int_equal(
        region_add(&regions, (struct region){first * PAGE, last * PAGE, protection, 0}), 0);
    memset(cells + first, (int)protection + 1, last - first);
}

static void check(void)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < regions.count; i++) {
        const struct region *r = &regions.r[i];

        assert_true(r->start < r->end);
        if (i) {
            const struct region *before = r - 1;

            assert_true(before->end <= r->start);
            assert_false(before->end == r->start && before->protection == r->protection &&
                         before->flags == r->flags);
        }
    }
    for (unsigned p = 0; p < PAGES; p++) {
        const struct region *r = region_find(&regions, p * PAGE + 17);

        assert_int_equal(r ? r->protection + 1 : 0, cells[p]);
        bytes += cells[p] ? PAGE : 0;
    }
    assert_int_equal(regions_bytes(&regions), bytes);
}

static void test_neighbours_merge(void **state)
{
    add(10, 20, 3);
    add(20, 30, 3);
    assert_int_equal(regions.count, 1);
    add(30, 40, 1);
    assert_int_equal(regions.count, 2);
    assert_int_equal(region_protect(&regions, 30 * PAGE, 40 * PAGE, 3), 0);
    memset(cells + 30, 4, 10);
    assert_int_equal(regions.count, 1);
    check();
}

static void test_protect_needs_all_of_it(void **state)
{
    add(10, 20, 3);
    add(25, 30, 3);
    assert_int_equal(region_protect(&regions, 15 * PAGE, 28 * PAGE, 1), -ENOMEM);
    check(); /* nothing was changed */
}

static void test_gap(void **state)
{
    add(10, 20, 3);
    add(24, 30, 3);
    assert_int_equal(region_gap(&regions, 4 * PAGE, 5 * PAGE, 100 * PAGE), 5 * PAGE);
    assert_int_equal(region_gap(&regions, 6 * PAGE, 5 * PAGE, 100 * PAGE), 30 * PAGE);
    assert_int_equal(region_gap(&regions, 4 * PAGE, 10 * PAGE, 100 * PAGE), 20 * PAGE);
    assert_int_equal(region_gap(&regions, 5 * PAGE, 10 * PAGE, 34 * PAGE), 0);
    assert_int_equal(region_gap(&regions, 4 * PAGE, 10 * PAGE, 24 * PAGE), 20 * PAGE);
}

static void test_full(void **state)
{
    for (unsigned i = 0; i < REGIONS_MAX; i++)
        assert_int_equal(
            region_add(&regions, (struct region){i * 2 * PAGE, (i * 2 + 1) * PAGE, 3, 0}), 0);
    assert_int_equal(region_add(&regions, (struct region){1ull << 40, (1ull << 40) + PAGE, 3, 0}),
                     -ENOMEM);
    /* a hole needs room for a piece more; whole ones can go */
    assert_int_equal(region_remove(&regions, 0, PAGE), 0);
    assert_int_equal(
        region_add(&regions, (struct region){1ull << 40, (1ull << 40) + 3 * PAGE, 3, 0}), 0);
    assert_int_equal(region_remove(&regions, (1ull << 40) + PAGE, (1ull << 40) + 2 * PAGE),
                     -ENOMEM);
    assert_int_equal(regions.count, REGIONS_MAX);
    /* the end of one and the whole of the next need none, nor does what takes their place */
    assert_int_equal(
        region_remove(&regions, REGIONS_MAX * 2 * PAGE - 2 * PAGE, (1ull << 40) + PAGE), 0);
    assert_int_equal(regions.count, REGIONS_MAX - 1);
    assert_int_equal(region_add(&regions, (struct region){(1ull << 40) - 8 * PAGE,
                                                          (1ull << 40) - 7 * PAGE, 3, 0}),
                     0);
    assert_true(region_may_replace(&regions, (1ull << 40) - 8 * PAGE, (1ull << 40) + 2 * PAGE, 1));
    assert_false(region_may_replace(&regions, (1ull << 40) - 8 * PAGE, (1ull << 40) + 2 * PAGE, 2));
    assert_int_equal(region_remove(&regions, (1ull << 40) - 8 * PAGE, (1ull << 40) + 3 * PAGE), 0);
    assert_int_equal(region_remove(&regions, 0, 2 * REGIONS_MAX * PAGE), 0);
    assert_int_equal(regions.count, 0);
}

static void test_random(void **state)
{
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned a = (unsigned)rand() % PAGES, b = (unsigned)rand() % PAGES, first = a < b ? a : b,
                 last = (a < b ? b : a) + 1;
        uint32_t protection = (uint32_t)rand() % 3;
        bool is_free = true, is_full = true;

        if (last > PAGES)
            continue;
        for (unsigned p = first; p < last; p++) {
            is_free &= !cells[p];
            is_full &= cells[p] != 0;
        }
        assert_int_equal(region_free(&regions, first * PAGE, last * PAGE), is_free);
        switch (rand() % 3) {
        case 0:
            if (is_free)
                add(first, last, protection);
            break;
        case 1:
            assert_int_equal(region_remove(&regions, first * PAGE, last * PAGE), 0);
            memset(cells + first, 0, last - first);
            break;
        default:
            assert_int_equal(region_protect(&regions, first * PAGE, last * PAGE, protection),
                             is_full ? 0 : -ENOMEM);
            if (is_full)
                memset(cells + first, (int)protection + 1, last - first);
        }
        if (round % 16 == 0)
            check();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_neighbours_merge, setup),
        cmocka_unit_test_setup(test_gap, setup),
        cmocka_unit_test_setup(test_protect_needs_all_of_it, setup),
        cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_random, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
