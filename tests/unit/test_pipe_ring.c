/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vfs/ring.c servers/vfs/share.c lib/vault/pages.c tests/unit/host/vault.c
/* The ring behind pipes, against a plain queue of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/vfs/ring.h"
#include "tests/unit/host/vault.h"

static uint8_t next_in, next_out; /* the bytes that go in and must come out: counted */

static size_t put(struct ring *r, size_t n)
{
    size_t done = 0, part;
    uint8_t *at;

    while (done < n && (part = ring_writable(r, n - done, &at))) {
        assert_true(part <= n - done);
        for (size_t i = 0; i < part; i++)
            *(uint8_t *)vault_inside(at + i) = next_in++;
        ring_produce(r, part);
        done += part;
    }
    return done;
}

static size_t take(struct ring *r, size_t n)
{
    size_t done = 0, part;
    const uint8_t *at;

    while (done < n && (part = ring_readable(r, 0, n - done, &at))) {
        for (size_t i = 0; i < part; i++)
            assert_int_equal(*(uint8_t *)vault_inside(at + i), next_out++);
        ring_consume(r, part);
        done += part;
    }
    return done;
}

static void begin(struct ring *r)
{
    assert_true(ring_init(r, share_of(0)));
    next_in = next_out = 0;
}

static void test_fills_to_its_limit(void **state)
{
    struct ring r;

    begin(&r);
    assert_int_equal(put(&r, 10), 10);
    assert_int_equal(r.size, RING_START);
    assert_int_equal(put(&r, 2 * RING_LIMIT), RING_LIMIT - 10);
    assert_int_equal(ring_room(&r), 0);
    assert_int_equal(take(&r, 1), 1);
    assert_int_equal(put(&r, 100), 1);
    assert_int_equal(take(&r, 2 * RING_LIMIT), RING_LIMIT);
    assert_true(r.size <= RING_START); /* the memory is back */
    ring_free(&r);
}

static void test_limit(void **state)
{
    struct ring r;

    begin(&r);
    assert_int_equal(put(&r, 10000), 10000);
    assert_false(ring_set_limit(&r, 4096)); /* more is in it */
    assert_true(ring_set_limit(&r, 10001));
    assert_int_equal(r.limit, 16384);
    assert_int_equal(put(&r, 10000), 6384);
    assert_false(ring_set_limit(&r, RING_LIMIT_MAX + 1));
    assert_true(ring_set_limit(&r, RING_LIMIT_MAX));
    assert_int_equal(put(&r, RING_LIMIT_MAX), RING_LIMIT_MAX - 16384);
    assert_int_equal(take(&r, RING_LIMIT_MAX), RING_LIMIT_MAX);
    ring_free(&r);
}

static void test_all_or_nothing(void **state)
{
    struct ring r;

    begin(&r);
    assert_int_equal(put(&r, 3000), 3000);
    assert_int_equal(take(&r, 2999), 2999);
    assert_true(ring_reserve(&r, 20000));
    assert_true(r.size >= 20001);
    assert_int_equal(put(&r, 20000), 20000);
    ring_retract(&r, 20000);
    next_in = (uint8_t)(next_in - 20000 % 256);
    assert_int_equal(ring_used(&r), 1);
    assert_false(ring_reserve(&r, RING_LIMIT));
    assert_int_equal(take(&r, 9), 1);
    assert_true(ring_reserve(&r, 5000));
    assert_int_equal(put(&r, 5000), 5000);
    ring_retract(&r, 5000);
    assert_int_equal(ring_used(&r), 0);
    assert_true(r.size <= RING_START);
    ring_free(&r);
}

static void test_random(void **state)
{
    struct ring r;
    size_t used = 0;

    begin(&r);
    srand(2);
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = (size_t)rand() % (rand() % 8 ? 300 : 90000);

        if (rand() % 2) {
            size_t done = put(&r, n);

            assert_int_equal(done, n < RING_LIMIT - used ? n : RING_LIMIT - used);
            used += done;
        } else {
            size_t done = take(&r, n);

            assert_int_equal(done, n < used ? n : used);
            used -= done;
        }
        assert_int_equal(ring_used(&r), used);
    }
    ring_free(&r);
}

/* What exists goes on with what it has; a new one is refused. */
static void test_no_memory(void **state)
{
    static struct ring rings[1000];
    struct ring another;
    unsigned made = 0;

    begin(&another);
    ring_free(&another);
    vault_refuse(true);
    while (made < 1000 && ring_init(&rings[made], share_of(0)))
        made++;
    assert_in_range(made, 16, 999);
    for (unsigned i = 0; i < made; i++) {
        next_in = next_out = 0;
        for (unsigned round = 0; round < 3; round++) {
            size_t n = put(&rings[i], 5000);

            assert_true(n >= RING_START);
            assert_int_equal(take(&rings[i], 5000), n);
        }
    }
    for (unsigned i = 0; i < made; i++)
        ring_free(&rings[i]);
    vault_refuse(false);
}

static void test_all_together(void **state)
{
    enum { RINGS_MAX = 16 << 20, COUNT = 2 * RINGS_MAX / RING_LIMIT };
    static struct ring rings[COUNT];
    size_t bytes = 0, before;

    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(ring_init(&rings[i], share_of(0)));
        bytes += put(&rings[i], RING_LIMIT);
        assert_true(ring_used(&rings[i]) >= RING_START); /* that much, always */
    }
    assert_true(bytes > RINGS_MAX && bytes < RINGS_MAX + (COUNT + 16) * RING_START);
    before = ring_used(&rings[COUNT - 1]);
    assert_int_equal(before, RING_START);
    ring_free(&rings[0]);
    assert_int_equal(put(&rings[COUNT - 1], RING_LIMIT), RING_LIMIT - before);
    for (unsigned i = 0; i < COUNT; i++)
        ring_free(&rings[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_to_its_limit), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_all_or_nothing),     cmocka_unit_test(test_all_together),
        cmocka_unit_test(test_no_memory),          cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
