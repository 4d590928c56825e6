/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/policy.c
// sources: lib/manifest/*.c
/* The arithmetic of recovery: budget, backoff, heartbeat, shares of the CPU; and the
 * shipped manifests. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/manifest/manifest.h"

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

/* A manifest that wants no delay, or hardly any: 20 in a second are at once, what follows waits. */
static void test_crowd(void **state)
{
    static uint64_t many[1025];

    for (uint32_t free = 0; free < 2000; free += 1500) {
        uint64_t now = 5 * SECOND;

        policy = (struct policy){.limits = {1024, SECOND, free, MS, MS}, .failure = many};
        policy.room = policy_room(&policy.limits);
        for (unsigned i = 0; i < 3000; i++) {
            struct policy_verdict v = policy_failure(&policy, now);

            assert_false(v.give_up);
            if (i < POLICY_CROWD)
                assert_int_equal(v.delay, free ? 0 : MS);
            else
                assert_int_equal(v.delay, POLICY_CROWD_DELAY);
            now += v.delay + MS / 10;
        }
        /* it has been good for a while */
        assert_int_equal(policy_failure(&policy, now + SECOND).delay, free ? 0 : MS);
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

#define PERIOD (100 * MS)
static const struct heartbeat heartbeat = {PERIOD, 2 * PERIOD};
static struct looks looks;
static struct pulse pulse;

static void pulse_start(void)
{
    looks_begin(&looks, 0, 0);
    pulse_begin(&pulse);
}

static enum pulse_verdict look(uint32_t slot_state, uint64_t receives, uint64_t cpu, uint64_t now)
{
    struct slot_status s = {.state = slot_state, .receives = receives, .cpu_ns = cpu};
    struct look l = looks_next(&looks, now, cpu, PERIOD / 2);

    return pulse_check(&pulse, &s, &l, &heartbeat);
}

static void test_pulse_alive(void **state)
{
    pulse_start();
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
    uint64_t now = 50 * MS, cpu = 0;

    pulse_start();
    assert_int_equal(look(SLOT_READY, 7, 0, now), PULSE_ALIVE);
    do {
        now += PERIOD / 2;
        cpu += PERIOD / 2;
    } while (look(SLOT_READY, 7, cpu, now) != PULSE_STUCK);
    assert_true(now - 50 * MS >= 2 * PERIOD && now - 50 * MS <= 3 * PERIOD);
}

/* Slow from the low mark on, and alive again with the next sign of life; stuck at the high one. */
static void test_pulse_slow(void **state)
{
    struct heartbeat marks = {PERIOD, 10 * PERIOD};
    struct slot_status s = {.state = SLOT_READY, .receives = 7};
    struct look l = {.elapsed = PERIOD / 2, .used = PERIOD / 2};

    pulse_start();
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_int_equal(pulse_check(&pulse, &s, &l, &marks), PULSE_ALIVE);
        for (unsigned i = 1; i < 20; i++)
            assert_int_equal(pulse_check(&pulse, &s, &l, &marks), i < 2 ? PULSE_WAIT : PULSE_SLOW);
        s.receives++;
    }
    assert_int_equal(pulse_check(&pulse, &s, &l, &marks), PULSE_ALIVE);
    for (unsigned i = 1; i < 20; i++)
        assert_int_not_equal(pulse_check(&pulse, &s, &l, &marks), PULSE_STUCK);
    assert_int_equal(pulse_check(&pulse, &s, &l, &marks), PULSE_STUCK);
}

/* The host stops the whole machine for a second, again and again, while the service is at work:
 * each time it looks as if it had spun for a second, but RS comes late, too. */
static void test_pulse_on_a_loaded_host(void **state)
{
    uint64_t now = 50 * MS, cpu = 0;

    pulse_start();
    assert_int_equal(look(SLOT_READY, 7, 0, now), PULSE_ALIVE);
    for (unsigned i = 0; i < 1000; i++) {
        now += SECOND;
        cpu += SECOND;
        assert_int_equal(look(SLOT_READY, 7, cpu, now), PULSE_WAIT);
    }
    /* and what comes too soon after another look stays for the next one */
    assert_int_equal(look(SLOT_READY, 7, cpu + 5 * MS, now + 5 * MS), PULSE_WAIT);
    assert_int_equal(looks.at, now);
}

static void test_pulse_starved(void **state)
{
    pulse_start();
    assert_int_equal(look(SLOT_READY, 7, 5, 0), PULSE_ALIVE);
    looks_begin(&looks, 0, 5);
    for (uint64_t i = 1; i < 200; i++) /* no CPU at all: for ever */
        assert_int_equal(look(SLOT_READY, 7, 5, i * PERIOD), PULSE_WAIT);
    pulse_start();
    assert_int_equal(look(SLOT_READY, 8, 6, 0), PULSE_ALIVE);
    looks_begin(&looks, 0, 6);
    for (uint64_t i = 1; i < 2 * PULSE_PATIENCE; i++) /* a little of it */
        assert_int_equal(look(SLOT_READY, 8, 6 + MS, i * PERIOD),
                         i < PULSE_PATIENCE ? PULSE_WAIT : PULSE_SLOW);
    assert_int_equal(look(SLOT_READY, 8, 6 + MS, 2 * PULSE_PATIENCE * PERIOD), PULSE_STUCK);
}

static void test_pulse_blocked(void **state)
{
    pulse_start();
    for (uint64_t i = 1; i < 2 * PULSE_PATIENCE; i++)
        assert_int_equal(look(SLOT_CALLING_STATE, 0, 0, i * PERIOD),
                         i < PULSE_PATIENCE ? PULSE_WAIT : PULSE_SLOW);
    assert_int_equal(look(SLOT_CALLING_STATE, 0, 0, 2 * PULSE_PATIENCE * PERIOD), PULSE_STUCK);
    pulse_start();
    assert_int_equal(look(SLOT_FAULTED, 0, 0, 1), PULSE_STUCK);
}

/* How long a start may take: what it computes counts when it had the CPU, what it waits counts
 * as time. */
static uint64_t start_lasts(uint32_t slot_state, uint64_t cpu_of_each_look)
{
    struct slot_status s = {.state = slot_state};
    uint64_t now = 0;

    pulse_start();
    for (;;) {
        struct look l;

        now += 50 * MS;
        s.cpu_ns += cpu_of_each_look;
        l = looks_next(&looks, now, s.cpu_ns, 50 * MS);
        if (pulse_start_over(&pulse, &s, &l, 20 * PERIOD) || now > 100 * SECOND)
            return now;
    }
}

static void test_start(void **state)
{
    assert_int_equal(start_lasts(SLOT_READY, 50 * MS), START_BUSY);
    assert_int_equal(start_lasts(SLOT_READY, 5 * MS), 10 * START_BUSY);
    assert_true(start_lasts(SLOT_READY, 0) > 100 * SECOND);
    assert_int_equal(start_lasts(SLOT_RECEIVING, 0), START_SILENT);
    assert_int_equal(start_lasts(SLOT_CALLING_STATE, 0), START_CALLS * START_SILENT);
}

/* ---- floods ---- */

/* So many looks, each 50 ms with so many interrupts and things of use: the first that sees one. */
static unsigned flood_found(struct flood *f, unsigned count, unsigned interrupts, unsigned useful)
{
    for (unsigned i = 1; i <= count; i++) {
        struct look l = {.elapsed = 50 * MS};

        if (flood_check(f, &l, f->interrupts + interrupts, f->useful + useful))
            return i;
    }
    return 0;
}

static void test_flood(void **state)
{
    struct look late = {.elapsed = 0};
    struct flood f;

    flood_begin(&f, 1000, 7);
    assert_int_equal(flood_found(&f, 100, 250, 0), 0); /* 5000 a second */
    assert_int_equal(flood_found(&f, 100, 1250, 250), 0); /* each frame may raise some */
    assert_int_equal(flood_found(&f, 100, 1251, 250), 6);
    flood_begin(&f, f.interrupts, f.useful);
    assert_int_equal(flood_found(&f, 5, 5000, 1), 0);
    assert_int_equal(flood_found(&f, 1, 100, 0), 0); /* it has ended */
    assert_int_equal(flood_found(&f, 5, 5000, 0), 0);
    assert_false(flood_check(&f, &late, f.interrupts + 1000000, f.useful)); /* says nothing */
    assert_int_equal(flood_found(&f, 1, 5000, 0), 1);
    flood_begin(&f, 5, ~0ull); /* nobody counts what is of use */
    for (unsigned i = 0; i < 5; i++)
        assert_false(
            flood_check(&f, &(struct look){.elapsed = 50 * MS}, f.interrupts + 999, ~0ull));
    assert_true(flood_check(&f, &(struct look){.elapsed = 50 * MS}, f.interrupts + 999, ~0ull));
}

/* ---- shares ---- */

static struct share share;

/* Looks for so long, each 50 ms with that much CPU; the part of them in which it ran low. */
static unsigned share_low(unsigned count, uint64_t used, uint64_t useful_each)
{
    unsigned low = 0;

    for (unsigned i = 0; i < count; i++) {
        struct look l = {.elapsed = 50 * MS, .used = used};

        share_check(&share, &l, 400, share.useful + useful_each, true);
        low += share.low;
    }
    return low;
}

static void test_share(void **state)
{
    share_begin(&share, 0);
    assert_int_equal(share_low(5, 50 * MS, 0), 0); /* a start */
    assert_int_equal(share_low(100, 20 * MS, 1), 0); /* just its share */
    assert_true(share_low(100, 30 * MS, 1) >= 89); /* more, which nobody else wanted */
    assert_true(share_low(100, 0, 1) <= 2); /* that is not held against it for long */
    assert_int_equal(share.credit, 40 * MS);
    assert_int_equal(share_low(1, 50 * MS, 1), 0); /* a burst */
    assert_int_equal(share_low(1, 50 * MS, 1), 1);
    {
        struct look late = {.elapsed = 0, .used = 0};
        int64_t credit = share.credit;

        share_check(&share, &late, 400, 0, true);
        assert_int_equal(share.credit, credit);
    }
}

/* What a start did not need is no burst for later; without a share there is nothing to take. */
static void test_share_after_a_start(void **state)
{
    share_begin(&share, 0);
    share_ready(&share, 400);
    assert_int_equal(share_low(1, 50 * MS, 0), 0);
    assert_int_equal(share_low(1, 50 * MS, 0), 1);
    share_begin(&share, 0);
    share_ready(&share, 0);
    assert_int_equal(share.credit, SHARE_START);
    share_low(10, 50 * MS, 0);
    share_ready(&share, 400); /* a debt stays */
    assert_true(share.credit < 0);
}

/* It has the CPU that it gets when it is not low, and none when it is: it comes to its share. */
static void test_share_of_one_that_spins(void **state)
{
    uint64_t used = 0;

    share_begin(&share, 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct look l = {.elapsed = 50 * MS, .used = share.low ? 0 : 50 * MS};

        used += l.used;
        share_check(&share, &l, 400, 0, false);
    }
    assert_in_range(used / MS, 1000 * 50 * 38 / 100, 1000 * 50 * 42 / 100);
}

static void test_share_of_one_that_is_of_use(void **state)
{
    share_begin(&share, 0);
    for (uint64_t i = 1; i < 100; i++) {
        struct look l = {.elapsed = 50 * MS, .used = 49 * MS};

        share_check(&share, &l, 400, i, false);
        assert_false(share.low);
    }
}

static void test_storm(void **state)
{
    share_begin(&share, 7);
    share_low(1000, 45 * MS, 1);
    assert_int_equal(share.useless, 0);
    assert_true(share.over > SHARE_OVER);
    share_low(8, 45 * MS, 0); /* within half a second, when nobody else wants the CPU */
    assert_true(share.useless >= SHARE_USELESS);
    share_low(1, 45 * MS, 1);
    assert_int_equal(share.useless, 0);
    for (unsigned i = 0; i < 9; i++) { /* a second, when it comes to no more than its share */
        share_low(1, 40 * MS, 0);
        share_low(1, 0, 0);
    }
    assert_in_range(share.useless, SHARE_USELESS * 8 / 10, SHARE_USELESS * 12 / 10);
    share_begin(&share, 7);
    share_low(1000, 5 * MS, 0); /* a little of it may be as useless as it likes */
    assert_int_equal(share.useless, 0);
    assert_int_equal(share.over, 0);
}

/* What its client does for it in vain is the driver's own: it is held to its share though something of use
 * comes, too, and it is a storm; but for a quarter of the share. */
static void share_vain(unsigned count, uint64_t used, uint64_t vain, uint64_t useful)
{
    for (unsigned i = 0; i < count; i++) {
        struct look l = {.elapsed = 50 * MS, .used = used, .vain = vain};

        share_check(&share, &l, 500, share.useful + useful, false);
    }
}

static void test_share_of_what_a_client_does(void **state)
{
    share_begin(&share, 0);
    share_ready(&share, 500);
    share_vain(20, 2 * MS, 6 * MS, 3);
    assert_false(share.low || share_is_storm(&share));
    share_vain(8, 2 * MS, 40 * MS, 3);
    assert_true(share.low);
    assert_false(share_is_storm(&share));
    share_vain(1, 2 * MS, 40 * MS, 3);
    assert_true(share_is_storm(&share));
    share_begin(&share, 0); /* neither of both alone would be one within this time */
    share_vain(10, 15 * MS, 0, 0);
    assert_false(share_is_storm(&share));
    share_begin(&share, 0);
    share_vain(10, 0, 30 * MS, 0);
    assert_false(share_is_storm(&share));
    share_begin(&share, 0);
    share_vain(10, 15 * MS, 30 * MS, 0);
    assert_true(share_is_storm(&share));
}

/* ---- whatever its manifest says, a service that never does anything useful is given up ---- */

static struct manifest manifest;

static void read_manifest(const char *path)
{
    static char text[8192];
    char error[160];
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    if (manifest_parse(text, n, path, &manifest, error, sizeof error) < 0)
        fail_msg("%s", error);
}

static void test_shipped_budgets(void **state)
{
    glob_t found;

    assert_int_equal(glob("servers/*/*.svc", 0, NULL, &found), 0);
    glob("servers/*/*/*.svc", GLOB_APPEND, NULL, &found);
    glob("drivers/*/*/*.svc", GLOB_APPEND, NULL, &found);
    assert_true(found.gl_pathc > 15);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct policy_limits l;
        uint64_t longest;

        read_manifest(found.gl_pathv[i]);
        if (manifest.essential)
            continue;
        l = (struct policy_limits){manifest.budget, manifest.budget_window_s * SECOND,
                                   manifest.backoff_free, manifest.backoff_first_ms * MS,
                                   manifest.backoff_max_ms * MS};
        longest = policy_useless_life(
            &(struct heartbeat){manifest.heartbeat_ms * MS, manifest.heartbeat_high_ms * MS});
        if (l.budget >= 100 || policy_lasts(&l, 0) > 60 * SECOND ||
            policy_lasts(&l, longest) > 60 * SECOND)
            fail_msg("%s: not given up within a minute and 100 restarts", found.gl_pathv[i]);
    }
    globfree(&found);
}

