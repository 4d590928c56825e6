/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/life.c servers/rs/policy.c servers/rs/ladder.c
// sources: lib/manifest/*.c
/* The way of a service through its lives: each path, and, over random events, what must hold in
 * every state. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "servers/rs/life.h"

static struct life life;

#define NEXT(...) life_next(&life, &(struct life_event){.restarts = true, __VA_ARGS__})
#define ENDED(...) NEXT(.type = LIFE_ENDED, __VA_ARGS__)

static void up(void)
{
    life_begin(&life, RS_DOWN);
    assert_int_equal(NEXT(.type = LIFE_ASKED_UP), LIFE_DO_START);
    assert_int_equal(NEXT(.type = LIFE_STARTS), LIFE_DO_SPAWN);
    assert_int_equal(NEXT(.type = LIFE_SPAWNED), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_STARTING);
    assert_int_equal(NEXT(.type = LIFE_READY), LIFE_DO_INTEGRATE);
    assert_int_equal(life.state, RS_UP);
}

static void replaced_at_once(void)
{
    assert_int_equal(NEXT(.type = LIFE_DECIDED), LIFE_DO_START);
    assert_int_equal(NEXT(.type = LIFE_STARTS), LIFE_DO_SPAWN);
    assert_int_equal(NEXT(.type = LIFE_SPAWNED), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_STARTING);
}

static void test_death(void **state)
{
    up();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .reached_ready = true, .lived = 2 * SECOND),
                     LIFE_DO_REPLACE);
    assert_int_equal(life.place.rung, RUNG_ADOPT);
    replaced_at_once();
}

static void test_ladder_is_climbed(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXCEPTION, .reached_ready = true, .lived = 1);
    assert_int_equal(life.place.rung, RUNG_RESET);
    replaced_at_once();
    ENDED(.defect = DEFECT_EXCEPTION);
    assert_int_equal(life.place.rung, RUNG_BUS_RESET);
    assert_int_equal(NEXT(.type = LIFE_DECIDED), LIFE_DO_START);
    assert_int_equal(NEXT(.type = LIFE_STARTS, .busy = true), LIFE_DO_NOTHING);
    assert_int_equal(life.wait, WAIT_DEVICE);
    assert_int_equal(life.patience, LIFE_DEVICE_PATIENCE);
    assert_int_equal(NEXT(.type = LIFE_DEVICE_DONE), LIFE_DO_SPAWN);
    assert_int_equal(NEXT(.type = LIFE_DEVICE_DONE), LIFE_DO_NOTHING); /* once */
}

static void test_device_that_is_never_done(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_DECIDED);
    NEXT(.type = LIFE_STARTS, .busy = true);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_SPAWN);
}

static void test_backoff(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(NEXT(.type = LIFE_DECIDED, .verdict = {.delay = 7 * MS}), LIFE_DO_BACK_OFF);
    assert_int_equal(life.state, RS_BACKOFF);
    assert_int_equal(life.patience, 7 * MS);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_START);
}

static void test_giving_up(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(NEXT(.type = LIFE_DECIDED, .verdict = {.give_up = true}), LIFE_DO_GIVE_UP);
    assert_int_equal(life.state, RS_GIVEN_UP);
    assert_int_equal(life.patience, 0);
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART), -ENOTRECOVERABLE);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_NOTHING);
    assert_int_equal(NEXT(.type = LIFE_ASKED_UP, .rung = RUNG_RESET), LIFE_DO_START);
    assert_int_equal(life.place.rung, RUNG_RESET);
}

#define GIVEN_UP(...)                                                                              \
    NEXT(.type = LIFE_DECIDED, .defect = DEFECT_EXIT, .verdict = {.give_up = true}, __VA_ARGS__)

/* What a manifest's `at-end` makes of that. */
static void test_at_end(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(GIVEN_UP(.at_end = END_HOLD), LIFE_DO_GIVE_UP);
    assert_int_equal(life.state, RS_HELD);
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET), LIFE_DO_START);
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(GIVEN_UP(.at_end = END_SCRIPT), LIFE_DO_GIVE_UP);
    assert_int_equal(life.patience, LIFE_END_PATIENCE);
    assert_int_equal(NEXT(.type = LIFE_TIME, .script_left = 7), LIFE_DO_NOTHING);
    assert_int_equal(life.patience, 7);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_AGAINST), LIFE_DO_NOTHING); /* it decides nothing */
    assert_int_equal(life.patience, 0);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_FAILED), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_GIVEN_UP);
    up();
    ENDED(.defect = DEFECT_EXIT);
    GIVEN_UP(.at_end = END_SCRIPT);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_END_LATE);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_GIVEN_UP);
}

