/* SPDX-License-Identifier: BSD-2-Clause */
// includes: lib/undo/return.c lib/undo/refuse.c lib/undo/log.c lib/undo/mirror.c lib/undo/scrub.c lib/undo/verify.c
// sources: lib/undo/entry.S lib/undo/root.c
// library: undo_subject
// flags: -DUNDO -ffixed-r15 -no-pie -fno-pie
/*
 * What the compiler's plugin logs, and what undoing makes of it: stores by chance, of every kind that C has, and everything
 * is as it was, whichever of them was the last. What is not to be undone is not.
 */
#include "lib/undo/log.c"
#include "lib/undo/mirror.c"
#include "lib/undo/return.c"
#include "lib/undo/refuse.c"
#include "lib/undo/scrub.c"
#include "lib/undo/verify.c"
#include "lib/undo/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "undo_subject.h"

#define LOG_BYTES 0x400000

static const uint64_t mirrors[] = {UNDO_MIRROR, UNDO_SECOND};

static uint64_t seed = 1;

static uint64_t random_number(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

/* With the log's end in r15, as a service runs, and far down on the stack: what is logged of there is put back when it is
 * over, and must not be what undo_log_play() stands on. Returns the end. */
static uint64_t run_logged(uint64_t log_end, unsigned kind, unsigned n, uint64_t x)
{
    uint64_t rdi = kind, rsi = n, rdx = x, end;

    __asm__ volatile("pushq %%r15\n\tpushq %%rbp\n\tmovq %%rsp, %%rbp\n\t"
                     "subq $0x10000, %%rsp\n\tandq $-16, %%rsp\n\t"
                     "movq %4, %%r15\n\tcall subject_run\n\tmovq %%r15, %%rax\n\t"
                     "movq %%rbp, %%rsp\n\tpopq %%rbp\n\tpopq %%r15"
                     : "=&a"(end), "+D"(rdi), "+S"(rsi), "+d"(rdx)
                     : "r"(log_end)
                     : "rcx", "r8", "r9", "r10", "r11", "cc", "memory");
    return end;
}

static bool map(uint64_t at, uint64_t bytes)
{
    return mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)at;
}

