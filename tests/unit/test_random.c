/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/fs/dev/random.c
/* The cipher behind /dev/random, against RFC 8439, section 2.3.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "servers/fs/dev/random.h"

static void test_vector(void **state)
{
    static const uint8_t expected[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    uint32_t key[8];
    uint8_t bytes[32], out[64];

    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    memcpy(key, bytes, sizeof key);
    chacha20_block(key, 1, nonce, out);
    assert_memory_equal(out, expected, sizeof expected);
}

static void test_never_the_same(void **state)
{
    uint8_t a[100], b[100];

    random_seed("seed", 4);
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, a + 50, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector),
                                       cmocka_unit_test(test_never_the_same)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
