/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071) for lwIP: 64-bit words with the carries in one chain, which is
 * entered so far from its end as there are words. Both functions return the sum folded to 16 bits, not
 * inverted, of the bytes taken as little-endian 16-bit words from the first byte on. Any alignment.
 */
#include <stddef.h>
#include <string.h>

#include "lwipopts.h"

#define CHAIN 192u /* words: a whole frame */

static inline uint64_t load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t add(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static inline uint16_t fold(uint64_t sum)
{
    uint32_t half = (uint32_t)sum, high = (uint32_t)(sum >> 32);

    __asm__("addl %[high], %[half]\n\t"
            "adcl $0, %[half]\n\t"
            "movl %[half], %[high]\n\t"
            "shrl $16, %[high]\n\t"
            "addw %w[high], %w[half]\n\t"
            "adcw $0, %w[half]"
            : [half] "+r"(half), [high] "+r"(high)
            :
            : "cc");
    return (uint16_t)half;
}

/* Sum of `words` words, CHAIN at most, before `end`. One link of the chain has seven bytes. */
static inline uint64_t add_words(const uint8_t *end, uint64_t words)
{
    uint64_t sum, link;

    __asm__("leaq (,%[words],8), %[link]\n\t"
            "subq %[link], %[words]\n\t" /* so many bytes before the end */
            "leaq 1f(%%rip), %[link]\n\t"
            "addq %[words], %[link]\n\t"
            "xorl %k[sum], %k[sum]\n\t" /* no carry */
            "jmp *%[link]\n\t"
            ".set left, %c[chain]\n\t"
            ".rept %c[chain]\n\t"
            "%{disp32%} adcq -8 * left(%[end]), %[sum]\n\t"
            ".set left, left - 1\n\t"
            ".endr\n"
            "1:\tadcq $0, %[sum]"
            : [sum] "=&a"(sum), [link] "=&r"(link), [words] "+r"(words)
            : [end] "S"(end), [chain] "i"((int)CHAIN)
            : "cc", "memory");
    return sum;
}

/* `length` < 8 bytes. */
static inline uint64_t few(const uint8_t *at, size_t length)
{
    uint64_t word = 0;

    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)at[i] << 8 * i;
    return word;
}

uint16_t checksum(const void *data, int length)
{
    const uint8_t *at = data;
    size_t left = length > 0 ? (size_t)length : 0, words = left / 8;
    uint64_t sum = 0;

    for (; words > CHAIN; words -= CHAIN) {
        at += 8 * CHAIN;
        sum = add(sum, add_words(at, CHAIN));
    }
    at += 8 * words;
    sum = add(sum, add_words(at, words));
    left %= 8;
    if (left && length >= 8) /* with what is behind them */
        sum = add(sum, load(at + left - 8) >> (64 - 8 * left));
    else if (left)
        sum = add(sum, few(at, left));
    return fold(sum);
}

uint16_t checksum_copy(void *to, const void *from, uint16_t length)
{
    memcpy(to, from, length);
    return checksum(from, length);
}
