/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/heap.c
/* The heap of services: no two blocks overlap, what is freed is used again, damage is found. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "lib/rt/heap.h"

static size_t taken, given, limit;
static void *pieces[100000];
static unsigned piece_count;
static jmp_buf found;

static void *more(size_t bytes)
{
    void *p = NULL;

    if (taken - given + bytes > limit)
        return NULL;
    p = aligned_alloc(4096, bytes);
    memset(p, 0, bytes);
    taken += bytes;
    pieces[piece_count++] = p;
    return p;
}

static void give_back(void *pages, size_t bytes)
{
    given += bytes;
    for (unsigned i = 0; i < piece_count; i++)
        if (pieces[i] == pages)
            pieces[i] = NULL;
    free(pages);
}

static void corrupt(const void *block)
{
    longjmp(found, 1);
}

static struct heap heap;

static int setup(void **state)
{
    heap = (struct heap){.more = more,
                         .more_piece = more,
                         .give_back = give_back,
                         .corrupt = corrupt,
                         .piece = 65536};
    taken = given = 0;
    limit = SIZE_MAX / 2;
    piece_count = 0;
    return 0;
}

static int teardown(void **state)
{
    while (piece_count)
        free(pieces[--piece_count]);
    return 0;
}

static void test_classes(void **state)
{
    for (size_t n = 0; n <= HEAP_SMALL_MAX; n += n < 300 ? 1 : 37) {
        void *p = heap_take(&heap, n);
        size_t room = heap_room(&heap, p);

        assert_true(room >= n);
        assert_true(room <= 64 || room <= n + n / 4 + 16); /* at most a quarter is wasted */
        assert_int_equal((uintptr_t)p % 16, 0);
        heap_give(&heap, p);
    }
}

static void test_big(void **state)
{
    void *p = heap_take(&heap, HEAP_SMALL_MAX + 1), *q = heap_take(&heap, 10u << 20);

    memset(p, 1, HEAP_SMALL_MAX + 1);
    memset(q, 2, 10u << 20);
    heap_give(&heap, p);
    heap_give(&heap, q);
    assert_int_equal(taken, given);
    assert_null(heap_take(&heap, SIZE_MAX - 100));
}

static void test_same_work_needs_no_more(void **state)
{
    size_t before;

    for (int round = 0; round < 3; round++) {
        void *p[200];

        before = taken;
        for (unsigned i = 0; i < 200; i++)
            p[i] = heap_take(&heap, i * 40);
        for (unsigned i = 0; i < 200; i++)
            heap_give(&heap, p[i]);
    }
    assert_int_equal(taken, before);
}

/* Small ones, mostly. */
static size_t some_size(void)
{
    size_t n = (size_t)rand();

    if (rand() % 10)
        return n % 200;
    return rand() % 10 ? n % 5000 : n % 100000;
}

static void test_random(void **state)
{
    enum { BLOCKS = 500 };
    static struct {
        uint8_t *p;
        size_t n;
        uint8_t mark;
    } b[BLOCKS];

    srand(3);
    memset(b, 0, sizeof b);
    for (unsigned round = 0; round < 60000; round++) {
        unsigned i = (unsigned)rand() % BLOCKS;

        if (b[i].p) {
            for (size_t k = 0; k<b[i].n; k += b[i].n> 4096 ? 509 : 1)
                assert_int_equal(b[i].p[k], b[i].mark);
            heap_give(&heap, b[i].p);
            b[i].p = NULL;
            continue;
        }
        b[i].n = some_size();
        b[i].p = heap_take(&heap, b[i].n);
        b[i].mark = (uint8_t)rand();
        memset(b[i].p, b[i].mark, b[i].n);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        if (b[i].p)
            heap_give(&heap, b[i].p);
}

static void test_exhaustion(void **state)
{
    unsigned n = 0;

    limit = 10 * 65536;
    while (heap_take(&heap, 600))
        n++;
    assert_true(n > 900);
    assert_non_null(heap_take(&heap, 100)); /* what is left of the last piece */
}

static void test_damage(void **state)
{
    char *volatile p = heap_take(&heap, 50);

    heap_give(&heap, p);
    if (setjmp(found) == 0) {
        heap_give(&heap, p);
        fail_msg("freed twice, and nobody noticed");
    }
    p = heap_take(&heap, 50);
    memset(p - 8, 0, 8); /* as somebody's overrun would */
    if (setjmp(found) == 0) {
        heap_give(&heap, p);
        fail_msg("a damaged header, and nobody noticed");
    }
}

/* A free block's link, any bit of it: not followed, nor believed. */
static void test_damaged_link(void **state)
{
    for (volatile unsigned bit = 0; bit < 64; bit++) {
        uint64_t *first = heap_take(&heap, 100), *second = heap_take(&heap, 100);

        heap_give(&heap, first);
        heap_give(&heap, second);
        *second ^= 1ull << bit;
        if (setjmp(found) == 0) {
            heap_take(&heap, 100);
            fail_msg("bit %u of a link, and nobody noticed", bit);
        }
        *second ^= 1ull << bit;
        assert_ptr_equal(heap_take(&heap, 100), second);
        assert_ptr_equal(heap_take(&heap, 100), first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_work_needs_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exhaustion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_link, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
