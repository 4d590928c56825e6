/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/random/pool.c
/* The pool of randomness: its cipher against the vectors of RFC 8439, its construction against what
 * it says it is, and what it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/random/pool.h"
#include "lib/rt/random.h"

static const uint32_t output[3] = {0x74757074, 0x756f, 0}, addition[3] = {0x646461, 0, 0};
static unsigned words; /* that the processor was asked for */
static bool is_cheap;

uint64_t random_word(void)
{
    return 0x1111111111111111u * ++words;
}

bool random_is_cheap(void)
{
    return is_cheap;
}

/* ---- RFC 8439 ---- */

static const struct vector {
    const char *key, *nonce; /* hexadecimal */
    uint32_t counter;
    const char *block;
} vectors[] = {
    /* 2.3.2 */
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000000090000004a00000000",
     1,
     "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
     "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
    /* A.1, 1 to 5 */
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     0,
     "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
     "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     1,
     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
    {"0000000000000000000000000000000000000000000000000000000000000001", "000000000000000000000000",
     1,
     "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
     "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
    {"00ff000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     2,
     "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
     "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000002",
     0,
     "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
     "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"},
};

static void from_hex(const char *text, void *to)
{
    uint8_t *at = to;

    for (; text[0]; text += 2) {
        uint8_t value = 0;

        for (int i = 0; i < 2; i++)
            value = (uint8_t)(value << 4 | (text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10));
        *at++ = value;
    }
}

static void test_vectors(void **state)
{
    for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t key[8], nonce[3];
        uint8_t expected[64], out[64];

        from_hex(vectors[i].key, key);
        from_hex(vectors[i].nonce, nonce);
        from_hex(vectors[i].block, expected);
        chacha20_block(key, vectors[i].counter, nonce, out);
        assert_memory_equal(out, expected, sizeof out);
    }
}

/* ---- the construction ---- */

/* Block 0 is the next key and the first half block, the others follow under the same key. */
static void test_fast_key_erasure(void **state)
{
    static const size_t lengths[] = {0, 1, 31, 32, 33, 95, 96, 97, 1000};
    struct random_pool pool = {0};
    uint32_t key[8] = {0};

    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t expected[64 * 20], out[1000] = {0}, nothing[1000] = {0};

        for (uint32_t n = 0; n < 20; n++)
            chacha20_block(key, n, output, expected + 64 * n);
        random_pool_take(&pool, out, lengths[i]);
        assert_memory_equal(pool.key, expected, 32);
        assert_memory_equal(out, expected + 32, lengths[i]);
        assert_memory_equal(out + lengths[i], nothing, sizeof out - lengths[i]);
        memcpy(key, pool.key, sizeof key);
    }
}

static void test_addition(void **state)
{
    const uint8_t bytes[70] = {1, 2, 3, [32] = 4, [64] = 5, [69] = 6};
    struct random_pool pool = {.key = {7}};
    uint32_t key[8] = {7};

    for (unsigned at = 0; at < sizeof bytes; at += 32) {
        uint8_t block[64];

        chacha20_block(key, 0, addition, block);
        for (unsigned i = 0; i < 32 && at + i < sizeof bytes; i++)
            block[i] ^= bytes[at + i];
        memcpy(key, block, sizeof key);
    }
    random_pool_add(&pool, bytes, sizeof bytes);
    assert_memory_equal(pool.key, key, sizeof key);
    random_pool_add(&pool, bytes, 0);
    assert_memory_not_equal(pool.key, key, sizeof key);
}

/* Whoever knows one of the two, the pool or what is added, does not know what comes out: each bit of
 * either changes it. */
static void test_each_bit_counts(void **state)
{
    for (unsigned bit = 0; bit < 512; bit++) {
        uint8_t bytes[32] = {0}, out[2][32];

        for (unsigned changed = 0; changed < 2; changed++) {
            struct random_pool pool = {0};

            if (changed && bit < 256)
                pool.key[bit / 32] ^= 1u << bit % 32;
            else if (changed)
                bytes[(bit - 256) / 8] ^= (uint8_t)(1 << bit % 8);
            random_pool_add(&pool, bytes, sizeof bytes);
            random_pool_take(&pool, out[changed], 32);
        }
        assert_memory_not_equal(out[0], out[1], 32);
    }
}

/* Of its processor before the first bytes, and then when it is due. */
static void test_stirred(void **state)
{
    for (unsigned cheap = 0; cheap < 2; cheap++) {
        const uint64_t second = 1000000000, due = cheap ? second : 60 * second;
        struct random_pool pool = {0};

        is_cheap = cheap;
        words = 0;
        random_pool_stir(&pool, 0);
        assert_int_equal(words, 4);
        random_pool_stir(&pool, due / 2);
        assert_int_equal(words, 4);
        random_pool_stir(&pool, due + 1);
        assert_int_equal(words, 8);
        random_pool_stir(&pool, due + 2);
        assert_int_equal(words, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_fast_key_erasure),
        cmocka_unit_test(test_addition), cmocka_unit_test(test_each_bit_counts),
        cmocka_unit_test(test_stirred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
