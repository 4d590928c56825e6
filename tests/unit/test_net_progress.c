/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/net/progress.c
/* What the network server takes for a driver that is of no use, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "servers/net/progress.h"

static struct progress p;
static struct progress_view v;

static int setup(void **state)
{
    v = (struct progress_view){.now = 1000, .heard = 5, .gateway = 1, .can_probe = true};
    p = (struct progress){0};
    progress_begin(&p, &v, false);
    return 0;
}

static enum progress_verdict look(void)
{
    v.now += PROGRESS_LOOK;
    return progress_check(&p, &v);
}

/* Looks until something is found, at most so long: how long it took. */
static unsigned until(enum progress_verdict wanted, unsigned ms)
{
    uint64_t begin = v.now;

    while (v.now < begin + ms)
        if (look() == wanted)
            return (unsigned)(v.now - begin);
    return ~0u;
}

static void test_stuck(void **state)
{
    v.posted = 3;
    assert_in_range(until(PROGRESS_IS_STUCK, 1000), 100, 250);
}

static void test_slow_is_not_stuck(void **state)
{
    for (unsigned n = 0; n < 100; n++) {
        v.posted = v.completed + 10;
        if (n % 4 == 0)
            v.completed++;
        v.heard++;
        assert_int_equal(look(), PROGRESS_FINE);
    }
}

static void test_a_pause_of_the_machine_proves_nothing(void **state)
{
    v.posted = 3;
    assert_int_equal(look(), PROGRESS_FINE);
    v.now += 5000;
    v.can_probe = false;
    assert_int_equal(look(), PROGRESS_FINE);
    v.completed = 3;
    assert_int_equal(until(PROGRESS_IS_STUCK, 1000), ~0u);
}

/* The link is gone: a fresh driver looks twice whether that is so, then it is believed. */
static void test_dark(void **state)
{
    v.can_probe = false;
    assert_int_equal(until(PROGRESS_IS_DARK, 100000), ~0u); /* there never was one */
    v.link = true;
    look();
    v.link = false;
    assert_in_range(until(PROGRESS_IS_DARK, 10000), 900, 1100);
    progress_begin(&p, &v, true);
    assert_int_equal(progress_next(&p, &v), PROGRESS_LOOK);
    assert_in_range(until(PROGRESS_IS_DARK, 20000), 8000, 10000);
    progress_begin(&p, &v, true);
    assert_int_equal(until(PROGRESS_IS_DARK, 100000), ~0u);
    v.link = true;
    look();
    v.link = false;
    assert_in_range(until(PROGRESS_IS_DARK, 10000), 900, 1100);
}

static void test_silence(void **state)
{
    v.posted = v.completed = 1;
    assert_in_range(until(PROGRESS_PROBE, 1000), 40, 80);
    assert_in_range(until(PROGRESS_IS_SILENT, 2000), 100, 200);
    assert_int_not_equal(until(PROGRESS_IS_SILENT, 100000), ~0u);
    assert_int_equal(until(PROGRESS_IS_SILENT, 1000000), ~0u); /* the wire may be cut */
    v.heard++;
    v.gateway++;
    look();
    v.completed = ++v.posted;
    assert_int_not_equal(until(PROGRESS_IS_SILENT, 100000), ~0u);
}

/* Nothing was sent, but a connection is open: a stream that ends is asked after at once. */
static void test_stream_that_ends(void **state)
{
    v.talks = true;
    for (unsigned n = 0; n < 50; n++) {
        v.heard += 30;
        assert_int_equal(look(), PROGRESS_FINE);
    }
    assert_in_range(until(PROGRESS_IS_SILENT, 1000), 100, 250);
    v.talks = false;
    progress_begin(&p, &v, false);
    v.heard++;
    v.gateway++;
    look();
    assert_in_range(until(PROGRESS_PROBE, 2000), 900, 1100);
}

/* The gateway answers in a conversation that pauses: ever fewer questions. */
static void test_pause_in_a_conversation(void **state)
{
    unsigned probes = 0;

    v.talks = true;
    v.heard++;
    for (unsigned n = 0; n < 60000 / PROGRESS_LOOK; n++) {
        enum progress_verdict verdict = look();

        assert_int_not_equal(verdict, PROGRESS_IS_SILENT);
        if (verdict == PROGRESS_PROBE) {
            probes++;
            v.completed = ++v.posted;
            v.heard++;
            v.gateway++;
        }
    }
    assert_in_range(probes, 8, 14); /* in a minute */
}

/* Others are there, the gateway is not any more: it is asked after a complaint, also while frames
 * come, and no further driver is replaced for its sake; when it answers, its silence means something
 * again. */
static void test_gateway_is_gone_and_others_talk(void **state)
{
    unsigned complaints = 0, probes = 0;

    v.talks = true;
    for (unsigned n = 0; n < 1000; n++) {
        enum progress_verdict verdict;

        v.heard += n % 20 < 8; /* pauses of half a second */
        verdict = look();
        probes += verdict == PROGRESS_PROBE;
        complaints += verdict == PROGRESS_IS_SILENT;
    }
    assert_int_equal(complaints, PROGRESS_COMPLAINTS);
    for (unsigned n = 0; n < 100; n++) { /* no pause */
        v.heard++;
        if (look() == PROGRESS_PROBE)
            v.gateway++;
    }
    assert_in_range(until(PROGRESS_IS_SILENT, 2000), 100, 1000); /* they took long at times */
}

