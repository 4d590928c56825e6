/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that peers shall not guess: ports, DHCP transactions, initial sequence numbers: SipHash-2-4
 * under a key of the processor's generator, or of jitter (lib/rt/random.h).
 */
#include "lib/rt/kernel.h"
#include "lib/rt/random.h"
#include "lib/undo/undo.h"
#include "lwipopts.h"

uint32_t random_next(void);

static uint64_t key[2], counter;

static void seed(void)
{
    for (int i = 0; i < 2; i++)
        key[i] = undo_input(random_word());
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
        v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
    }
}

/* SipHash-2-4 of two words. */
static uint64_t hash(uint64_t a, uint64_t b)
{
    const uint64_t words[3] = {a, b, (uint64_t)16 << 56};
    uint64_t v[4];

    if (!(key[0] | key[1]))
        seed();
    v[0] = key[0] ^ 0x736f6d6570736575u;
    v[1] = key[1] ^ 0x646f72616e646f6du;
    v[2] = key[0] ^ 0x6c7967656e657261u;
    v[3] = key[1] ^ 0x7465646279746573u;
    for (int i = 0; i < 3; i++) {
        v[3] ^= words[i];
        rounds(v, 2);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t random_next(void)
{
    return (uint32_t)hash(++counter, undo_input(__builtin_ia32_rdtsc()));
}

/* Nobody else can make it: of cookies. */
uint64_t random_mac(uint64_t a, uint64_t b)
{
    return hash(a, b);
}

/* RFC 6528: a clock of 4 microseconds, and an offset of its own for each pair of addresses. */
uint32_t random_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    uint64_t addresses = (uint64_t)local << 32 | remote,
             ports = (uint64_t)local_port << 16 | remote_port;

    return (uint32_t)(clock_now() / 4000) + (uint32_t)hash(addresses, ports | 1ull << 63);
}
