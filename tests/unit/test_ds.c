/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/ds/names.c servers/ds/snapshots.c
/* DS: names, subscriptions, events, snapshots. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/ds/ds.h"

static bool dead[1000];
static unsigned woken[1000];

bool ds_alive(endpoint_t ep)
{
    return !dead[ep];
}

/* Everybody below 900 may publish anything; the others "NUMBER/..." alone. */
bool ds_may_publish(const char *key, endpoint_t ep)
{
    return ep < 900 || strtol(key, NULL, 10) == ep;
}

void ds_wake(endpoint_t subscriber)
{
    woken[subscriber]++;
}

/* Everybody of the last test dies. */
static int setup(void **state)
{
    memset(dead, 1, sizeof dead);
    names_sweep();
    memset(dead, 0, sizeof dead);
    memset(woken, 0, sizeof woken);
    return 0;
}

static void expect_event(endpoint_t who, const char *key, endpoint_t ep)
{
    char got[DS_KEY_MAX] = "";
    endpoint_t got_ep = -1;

    assert_int_equal(names_event(who, got, &got_ep), 0);
    assert_string_equal(got, key);
    assert_int_equal(got_ep, ep);
}

static void expect_none(endpoint_t who)
{
    char got[DS_KEY_MAX];
    endpoint_t ep;

    assert_int_equal(names_event(who, got, &ep), -ENOENT);
}

static void drain(endpoint_t who)
{
    char got[DS_KEY_MAX];
    endpoint_t ep;

    while (names_event(who, got, &ep) == 0)
        ;
}

static void test_publish(void **state)
{
    assert_int_equal(names_retrieve("a"), -ENOENT);
    assert_int_equal(names_publish("a", 10), 0);
    assert_int_equal(names_publish("a", 10), 0);
    assert_int_equal(names_retrieve("a"), 10);
    assert_int_equal(names_publish("a", 11), -EEXIST);
    dead[10] = true;
    assert_int_equal(names_retrieve("a"), -ENOENT);
    assert_int_equal(names_publish("a", 11), 0);
    assert_int_equal(names_retrieve("a"), 11);
    dead[11] = true; /* nobody has noticed yet */
    assert_int_equal(names_publish("a", 12), 0);
    assert_int_equal(names_publish("", 12), -EINVAL);
    assert_int_equal(names_publish("a*", 12), -EINVAL);
}

static void test_events(void **state)
{
    names_publish("chr/4", 10);
    names_publish("fs/ram", 11);
    assert_int_equal(names_subscribe(20, "chr/*"), 0);
    assert_int_equal(woken[20], 1);
    drain(20); /* with names of earlier tests, gone by now */
    names_publish("chr/5", 10);
    names_publish("fs/dev", 11);
    assert_int_equal(woken[20], 2);
    expect_event(20, "chr/5", 10);
    expect_none(20);
    dead[10] = true;
    names_sweep();
    expect_event(20, "chr/4", 0);
    expect_event(20, "chr/5", 0);
    expect_none(20);
    names_publish("chr/5", 12);
    names_publish("chr/4", 12);
    dead[12] = true;
    names_sweep();
    names_publish("chr/4", 13);
    expect_event(20, "chr/5", 0); /* what was in between is of no interest any more */
    expect_event(20, "chr/4", 13);
    expect_none(20);
    expect_none(21);
}

static void test_subscription_limits(void **state)
{
    char pattern[DS_KEY_MAX];

    assert_int_equal(names_subscribe(20, ""), -EINVAL);
    for (unsigned i = 0; i < DS_PATTERNS; i++) {
        snprintf(pattern, sizeof pattern, "p%u", i);
        assert_int_equal(names_subscribe(30, pattern), 0);
    }
    assert_int_equal(names_subscribe(30, "more"), -ENOSPC);
    assert_int_equal(names_subscribe(30, "p3"), 0); /* it has that already */
    names_publish("p3", 10);
    drain(30);
    names_publish("p4", 10);
    assert_int_equal(names_subscribe(30, "p3"), 0); /* asked again, told all again */
    expect_event(30, "p3", 10);
    expect_event(30, "p4", 10);
    for (unsigned i = 0; i < DS_SUBSCRIBERS; i++)
        names_subscribe((endpoint_t)(100 + i), "x");
    assert_int_equal(names_subscribe(99, "x"), -ENOSPC);
    dead[105] = true;
    assert_int_equal(names_subscribe(99, "x"), 0);
    expect_none(105);
}

static void test_name_limits(void **state)
{
    char key[DS_KEY_MAX];

    for (unsigned i = 0; i < DS_NAMES_OF_ONE; i++) {
        snprintf(key, sizeof key, "many%u", i);
        assert_int_equal(names_publish(key, 40), 0);
    }
    assert_int_equal(names_publish("one too many", 40), -ENOSPC);
    for (unsigned i = 0; i < DS_NAMES - DS_NAMES_OF_ONE; i++) {
        snprintf(key, sizeof key, "full%u", i);
        assert_int_equal(names_publish(key, (endpoint_t)(200 + i / 8)), 0);
    }
    assert_int_equal(names_publish("full", 41), -ENOSPC);
    dead[200] = true;
    names_sweep();
    assert_int_equal(names_publish("full", 41), 0); /* in the place of one that is gone */
    assert_int_equal(names_retrieve("full"), 41);
}

