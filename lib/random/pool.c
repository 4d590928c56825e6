/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/random/pool.h"

#include <string.h>

#include "lib/rt/random.h"
#include "lib/undo/undo.h"

#define BLOCK 64u
#define NS 1000000000ull

/* What a stream is for: the nonce of its blocks, so that none is used for two things. */
static const uint32_t for_output[3] = {0x74757074, 0x756f, 0}, for_addition[3] = {0x646461, 0, 0};

static inline uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static inline __attribute__((always_inline)) void quarter_round(uint32_t *s, int a, int b, int c,
                                                                int d)
{
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

/* (Of a server that keeps its memory: what these functions store need not be undone, only never be
 * given out twice. In a log old keys would be kept.) */
undo_unlogged void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                                  uint8_t out[64])
{
    const uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1],
                                key[2],     key[3],     key[4],     key[5],     key[6], key[7],
                                counter,    nonce[0],   nonce[1],   nonce[2]};
    uint32_t s[16];

    memcpy(s, start, sizeof s);
    for (int round = 0; round < 10; round++) {
        quarter_round(s, 0, 4, 8, 12), quarter_round(s, 1, 5, 9, 13);
        quarter_round(s, 2, 6, 10, 14), quarter_round(s, 3, 7, 11, 15);
        quarter_round(s, 0, 5, 10, 15), quarter_round(s, 1, 6, 11, 12);
        quarter_round(s, 2, 7, 8, 13), quarter_round(s, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        s[i] += start[i];
    memcpy(out, s, BLOCK);
}

/* What must not lie about. (memset() would log what was there.) */
undo_unlogged static void wipe(void *at, size_t length)
{
    for (volatile uint8_t *p = at; length > 0; length--)
        *p++ = 0;
}

/* The next key is of the old one's stream, plus what is added. */
undo_unlogged void random_pool_add(struct random_pool *pool, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint8_t block[BLOCK];

    do {
        size_t n = length < RANDOM_KEY_BYTES ? length : RANDOM_KEY_BYTES;

        chacha20_block(pool->key, 0, for_addition, block);
        for (size_t i = 0; i < n; i++)
            block[i] ^= p[i];
        memcpy(pool->key, block, sizeof pool->key);
        p += n;
        length -= n;
    } while (length > 0);
    wipe(block, sizeof block);
}

/* (A key that is half the old one and half the new one, because we died between two stores, is as
 * good as any.) */
undo_unlogged void random_pool_take(struct random_pool *pool, void *out, size_t length)
{
    uint32_t key[8], counter = 0;
    uint8_t block[BLOCK], *p = out;

    memcpy(key, pool->key, sizeof key);
    chacha20_block(key, counter++, for_output, block);
    memcpy(pool->key, block, sizeof pool->key); /* first of all: the old one is gone */
    for (size_t from = RANDOM_KEY_BYTES; length > 0; from = 0) {
        size_t n = length < BLOCK - from ? length : BLOCK - from;

        memcpy(p, block + from, n);
        p += n;
        length -= n;
        if (length > 0)
            chacha20_block(key, counter++, for_output, block);
    }
    wipe(key, sizeof key);
    wipe(block, sizeof block);
}

undo_unlogged void random_pool_stir(struct random_pool *pool, uint64_t now)
{
    uint64_t due = random_is_cheap() ? NS : 60 * NS, word[RANDOM_KEY_BYTES / 8];

    if (pool->stirred && now - pool->stirred < due)
        return;
    for (unsigned i = 0; i < RANDOM_KEY_BYTES / 8; i++)
        word[i] = random_word();
    random_pool_add(pool, word, sizeof word);
    wipe(word, sizeof word);
    pool->stirred = now ? now : 1;
}