static void goes_to_power(enum manifest_end at_end)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(GIVEN_UP(.at_end = at_end), LIFE_DO_GIVE_UP);
    assert_int_equal(life.state, RS_GIVEN_UP);
    assert_int_equal(life.patience, LIFE_END_PATIENCE);
}

/* In order by a script, in time; else it is done all the same, but once, and not if somebody has seen to it. */
static void test_power_at_end(void **state)
{
    goes_to_power(END_REBOOT);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_POWER);
    assert_int_equal(life.wait, WAIT_NOTHING);
    goes_to_power(END_POWEROFF);
    assert_int_equal(NEXT(.type = LIFE_TIME, .script_left = 7), LIFE_DO_NOTHING);
    assert_int_equal(life.patience, 7);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_AGAINST), LIFE_DO_NOTHING); /* it has done it */
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_POWER);
    goes_to_power(END_REBOOT);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_FAILED), LIFE_DO_POWER);
    goes_to_power(END_REBOOT);
    assert_int_equal(NEXT(.type = LIFE_TIME, .going_down = true), LIFE_DO_NOTHING);
    goes_to_power(END_REBOOT);
    assert_int_equal(NEXT(.type = LIFE_ASKED_UP, .rung = RUNG_RESET), LIFE_DO_START);
    assert_int_equal(life.wait, WAIT_NOTHING);
    goes_to_power(END_REBOOT);
    assert_int_equal(NEXT(.type = LIFE_ASKED_DOWN), LIFE_DO_STOP);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_NOTHING);
    /* so it is where no process could be made */
    life_begin(&life, RS_DOWN);
    NEXT(.type = LIFE_ASKED_UP);
    NEXT(.type = LIFE_STARTS);
    assert_int_equal(
        NEXT(.type = LIFE_SPAWN_FAILED, .verdict = {.give_up = true}, .at_end = END_REBOOT),
        LIFE_DO_GIVE_UP);
    assert_int_equal(life.wait, WAIT_POWER);
}

/* Its manifest's ladder; who asks for it begins at the first rung again. */
static void test_own_ladder(void **state)
{
    static const struct manifest_ladder ladder = {
        3, {LADDER_RESTART, LADDER_RESTART, LADDER_DEPENDENTS}};

    up();
    for (uint32_t i = 0; i < 4; i++) {
        ENDED(.defect = DEFECT_EXIT, .ladder = &ladder);
        assert_int_equal(life.place.at, i < 2 ? i + 1 : 2);
        assert_int_equal(life.place.rung, RUNG_ADOPT);
        replaced_at_once();
    }
    ENDED(.defect = DEFECT_EXIT, .ladder = &ladder);
    NEXT(.type = LIFE_OTHER_PROGRAM, .rung = RUNG_RESET);
    assert_int_equal(life.place.at, 0);
    replaced_at_once();
    ENDED(.defect = DEFECT_EXIT, .ladder = &ladder);
    assert_int_equal(life.place.at, 1);
    GIVEN_UP(.at_end = END_GIVE_UP);
    NEXT(.type = LIFE_ASKED_UP, .rung = RUNG_RESET);
    assert_int_equal(life.place.at, 0);
    assert_int_equal(life.place.rung, RUNG_RESET);
}

static void test_no_restart_wanted(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(life_next(&life, &(struct life_event){.type = LIFE_DECIDED}), LIFE_DO_STOP);
    assert_int_equal(life.state, RS_DOWN);
}

static void test_refusal(void **state)
{
    life_begin(&life, RS_NO_DEVICE);
    assert_int_equal(NEXT(.type = LIFE_DEVICE_FOUND), LIFE_DO_START);
    NEXT(.type = LIFE_STARTS);
    NEXT(.type = LIFE_SPAWNED);
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .refuses = true), LIFE_DO_REFUSE);
    assert_int_equal(life.state, RS_REFUSED);
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART), -ENOTRECOVERABLE);
    /* of a device that one has driven, it is a failure like any other */
    up();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .refuses = true), LIFE_DO_REPLACE);
}

static void test_script(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_ASKED), LIFE_DO_AWAIT_SCRIPT);
    assert_int_equal(life.patience, LIFE_FETCH_PATIENCE);
    assert_int_equal(NEXT(.type = LIFE_TIME, .script_left = 5), LIFE_DO_NOTHING); /* it runs */
    assert_int_equal(life.patience, 5);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_BY_MANIFEST);
    replaced_at_once();
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_FAILED), LIFE_DO_NOTHING); /* too late */
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_AGAINST), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_STARTING);
}

