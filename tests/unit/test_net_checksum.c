/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/net/checksum.c
/* The Internet checksum against its definition, for all lengths and alignments that matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

uint16_t checksum(const void *data, int length);
uint16_t checksum_copy(void *to, const void *from, uint16_t length);

static uint16_t by_definition(const uint8_t *data, size_t length)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += (uint64_t)data[i] << (i % 2 * 8);
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

static void check(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length + 1);

    assert_int_equal(checksum(data, (int)length), by_definition(data, length));
    assert_int_equal(checksum_copy(copy + 1, data, (uint16_t)length), by_definition(data, length));
    assert_memory_equal(copy + 1, data, length);
    free(copy);
}

static void test_lengths_and_alignments(void **state)
{
    uint8_t data[2048];

    srand(1);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)rand();
    for (size_t length = 0; length < 300; length++)
        for (size_t at = 0; at < 9; at++)
            check(data + at, length);
    check(data + 14, 1500);
    check(data + 1, 2047);
}

static void test_carries(void **state)
{
    uint8_t data[1500];

    memset(data, 0xff, sizeof data);
    for (size_t length = 0; length <= sizeof data; length++)
        check(data, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_and_alignments),
        cmocka_unit_test(test_carries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