static void test_an_answer_is_enough(void **state)
{
    unsigned probes = 0;

    for (unsigned n = 0; n < 20000; n++) {
        enum progress_verdict verdict = look();

        assert_int_not_equal(verdict, PROGRESS_IS_SILENT);
        if (verdict == PROGRESS_PROBE) {
            probes++;
            v.completed = ++v.posted;
            v.heard++;
        }
    }
    assert_in_range(probes, 5, 40); /* in 1000 s: at growing intervals */
}

/* Looks for so long while frames come and go, `answers` to each series of questions: how often it was
 * complained of, and how many questions there were. */
static unsigned complaints_with(uint32_t answers, unsigned ms, unsigned *questions)
{
    uint64_t begin = v.now;
    unsigned complaints = 0;

    *questions = 0;
    while (v.now < begin + ms) {
        enum progress_verdict verdict;

        v.completed = ++v.posted;
        v.heard++;
        verdict = look();
        assert_int_not_equal(verdict, PROGRESS_IS_SILENT);
        if (verdict == PROGRESS_IS_UNHEARD) {
            complaints++;
            progress_begin(&p, &v, false);
        }
        if (verdict != PROGRESS_ASK_ECHO)
            continue;
        ++*questions;
        v.echoes = answers;
        if (answers > v.echoes_best)
            v.echoes_best = answers;
    }
    return complaints;
}

/* Frames come, but what was sent is not what was given: two complaints, and more only once a series
 * was answered well. */
static void test_unheard(void **state)
{
    unsigned questions;

    v.can_echo = v.talks = true;
    assert_int_equal(complaints_with(8, 1000, &questions), 0);
    assert_int_equal(questions, PROGRESS_ECHOES);
    v.stalls = true;
    assert_int_equal(complaints_with(4, 1500, &questions), 1);
    assert_int_equal(complaints_with(4, 100000, &questions), 1);
    assert_int_equal(complaints_with(8, 200000, &questions), 0);
    assert_int_equal(complaints_with(0, 400000, &questions), 2);
}

/* A peer is gone, its connection repeats itself for long: ever fewer questions, and no complaint, also
 * where some answers are lost. */
static void test_stall_of_somebody_else(void **state)
{
    unsigned questions;

    v.can_echo = v.stalls = true;
    assert_int_equal(complaints_with(8, 100000, &questions), 0);
    assert_in_range(questions, 6 * PROGRESS_ECHOES, 9 * PROGRESS_ECHOES);
    assert_int_equal(complaints_with(6, 1000000, &questions), 0);
    assert_in_range(questions, 12 * PROGRESS_ECHOES, 20 * PROGRESS_ECHOES);
}

/* It does not answer echo requests, or not so many. */
static void test_gateway_without_echo(void **state)
{
    unsigned questions;

    v.stalls = true;
    assert_int_equal(complaints_with(0, 100000, &questions), 0);
    assert_int_equal(questions, 0);
    v.can_echo = true;
    assert_int_equal(complaints_with(0, 100000, &questions), 0);
    assert_int_equal(complaints_with(2, 100000, &questions), 0);
}

/* Who sends nothing asks nothing. */
static void test_no_echo_at_rest(void **state)
{
    v.can_echo = true;
    v.echoes_best = v.echoes = 8;
    progress_begin(&p, &v, false);
    assert_int_equal(until(PROGRESS_ASK_ECHO, 100000), ~0u);
    v.completed = ++v.posted;
    assert_in_range(until(PROGRESS_ASK_ECHO, 100000), 1, 100);
}

/* A gateway behind a slow wire: what it has needed before it is given. */
static void test_slow_answers(void **state)
{
    unsigned took = 160;

    for (unsigned n = 0; n < 100; n++) {
        v.completed = ++v.posted;
        assert_int_equal(until(PROGRESS_IS_SILENT, took), ~0u);
        took = took < 500 ? 3 * took : 1500;
        v.heard++;
        look();
    }
    v.completed = ++v.posted;
    assert_in_range(until(PROGRESS_IS_SILENT, 100000), 3000, 8000);
}

static void test_nobody_has_ever_answered(void **state)
{
    v.heard = v.gateway = 0;
    progress_begin(&p, &v, false);
    v.posted = v.completed = 1;
    assert_int_equal(until(PROGRESS_IS_SILENT, PROGRESS_NEVER), ~0u);
    assert_int_not_equal(until(PROGRESS_IS_SILENT, 40000), ~0u); /* is it the driver? */
    assert_int_equal(until(PROGRESS_IS_SILENT, 100000), ~0u); /* nobody is there */
}

static void test_deaf_after_a_reset(void **state)
{
    progress_begin(&p, &v, true);
    v.posted = v.completed = 1;
    assert_int_equal(until(PROGRESS_PROBE, PROGRESS_GRACE - 2 * PROGRESS_LOOK), ~0u);
    assert_int_not_equal(until(PROGRESS_PROBE, 1000), ~0u);
}