/* Not even when the owner is away, or has never been there. */
static void test_owners(void **state)
{
    assert_int_equal(names_publish("fs/proc", 10), 0);
    assert_int_equal(names_publish("fs/proc", 900), -EPERM);
    assert_int_equal(names_publish("900/a", 900), 0);
    dead[10] = true;
    assert_int_equal(names_publish("fs/proc", 900), -EPERM);
    names_sweep();
    assert_int_equal(names_publish("fs/proc", 900), -EPERM);
    assert_int_equal(names_retrieve("fs/proc"), -ENOENT);
    assert_int_equal(names_publish("901/a", 900), -EPERM);
    assert_int_equal(names_publish("fs/proc", 11), 0);
    assert_int_equal(names_retrieve("fs/proc"), 11);
}

/* ---- snapshots ---- */

static long save(const char *owner, const char *key, const char *text, size_t length)
{
    void *memory;
    long result = snapshot_save(owner, key, length, &memory);

    if (result == 0)
        for (size_t i = 0; i < length; i++)
            ((char *)memory)[i] = text[i % strlen(text)];
    return result;
}

static void expect_snapshot(const char *owner, const char *key, const char *text, size_t length)
{
    const void *memory;

    assert_int_equal(snapshot_find(owner, key, &memory), length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(((const char *)memory)[i], text[i % strlen(text)]);
}

static void test_snapshots(void **state)
{
    const void *memory;

    assert_int_equal(snapshot_find("tty", "state", &memory), -ENOENT);
    assert_int_equal(save("tty", "state", "abc", 300), 0);
    assert_int_equal(save("pci", "state", "xy", 1001), 0);
    assert_int_equal(save("tty", "more", "123", 77), 0);
    expect_snapshot("tty", "state", "abc", 300);
    assert_int_equal(save("tty", "state", "def", 2000), 0); /* the others move */
    expect_snapshot("pci", "state", "xy", 1001);
    expect_snapshot("tty", "more", "123", 77);
    expect_snapshot("tty", "state", "def", 2000);
    snapshot_drop("pci", "state");
    assert_int_equal(snapshot_find("pci", "state", &memory), -ENOENT);
    expect_snapshot("tty", "state", "def", 2000);
    expect_snapshot("tty", "more", "123", 77);
    assert_int_equal(save("tty", "empty", "x", 0), 0);
    expect_snapshot("tty", "empty", "x", 0);
    snapshot_drop("tty", "state");
    snapshot_drop("tty", "more");
    snapshot_drop("tty", "empty");
}

/* A snapshot is its owner's alone: for others it is not there, and theirs of the same key is
 * another. */
static void test_snapshot_owners(void **state)
{
    const void *memory;

    assert_int_equal(save("tty", "terminals", "abc", 300), 0);
    assert_int_equal(snapshot_find("hostile", "terminals", &memory), -ENOENT);
    assert_int_equal(snapshot_find("tt", "terminals", &memory), -ENOENT);
    assert_int_equal(snapshot_find("tty.1", "terminals", &memory), -ENOENT);
    assert_int_equal(save("hostile", "terminals", "xyz", 500), 0);
    snapshot_drop("hostile", "terminals");
    snapshot_drop("tty.1", "terminals");
    expect_snapshot("tty", "terminals", "abc", 300);
    snapshot_drop("tty", "terminals");
}

static void test_snapshot_limits(void **state)
{
    char name[16];
    unsigned n;

    assert_int_equal(save("a", "", "x", 1), -EINVAL);
    assert_int_equal(save("a", "big", "x", DS_SNAPSHOT_MAX + 1), -EINVAL);
    assert_int_equal(save("a", "big", "x", DS_SNAPSHOT_MAX), 0);
    assert_int_equal(save("a", "big2", "x", DS_SNAPSHOT_MAX),
                     -ENOSPC); /* more than is one's share */
    assert_int_equal(save("a", "big", "y", DS_SNAPSHOT_MAX), 0);
    snapshot_drop("a", "big");
    for (n = 0; n < DS_SNAPSHOTS_OF_ONE; n++) {
        snprintf(name, sizeof name, "k%u", n);
        assert_int_equal(save("a", name, "x", 10), 0);
    }
    assert_int_equal(save("a", "another", "x", 10), -ENOSPC);
    assert_int_equal(save("a", "k0", "x", 20), 0);
    for (n = 0; n < 100; n++) {
        snprintf(name, sizeof name, "owner%u", n);
        if (save(name, "k", "z", DS_SNAPSHOT_MAX) < 0)
            break;
    }
    assert_int_equal(n, 3); /* and the store is full */
    expect_snapshot("owner2", "k", "z", DS_SNAPSHOT_MAX);
    expect_snapshot("a", "k0", "x", 20);
}

static void test_snapshots_random(void **state)
{
    size_t length[8] = {0};
    char key[16], text[2] = "";
    const void *memory;

    srand(1);
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "r%d", i);
        snapshot_drop("random", key);
    }
    snapshot_drop("owner0", "k");
    for (int i = 0; i < 3000; i++) {
        int k = rand() % 8;
        size_t want = 1 + (size_t)rand() % 8000;

        snprintf(key, sizeof key, "r%d", k);
        text[0] = (char)('a' + k);
        if (rand() % 4) {
            assert_int_equal(save("random", key, text, want), 0);
            length[k] = want;
        } else {
            snapshot_drop("random", key);
            length[k] = 0;
        }
        k = rand() % 8;
        snprintf(key, sizeof key, "r%d", k);
        text[0] = (char)('a' + k);
        if (length[k])
            expect_snapshot("random", key, text, length[k]);
        else
            assert_int_equal(snapshot_find("random", key, &memory), -ENOENT);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_publish),     TEST(test_events),          TEST(test_subscription_limits),
        TEST(test_name_limits), TEST(test_owners),          TEST(test_snapshot_owners),
        TEST(test_snapshots),   TEST(test_snapshot_limits), TEST(test_snapshots_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