/* Nothing of use in five long lives; but not of one who was of use, or that failed once in a while, or
 * whose lives were short. */
static void test_futile(void **state)
{
    struct futile f = {0};
    uint64_t now = 100 * SECOND;

    for (int i = 0; i < FUTILE_LIVES - 1; i++)
        assert_false(futile_failure(&f, now += 10 * SECOND, 10 * SECOND, 7));
    assert_false(futile_failure(&f, now += SECOND / 2, SECOND / 2, 7)); /* for the budget */
    assert_true(futile_failure(&f, now += 10 * SECOND, 10 * SECOND, 7));
    f = (struct futile){0};
    assert_false(futile_failure(&f, now += 20 * SECOND, 20 * SECOND + 1, 7));
    assert_true(futile_failure(&f, now += 20 * SECOND, 20 * SECOND + 1, 7)); /* within a minute */
    f = (struct futile){0};
    for (uint64_t i = 0; i < 20; i++)
        assert_false(futile_failure(&f, now += 10 * SECOND, 10 * SECOND, i));
    for (int i = 0; i < 20; i++)
        assert_false(futile_failure(&f, now += FUTILE_APART + 1, FUTILE_APART, 20));
    for (int i = 0; i < 100; i++)
        assert_false(futile_failure(&f, now += SECOND / 2, SECOND / 2, 20));
}

