/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/log/ring.c
/* The ring of the log server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "servers/log/ring.h"

static struct ring ring;

static int setup(void **state)
{
    ring.begin = ring.end = 0;
    return 0;
}

static void add(const char *text)
{
    ring_add(&ring, ring.end, (const uint8_t *)text, strlen(text));
}

static void expect(uint64_t *position, size_t room, const char *text)
{
    char bytes[1000];
    size_t n = ring_read(&ring, position, (uint8_t *)bytes, room);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
}

static void test_whole_records(void **state)
{
    uint64_t at = 0;

    expect(&at, 100, "");
    add("one\ntwo\n");
    expect(&at, 7, "one\n");
    expect(&at, 2, "tw"); /* no room for all of it */
    expect(&at, 100, "o\n");
    expect(&at, 100, "");
    assert_int_equal(at, ring.end);
    at = 1000; /* beyond the end */
    expect(&at, 100, "");
    assert_int_equal(at, ring.end);
}

static void test_overrun(void **state)
{
    uint64_t at = 0, number;
    char line[64];

    for (unsigned i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "record %u\n", i);
        add(line);
    }
    assert_int_equal(ring.end - ring.begin, RING_SIZE);
    number = 0;
    while (ring_read(&ring, &at, (uint8_t *)line,
                     sizeof line - 1)) { /* always whole ones, none left out */
        unsigned first;

        assert_int_equal(sscanf(line, "record %u", &first), 1);
        assert_true(number == 0 || first > number);
        number = first;
    }
    assert_true(number > 99990);
}

static void test_gap(void **state)
{
    static uint8_t big[RING_SIZE + 10];
    uint64_t at = 0;

    add("old\n");
    ring_add(&ring, 1000, (const uint8_t *)"half\nnew\n", 9);
    expect(&at, 100, "new\n");
    memset(big, '\n', sizeof big);
    ring_add(&ring, ring.end, big, sizeof big);
    assert_int_equal(ring.end, 1009 + sizeof big);
    assert_int_equal(ring.begin, ring.end - RING_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whole_records, setup),
        cmocka_unit_test_setup(test_overrun, setup),
        cmocka_unit_test_setup(test_gap, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
