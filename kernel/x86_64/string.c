/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying by 8 x 8 bytes through general registers: faster than the string instructions where the
 * processor is emulated, and not slower elsewhere for our sizes. */
#include "kernel/string.h"

#include <stdint.h>

#include "kernel/arch.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void arch_copy(void *to, const void *from, size_t n)
{
    word *t = to;
    const word *f = from;
    uint8_t *tail;
    const uint8_t *from_tail;

    for (; n >= 64; n -= 64, t += 8, f += 8) {
        uint64_t a = f[0], b = f[1], c = f[2], d = f[3];

        t[0] = a;
        t[1] = b;
        t[2] = c;
        t[3] = d;
        a = f[4];
        b = f[5];
        c = f[6];
        d = f[7];
        t[4] = a;
        t[5] = b;
        t[6] = c;
        t[7] = d;
    }
    for (; n >= 8; n -= 8)
        *t++ = *f++;
    for (tail = (uint8_t *)t, from_tail = (const uint8_t *)f; n; n--)
        *tail++ = *from_tail++;
}

void *memcpy(void *to, const void *from, size_t n)
{
    arch_copy(to, from, n);
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *t = to;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;

    for (; n >= 8; n -= 8, t += 8)
        *(word *)t = pattern;
    while (n--)
        *t++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}