static void test_useless(void **state)
{
    v.bad += 1000;
    v.good += 10;
    assert_in_range(until(PROGRESS_IS_USELESS, 1000), 50, 300);
    v.wakes += 50000;
    v.idle_wakes += 49000;
    assert_in_range(until(PROGRESS_IS_USELESS, 1000), 50, 300);
    v.flaps += 10;
    assert_in_range(until(PROGRESS_IS_USELESS, 1000), 50, 300);
    v.bad += 1000;
    v.good += 1000;
    v.wakes += 50000;
    v.idle_wakes += 20000;
    v.flaps++;
    assert_int_equal(until(PROGRESS_IS_USELESS, 1000), ~0u);
}

/* A peer may send such as well: the driver loses its place for it once a minute at most. */
static void test_garbled(void **state)
{
    v.garbled = PROGRESS_GARBLED - 1;
    assert_int_equal(until(PROGRESS_IS_USELESS, 1000), ~0u);
    v.garbled++;
    assert_in_range(until(PROGRESS_IS_USELESS, 1000), 0, PROGRESS_LOOK);
    progress_begin(&p, &v, true);
    v.garbled = 1000;
    assert_int_equal(until(PROGRESS_IS_USELESS, PROGRESS_GARBLED_AGAIN - 1000), ~0u);
    assert_int_not_equal(until(PROGRESS_IS_USELESS, 2000), ~0u);
}

/* Questions for an address, once a second: who hears nothing at all is replaced once; who hears
 * others is not, nor who has nothing to ask. */
static enum progress_verdict ask_for_an_address(unsigned seconds, bool others)
{
    enum progress_verdict found = PROGRESS_FINE;

    for (unsigned n = 0; n < seconds * 1000 / PROGRESS_LOOK && found == PROGRESS_FINE; n++) {
        if (n % (1000 / PROGRESS_LOOK) == 0) {
            v.posted = ++v.completed;
            v.good += others;
        }
        found = look();
    }
    return found;
}

static void test_without_an_address(void **state)
{
    v = (struct progress_view){.now = 1000, .link = true, .good = 7};
    p = (struct progress){0};
    progress_begin(&p, &v, true);
    assert_int_equal(until(PROGRESS_IS_DEAF, 2 * PROGRESS_NEVER), ~0u);
    progress_begin(&p, &v, true);
    assert_int_equal(ask_for_an_address(60, true), PROGRESS_FINE);
    progress_begin(&p, &v, true);
    assert_int_equal(ask_for_an_address(15, false), PROGRESS_FINE);
    assert_int_equal(ask_for_an_address(10, false), PROGRESS_IS_DEAF);
    progress_begin(&p, &v, true);
    assert_int_equal(ask_for_an_address(100, false), PROGRESS_FINE);
}

/* A look was due at 4900, and comes at 5000; a driver has begun meanwhile. */
static void test_begins_when_a_look_is_late(void **state)
{
    struct progress_clock c = {0};

    v = (struct progress_view){.now = progress_now(&c, 4950), .link = true};
    p = (struct progress){0};
    progress_begin(&p, &v, false);
    c.lost += 100;
    v.now = progress_now(&c, 5000);
    v.posted = v.completed = 1;
    assert_int_equal(progress_check(&p, &v), PROGRESS_FINE);
    assert_int_equal(progress_now(&c, 5020), 4950);
    assert_int_equal(progress_now(&c, 5100), 5000);
    c.latest |= 1ull << 40; /* a bit flips */
    assert_int_equal(progress_now(&c, 5200), 5100);
    assert_int_equal(progress_now(&c, 5300), 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_without_an_address, setup),
        cmocka_unit_test_setup(test_stuck, setup),
        cmocka_unit_test_setup(test_slow_is_not_stuck, setup),
        cmocka_unit_test_setup(test_a_pause_of_the_machine_proves_nothing, setup),
        cmocka_unit_test_setup(test_begins_when_a_look_is_late, setup),
        cmocka_unit_test_setup(test_dark, setup),
        cmocka_unit_test_setup(test_silence, setup),
        cmocka_unit_test_setup(test_stream_that_ends, setup),
        cmocka_unit_test_setup(test_pause_in_a_conversation, setup),
        cmocka_unit_test_setup(test_gateway_is_gone_and_others_talk, setup),
        cmocka_unit_test_setup(test_an_answer_is_enough, setup),
        cmocka_unit_test_setup(test_slow_answers, setup),
        cmocka_unit_test_setup(test_nobody_has_ever_answered, setup),
        cmocka_unit_test_setup(test_unheard, setup),
        cmocka_unit_test_setup(test_stall_of_somebody_else, setup),
        cmocka_unit_test_setup(test_gateway_without_echo, setup),
        cmocka_unit_test_setup(test_no_echo_at_rest, setup),
        cmocka_unit_test_setup(test_deaf_after_a_reset, setup),
        cmocka_unit_test_setup(test_useless, setup),
        cmocka_unit_test_setup(test_garbled, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
