/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/block/writeonce/disc.c
/* The disc that is written once refuses to be written twice, counts it, and outlives its drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/block/writeonce/disc.h"

enum { BLOCKS = 100, SIZE = DISC_HEADER + BLOCKS * DISC_BLOCK + 700 };

static uint8_t bytes[DISC_BLOCK];

static struct disc *blank(void **memory)
{
    struct disc *disc;

    *memory = calloc(1, SIZE);
    disc = disc_load(*memory, SIZE);
    assert_non_null(disc);
    return disc;
}

static void test_once(void **state)
{
    void *memory;
    struct disc *disc = blank(&memory);

    assert_int_equal(disc->blocks, BLOCKS);
    assert_int_equal(disc_next(disc), 0);
    memset(bytes, 1, sizeof bytes);
    assert_true(disc_write(disc, 0, bytes));
    assert_int_equal(disc_next(disc), 1);
    memset(bytes, 2, sizeof bytes);
    assert_false(disc_write(disc, 0, bytes));
    assert_int_equal(disc->refused, 1);
    assert_int_equal(disc_read(disc, 0)[DISC_BLOCK - 1], 1);
    assert_true(disc_write(disc, BLOCKS - 1, bytes)); /* its last byte is within the memory */
    assert_false(disc_write(disc, BLOCKS, bytes));
    assert_int_equal(disc_next(disc), BLOCKS);
    free(memory);
}

/* Its next driver finds it as it is. One of another size is none of this kind. */
static void test_loaded_again(void **state)
{
    void *memory;
    struct disc *disc = blank(&memory);

    memset(bytes, 3, sizeof bytes);
    assert_true(disc_write(disc, 5, bytes));
    assert_false(disc_write(disc, 5, bytes));
    disc = disc_load(memory, SIZE);
    assert_int_equal(disc_next(disc), 6);
    assert_int_equal(disc->refused, 1);
    assert_false(disc_write(disc, 5, bytes));
    assert_int_equal(disc_next(disc_load(memory, SIZE - DISC_BLOCK)), 0);
    free(memory);
}

static void test_next(void **state)
{
    void *memory;
    struct disc *disc = blank(&memory);

    for (uint32_t block = 0; block < BLOCKS; block += 1 + block / 20) {
        assert_true(disc_write(disc, block, bytes));
        assert_int_equal(disc_next(disc), block + 1);
    }
    free(memory);
}

static void test_too_small(void **state)
{
    void *memory = calloc(1, DISC_HEADER + DISC_BLOCK);

    assert_null(disc_load(memory, DISC_HEADER + DISC_BLOCK - 1));
    assert_non_null(disc_load(memory, DISC_HEADER + DISC_BLOCK));
    assert_null(disc_load(memory, 0));
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_loaded_again),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
