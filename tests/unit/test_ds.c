/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/ds/keys.c servers/ds/subscribers.c servers/ds/names.c servers/ds/values.c servers/ds/snapshots.c
/* DS: names, values, subscriptions, events, snapshots. */
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

#define MUTE 40

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

/* Who may not be notified is not, and it is said. */
long ds_wake(endpoint_t subscriber)
{
    if (subscriber == MUTE)
        return -EPERM;
    woken[subscriber]++;
    return 0;
}

/* Everybody of the last test dies, and what they said is taken back. */
static int setup(void **state)
{
    memset(dead, 1, sizeof dead);
    names_sweep();
    for (unsigned i = 0; i < DS_KEYS; i++)
        value_unset(keys[i].owner, keys[i].key);
    memset(dead, 0, sizeof dead);
    memset(woken, 0, sizeof woken);
    return 0;
}

static void expect_event(endpoint_t who, const char *key, endpoint_t ep)
{
    const struct ds_entry *got;

    assert_int_equal(subscriber_next(who, &got), 0);
    assert_string_equal(got->key, key);
    assert_int_equal(got->value.type, ep ? DS_ENDPOINT : DS_GONE);
    assert_int_equal(got->value.integer, ep);
}

static void expect_none(endpoint_t who)
{
    const struct ds_entry *got;

    assert_int_equal(subscriber_next(who, &got), -ENOENT);
}

