/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071) for lwIP: eight 64-bit words per turn, with the carries in one
 * chain. Both functions return the sum folded to 16 bits, not inverted, of the bytes taken as
 * little-endian 16-bit words from the first byte on. Any alignment.
 */
#include <stddef.h>
#include <string.h>

#include "lwipopts.h"

static inline uint64_t load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline void store(uint8_t *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline uint64_t add(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

/* Sum of 64 bytes and `sum`. */
static inline uint64_t add_block(uint64_t sum, const uint8_t *at)
{
    __asm__("addq 0(%1), %0\n\t"
            "adcq 8(%1), %0\n\t"
            "adcq 16(%1), %0\n\t"
            "adcq 24(%1), %0\n\t"
            "adcq 32(%1), %0\n\t"
            "adcq 40(%1), %0\n\t"
            "adcq 48(%1), %0\n\t"
            "adcq 56(%1), %0\n\t"
            "adcq $0, %0"
            : "+r"(sum)
            : "r"(at), "m"(*(const uint8_t(*)[64])at)
            : "cc");
    return sum;
}

/* The last `length` < 8 bytes. */
static inline uint64_t tail(const uint8_t *at, size_t length)
{
    uint64_t word = 0;

    memcpy(&word, at, length);
    return word;
}

uint16_t checksum(const void *data, int length)
{
    const uint8_t *at = data;
    size_t left = length > 0 ? (size_t)length : 0;
    uint64_t sum = 0;

    for (; left >= 64; at += 64, left -= 64)
        sum = add_block(sum, at);
    for (; left >= 8; at += 8, left -= 8)
        sum = add(sum, load(at));
    return fold(add(sum, tail(at, left)));
}

uint16_t checksum_copy(void *to, const void *from, uint16_t length)
{
    const uint8_t *at = from;
    uint8_t *out = to;
    size_t left = length;
    uint64_t sum = 0;

    for (; left >= 64; at += 64, out += 64, left -= 64) {
        for (size_t i = 0; i < 64; i += 8)
            store(out + i, load(at + i));
        sum = add_block(sum, at);
    }
    for (; left >= 8; at += 8, out += 8, left -= 8) {
        store(out, load(at));
        sum = add(sum, load(at));
    }
    memcpy(out, at, left);
    return fold(add(sum, tail(at, left)));
}