static void test_script_decides(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_SCRIPT_ASKED);
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .delay = 9), LIFE_DO_POSTPONE);
    assert_int_equal(life.patience, 9);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_START);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_SCRIPT_ASKED);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_AGAINST), LIFE_DO_STOP);
    assert_int_equal(life.state, RS_DOWN);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_SCRIPT_ASKED);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_FAILED), LIFE_DO_BY_MANIFEST);
    /* it wants a reset, of a device that the ladder would adopt, or hand to pci already */
    for (enum rung rung = RUNG_ADOPT; rung <= RUNG_BUS_RESET; rung++) {
        up();
        ENDED(.defect = DEFECT_EXIT, .reached_ready = true, .lived = 5 * SECOND);
        assert_int_equal(life.place.rung, RUNG_ADOPT);
        NEXT(.type = LIFE_SCRIPT_ASKED);
        life.place.rung = rung;
        assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true),
                         LIFE_DO_START);
        assert_int_equal(life.place.rung, rung == RUNG_BUS_RESET ? RUNG_BUS_RESET : RUNG_RESET);
    }
}

#define UPDATED ENDED(.defect = DEFECT_UPDATE, .reached_ready = true, .lived = 5 * SECOND)

/* A restart on request is an update, with a reset if that is wanted: at once, after a delay, and when it dies before that is over. */
static void test_restart_with_reset(void **state)
{
    up();
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET), LIFE_DO_RESTART);
    assert_int_equal(UPDATED, LIFE_DO_REPLACE);
    assert_int_equal(life.place.rung, RUNG_ADOPT);
    up();
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true),
                     LIFE_DO_RESTART);
    assert_int_equal(UPDATED, LIFE_DO_REPLACE);
    assert_int_equal(life.place.rung, RUNG_RESET);
    replaced_at_once();
    NEXT(.type = LIFE_READY);
    assert_int_equal(UPDATED, LIFE_DO_REPLACE); /* once */
    assert_int_equal(life.place.rung, RUNG_ADOPT);
    for (int dies = 0; dies < 2; dies++) {
        up();
        assert_int_equal(
            NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true, .delay = 7),
            LIFE_DO_NOTHING);
        assert_int_equal(life.patience, 7);
        if (!dies)
            assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_RESTART);
        assert_int_equal(ENDED(.defect = dies ? DEFECT_EXIT : DEFECT_UPDATE, .reached_ready = true,
                               .lived = 5 * SECOND),
                         LIFE_DO_REPLACE);
        assert_int_equal(life.place.rung, RUNG_RESET);
    }
}

/* The last word counts, and nothing is left of it when it is taken down meanwhile. */
static void test_restart_with_reset_and_then_not(void **state)
{
    up();
    NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true, .delay = 7);
    NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .delay = 3);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_RESTART);
    UPDATED;
    assert_int_equal(life.place.rung, RUNG_ADOPT);
    up();
    NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true, .delay = 7);
    NEXT(.type = LIFE_ASKED_DOWN, .delay = 3);
    assert_int_equal(
        NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET, .resets = true, .delay = 7),
        -EALREADY);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_STOP_WANTED);
    assert_int_equal(life.asked_rung, RUNG_ADOPT);
    /* of one without a device there is nothing to reset */
    up();
    NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_ADOPT, .resets = true);
    UPDATED;
    assert_int_equal(life.place.rung, RUNG_ADOPT);
}

/* Another program may say that it cannot drive what the first one has driven. */
static void test_other_program(void **state)
{
    up();
    ENDED(.defect = DEFECT_EXIT);
    assert_int_equal(NEXT(.type = LIFE_OTHER_PROGRAM, .rung = RUNG_RESET), LIFE_DO_NOTHING);
    assert_int_equal(life.place.rung, RUNG_RESET);
    replaced_at_once();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .refuses = true), LIFE_DO_REFUSE);
    up();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .refuses = true), LIFE_DO_REPLACE);
}

