/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool of randomness: 256 bits that nobody else knows, and what is made of them. ChaCha20 (RFC
 * 8439) with fast key erasure (D. J. Bernstein, "Fast-key-erasure random-number generators", 2017):
 * each request makes the next key first, so who sees the pool afterwards learns nothing of what it
 * has given out.
 *
 * No kernel calls, no time: the same additions give the same bytes, for tests. Who keeps a pool
 * stirs it (random_pool_stir()). One caller at a time.
 */
#ifndef RANDOM_POOL_H
#define RANDOM_POOL_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_KEY_BYTES 32u

struct random_pool {
    uint32_t key[RANDOM_KEY_BYTES / 4]; /* as it begins, all zero, it is no secret */
    uint64_t stirred; /* clock (ns) of the last random_pool_stir(); 0: never */
};

/*
 * Mixes bytes in, any number. What the pool is worth never gets less, whoever chooses them and
 * whatever he knows: a key that he does not know makes a stream that he does not know, to which they
 * are added; and 256 bits that he cannot guess make good a key that he knows.
 */
void random_pool_add(struct random_pool *pool, const void *bytes, size_t length);

/* Takes bytes out; at most 64 GB at once (the counter of RFC 8439 has 32 bits). */
void random_pool_take(struct random_pool *pool, void *out, size_t length);

/*
 * Mixes in what this processor has (lib/rt/random.h), when that is due: once in a second of its
 * clock, `now` in ns, where the processor has a generator; else, since it then costs some 100 us, once
 * in a minute. Always before the first bytes are taken.
 */
void random_pool_stir(struct random_pool *pool, uint64_t now);

/* One block of the cipher, RFC 8439, 2.3: 64 bytes from a key, a counter and a nonce. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[64]);

#endif
