/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/policy.c
/* The arithmetic of recovery: budget, backoff, ladder, heartbeat, CPU budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/rs/policy.h"

static uint64_t times[8];
static struct policy policy;

static void begin(uint32_t budget, uint64_t window, uint32_t free)
{
    policy = (struct policy){.limits = {budget, window, free, 10 * MS, 50 * MS}, .failure = times};
    policy.room = policy_room(&policy.limits);
}

static void test_backoff(void **state)
{
    static const uint64_t delays[] = {0, 0, 10 * MS, 20 * MS, 40 * MS, 50 * MS};

    begin(7, 60 * SECOND, 2);
    for (unsigned i = 0; i < 6; i++) {
        struct policy_verdict v = policy_failure(&policy, i * MS);

        assert_false(v.give_up);
        assert_int_equal(v.delay, delays[i]);
        assert_int_equal(v.failures, i + 1);
    }
    /* a minute later all is forgotten */
    assert_int_equal(policy_failure(&policy, 61 * SECOND).failures, 1);
}

static void test_decay(void **state)
{
    begin(7, 10 * SECOND, 1);
    for (unsigned i = 0; i < 100; i++) { /* one in 6 s: never more than two in the window */
        struct policy_verdict v = policy_failure(&policy, i * 6 * SECOND);

        assert_false(v.give_up);
        assert_int_equal(v.failures, i == 0 ? 1 : 2);
        assert_int_equal(v.delay, i == 0 ? 0 : 10 * MS);
    }
}

static void test_budget(void **state)
{
    begin(3, 10 * SECOND, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_false(policy_failure(&policy, SECOND + i).give_up);
    for (unsigned i = 0; i < 20; i++)
        assert_true(policy_failure(&policy, 2 * SECOND + i).give_up);
    policy_forgive(&policy);
    assert_false(policy_failure(&policy, 3 * SECOND).give_up);
    begin(0, SECOND, 0); /* no failure is allowed */
    assert_true(policy_failure(&policy, 0).give_up);
    assert_true(policy_failure(&policy, 5 * SECOND).give_up);
}

static enum rung next(enum rung rung, enum rs_defect defect, bool ready, uint64_t lived)
{
    return ladder_next(&(struct ladder_death){rung, defect, ready, lived});
}

static void test_ladder(void **state)
{
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXCEPTION, true, 5 * SECOND), RUNG_ADOPT);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXCEPTION, true, MS), RUNG_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_EXIT, true, MS), RUNG_BUS_RESET);
    assert_int_equal(next(RUNG_BUS_RESET, DEFECT_EXIT, true, MS), RUNG_BUS_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_EXIT, true, 5 * SECOND), RUNG_ADOPT);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXIT, false, 0), RUNG_RESET);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_COMPLAINT, true, 5 * SECOND), RUNG_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_COMPLAINT, true, MS), RUNG_BUS_RESET);
    /* a user's kill does not accuse the device, however often */
    assert_int_equal(next(RUNG_ADOPT, DEFECT_KILLED, true, MS), RUNG_ADOPT);
    assert_int_equal(next(RUNG_RESET, DEFECT_KILLED, true, MS), RUNG_ADOPT);
    assert_int_equal(next(RUNG_RESET, DEFECT_KILLED, false, 0), RUNG_RESET);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_UPDATE, true, MS), RUNG_ADOPT);
}

#define PERIOD (100 * MS)
static struct pulse pulse;

static enum pulse_verdict look(uint32_t slot_state, uint64_t receives, uint64_t cpu, uint64_t now)
{
    struct slot_status s = {.state = slot_state, .receives = receives, .cpu_ns = cpu};

    return pulse_check(&pulse, &s, now, PERIOD);
}

static void test_pulse_alive(void **state)
{
    pulse_begin(&pulse, 0);
    for (uint64_t i = 1; i < 100; i++) {
        assert_int_equal(look(SLOT_RECEIVING, 1, i * MS, i * 50 * MS), PULSE_ALIVE); /* idle */
        assert_int_equal(look(SLOT_READY, i + 1, i * 50 * MS, i * 50 * MS),
                         PULSE_ALIVE); /* busy, but comes back */
        assert_int_equal(look(SLOT_STOPPED, 0, 0, i * 50 * MS), PULSE_ALIVE);
    }
}

/* A service that spins from just after a look is found within 3 periods, looked at twice
 * a period. */
static void test_pulse_spinning(void **state)
{
    uint64_t now = 0, cpu = 0;

    pulse_begin(&pulse, 0);
    assert_int_equal(look(SLOT_READY, 7, 0, 0), PULSE_ALIVE);
    do {
        now += PERIOD / 2;
        cpu += PERIOD / 2;
    } while (look(SLOT_READY, 7, cpu, now) != PULSE_STUCK);
    assert_true(now >= 2 * PERIOD && now <= 3 * PERIOD);
}

static void test_pulse_starved(void **state)
{
    pulse_begin(&pulse, 0);
    assert_int_equal(look(SLOT_READY, 7, 5, 0), PULSE_ALIVE);
    for (uint64_t i = 1; i < 200; i++) /* no CPU at all: for ever */
        assert_int_equal(look(SLOT_READY, 7, 5, i * PERIOD), PULSE_WAIT);
    assert_int_equal(look(SLOT_READY, 8, 6, 0), PULSE_ALIVE);
    for (uint64_t i = 1; i < PULSE_PATIENCE; i++) /* a little of it */
        assert_int_equal(look(SLOT_READY, 8, 6 + MS, i * PERIOD), PULSE_WAIT);
    assert_int_equal(look(SLOT_READY, 8, 6 + MS, PULSE_PATIENCE * PERIOD), PULSE_STUCK);
}

static void test_pulse_blocked(void **state)
{
    pulse_begin(&pulse, 0);
    for (uint64_t i = 1; i < PULSE_PATIENCE; i++)
        assert_int_equal(look(SLOT_CALLING_STATE, 0, 0, i * PERIOD), PULSE_WAIT);
    assert_int_equal(look(SLOT_CALLING_STATE, 0, 0, PULSE_PATIENCE * PERIOD), PULSE_STUCK);
    pulse_begin(&pulse, 0);
    assert_int_equal(look(SLOT_FAULTED, 0, 0, 1), PULSE_STUCK);
}

static void test_over(void **state)
{
    struct over over;
    uint64_t now = 0;

    over_begin(&over, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < OVER_PERIODS; i++) {
            now += OVER_PERIOD;
            assert_false(over_check(&over, over.seen + 1, now));
            assert_false(over_check(&over, over.seen + 1, now + MS)); /* too soon to count */
        }
        now += OVER_PERIOD;
        assert_false(over_check(&over, over.seen, now)); /* one period within budget */
    }
    for (unsigned i = 1; i < OVER_PERIODS; i++)
        assert_false(over_check(&over, over.seen + 1, now += OVER_PERIOD));
    assert_true(over_check(&over, over.seen + 1, now += OVER_PERIOD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff),       cmocka_unit_test(test_decay),
        cmocka_unit_test(test_budget),        cmocka_unit_test(test_ladder),
        cmocka_unit_test(test_pulse_alive),   cmocka_unit_test(test_pulse_spinning),
        cmocka_unit_test(test_pulse_starved), cmocka_unit_test(test_pulse_blocked),
        cmocka_unit_test(test_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