static void test_hold(void **state)
{
    up();
    ENDED(.defect = DEFECT_KILLED);
    assert_int_equal(NEXT(.type = LIFE_DECIDED, .defect = DEFECT_KILLED, .holds = true),
                     LIFE_DO_HOLD);
    assert_int_equal(life.state, RS_HELD);
    assert_int_equal(NEXT(.type = LIFE_ASKED_HOLD), -EALREADY);
    assert_int_equal(NEXT(.type = LIFE_DEVICE_FOUND), LIFE_DO_NOTHING);
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .rung = RUNG_RESET), LIFE_DO_START);
    assert_int_equal(life.place.rung, RUNG_RESET); /* nobody has looked after its device */
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_DECIDED, .defect = DEFECT_EXIT, .holds = true);
    assert_int_equal(NEXT(.type = LIFE_ASKED_DOWN), LIFE_DO_STOP);
    assert_int_equal(life.state, RS_DOWN);
    assert_int_equal(NEXT(.type = LIFE_ASKED_HOLD), -ENXIO);
    assert_int_equal(NEXT(.type = LIFE_ASKED_UP), LIFE_DO_START);
    up();
    assert_int_equal(NEXT(.type = LIFE_ASKED_HOLD), -ENXIO); /* that it lives is for RS to see */
    ENDED(.defect = DEFECT_UPDATE); /* a restart on request is one */
    assert_int_equal(NEXT(.type = LIFE_DECIDED, .defect = DEFECT_UPDATE, .holds = true),
                     LIFE_DO_START);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_SCRIPT_ASKED); /* which says so */
    assert_int_equal(NEXT(.type = LIFE_ASKED_HOLD), LIFE_DO_HOLD);
    assert_int_equal(life.state, RS_HELD);
    assert_int_equal(life.wait, WAIT_NOTHING);
    assert_int_equal(NEXT(.type = LIFE_SCRIPT_AGAINST), LIFE_DO_NOTHING);
}

static void test_down(void **state)
{
    up();
    assert_int_equal(NEXT(.type = LIFE_ASKED_DOWN, .delay = 3), LIFE_DO_TELL);
    assert_int_equal(life.patience, 3);
    assert_int_equal(NEXT(.type = LIFE_ASKED_DOWN, .delay = 3), -EALREADY);
    /* a restart would keep it, and so would one that another's return makes necessary */
    assert_int_equal(NEXT(.type = LIFE_ASKED_RESTART, .delay = 3), -EALREADY);
    assert_int_equal(ENDED(.defect = DEFECT_UPDATE, .as_dependent = true), LIFE_DO_STOP_WANTED);
    assert_int_equal(life.state, RS_DOWN);
    up();
    NEXT(.type = LIFE_ASKED_DOWN, .delay = 3);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_STOP_WANTED);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_DECIDED, .verdict = {.delay = 7});
    assert_int_equal(NEXT(.type = LIFE_ASKED_DOWN, .delay = 3), LIFE_DO_STOP);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_NOTHING);
}

static void test_system_goes_down(void **state)
{
    up();
    NEXT(.type = LIFE_ASKED_DOWN, .going_down = true, .delay = 3);
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .going_down = true), LIFE_DO_STOP_LAST);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_DECIDED, .verdict = {.delay = 7});
    assert_int_equal(NEXT(.type = LIFE_TIME, .going_down = true), LIFE_DO_NOTHING);
    up();
    ENDED(.defect = DEFECT_EXIT);
    NEXT(.type = LIFE_SCRIPT_ASKED);
    NEXT(.type = LIFE_SCRIPT_FAILED);
    assert_int_equal(NEXT(.type = LIFE_DECIDED, .going_down = true), LIFE_DO_NOTHING);
}

static void test_essential(void **state)
{
    up();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .is_essential = true), LIFE_DO_PANIC);
}

/* One that keeps its memory goes on at once, or when the call that it is in has ended. */
static void test_keeps_memory(void **state)
{
    up();
    assert_int_equal(ENDED(.defect = DEFECT_EXIT, .is_essential = true, .keeps_memory = true),
                     LIFE_DO_SUCCEED);
    assert_int_equal(life.state, RS_UP);
    assert_int_equal(NEXT(.type = LIFE_CALLING, .delay = 7), LIFE_DO_NOTHING);
    assert_int_equal(life.patience, 7);
    assert_int_equal(ENDED(.defect = DEFECT_EXCEPTION, .keeps_memory = true), LIFE_DO_SUCCEED);
    assert_int_equal(life.wait, WAIT_NOTHING);
    NEXT(.type = LIFE_CALLING, .delay = 7);
    assert_int_equal(NEXT(.type = LIFE_TIME, .going_down = true), LIFE_DO_LOOK);
    assert_int_equal(life.state, RS_UP);
}

