/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes of names, as e2fsck computes them: half of MD4 (RFC 1320: three rounds over eight words),
 * TEA (Wheeler, Needham 1994), and the one of the first kernels with hash trees.
 */
#include <string.h>

#include "servers/fs/ext4/directory.h"

#define END_OF_DIRECTORY 0xfffffffeu /* nothing may have this hash */

static int character(const char *text, uint32_t n, bool is_unsigned)
{
    return is_unsigned ? (int)(unsigned char)text[n] : (int)(signed char)text[n];
}

/* `count` words of the text; what is missing is filled up with its length. */
static void words_of(const char *text, uint32_t length, uint32_t *out, uint32_t count,
                     bool is_unsigned)
{
    uint32_t fill = length | length << 8, word;

    fill |= fill << 16;
    for (uint32_t n = 0; n < count; n++) {
        word = fill;
        for (uint32_t k = 4 * n; k < 4 * n + 4 && k < length; k++)
            word = (uint32_t)character(text, k, is_unsigned) + (word << 8);
        out[n] = word;
    }
}

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) | (~x & z);
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) | (x & z) | (y & z);
}

static uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
    return x ^ y ^ z;
}

static void half_md4(uint32_t state[4], const uint32_t in[8])
{
    static const struct round {
        uint32_t (*mix)(uint32_t, uint32_t, uint32_t);
        uint32_t constant;
        uint8_t order[8], shift[4];
    } rounds[3] = {{choose, 0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
                   {majority, 0x5a827999, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 5, 9, 13}},
                   {parity, 0x6ed9eba1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}}};
    uint32_t v[4] = {state[0], state[1], state[2], state[3]};

    for (const struct round *r = rounds; r < rounds + 3; r++)
        for (unsigned n = 0; n < 8; n++) {
            unsigned a = (4 - n % 4) % 4; /* a, d, c, b in turn */

            v[a] += r->mix(v[(a + 1) % 4], v[(a + 2) % 4], v[(a + 3) % 4]) + in[r->order[n]] +
                    r->constant;
            v[a] = rotate(v[a], r->shift[n % 4]);
        }
    for (unsigned n = 0; n < 4; n++)
        state[n] += v[n];
}

static void tea(uint32_t state[4], const uint32_t in[4])
{
    uint32_t sum = 0, x = state[0], y = state[1];

    for (unsigned n = 0; n < 16; n++) {
        sum += 0x9e3779b9;
        x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
        y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
    }
    state[0] += x;
    state[1] += y;
}

static uint32_t legacy(const struct name *name, bool is_unsigned)
{
    uint32_t last = 0x37abe8f9, hash = 0x12a3fe2d;

    for (uint32_t n = 0; n < name->length; n++) {
        uint32_t next = last + (hash ^ (uint32_t)(character(name->text, n, is_unsigned) * 7152373));

        if (next & 0x80000000u)
            next -= 0x7fffffff;
        last = hash;
        hash = next;
    }
    return hash << 1;
}

/* Others look for the names by the same hash, so every detail is theirs: also whether characters
 * are signed, which depends on the processor of who made the file system. The lowest bit is none of
 * the hash's: by it the tree says that names of one hash lie in two blocks. */
struct hash hash_name(uint32_t version, const struct name *name)
{
    bool is_unsigned = version >= HASH_UNSIGNED;
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, in[8];
    struct hash h = {0};

    if (volume.hash_seed[0] | volume.hash_seed[1] | volume.hash_seed[2] | volume.hash_seed[3])
        memcpy(state, volume.hash_seed, sizeof state);
    switch (version % HASH_UNSIGNED) {
    case HASH_LEGACY:
        h.major = legacy(name, is_unsigned);
        break;
    case HASH_HALF_MD4:
        for (uint32_t at = 0; at < name->length; at += 32) {
            words_of(name->text + at, name->length - at, in, 8, is_unsigned);
            half_md4(state, in);
        }
        h = (struct hash){state[1], state[2]};
        break;
    default:
        for (uint32_t at = 0; at < name->length; at += 16) {
            words_of(name->text + at, name->length - at, in, 4, is_unsigned);
            tea(state, in);
        }
        h = (struct hash){state[0], state[1]};
    }
    h.major &= ~1u;
    if (h.major == END_OF_DIRECTORY)
        h.major -= 2;
    return h;
}
