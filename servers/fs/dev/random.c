/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/dev/random.h"

#include <cpuid.h>
#include <string.h>

static uint32_t key[8];

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t *s, int a, int b, int c, int d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t k[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, k[0], k[1],
                          k[2],       k[3],       k[4],       k[5],       k[6], k[7],
                          counter,    nonce[0],   nonce[1],   nonce[2]};
    uint32_t s[16];

    memcpy(s, start, sizeof s);
    for (int round = 0; round < 20; round += 2) {
        for (int i = 0; i < 4; i++)
            quarter_round(s, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++)
            quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (int i = 0; i < 16; i++)
        s[i] += start[i];
    memcpy(out, s, 64);
}

static uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* A word from the processor's generator, or the time when it has none (or it fails). */
static uint64_t hardware_word(void)
{
    unsigned a, b, c, d;
    unsigned long word;
    unsigned char ok = 0;

    if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND))
        for (int i = 0; i < 10 && !ok; i++)
            __asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(ok) : : "cc");
    return ok ? word : time_stamp() * 0x9e3779b97f4a7c15u;
}

/* The key becomes a function of itself and of 32 bytes. */
static void mix(const uint32_t in[8])
{
    static const uint32_t nonce[3] = {0x64656573, 0, 0};
    uint8_t block[64];

    for (int i = 0; i < 8; i++)
        key[i] ^= in[i];
    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, sizeof key);
}

void random_seed(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t fresh[4];
    uint32_t part[8];

    for (int i = 0; i < 4; i++)
        fresh[i] = hardware_word() ^ (uint64_t)i * time_stamp();
    memcpy(part, fresh, sizeof part);
    mix(part);
    for (; length > 0; p += length < sizeof part ? length : sizeof part,
                       length -= length < sizeof part ? length : sizeof part) {
        memset(part, 0, sizeof part);
        memcpy(part, p, length < sizeof part ? length : sizeof part);
        mix(part);
    }
}

void random_bytes(void *out, size_t length)
{
    static uint32_t requests;
    uint32_t nonce[3] = {++requests, (uint32_t)time_stamp(), 0};
    uint32_t counter = 1;
    uint8_t block[64], *p = out;

    while (length > 0) {
        size_t n = length < sizeof block ? length : sizeof block;

        chacha20_block(key, counter++, nonce, block);
        memcpy(p, block, n);
        p += n;
        length -= n;
    }
    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, sizeof key);
}