static void test_spawn_fails(void **state)
{
    life_begin(&life, RS_DOWN);
    NEXT(.type = LIFE_ASKED_UP);
    NEXT(.type = LIFE_STARTS);
    assert_int_equal(NEXT(.type = LIFE_SPAWN_FAILED), LIFE_DO_NOTHING);
    assert_int_equal(life.state, RS_BACKOFF);
    assert_int_equal(life.patience, LIFE_SPAWN_AGAIN);
    assert_int_equal(NEXT(.type = LIFE_TIME), LIFE_DO_START);
    NEXT(.type = LIFE_STARTS);
    assert_int_equal(NEXT(.type = LIFE_SPAWN_FAILED, .verdict = {.give_up = true}),
                     LIFE_DO_GIVE_UP);
}

/*
 * Whatever happens in whatever order: a service that is not wanted, or of whom its budget has made
 * an end, is started by nobody but a user; and one that waits will be woken.
 */
static void test_any_order(void **state)
{
    srand(1);
    up();
    for (unsigned i = 0; i < 200000; i++) {
        struct life_event e = {.type = (enum life_event_type)(rand() % (LIFE_ASKED_HOLD + 1)),
                               .restarts = rand() % 8 != 0,
                               .busy = rand() % 2,
                               .defect = (enum rs_defect)(1 + rand() % (DEFECTS - 1)),
                               .holds = rand() % 8 == 0,
                               .resets = rand() % 2,
                               .at_end = (enum manifest_end)(rand() % ENDS),
                               .reached_ready = life.state == RS_UP,
                               .delay = (uint64_t)(rand() % 3),
                               .script_left = (uint64_t)(rand() % 2)};
        struct life before = life;
        bool by_user = e.type >= LIFE_ASKED_UP;
        bool ran = life_runs(&before);
        long effect;

        e.verdict.give_up = rand() % 4 == 0;
        e.verdict.delay = (uint64_t)(rand() % 3);
        /* what cannot happen then */
        if ((e.type == LIFE_ENDED && !ran) || (e.type == LIFE_TIME && before.wait == WAIT_NOTHING))
            continue;
        if (e.type == LIFE_STARTS || e.type == LIFE_SPAWNED || e.type == LIFE_SPAWN_FAILED ||
            e.type == LIFE_DECIDED || e.type == LIFE_SCRIPT_ASKED || e.type == LIFE_CALLING)
            continue; /* only as an answer, below */
        effect = life_next(&life, &e);
        if (effect == LIFE_DO_RESTART)
            effect = ENDED(.defect = DEFECT_UPDATE);
        if (effect == LIFE_DO_REPLACE) {
            e.type = rand() % 2 ? LIFE_SCRIPT_ASKED : LIFE_DECIDED;
            effect = life_next(&life, &e);
        } else if (effect == LIFE_DO_BY_MANIFEST) {
            e.type = LIFE_DECIDED;
            effect = life_next(&life, &e);
        }
        if (effect == LIFE_DO_START || effect == LIFE_DO_SPAWN) {
            if (!by_user &&
                (before.state == RS_GIVEN_UP || before.state == RS_DOWN ||
                 before.state == RS_HELD || before.state == RS_REFUSED || before.wanted_down))
                fail_msg("event %d of state %d, seed 1, step %u starts it", e.type, before.state,
                         i);
            if (effect == LIFE_DO_START) {
                e.type = LIFE_STARTS;
                effect = life_next(&life, &e);
            }
            if (effect == LIFE_DO_SPAWN) {
                e.type = rand() % 8 ? LIFE_SPAWNED : LIFE_SPAWN_FAILED;
                life_next(&life, &e);
            }
        }
        if (life.state == RS_BACKOFF || life.state == RS_SCRIPT_DECIDES)
            assert_int_not_equal(life.wait, WAIT_NOTHING);
        if (life.state == RS_DOWN || life.state == RS_REFUSED || life.state == RS_HELD)
            assert_int_equal(life.wait, WAIT_NOTHING);
        if (life.state == RS_GIVEN_UP)
            assert_true(life.wait == WAIT_NOTHING || life.wait == WAIT_POWER ||
                        life.wait == WAIT_END);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_death),
        cmocka_unit_test(test_ladder_is_climbed),
        cmocka_unit_test(test_device_that_is_never_done),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_at_end),
        cmocka_unit_test(test_power_at_end),
        cmocka_unit_test(test_own_ladder),
        cmocka_unit_test(test_no_restart_wanted),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_script_decides),
        cmocka_unit_test(test_restart_with_reset),
        cmocka_unit_test(test_restart_with_reset_and_then_not),
        cmocka_unit_test(test_other_program),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_system_goes_down),
        cmocka_unit_test(test_essential),
        cmocka_unit_test(test_keeps_memory),
        cmocka_unit_test(test_spawn_fails),
        cmocka_unit_test(test_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
