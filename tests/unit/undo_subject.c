/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores of all kinds, compiled as a service that keeps its memory is: tests/unit/test_undo.c undoes them. */
#include "undo_subject.h"

#include <string.h>

struct subject_memory subject;
static unsigned calls;

static void words(unsigned n, uint64_t x)
{
    subject.words[n % WORDS] = x;
    subject.words[(n + 1) % WORDS] += x >> 3;
    subject.words[(n + 2) % WORDS]++;
}

/* Of packets: wherever they lie. */
struct __attribute__((packed)) two {
    uint16_t value;
};
struct __attribute__((packed)) four {
    uint32_t value;
};
struct __attribute__((packed)) eight {
    uint64_t value;
};

static void small(unsigned n, uint64_t x)
{
    subject.bytes[n % BYTES] = (uint8_t)x;
    ((struct two *)(subject.bytes + n % (BYTES - 2)))->value = (uint16_t)x;
    ((struct four *)(subject.bytes + (n * 7) % (BYTES - 4)))->value ^= (uint32_t)x;
    ((struct eight *)(subject.bytes + (n * 13) % (BYTES - 8)))->value = x;
    subject.shorts[n % SHORTS] = (uint16_t)x;
    subject.ints[n % SHORTS] -= (uint32_t)x;
}

static void fields(unsigned n, uint64_t x)
{
    struct subject_item *i = &subject.items[n % ITEMS];

    i->flag = x & 1;
    i->three = x >> 1 & 7;
    i->many = (uint32_t)(x >> 4 & 0x1fffffff);
    i->wide = (unsigned __int128)x * x;
    i->next = &subject.items[x % ITEMS];
    i->next->back = i;
}

static void whole(unsigned n, uint64_t x)
{
    struct subject_item item = {
        .flag = 1, .many = (uint32_t)x & 0x1fffffff, .next = &subject.items[n % ITEMS]};
    struct subject_item *to = &subject.items[x % ITEMS];

    *to = item;
    subject.items[(x + 1) % ITEMS] = *to;
    subject.large[n % LARGE] = (struct subject_large){.first = x, .last = ~x};
    if (x & 1)
        subject.large[x % LARGE] = subject.large[n % LARGE];
}

static void ranges(unsigned n, uint64_t x)
{
    size_t length = x % (BYTES / 2), from = n % (BYTES / 2);

    memset(subject.bytes + from, (int)x, length);
    memcpy(subject.bytes + BYTES / 2, subject.bytes + from / 2, length / 3);
    memmove(subject.bytes + 1, subject.bytes, length);
}

static struct subject_item returned(uint64_t x)
{
    return (struct subject_item){.many = (uint32_t)x & 0xffff, .back = subject.items};
}

static __attribute__((noinline)) void through(uint64_t *a, struct subject_item *b, uint64_t x)
{
    *a = x;
    *b = returned(x);
}

static void pointers(unsigned n, uint64_t x)
{
    uint64_t mine[4] = {x, x + 1, x + 2, x + 3}; /* on the stack, but others see it */

    through(&mine[n % 4], &subject.items[n % ITEMS], x);
    through(&subject.words[n % WORDS], &subject.items[mine[x % 4] % ITEMS], mine[1]);
}

static void loops(unsigned n, uint64_t x)
{
    for (unsigned i = 0; i < n % 40; i++) {
        subject.words[i] = subject.words[i] * 31 + x;
        subject.bytes[i * 3] = subject.bytes[i * 3 + 1];
    }
    for (unsigned i = 0; i < 24; i++) /* what compilers make one large store of */
        subject.bytes[100 + i] = 0;
}

static void conditions(unsigned n, uint64_t x)
{
    static uint64_t own[8];
    uint64_t *to = x & 1 ? &subject.words[n % WORDS] : &subject.words[(n + 9) % WORDS];

    *to = x;
    own[n % 8] = *to;
    subject.sum += own[x % 8];
    switch (n % 3) {
    case 0:
        subject.other = x / 3;
        break;
    case 1:
        subject.function = words;
        break;
    default:
        subject.text[x % (sizeof subject.text - 1)] = 'x';
    }
}

static __attribute__((no_instrument_function, noinline)) void unlogged(unsigned n, uint64_t x)
{
    subject.unlogged[n % 4] = x;
    __atomic_store_n(&subject.shared, x, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) void atomics(unsigned n, uint64_t x)
{
    unlogged(n, x);
    __atomic_fetch_add(&subject.shared, x,
                       __ATOMIC_RELAXED); /* others' too: nobody may take it back */
}

unsigned subject_calls(void)
{
    return calls;
}

void subject_run(unsigned kind, unsigned n, uint64_t x)
{
    static void (*const run[SUBJECT_KINDS])(unsigned, uint64_t) = {
        words, small, fields, whole, ranges, pointers, loops, conditions, atomics};

    calls++;
    run[kind % SUBJECT_KINDS](n, x);
}
