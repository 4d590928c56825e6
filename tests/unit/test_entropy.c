/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/fs/dev/entropy.c lib/random/pool.c
// includes: servers/fs/dev/entropy.c
// flags: -Itests/unit/host
/* The seed that /dev leaves in DS: a processor, a clock and a PM that say the same each time, so that nothing
 * but the seed can make a difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "servers/fs/dev/entropy.c"

#define BYTES 64

static uint8_t store[RANDOM_KEY_BYTES]; /* DS's: the snapshot `seed` */
static long stored; /* its length; -ENOENT: there is none */
static unsigned saves;

uint64_t random_word(void)
{
    return 0x5555555555555555u;
}

bool random_is_cheap(void)
{
    return true;
}

uint64_t clock_now(void)
{
    return 7000000000u;
}

long clock_alarm(uint64_t when)
{
    return 0;
}

const struct service_info *service_info(void)
{
    static const struct service_info info = {.pm = 5, .self = 77};

    return &info;
}

/* PM: the same to everybody. */
long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    assert_int_equal(to, 5);
    assert_int_equal(m->type, PM_RANDOM);
    memset(m->w, 0x33, sizeof m->w);
    return 0;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    return 0;
}

long service_save(const char *key, const void *data, size_t length)
{
    assert_string_equal(key, "seed");
    assert_int_equal(length, sizeof store);
    memcpy(store, data, length);
    stored = (long)length;
    saves++;
    return 0;
}

long service_restore(const char *key, void *data, size_t room)
{
    assert_string_equal(key, "seed");
    assert_int_equal(room, sizeof store);
    if (stored > 0)
        memcpy(data, store, (size_t)stored);
    return stored;
}

bool service_queue(uint32_t number, struct service_queue *where)
{
    return false; /* no device */
}

bool attend_defers(uint32_t number)
{
    return false;
}

void service_complain(const char *name, endpoint_t of, enum rs_complaint why)
{
    fail();
}

void log_info(const char *format, ...)
{
}

/* A copy of the server that has just been started, and the first that programs get of it. */
static void fresh_copy(uint8_t out[BYTES])
{
    memset(&pool, 0, sizeof pool);
    entropy_begin();
    entropy_take(out, BYTES);
}

static void fresh_copy_with(long length, uint8_t seed, uint8_t out[BYTES])
{
    memset(store, seed, sizeof store);
    stored = length;
    fresh_copy(out);
}

static void test_seed_makes_the_difference(void **state)
{
    uint8_t none[BYTES], again[BYTES], one[BYTES], other[BYTES];

    fresh_copy_with(-2, 0, none);
    fresh_copy_with(-2, 0, again);
    assert_memory_equal(none, again, BYTES); /* there is nothing else that could */
    fresh_copy_with(RANDOM_KEY_BYTES, 1, one);
    fresh_copy_with(RANDOM_KEY_BYTES, 2, other);
    assert_memory_not_equal(one, none, BYTES);
    assert_memory_not_equal(other, none, BYTES);
    assert_memory_not_equal(one, other, BYTES);
    fresh_copy_with(RANDOM_KEY_BYTES, 1, again);
    assert_memory_equal(one, again, BYTES); /* the seed it was */
}

/* What was used is there no more, so that no two copies begin with the same, and what is left says nothing of what
 * programs have got. */
static void test_no_seed_is_used_twice(void **state)
{
    uint8_t got[8][BYTES], left[8][RANDOM_KEY_BYTES];

    stored = -2;
    for (unsigned i = 0; i < 8; i++) {
        unsigned before = saves;

        fresh_copy(got[i]);
        assert_true(saves > before);
        assert_int_equal(stored, RANDOM_KEY_BYTES);
        memcpy(left[i], store, sizeof store);
        assert_memory_not_equal(left[i], got[i], sizeof store);
        for (unsigned k = 0; k < i; k++) {
            assert_memory_not_equal(got[i], got[k], BYTES);
            assert_memory_not_equal(left[i], left[k], sizeof store);
        }
    }
}

/* Each minute another, of what has come meanwhile. */
static void test_seed_is_renewed(void **state)
{
    uint8_t before[RANDOM_KEY_BYTES], out[BYTES], other[BYTES];

    fresh_copy_with(RANDOM_KEY_BYTES, 1, out);
    memcpy(before, store, sizeof store);
    entropy_add("of a program", 12);
    entropy_notified(NOTIFY_BIT(NOTIFY_BIT_ALARM));
    assert_memory_not_equal(before, store, sizeof store);
    fresh_copy(out);
    memcpy(store, before, sizeof store);
    fresh_copy(other);
    assert_memory_not_equal(out, other, BYTES);
}

/* Of another length it is none. */
static void test_damaged_seed(void **state)
{
    uint8_t none[BYTES], short_one[BYTES];

    fresh_copy_with(-2, 0, none);
    fresh_copy_with(RANDOM_KEY_BYTES - 1, 9, short_one);
    assert_memory_equal(none, short_one, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_makes_the_difference),
        cmocka_unit_test(test_no_seed_is_used_twice),
        cmocka_unit_test(test_seed_is_renewed),
        cmocka_unit_test(test_damaged_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
