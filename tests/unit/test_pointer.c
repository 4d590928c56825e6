/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/pointer.c
/* A pointer with a bit that has flipped is put right, and nothing else is, whatever looks like one. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "lib/rt/pointer.h"

enum { WORDS = 512 };
#define HEAP 0x740000000000ull
#define PROGRAM 0x400000ull
#define PROGRAM_BYTES 0x40000ull

/* What the server sees: a heap of blocks of 48 bytes (its words are here), and its program. */
static uint64_t heap[WORDS * 4], data[WORDS];

static uint64_t *word_at(uint64_t at, size_t bytes)
{
    if (at >= HEAP && at + bytes <= HEAP + sizeof heap)
        return &heap[(at - HEAP) / 8];
    if (at >= PROGRAM && at + bytes <= PROGRAM + sizeof data)
        return &data[(at - PROGRAM) / 8];
    return NULL;
}

static bool peek(const void *at, void *to, size_t bytes)
{
    const uint64_t *word = word_at((uint64_t)at, bytes);

    if (word)
        memcpy(to, word, bytes);
    return word || ((uint64_t)at >= PROGRAM && (uint64_t)at + bytes <= PROGRAM + PROGRAM_BYTES);
}

static bool poke(void *at, const void *from, size_t bytes)
{
    uint64_t *word = word_at((uint64_t)at, bytes);

    if (word)
        memcpy(word, from, bytes);
    return word;
}

static uint64_t block(unsigned n)
{
    return HEAP + n * 64 + 16;
}

static bool is_block(uint64_t at)
{
    return at % 64 == 16 && at >= HEAP && at < HEAP + sizeof heap;
}

static const struct pointer_memory memory = {
    .peek = peek,
    .poke = poke,
    .is_block = is_block,
    .range = {{PROGRAM, PROGRAM + sizeof data}, {HEAP, HEAP + sizeof heap}},
    .ranges = 2,
    .program = PROGRAM,
    .program_end = PROGRAM + PROGRAM_BYTES};

static void clear(void)
{
    memset(heap, 0, sizeof heap);
    memset(data, 0, sizeof data);
}

/* Each bit that leads out of what is there; twice in memory, both are put right. */
static void test_block(void **state)
{
    unsigned mended = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t wrong = block(7) ^ 1ull << bit;
        bool leads_out = !peek((void *)wrong, &(char){0}, 1);

        clear();
        data[100] = heap[300] = wrong;
        data[101] = block(7);
        assert_int_equal(pointer_mend(&memory, wrong + 8, bit % 2), leads_out ? 2 : 0);
        assert_int_equal(data[100], leads_out ? block(7) : wrong);
        assert_int_equal(heap[300], data[100]);
        assert_int_equal(data[101], block(7));
        mended += leads_out;
    }
    assert_true(mended >= 48);
}

/* Not in memory (any more), not what the access was made by, or one of two. */
static void test_nothing(void **state)
{
    uint64_t wrong = block(7) ^ 1ull << 50, text = (PROGRAM + 0x1230) ^ 1ull << 30;

    clear();
    assert_int_equal(pointer_mend(&memory, wrong, true), 0);
    data[3] = text;
    assert_int_equal(pointer_mend(&memory, text + 8, true), 0);
    assert_int_equal(pointer_mend(&memory, text - 8, false), 0);
    assert_int_equal(pointer_mend(&memory, text + 0x10000, false), 0);
    assert_int_equal(data[3], text);
    data[4] = text + 8;
    assert_int_equal(pointer_mend(&memory, text + 8, false), 0);
    data[4] = 0;
    assert_int_equal(pointer_mend(&memory, text + 8, false), 1);
    assert_int_equal(data[3], PROGRAM + 0x1230);
}

static void test_null(void **state)
{
    clear();
    data[5] = 1ull << 40;
    assert_int_equal(pointer_mend(&memory, (1ull << 40) + 0x148, false), 1);
    assert_int_equal(data[5], 0);
    data[5] = data[6] = 1ull << 20; /* which is the pointer, and which the size of something? */
    assert_int_equal(pointer_mend(&memory, (1ull << 20) + 0x148, false), 0);
    assert_int_equal(data[5], 1ull << 20);
    data[6] = 0;
    assert_int_equal(pointer_mend(&memory, (1ull << 20) + 0x148, true), 0);
    data[5] = 8;
    assert_int_equal(pointer_mend(&memory, 16, false), 0);
}

/* Numbers by chance, all of them in memory: none is changed. */
static void test_numbers(void **state)
{
    srandom(1);
    clear();
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t number = (uint64_t)random() << (unsigned)random() % 33;

        data[9] = number;
        if ((number & (number - 1)) == 0)
            continue;
        assert_int_equal(pointer_mend(&memory, number + i % 100, true), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
