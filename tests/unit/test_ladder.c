/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/ladder.c
// sources: lib/manifest/*.c
/* The ladder, that of a manifest and the default one; who is restarted with whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "servers/rs/ladder.h"

#define LATER (5 * LADDER_SOON)
#define SOON 1000000ull

static struct manifest_ladder ladder;
static struct ladder_place place;

static void read_ladder(const char *rungs)
{
    static struct manifest m;
    char text[256], error[MANIFEST_ERROR_MAX];
    int n = snprintf(text, sizeof text,
                     "class net\ndevice pci 8086:100e\nalternate b\npolicy /p\nladder %s\n", rungs);

    assert_int_equal(manifest_parse(text, (size_t)n, "a.svc", &m, error, sizeof error), 0);
    ladder = m.ladder;
    place = (struct ladder_place){0, RUNG_ADOPT};
}

/* It dies so; on which rung is the next one? */
static uint32_t dies(enum rs_defect defect, bool ready, uint64_t lived)
{
    place = ladder_next(&ladder, &(struct ladder_death){place, defect, ready, lived, false, false});
    return place.at;
}

static enum rung next(enum rung rung, enum rs_defect defect, bool ready, uint64_t lived)
{
    struct ladder_death d = {{(uint32_t)rung, rung}, defect, ready, lived, false, false};

    return ladder_next(NULL, &d).rung;
}

static void test_default(void **state)
{
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXCEPTION, true, LATER), RUNG_ADOPT);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXCEPTION, true, SOON), RUNG_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_EXIT, true, SOON), RUNG_BUS_RESET);
    assert_int_equal(next(RUNG_BUS_RESET, DEFECT_EXIT, true, SOON), RUNG_BUS_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_EXIT, true, LATER), RUNG_ADOPT);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_EXIT, false, 0), RUNG_RESET);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_COMPLAINT, true, LATER), RUNG_RESET);
    assert_int_equal(next(RUNG_RESET, DEFECT_COMPLAINT, true, SOON), RUNG_BUS_RESET);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_DMA, true, LATER), RUNG_RESET);
    /* a user's kill does not accuse the device, however often */
    assert_int_equal(next(RUNG_ADOPT, DEFECT_KILLED, true, SOON), RUNG_ADOPT);
    assert_int_equal(next(RUNG_RESET, DEFECT_KILLED, true, SOON), RUNG_ADOPT);
    assert_int_equal(next(RUNG_RESET, DEFECT_KILLED, false, 0), RUNG_RESET);
    assert_int_equal(next(RUNG_ADOPT, DEFECT_UPDATE, true, SOON), RUNG_ADOPT);
}

/* Of one that has only not answered the state is kept, unless its predecessor was silent, too. */
static void test_silent(void **state)
{
    struct ladder_death d = {
        {0, RUNG_ADOPT}, DEFECT_COMPLAINT, true, LADDER_SILENT_SOON, true, false};

    assert_int_equal(ladder_next(NULL, &d).rung, RUNG_ADOPT);
    d.lived--;
    assert_int_equal(ladder_next(NULL, &d).rung, RUNG_RESET);
    d.lived++;
    d.was_silent = false;
    assert_int_equal(ladder_next(NULL, &d).rung, RUNG_RESET);
}

/* Each rung in turn, the last again and again; one that has lived begins at the first. */
static void test_all_rungs(void **state)
{
    read_ladder("restart restart reset bus-reset dependents alternate script give-up");
    static const enum rung device[] = {RUNG_ADOPT,     RUNG_RESET,     RUNG_BUS_RESET,
                                       RUNG_BUS_RESET, RUNG_BUS_RESET, RUNG_BUS_RESET};

    assert_int_equal(ladder.count, 8);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(dies(DEFECT_EXIT, true, SOON), i + 1);
        assert_int_equal(place.rung, device[i]);
        assert_int_equal(ladder_reached(&ladder, place.at, LADDER_DEPENDENTS), i >= 3);
        assert_int_equal(ladder_reached(&ladder, place.at, LADDER_ALTERNATE), i >= 4);
        assert_int_equal(ladder_asks_script(&ladder, place.at), i >= 5);
        assert_false(ladder_reached(&ladder, place.at, LADDER_GIVE_UP));
    }
    assert_int_equal(dies(DEFECT_KILLED, false, 0), 6); /* it stays where it was */
    assert_int_equal(dies(DEFECT_EXIT, false, 0), 7);
    assert_true(ladder_reached(&ladder, place.at, LADDER_GIVE_UP));
    assert_int_equal(dies(DEFECT_EXIT, false, 0), 7);
    assert_int_equal(dies(DEFECT_EXIT, true, LATER), 0);
    assert_int_equal(place.rung, RUNG_ADOPT);
}

