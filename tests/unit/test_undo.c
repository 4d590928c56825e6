/* SPDX-License-Identifier: BSD-2-Clause */
// includes: lib/undo/return.c lib/undo/refuse.c lib/undo/log.c
// sources: lib/undo/entry.S lib/undo/root.c
// library: undo_subject
// flags: -DUNDO -no-pie -fno-pie
/*
 * What the compiler's plugin logs, and what undoing makes of it: stores by chance, of every kind that C has, and everything
 * is as it was, whichever of them was the last. What is not to be undone is not.
 */
#include "lib/undo/log.c"
#include "lib/undo/return.c"
#include "lib/undo/refuse.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "undo_subject.h"

#define LOG_BYTES 0x400000

static uint64_t seed = 1;

static uint64_t random_number(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

/* With the log's end in r15, as a service runs; returns it. */
static uint64_t run_logged(uint64_t log_end, unsigned kind, unsigned n, uint64_t x)
{
    uint64_t rdi = kind, rsi = n, rdx = x, end;

    __asm__ volatile("pushq %%r15\n\tpushq %%rbp\n\tmovq %%rsp, %%rbp\n\tandq $-16, %%rsp\n\t"
                     "movq %4, %%r15\n\tcall subject_run\n\tmovq %%r15, %%rax\n\t"
                     "movq %%rbp, %%rsp\n\tpopq %%rbp\n\tpopq %%r15"
                     : "=&a"(end), "+D"(rdi), "+S"(rsi), "+d"(rdx)
                     : "r"(log_end)
                     : "rcx", "r8", "r9", "r10", "r11", "cc", "memory");
    return end;
}

static int setup(void **state)
{
    void *log = mmap((void *)UNDO_LOG, LOG_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    return log == (void *)UNDO_LOG ? 0 : -1;
}

static void assert_as_before(const struct subject_memory *before, unsigned calls)
{
    assert_memory_equal(&subject, before, offsetof(struct subject_memory, unlogged));
    assert_int_equal(subject_calls(), calls);
}

/* Each kind alone, so that a failure says which. */
static void test_each_kind(void **state)
{
    for (unsigned kind = 0; kind < SUBJECT_KINDS; kind++)
        for (int round = 0; round < 2000; round++) {
            struct subject_memory before = subject;
            unsigned calls = subject_calls();
            uint64_t end =
                run_logged(UNDO_LOG, kind, (unsigned)random_number() % 4096, random_number());

            assert_int_equal(subject_calls(), calls + 1);
            undo_log_play(UNDO_LOG, end);
            assert_as_before(&before, calls);
            run_logged(UNDO_LOG, kind, (unsigned)random_number() % 4096,
                       random_number()); /* so that there is something */
        }
}

/* Steps of many stores: undone from their end, and as far as each entry on the way (a death in the midst of the step, and of
 * the undoing, which is then done again from the log's end). */
static void test_steps(void **state)
{
    for (int round = 0; round < 300; round++) {
        struct subject_memory before = subject;
        unsigned calls = subject_calls(), parts = 1 + (unsigned)random_number() % 60;
        uint64_t end = UNDO_LOG, middle;

        for (unsigned i = 0; i < parts; i++)
            end = run_logged(end, (unsigned)random_number(), (unsigned)random_number() % 4096,
                             random_number());
        assert_true(end - UNDO_LOG < LOG_BYTES);
        for (middle = end; middle > UNDO_LOG && random_number() % 50 != 0;) { /* back by entries */
            const uint64_t *e = (const uint64_t *)(middle - 16);
            uint64_t begin = middle - 16 - (e[0] >> 63 ? (e[1] + 15) & ~15ull : 0);

            undo_log_play(begin, middle);
            middle = begin;
        }
        undo_log_play(UNDO_LOG, end);
        assert_as_before(&before, calls);
    }
}

static void test_what_is_not_undone(void **state)
{
    uint64_t end;

    subject.shared = 0;
    end = run_logged(UNDO_LOG, 8, 2, 1234);
    undo_log_play(UNDO_LOG, end);
    assert_int_equal(subject.unlogged[2], 1234);
    assert_int_equal(subject.shared, 2468);
}

/* Ranges that somebody else is about to write. */
static void test_undo_range(void **state)
{
    static uint8_t bytes[5000], before[5000];

    for (unsigned length = 0; length < 300; length++) {
        unsigned at = (unsigned)random_number() % 4000;
        register uint64_t end __asm__("rax");

        for (unsigned i = 0; i < sizeof bytes; i++)
            before[i] = bytes[i] = (uint8_t)random_number();
        __asm__ volatile(
            "pushq %%r15\n\tmovq %1, %%r15\n\tcall __undo_range\n\tmovq %%r15, %%rax\n\tpopq %%r15"
            : "=r"(end)
            : "r"((uint64_t)UNDO_LOG), "D"(bytes + at), "S"((uint64_t)length)
            : "rcx", "cc", "memory");
        assert_int_equal(end - UNDO_LOG, length ? ((length + 15) & ~15u) + 16 : 0);
        memset(bytes + at, 0x55, length);
        undo_log_play(UNDO_LOG, end);
        assert_memory_equal(bytes, before, sizeof bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_what_is_not_undone),
        cmocka_unit_test(test_undo_range),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