static int setup(void **state)
{
    const uint64_t info = (uint64_t)service_info(), clock = (uint64_t)kernel_page();

    if (!map(UNDO_LOG, LOG_BYTES) || !map(info, PAGE_SIZE) || !map(clock, PAGE_SIZE))
        return -1;
    ((struct kernel_page *)clock)->tsc_hz = 1000000000;
    for (unsigned i = 0; i < 2; i++)
        if (!map(mirrors[i] + undo_mirror_begin(), undo_mirror_bytes()))
            return -1;
    return 0;
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

static void commit(uint64_t log_end)
{
    __asm__ volatile("pushq %%r15\n\tmovq %0, %%r15\n\tcall undo_mirror\n\tpopq %%r15"
                     :
                     : "r"(log_end)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "cc", "memory");
}

/* What steps have stored is in the mirrors when they are committed, and nothing else is. */
static void test_mirror(void **state)
{
    undo_mirror_same(&subject, sizeof subject);
    for (int round = 0; round < 300; round++) {
        unsigned parts = (unsigned)random_number() % 60;
        uint64_t end = UNDO_LOG;

        for (unsigned i = 0; i < parts; i++)
            end = run_logged(end, (unsigned)random_number(), (unsigned)random_number() % 4096,
                             random_number());
        commit(end);
        for (unsigned i = 0; i < 2; i++)
            assert_memory_equal(&subject, mirror_of(mirrors[i], (uint64_t)&subject),
                                offsetof(struct subject_memory, unlogged));
    }
    commit(UNDO_LOG); /* of nothing */
}

/* Of a word and its mirrors one has flipped: which tells the two others. */
static void test_vote(void **state)
{
    static uint64_t words[3];
    struct difference d = {.is_flip = true};

    undo_mirror_same(words, sizeof words);
    words[1] = 1ull << 33;
    assert_int_equal(undo_vote((uint64_t)&words[1]), UNDO_MEMORY_DIFFERS);
    note(&d, (uint64_t)&words[1], 0, true);
    assert_true(d.count == 1 && d.is_flip && d.right[0] == 0);
    for (unsigned i = 0; i < 2; i++) {
        *mirror_of(mirrors[i], (uint64_t)&words[0]) = 4;
        assert_int_equal(undo_vote((uint64_t)&words[0]), UNDO_MIRROR_MENDED);
        assert_int_equal(*mirror_of(mirrors[i], (uint64_t)&words[0]), 0);
    }
    *mirror_of(UNDO_MIRROR, (uint64_t)&words[0]) = 4;
    note(&d, (uint64_t)&words[0], 4, true);
    assert_true(d.count == 1 && d.is_flip);
    *mirror_of(UNDO_SECOND, (uint64_t)&words[1]) = 2; /* all three differ */
    assert_int_equal(undo_vote((uint64_t)&words[1]), UNDO_ALL_DIFFER);
    note(&d, (uint64_t)&words[1], 0, true);
    assert_true(d.count == 2 && !d.is_flip);
    d = (struct difference){.is_flip = true};
    words[2] = 3; /* two bits: something else has happened */
    note(&d, (uint64_t)&words[2], 0, true);
    assert_true(d.count == 1 && !d.is_flip);
    note(&d, (uint64_t)&undo_in_step, 1, true); /* no step's */
    assert_int_equal(d.count, 1);
}

/* A bit that flips in memory, or in a mirror, of a page that is stored to all the time: both are put right, by a round or two. */
static void test_scrub(void **state)
{
    static _Alignas(PAGE_SIZE) uint64_t page[PAGE_SIZE / 8];

    for (int round = 0; round < 2000; round++) {
        unsigned at = (unsigned)random_number() % (PAGE_SIZE / 8), which = round % 3;
        uint64_t bit = 1ull << random_number() % 64;

        page[random_number() % (PAGE_SIZE / 8)] = random_number(); /* a step has stored this */
        undo_mirror_same(page, sizeof page);
        *known_of((uint64_t)page) = (uint64_t)page;
        *mirror_of(which == 2 ? 0 : mirrors[which], (uint64_t)&page[at]) ^= bit;
        for (unsigned i = 0; i < 2; i++, rounds++)
            scrub_page((uint64_t)page);
        for (unsigned i = 0; i < 2; i++)
            assert_memory_equal(page, mirror_of(mirrors[i], (uint64_t)page), sizeof page);
    }
}

static void verify_with(uint64_t log_end, const void *at, size_t length)
{
    uint64_t rdi = (uint64_t)at, rsi = length;

    __asm__ volatile(
        "pushq %%r15\n\tmovq %2, %%r15\n\tpushq %%rbp\n\tmovq %%rsp, %%rbp\n\tandq $-16, %%rsp\n\t"
        "call undo_verify\n\tmovq %%rbp, %%rsp\n\tpopq %%rbp\n\tpopq %%r15"
        : "+D"(rdi), "+S"(rsi)
        : "r"(log_end)
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
}

/* In the midst of a step: what has flipped is put right, what the step has stored is not. It has stored to three words: an entry
 * each (an unaligned one is of two), or one of them all. */
static void test_verify(void **state)
{
    static uint64_t words[40];

    undo_log_begin = UNDO_LOG;
    for (unsigned round = 0; round < 2000; round++) {
        const unsigned stored = (unsigned)random_number() % 37,
                       flipped = (stored + 3 + (unsigned)random_number() % 37) % 40;
        uint64_t *entry = (uint64_t *)UNDO_LOG, right[40];

        undo_mirror_same(words, sizeof words);
        for (unsigned i = 0; i < 3; i++)
            words[stored + i] = random_number();
        if (round % 3 == 0)
            for (unsigned i = 0; i < 3; i++, entry += 2)
                entry[0] = (uint64_t)&words[stored + i];
        else if (round % 3 == 1)
            for (unsigned i = 0; i < 3; i++, entry += 2)
                entry[0] = (uint64_t)&words[stored] + 5 * i;
        else {
            entry += 4; /* the data */
            entry[0] = (uint64_t)&words[stored] | 1ull << 63;
            entry[1] = 3 * sizeof *words;
            entry += 2;
        }
        memcpy(right, words, sizeof words);
        words[flipped] ^= 1ull << random_number() % 64;
        verify_with((uint64_t)entry, words, sizeof words);
        assert_memory_equal(words, right, sizeof words);
    }
}

/* ---- lists ---- */

enum { NODES = 8, LIST_WORDS = 1 + 3 * NODES };

static union {
    struct {
        struct list_node {
            struct list_node *next, **link;
            uint64_t value;
        } * first, node[NODES];
    };
    uint64_t words[LIST_WORDS];
} list;

static struct list_node *chosen;
static volatile uint64_t sum; /* stored to by what assembly calls */

static void do_put(void)
{
    list_put(list.first, chosen, next);
}

static void do_take(void)
{
    list_take(list.first, chosen, next);
}

static void do_put_linked(void)
{
    list_put_linked(list.first, chosen, next, link);
}

static void do_take_linked(void)
{
    list_take_linked(chosen, next, link);
}

static void do_walk(void)
{
    const struct list_node *n;
    unsigned steps = 0;

    list_for(n, list.first, next) sum = sum * 3 + (uint64_t)(n - list.node) + ++steps;
}

/* In a step that has stored nothing yet. */
static void in_step(void (*do_it)(void))
{
    undo_log_begin = UNDO_LOG;
    __asm__ volatile(
        "pushq %%r15\n\tmovq %1, %%r15\n\tpushq %%rbp\n\tmovq %%rsp, %%rbp\n\tandq $-16, %%rsp\n\t"
        "call *%0\n\tmovq %%rbp, %%rsp\n\tpopq %%rbp\n\tpopq %%r15"
        :
        : "b"(do_it), "r"((uint64_t)UNDO_LOG)
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "cc",
          "memory");
}

/* What is stored to gets into the mirrors, whether or not that changes it; what is not is looked through. */
static void commit_list(const uint64_t before[LIST_WORDS], const uint64_t after[LIST_WORDS])
{
    for (unsigned i = 0; i < LIST_WORDS; i++)
        if (before[i] != after[i])
            undo_mirror_same(&list.words[i], sizeof list.words[i]);
    verify_with(UNDO_LOG, list.words, sizeof list.words);
}

/* A list of some of the nodes, in any order; one of the others, or of them, is chosen. */
static void make_list(bool is_linked, bool of_others)
{
    unsigned order[NODES], length = 1 + (unsigned)random_number() % (NODES - 1);

    memset(&list, 0, sizeof list);
    for (unsigned i = 0; i < NODES; i++) {
        unsigned j = (unsigned)random_number() % (i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (unsigned i = 0; i < length; i++) {
        struct list_node *n = &list.node[order[i]];

        n->next = list.first;
        if (is_linked && n->next)
            n->next->link = &n->next;
        n->link = is_linked ? &list.first : NULL;
        list.first = n;
    }
    chosen = &list.node[order[of_others ? length : random_number() % length]];
    undo_mirror_same(&list, sizeof list);
}

/* A link has flipped, whichever, and the list is gone through or changed: it is as if nothing had flipped. */
static void test_lists(void **state)
{
    static const struct {
        void (*do_it)(void);
        bool is_linked, of_others;
    } kinds[] = {{do_put, false, true},
                 {do_take, false, false},
                 {do_put_linked, true, true},
                 {do_take_linked, true, false},
                 {do_walk, false, false}};
    uint64_t was[LIST_WORDS], right[LIST_WORDS], right_sum;
    unsigned changed = 0;

    for (unsigned round = 0; round < 20000; round++) {
        const unsigned kind = round % 5;
        uint64_t *flipped;

        make_list(kinds[kind].is_linked, kinds[kind].of_others);
        memcpy(was, list.words, sizeof was);
        sum = 0;
        in_step(kinds[kind].do_it);
        memcpy(right, list.words, sizeof right);
        right_sum = sum;
        memcpy(list.words, was, sizeof was);
        undo_mirror_same(&list, sizeof list);

        do
            flipped = &list.words[random_number() % LIST_WORDS];
        while (!*flipped);
        *flipped ^= 1ull << random_number() % 64;
        sum = 0;
        in_step(kinds[kind].do_it);
        commit_list(was, right);
        assert_memory_equal(list.words, right, sizeof right);
        assert_int_equal(sum, right_sum);
        changed += memcmp(was, right, sizeof right) != 0;
    }
    assert_true(changed > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_what_is_not_undone),
        cmocka_unit_test(test_undo_range),
        cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_vote),
        cmocka_unit_test(test_scrub),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_lists),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