static void test_without_resets(void **state)
{
    read_ladder("restart dependents");
    assert_int_equal(dies(DEFECT_COMPLAINT, true, LATER), 0);
    assert_int_equal(place.rung, RUNG_RESET); /* what its client saw is not to be adopted */
    assert_int_equal(dies(DEFECT_EXIT, true, SOON), 1);
    assert_int_equal(place.rung, RUNG_ADOPT);
    assert_true(ladder_asks_script(&ladder, place.at)); /* at each failure */
    assert_int_equal(dies(DEFECT_DMA, true, SOON), 1);
    assert_int_equal(place.rung, RUNG_RESET);
}

static void test_begins_with_a_reset(void **state)
{
    read_ladder("reset bus-reset");
    assert_int_equal(dies(DEFECT_EXIT, true, LATER), 0);
    assert_int_equal(place.rung, RUNG_RESET);
    assert_int_equal(dies(DEFECT_KILLED, true, SOON), 0);
    assert_int_equal(place.rung, RUNG_RESET);
    assert_int_equal(dies(DEFECT_EXIT, true, SOON), 1);
    assert_int_equal(place.rung, RUNG_BUS_RESET);
}

/* Somebody has asked for a reset beyond its rung: that has not helped, what comes next is harder. */
static void test_beyond_its_rung(void **state)
{
    read_ladder("restart restart reset bus-reset");
    place.rung = RUNG_RESET;
    assert_int_equal(dies(DEFECT_EXIT, true, SOON), 3);
    assert_int_equal(place.rung, RUNG_BUS_RESET);
}

/* ---- who is restarted with whom ---- */

static struct manifest m[4];

static void read_manifest(unsigned n, const char *file, const char *text)
{
    char error[MANIFEST_ERROR_MAX];

    assert_int_equal(manifest_parse(text, strlen(text), file, &m[n], error, sizeof error), 0);
}

/* With number s: the others, as bits; they start in the order of their numbers. */
static unsigned restarted(unsigned s, enum manifest_strategy strategy)
{
    unsigned found = 0;

    for (unsigned d = 0; d < 4; d++)
        if (manifest_restarts(m[s].name, &m[s], strategy, m[d].name, &m[d], d > s))
            found |= 1u << d;
    return found;
}

/* Without a line `dependents`: who calls it, and the client of its queue. */
static void test_by_the_tree(void **state)
{
    read_manifest(0, "base.svc", "class server\n");
    read_manifest(1, "user.svc", "class server\ncalls base\n");
    read_manifest(2, "driver.svc", "class net\nqueue 64K user\n");
    read_manifest(3, "kept.svc", "class server\ncalls base\nreturns rolled-back\n");
    assert_int_equal(manifest_strategy(&m[0]), STRATEGY_ONE);
    assert_int_equal(restarted(0, STRATEGY_ONE), 0);
    assert_int_equal(restarted(0, STRATEGY_ALL), 1u << 1); /* never one that keeps its memory */
    assert_int_equal(restarted(0, STRATEGY_REST), 1u << 1);
    assert_int_equal(restarted(2, STRATEGY_ALL), 1u << 1);
    assert_int_equal(restarted(2, STRATEGY_REST), 0); /* that started first */
    assert_int_equal(restarted(1, STRATEGY_ALL), 0); /* a client's driver does not stand on it */
    assert_int_equal(manifest_links("user", &m[1], "driver", &m[2]), LINK_QUEUE);
    assert_int_equal(manifest_links("kept", &m[3], "base", &m[0]), LINK_CALLS);
    assert_int_equal(manifest_links("base", &m[0], "base", &m[0]), 0);
}

/* The same line in the manifest of each makes a group of them: one_for_all, rest_for_one. */
static void test_a_group(void **state)
{
    static const char text[] = "class server\ndependents a b c\n";

    read_manifest(0, "a.svc", text);
    read_manifest(1, "b.svc", text);
    read_manifest(2, "c.svc", text);
    read_manifest(3, "d.svc", "class server\ncalls a b c\n"); /* is named by none */
    assert_int_equal(manifest_strategy(&m[0]), STRATEGY_ALL);
    assert_int_equal(restarted(0, STRATEGY_ALL), 6);
    assert_int_equal(restarted(1, STRATEGY_ALL), 5);
    assert_int_equal(restarted(2, STRATEGY_ALL), 3);
    assert_int_equal(restarted(0, STRATEGY_REST), 6);
    assert_int_equal(restarted(1, STRATEGY_REST), 4);
    assert_int_equal(restarted(2, STRATEGY_REST), 0);
    read_manifest(0, "a.svc", "class server\ndependents b\nladder restart dependents\n");
    assert_int_equal(manifest_strategy(&m[0]), STRATEGY_ONE); /* up to that rung */
    read_manifest(0, "a.svc", "class server\ndependents b\nstrategy rest\n");
    assert_int_equal(manifest_strategy(&m[0]), STRATEGY_REST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_all_rungs),
        cmocka_unit_test(test_without_resets),
        cmocka_unit_test(test_begins_with_a_reset),
        cmocka_unit_test(test_beyond_its_rung),
        cmocka_unit_test(test_by_the_tree),
        cmocka_unit_test(test_a_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
