/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/poison.c
/* Requests that kill: which are refused, and what their deaths count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "servers/rs/poison.h"

static struct suspect suspects[POISON_SUSPECTS];
static const char one[1], other[1];

static uint32_t dies(const void *service, uint64_t sum, uint64_t now)
{
    const struct suspect *s = poison_suspect(suspects, service, sum, 5 * MS, now);

    return s ? s->deaths : 0;
}

static void test_of_one_request(void **state)
{
    memset(suspects, 0, sizeof suspects);
    assert_int_equal(dies(one, 7, 1 * MS), 1);
    assert_int_equal(dies(one, 7, 2 * MS), 2);
    assert_int_equal(dies(other, 7, 3 * MS), 1); /* another service's */
    assert_int_equal(dies(one, 9, 4 * MS), 1); /* another request */
    assert_int_equal(dies(one, 7, 5 * MS), 3);
    assert_int_equal(dies(one, 7, POISON_SUSPECT + 5 * MS), 1); /* a long time after that */
    assert_int_equal(poison_cost(poison_suspect(suspects, one, 9, 15 * MS, 6 * MS)),
                     10 * MS + POISON_RETURN);
}

/* However many there are, some come to the end of their deaths. */
static void test_many_in_turn(void **state)
{
    uint32_t most = 0;
    uint64_t now = SECOND;

    memset(suspects, 0, sizeof suspects);
    for (unsigned turn = 0; turn < POISON_DEATHS; turn++)
        for (uint64_t sum = 1; sum <= 3 * POISON_SUSPECTS; sum++) {
            uint32_t deaths = dies(one, sum, now += MS);

            most = deaths > most ? deaths : most;
        }
    assert_int_equal(most, POISON_DEATHS);
    assert_int_equal(dies(one, 5000, now), 0);
    assert_int_equal(dies(one, 5000, now + POISON_SUSPECT), 1);
}

static void test_what_counts(void **state)
{
    struct poison p = {0};
    uint64_t now = SECOND;

    for (unsigned n = 0; n < 1000; n++) { /* one kind, for ever */
        assert_true(poison_count(&p, 1, 1, now += MS));
        assert_true(p.is_one);
    }
    for (uint64_t type = 2; type <= POISON_KINDS; type++)
        assert_true(poison_count(&p, type, 1, now));
    assert_false(poison_count(&p, 99, 1, now)); /* it dies of everything */
    assert_false(p.is_one);
    assert_true(poison_count(&p, 1, 1, now));
    assert_true(poison_count(&p, 99, 1, now + POISON_WINDOW));
    for (unsigned n = 1; n < POISON_BARREN; n++)
        assert_true(poison_count(&p, 1, 0, now + POISON_WINDOW));
    assert_false(
        poison_count(&p, 1, 0, now + POISON_WINDOW)); /* what it has taken over is damaged */
    assert_true(p.is_one);
    assert_true(poison_count(&p, 1, 1, now + POISON_WINDOW));
}

static void test_crowd(void **state)
{
    struct poison p = {0};
    uint64_t now = SECOND;

    for (unsigned n = 1; n < POLICY_CROWD; n++) {
        poison_count(&p, 1, 1, now += MS);
        assert_int_equal(poison_verdict(&p, n).delay, 0);
    }
    poison_count(&p, 1, 1, now += MS);
    assert_int_equal(poison_verdict(&p, 20).delay, POLICY_CROWD_DELAY);
    assert_int_equal(poison_verdict(&p, 20).failures, 20);
    assert_false(poison_verdict(&p, 20).give_up);
    poison_count(&p, 1, 1, now + SECOND);
    assert_int_equal(poison_verdict(&p, 21).delay, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_one_request),
        cmocka_unit_test(test_many_in_turn),
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
