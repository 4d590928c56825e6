/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/blanks.c
/* Who is found to store elsewhere what has come, and that nobody else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/tty/blanks.h"

enum { BEGIN = 5, BATCH = 16 /* a chip's */ };

static struct char_queue queue;
static struct blanks b;
static uint32_t taken;
static uint64_t taken_in, given; /* bytes from the driver, bytes handed on */

static uint8_t chance(void)
{
    return (uint8_t)(rand() >> 8);
}

static int setup(void **state)
{
    srand(1);
    memset(&queue, 0, sizeof queue);
    b = (struct blanks){.key = 0xbadc0de};
    taken = queue.receive.written = queue.receive.taken = BEGIN;
    taken_in = given = 0;
    blanks_fill(&b, &queue, taken);
    blanks_begin(&b, BEGIN, 0);
    return 0;
}

/* A driver stores `count` bytes, each so many places too far, and says so. */
static void store(uint32_t count, int32_t too_far)
{
    for (uint32_t i = 0; i < count; i++)
        queue.receive_bytes[(queue.receive.written + i + (uint32_t)too_far) % CHAR_RECEIVE_SIZE] =
            chance();
    queue.receive.written += count;
}

/* As tty does. Whether the driver is found out. */
static bool take(void)
{
    uint32_t from = taken;
    bool found = blanks_look_around(&b, &queue, taken);

    for (; taken != queue.receive.written; taken++, taken_in++)
        given += blanks_has_come(&b, taken, queue.receive_bytes[taken % CHAR_RECEIVE_SIZE], &found);
    blanks_cover(&b, &queue, from, taken);
    queue.receive.taken = taken;
    return found;
}

/* Bytes until it is found out; 0: it is not. */
static uint32_t found_after(int32_t too_far, uint32_t most)
{
    for (uint32_t bytes = BATCH; bytes <= most; bytes += BATCH) {
        store(BATCH, too_far);
        if (take())
            return bytes;
    }
    return 0;
}

static void test_nobody_else(void **state)
{
    assert_int_equal(found_after(0, 64 * CHAR_RECEIVE_SIZE), 0);
    assert_int_equal(given, taken_in);
}

/* Also of one byte, and of as many as there is room for. */
static void test_batches(void **state)
{
    for (uint32_t i = 0; i < 20000; i++) {
        store(i % 3 ? 1 : (uint32_t)rand() % (CHAR_RECEIVE_SIZE + 1), 0);
        assert_false(take());
    }
    assert_int_equal(given, taken_in);
}

/* It has worked well for a while: the fault comes in the midst of bytes that never rest. */
static void test_too_far(void **state)
{
    static const int32_t places[] = {1, 2, 3, 4, 17, 100, 2000, -1, -2, -3, -4, -17, -2000};

    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        uint32_t after;

        setup(state);
        assert_int_equal(found_after(0, 4 * BLANKS_AWAY), 0);
        after = found_after(places[i], 16 * BLANKS_AWAY);
        if (after == 0 || after > 16 * BATCH + (places[i] > 0 ? (uint32_t)places[i] : 0))
            fail_msg("%d places too far: found after %u bytes, expected within 16 batches",
                     (int)places[i], after);
    }
}

/* What its predecessor left ahead, which it had not told of, is not its fault. */
static void test_what_a_predecessor_left(void **state)
{
    assert_int_equal(found_after(0, 4 * BLANKS_AWAY), 0);
    store(200, 0);
    queue.receive.written -= 200;
    blanks_begin(&b, queue.receive.written, 0);
    for (unsigned i = 0; i < 4 * BLANKS_AWAY; i++) { /* as somebody types */
        store(1, 0);
        assert_false(take());
    }
}

/* A successor is judged anew, and is not blamed for what is left of the one before. */
static void test_successor(void **state)
{
    assert_int_equal(found_after(0, 4 * BLANKS_AWAY), 0);
    assert_int_not_equal(found_after(4, BLANKS_AWAY), 0);
    store(64, CHAR_RECEIVE_SIZE / 2);
    blanks_begin(&b, queue.receive.written, 64);
    given = 0;
    assert_false(take());
    assert_in_range(given, 0, 4); /* what was in other places, and one by chance */
    assert_int_equal(found_after(0, 4 * CHAR_RECEIVE_SIZE), 0);
    assert_int_not_equal(found_after(4, 4 * BLANKS_AWAY), 0);
}

/* Nothing is taken: the next place is one that waits to be. */
static void test_full(void **state)
{
    store(CHAR_RECEIVE_SIZE, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_false(blanks_look_around(&b, &queue, taken));
    assert_false(take());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nobody_else, setup),
        cmocka_unit_test_setup(test_batches, setup),
        cmocka_unit_test_setup(test_too_far, setup),
        cmocka_unit_test_setup(test_what_a_predecessor_left, setup),
        cmocka_unit_test_setup(test_successor, setup),
        cmocka_unit_test_setup(test_full, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