/* Everybody who is shipped has a share of the processor, and none has all of it; but for the
 * essential servers, which work for programs, as docs/policies.md says. net is one that drivers keep
 * busy. */
static void test_shipped_shares(void **state)
{
    static const char *const essential[] = {"rs", "ds", "vm", "pm", "vfs", "net", "ram"};
    unsigned found_essential = 0, others = 0;
    glob_t found;

    assert_int_equal(glob("servers/*/*.svc", 0, NULL, &found), 0);
    glob("servers/*/*/*.svc", GLOB_APPEND, NULL, &found);
    glob("drivers/*/*/*.svc", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        bool is_essential = false;
        uint32_t permille;

        read_manifest(found.gl_pathv[i]);
        for (size_t c = 0; c < sizeof essential / sizeof *essential; c++)
            is_essential |= strcmp(manifest.name, essential[c]) == 0;
        assert_int_equal(is_essential, manifest.essential);
        permille =
            share_permille(manifest.cpu_permille, manifest.class >= CLASS_NET, false, is_essential);
        if (is_essential ? permille != 0 : permille < 100 || permille > 800)
            fail_msg("%s: a share of %u per mille", found.gl_pathv[i], permille);
        found_essential += is_essential;
        others += !is_essential;
    }
    globfree(&found);
    assert_int_equal(found_essential, sizeof essential / sizeof *essential);
    assert_true(others > 20);
    assert_int_equal(share_permille(0, false, true, true), SHARE_CLIENT); /* net */
    assert_int_equal(share_permille(7, true, true, true), 7);
}

static void test_lasts(void **state)
{
    struct policy_limits unreachable = {300, 60 * SECOND, 200, 10 * MS, 2 * SECOND},
                         twice = {1, 60 * SECOND, 1, 10 * MS, 2 * SECOND};

    assert_true(policy_lasts(&unreachable, MS) == ~0ull);
    assert_int_equal(policy_lasts(&twice, SECOND), 2 * SECOND);
    assert_true(policy_lasts(&twice, 61 * SECOND) == ~0ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_pulse_alive),
        cmocka_unit_test(test_pulse_spinning),
        cmocka_unit_test(test_pulse_slow),
        cmocka_unit_test(test_pulse_starved),
        cmocka_unit_test(test_pulse_blocked),
        cmocka_unit_test(test_pulse_on_a_loaded_host),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_share_after_a_start),
        cmocka_unit_test(test_share_of_one_that_spins),
        cmocka_unit_test(test_share_of_one_that_is_of_use),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_share_of_what_a_client_does),
        cmocka_unit_test(test_shipped_budgets),
        cmocka_unit_test(test_futile),
        cmocka_unit_test(test_shipped_shares),
        cmocka_unit_test(test_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