static void drain(endpoint_t who)
{
    const struct ds_entry *got;

    while (subscriber_next(who, &got) == 0)
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
    assert_int_equal(subscriber_add(20, "chr/*"), 0);
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

    assert_int_equal(subscriber_add(20, ""), -EINVAL);
    assert_int_equal(subscriber_add(MUTE, "p*"), -EPERM);
    for (unsigned i = 0; i < DS_PATTERNS; i++) {
        snprintf(pattern, sizeof pattern, "p%u", i);
        assert_int_equal(subscriber_add(30, pattern), 0);
    }
    assert_int_equal(subscriber_add(30, "more"), -ENOSPC);
    expect_none(MUTE);
    assert_int_equal(subscriber_add(30, "p3"), 0); /* it has that already */
    names_publish("p3", 10);
    drain(30);
    names_publish("p4", 10);
    assert_int_equal(subscriber_add(30, "p3"), 0); /* asked again, told all again */
    expect_event(30, "p3", 10);
    expect_event(30, "p4", 10);
    for (unsigned i = 0; i < DS_SUBSCRIBERS; i++)
        subscriber_add((endpoint_t)(100 + i), "x");
    assert_int_equal(subscriber_add(99, "x"), -ENOSPC);
    dead[105] = true;
    assert_int_equal(subscriber_add(99, "x"), 0);
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
    for (unsigned i = 0; i < DS_KEYS - DS_NAMES_OF_ONE; i++) {
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

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *key;
        bool matches;
    } cases[] = {
        {"a", "a", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"*", "a", true},
        {"*", "", true},
        {"a*", "a", true},
        {"a*", "ab/c", true},
        {"a*", "ba", false},
        {"*a", "bca", true},
        {"*a", "ab", false},
        {"*/address", "net/e0/address", true},
        {"net/*/link", "net/e0/link", true},
        {"net/*/link", "net/e0/links", false},
        {"a*b*c", "axbxbxc", true},
        {"a*b*c", "axbxbx", false},
        {"?", "x", true},
        {"?", "", false},
        {"e?", "e0", true},
        {"e?", "e10", false},
        {"**", "x", true},
        {"*?", "", false},
        {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (pattern_matches(cases[i].pattern, cases[i].key) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].key);
}

/* ---- values ---- */

static long set_text(const char *owner, const char *key, const char *text)
{
    struct ds_value v = {.type = DS_TEXT, .length = (uint32_t)strlen(text)};

    memcpy(v.text, text, v.length);
    return value_set(owner, key, &v);
}

static long set_integer(const char *owner, const char *key, int64_t integer)
{
    return value_set(owner, key,
                     &(struct ds_value){.type = DS_INTEGER, .length = 8, .integer = integer});
}

static void expect_text(const char *key, const char *text)
{
    struct ds_value v;

    assert_int_equal(value_get(key, &v), 0);
    assert_int_equal(v.type, DS_TEXT);
    assert_int_equal(v.length, strlen(text));
    assert_memory_equal(v.text, text, v.length);
}

static void test_values(void **state)
{
    struct ds_value v;

    assert_int_equal(value_get("net/a", &v), -ENOENT);
    assert_int_equal(set_text("net", "net/a", "one"), 0);
    assert_int_equal(set_text("net", "net/b", ""), 0);
    assert_int_equal(set_integer("net", "net/c", -7), 0);
    expect_text("net/a", "one");
    expect_text("net/b", "");
    assert_int_equal(value_get("net/c", &v), 0);
    assert_true(v.type == DS_INTEGER && v.integer == -7);
    assert_int_equal(set_text("net", "net/c", "is a text now"), 0);
    expect_text("net/c", "is a text now");
    assert_int_equal(value_unset("net", "net/a"), 0);
    assert_int_equal(value_unset("net", "net/a"), -ENOENT);
    assert_int_equal(value_get("net/a", &v), -ENOENT);
    assert_int_equal(names_retrieve("net/b"), -ENOENT);
    assert_int_equal(
        value_set("net", "net/d", &(struct ds_value){.type = DS_BYTES, .length = DS_VALUE_MAX}), 0);
    assert_int_equal(value_get("net/d", &v), 0);
    assert_int_equal(v.length, DS_VALUE_MAX);
}

static void test_values_that_are_none(void **state)
{
    static const struct ds_value bad[] = {
        {.type = DS_GONE},
        {.type = DS_ENDPOINT, .length = 8},
        {.type = DS_PRIVATE},
        {.type = 77},
        {.type = DS_INTEGER, .length = 7},
        {.type = DS_TEXT, .length = DS_VALUE_MAX + 1},
        {.type = DS_TEXT, .length = 2, .text = {'a', 0}},
        {.type = DS_BYTES, .length = ~0u},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(value_set("net", "net/a", &bad[i]), -EINVAL);
    assert_int_equal(set_text("net", "net/*", "x"), -EINVAL);
    assert_int_equal(set_text("net", "net/?", "x"), -EINVAL);
}

/* The key says whose it is. */
static void test_value_owners(void **state)
{
    static const char *const others[] = {"tty/a", "net", "net/", "netx/a",
                                         "ne/a",  "",    "/a",   "net.1/a"};

    assert_int_equal(set_text("tty", "tty/a", "tty's"), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(set_text("net", others[i], "x"), -EPERM);
        assert_int_equal(value_unset("net", others[i]), -EPERM);
    }
    assert_int_equal(set_text("", "/a", "x"), -EPERM);
    expect_text("tty/a", "tty's");
}

/* A key is a name or a value, whichever was first; one that is gone is free for the other. */
static void test_values_and_names(void **state)
{
    assert_int_equal(names_publish("fs/a", 10), 0);
    assert_int_equal(set_text("fs", "fs/a", "x"), -EEXIST);
    assert_int_equal(value_unset("fs", "fs/a"), -ENOENT);
    dead[10] = true;
    names_sweep();
    assert_int_equal(set_text("fs", "fs/a", "x"), 0);
    assert_int_equal(names_publish("fs/a", 11), -EEXIST);
    expect_text("fs/a", "x");
    assert_int_equal(value_unset("fs", "fs/a"), 0);
    assert_int_equal(names_publish("fs/a", 11), 0);
    assert_int_equal(names_retrieve("fs/a"), 11);
}

static void test_value_events(void **state)
{
    const struct ds_entry *got;

    dead[110] = true; /* one of those who took all places */
    assert_int_equal(subscriber_add(50, "net/*/address"), 0);
    drain(50);
    woken[50] = 0;
    set_text("net", "net/e0/address", "10.0.0.1");
    set_text("net", "net/e0/link", "up"); /* of no interest */
    set_text("net", "net/e0/address", "10.0.0.1"); /* the same again */
    assert_int_equal(woken[50], 1);
    assert_int_equal(subscriber_next(50, &got), 0);
    assert_string_equal(got->key, "net/e0/address");
    assert_int_equal(got->value.type, DS_TEXT);
    expect_none(50);
    set_text("net", "net/e0/address", "10.0.0.2");
    value_unset("net", "net/e0/address");
    expect_event(50, "net/e0/address", 0); /* one, of how it is now */
    expect_none(50);
}

static void test_value_limits(void **state)
{
    char owner[16], key[DS_KEY_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < DS_VALUES_OF_ONE; i++) {
        snprintf(key, sizeof key, "a/%u", i);
        assert_int_equal(set_integer("a", key, i), 0);
    }
    assert_int_equal(set_integer("a", "a/more", 1), -ENOSPC);
    assert_int_equal(set_integer("a", "a/3", 100), 0); /* one that it has may change */
    value_unset("a", "a/3");
    assert_int_equal(set_integer("a", "a/more", 1), 0);
    assert_int_equal(set_integer("a", "a/3", 1), -ENOSPC);
    for (long result = 0; result == 0; n++) {
        snprintf(owner, sizeof owner, "o%u", n / DS_VALUES_OF_ONE);
        snprintf(key, sizeof key, "%s/%u", owner, n);
        result = set_integer(owner, key, n);
        assert_true(result == 0 || result == -ENOSPC);
    }
    assert_int_equal(n, DS_KEYS - DS_VALUES_OF_ONE + 1);
}

/* ---- snapshots ---- */

static void test_list_of_snapshots(void **state)
{
    struct ds_entry e;
    void *memory;
    unsigned n = 0;

    assert_int_equal(snapshot_save("lister", "secret", 100, &memory), 0);
    memset(memory, 'x', 100);
    for (unsigned i = 0; i < DS_SNAPSHOTS; i++) {
        if (!snapshot_entry(i, &e) || strcmp(e.owner, "lister"))
            continue;
        assert_string_equal(e.key, "secret");
        assert_true(e.value.type == DS_PRIVATE && e.value.length == 100);
        assert_null(memchr(e.value.bytes, 'x', DS_VALUE_MAX));
        n++;
    }
    assert_int_equal(n, 1);
    snapshot_drop("lister", "secret");
}

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
        TEST(test_publish),
        TEST(test_events),
        TEST(test_subscription_limits),
        TEST(test_name_limits),
        TEST(test_owners),
        TEST(test_snapshot_owners),
        TEST(test_patterns),
        TEST(test_values),
        TEST(test_values_that_are_none),
        TEST(test_value_owners),
        TEST(test_values_and_names),
        TEST(test_value_events),
        TEST(test_value_limits),
        TEST(test_list_of_snapshots),
        TEST(test_snapshots),
        TEST(test_snapshot_limits),
        TEST(test_snapshots_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
