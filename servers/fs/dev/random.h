/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes: ChaCha20 (RFC 8439) under a key that is replaced by its own output after every
 * request, seeded from the processor's generator where there is one and from the time stamp
 * counter.
 */
#ifndef DEV_RANDOM_H
#define DEV_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the first bytes; again to add what a program wrote to /dev/random. */
void random_seed(const void *bytes, size_t length);

void random_bytes(void *out, size_t length);

/* One block of the cipher: 64 bytes from a key, a counter and a nonce. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[64]);

#endif
