/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/unit/format_renamed.c
/* The services' snprintf(), against the host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int bardo_snprintf(char *text, size_t room, const char *format, ...);
/* what a flag means that has no effect is tested, too */
#pragma GCC diagnostic ignored "-Wformat"

/* clang-format off */
#define SAME(...) do { \
        char mine[200], theirs[200]; \
        int a = bardo_snprintf(mine, sizeof mine, __VA_ARGS__), b = snprintf(theirs, sizeof theirs, __VA_ARGS__); \
        assert_string_equal(mine, theirs); \
        assert_int_equal(a, b); \
    } while (0)
/* clang-format on */

static void test_numbers(void **state)
{
    SAME("%d %i %u", -5, 7, 4000000000u);
    SAME("%ld %lu %lx", INT64_MIN + 1, UINT64_MAX, 0xdeadbeefcafeul);
    SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", -42, -42, -42, 42, 42);
    SAME("[%8.3d] [%-8.3d] [%08.3d] [%.0d]", 7, 7, 7, 0);
    SAME("%x %X %#x %#X %08x %#010x %#x", 255u, 255u, 255u, 255u, 255u, 255u, 0u);
    SAME("%o %#o", 8u, 8u);
    SAME("%hhu %hd %hhd", 300, -70000, 200);
    SAME("%zu %zd %jd %td", (size_t)5, (ssize_t)-5, (intmax_t)-6, (ptrdiff_t)9);
    SAME("%llu %lld", 1ull << 63, -1ll);
    SAME("%*d %-*d|", 6, 1, 6, 2);
    SAME("%*d|", -6, 3);
    SAME("%02x:%02x", 1, 254);
    SAME("%d", (int)(1u << 31));
}

static void test_text(void **state)
{
    SAME("%s %10s %-10s| %.3s %.*s", "one", "two", "three", "four", 2, "five");
    SAME("%c%c %3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("100%% %p", (void *)0x1234);
    SAME("%s", "");
    SAME("no conversions");
}

static void test_room(void **state)
{
    char text[8];

    memset(text, 'x', sizeof text);
    assert_int_equal(bardo_snprintf(text, 5, "%s", "abcdefgh"), 8);
    assert_memory_equal(text, "abcd\0xxx", 8);
    assert_int_equal(bardo_snprintf(text, 0, "%d", 1234), 4);
    assert_int_equal(bardo_snprintf(text, 1, "%d", 1234), 4);
    assert_int_equal(text[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_room)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
