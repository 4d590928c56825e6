/* SPDX-License-Identifier: BSD-2-Clause */
/* How much one source may write to the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/rt/log_budget.h"

#define MS 1000000ull

/* Lines of `count`, one every `step` ns, that are written. */
static unsigned written(struct log_budget *b, uint64_t *now, unsigned count, uint64_t step,
                        uint64_t *said)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++, *now += step) {
        uint64_t left_out = 0;

        if (!log_budget_take(b, *now, &left_out))
            continue;
        *said += left_out;
        n++;
    }
    return n;
}

static void test_burst(void **state)
{
    struct log_budget b = {0};
    uint64_t now = 5000 * MS, said = 0;

    assert_int_equal(written(&b, &now, 1000, 0, &said), LOG_BURST);
    assert_int_equal(said, 0);
    now += 99 * MS;
    assert_int_equal(written(&b, &now, 1, 0, &said), 0);
    now += 1 * MS;
    assert_int_equal(written(&b, &now, 10, 0, &said), 1);
    assert_int_equal(said, 1000 - LOG_BURST + 1);
    now += 3600000 * MS; /* however long it was silent */
    assert_int_equal(written(&b, &now, 1000, 0, &said), LOG_BURST);
}

/* What comes no faster than the rate is never left out; a flood comes down to the rate. */
static void test_rate(void **state)
{
    struct log_budget b = {0};
    uint64_t now = 0, said = 0;
    unsigned n;

    assert_int_equal(written(&b, &now, 100000, 100 * MS, &said), 100000);
    n = written(&b, &now, 70000, MS / 10, &said); /* seven seconds */
    assert_in_range(n, 7 * LOG_RATE, 7 * LOG_RATE + LOG_BURST);
    now += 1000 * MS;
    assert_int_equal(written(&b, &now, 1, 0, &said), 1);
    assert_int_equal(said, 70000 - n); /* each of those once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_burst), cmocka_unit_test(test_rate)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
