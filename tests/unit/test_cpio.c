/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/cpio/cpio.c
/* The reader of boot archives: concatenated archives, overriding, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cpio/cpio.h"

static char bytes[8192];
static size_t size;

static void pad(size_t to)
{
    while (size % to)
        bytes[size++] = 0;
}

static void add(const char *name, const char *data, size_t length)
{
    size += (size_t)sprintf(
        bytes + size, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, 0100644, 0,
        0, 1, 0, (unsigned)length, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    strcpy(bytes + size, name);
    size += strlen(name) + 1;
    pad(4);
    memcpy(bytes + size, data, length);
    size += length;
    pad(4);
}

static void two_archives(void)
{
    size = 0;
    add("etc/a", "first", 5);
    add("./etc/b", "", 0);
    add("TRAILER!!!", "", 0);
    pad(512);
    add("/etc/a", "second one", 10);
    add("TRAILER!!!", "", 0);
    pad(512);
}

static void test_walk(void **state)
{
    struct cpio archive = {.bytes = bytes};
    struct cpio_entry entry;

    two_archives();
    archive.size = size;
    assert_int_equal(cpio_next(&archive, &entry), 1);
    assert_string_equal(entry.name, "etc/a");
    assert_int_equal(entry.size, 5);
    assert_int_equal(entry.mode, 0100644);
    assert_int_equal(cpio_next(&archive, &entry), 1);
    assert_string_equal(entry.name, "etc/b");
    assert_int_equal(entry.size, 0);
    assert_int_equal(cpio_next(&archive, &entry), 1);
    assert_string_equal(entry.name, "etc/a");
    assert_memory_equal(entry.data, "second one", 10);
    assert_int_equal(cpio_next(&archive, &entry), 0);
    assert_int_equal(cpio_next(&archive, &entry), 0);
}

static void test_find(void **state)
{
    struct cpio_entry entry;

    two_archives();
    assert_int_equal(cpio_find(bytes, size, "etc/a", &entry), 1);
    assert_int_equal(entry.size, 10); /* the later one */
    assert_int_equal(cpio_find(bytes, size, "etc/c", &entry), 0);
    assert_int_equal(cpio_find(bytes, 0, "etc/a", &entry), 0);
}

static void damaged(size_t at, const char *text)
{
    struct cpio archive = {.bytes = bytes};
    struct cpio_entry entry;
    int result;

    two_archives();
    memcpy(bytes + at, text, strlen(text));
    archive.size = size;
    while ((result = cpio_next(&archive, &entry)) > 0)
        ;
    assert_true(result < 0);
}

static void test_damage(void **state)
{
    damaged(0, "070707"); /* another format */
    damaged(6, "0000000G"); /* not hexadecimal */
    damaged(6 + 6 * 8, "FFFFFFFF"); /* size of the data */
    damaged(6 + 6 * 8, "00002000");
    damaged(6 + 11 * 8, "FFFFFFFF"); /* size of the name */
    damaged(6 + 11 * 8, "00000000");
    damaged(6 + 11 * 8, "00000005"); /* name without its NUL */
}

/* Cut at every place, in a buffer of exactly that size. */
/* Every byte as the last digit of the mode. */
static void test_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    for (int byte = 0; byte < 256; byte++) {
        struct cpio archive = {.bytes = bytes};
        struct cpio_entry entry;
        const char *at = byte ? strchr(digits, byte) : NULL;
        long digit = at ? at - digits : -1;

        two_archives();
        bytes[6 + 8 + 7] = (char)byte;
        archive.size = size;
        assert_int_equal(cpio_next(&archive, &entry) == 1, digit >= 0);
        if (digit >= 0)
            assert_int_equal(entry.mode & 15, digit < 16 ? digit : digit - 6);
    }
}

static void test_truncated(void **state)
{
    two_archives();
    for (size_t n = 0; n < size; n++) {
        char *copy = malloc(n ? n : 1);
        struct cpio archive = {.bytes = copy, .size = n};
        struct cpio_entry entry;
        int entries = 0;

        memcpy(copy, bytes, n);
        while (cpio_next(&archive, &entry) > 0)
            assert_true(++entries <= 3);
        free(copy);
    }
}

static void test_flipped(void **state)
{
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct cpio archive = {.bytes = bytes};
        struct cpio_entry entry;
        int entries = 0;

        two_archives();
        archive.size = size;
        for (int flips = 1 + rand() % 4; flips > 0; flips--)
            bytes[(size_t)rand() % size] ^= (char)(1 << rand() % 8);
        while (cpio_next(&archive, &entry) > 0) {
            assert_true((const char *)entry.data + entry.size <= bytes + size);
            assert_true(++entries < 100);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),      cmocka_unit_test(test_find),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_digits),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_flipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
