/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vfs/lock_ranges.c servers/vfs/share.c
/* Ranges of locks, against a plain array of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/vfs/lock_ranges.h"

enum { OWNERS = 3, BYTES = 40 };

static const char owner[OWNERS];

static void set(struct lock_ranges *l, unsigned who, enum lock_kind kind, uint64_t start,
                uint64_t end)
{
    assert_true(ranges_set(l, share_of(0), &owner[who], (int)who + 100, kind, start, end));
}

static unsigned ranges_of(const struct lock_ranges *l, unsigned who)
{
    unsigned n = 0;

    for (const struct lock_range *r = l->first; r; r = r->next)
        n += r->owner == &owner[who];
    return n;
}

static void drop_all(struct lock_ranges *l)
{
    for (unsigned who = 0; who < OWNERS; who++)
        ranges_drop(l, &owner[who]);
    assert_null(l->first);
    assert_int_equal(share_of(0)->has[SHARE_LOCKS], 0);
}

static void test_conflicts(void **state)
{
    struct lock_ranges l = {0};
    const struct lock_range *r;

    set(&l, 0, LOCK_KIND_READ, 10, 19);
    set(&l, 0, LOCK_KIND_WRITE, 30, LOCK_END_MAX);
    assert_null(ranges_conflict(&l, &owner[0], LOCK_KIND_WRITE, 0, LOCK_END_MAX)); /* its own */
    assert_null(ranges_conflict(&l, &owner[1], LOCK_KIND_READ, 0, 29));
    assert_null(ranges_conflict(&l, &owner[1], LOCK_KIND_WRITE, 0, 9));
    assert_null(ranges_conflict(&l, &owner[1], LOCK_KIND_WRITE, 20, 29));
    r = ranges_conflict(&l, &owner[1], LOCK_KIND_WRITE, 0, LOCK_END_MAX);
    assert_int_equal(r->start, 10); /* the lowest */
    assert_int_equal(r->pid, 100);
    r = ranges_conflict(&l, &owner[1], LOCK_KIND_READ, 0, 30);
    assert_int_equal(r->start, 30);
    assert_true(r->end == LOCK_END_MAX);
    assert_true(ranges_differ(&l, &owner[0], LOCK_KIND_READ));
    assert_false(ranges_differ(&l, &owner[1], LOCK_KIND_READ));
    assert_true(ranges_drop(&l, &owner[0]));
    assert_false(ranges_drop(&l, &owner[0]));
    drop_all(&l);
}

static void test_splits_and_joins(void **state)
{
    struct lock_ranges l = {0};

    set(&l, 0, LOCK_KIND_WRITE, 0, LOCK_END_MAX);
    set(&l, 0, LOCK_KIND_NONE, 10, 19);
    assert_int_equal(ranges_of(&l, 0), 2);
    assert_null(ranges_conflict(&l, &owner[1], LOCK_KIND_WRITE, 10, 19));
    assert_non_null(ranges_conflict(&l, &owner[1], LOCK_KIND_READ, 9, 9));
    assert_non_null(ranges_conflict(&l, &owner[1], LOCK_KIND_READ, 20, 20));
    set(&l, 0, LOCK_KIND_WRITE, 10, 19); /* touches both */
    assert_int_equal(ranges_of(&l, 0), 1);
    set(&l, 0, LOCK_KIND_READ, 5, 5);
    assert_int_equal(ranges_of(&l, 0), 3);
    set(&l, 0, LOCK_KIND_READ, 0, LOCK_END_MAX);
    assert_int_equal(ranges_of(&l, 0), 1);
    set(&l, 0, LOCK_KIND_NONE, 0, LOCK_END_MAX);
    drop_all(&l);
}

/* What is in the ranges is what was done to the bytes; and there are no more ranges than needed. */
static void compare(const struct lock_ranges *l, uint8_t bytes[OWNERS][BYTES])
{
    uint8_t found[OWNERS][BYTES] = {0};

    for (const struct lock_range *r = l->first; r; r = r->next) {
        unsigned who = (unsigned)((const char *)r->owner - owner);

        assert_true(r->start <= r->end && r->end < BYTES && r->kind != LOCK_KIND_NONE);
        for (uint64_t i = r->start; i <= r->end; i++) {
            assert_int_equal(found[who][i], 0);
            found[who][i] = (uint8_t)r->kind;
        }
    }
    assert_memory_equal(found, bytes, sizeof found);
    for (unsigned who = 0; who < OWNERS; who++) {
        unsigned runs = 0;

        for (unsigned i = 0; i < BYTES; i++)
            runs += bytes[who][i] && (i == 0 || bytes[who][i] != bytes[who][i - 1]);
        assert_int_equal(ranges_of(l, who), runs);
    }
}

static bool conflicts(uint8_t bytes[OWNERS][BYTES], unsigned who, enum lock_kind kind,
                      uint64_t start, uint64_t end)
{
    for (unsigned other = 0; other < OWNERS; other++)
        for (uint64_t i = start; i <= end && other != who; i++)
            if (bytes[other][i] && (kind == LOCK_KIND_WRITE || bytes[other][i] == LOCK_KIND_WRITE))
                return true;
    return false;
}

static void test_random(void **state)
{
    struct lock_ranges l = {0};
    uint8_t bytes[OWNERS][BYTES] = {0};

    srand(3);
    for (unsigned round = 0; round < 50000; round++) {
        unsigned who = (unsigned)rand() % OWNERS, kind = (unsigned)rand() % 3;
        uint64_t a = (uint64_t)rand() % BYTES, b = (uint64_t)rand() % BYTES, start = a < b ? a : b,
                 end = a < b ? b : a;

        if (kind)
            assert_int_equal(ranges_conflict(&l, &owner[who], kind, start, end) != NULL,
                             conflicts(bytes, who, kind, start, end));
        set(&l, who, kind, start, end);
        memset(&bytes[who][start], (int)kind, end - start + 1);
        if (rand() % 500 == 0) {
            ranges_drop(&l, &owner[who]);
            memset(bytes[who], 0, BYTES);
        }
        compare(&l, bytes);
    }
    drop_all(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_splits_and_joins),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
