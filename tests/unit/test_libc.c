/* SPDX-License-Identifier: BSD-2-Clause */
// includes: lib/undo/libc.c
// flags: -fno-builtin
/*
 * The C library's functions that services which keep their memory have in its place: numbers are read
 * as the host's library reads them, to the last that there is room for and beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "lib/rt/kernel.h"

/* Never called: what munmap() gives back is no matter of this test. */
static void undo_later(uint64_t call, uint64_t to, const struct message *m, uint64_t forward_to)
{
    fail_msg("call %lu is put off", (unsigned long)call);
}

/* (the host's are called below, and by what is linked in beside) */
#define stpcpy our_stpcpy
#define strcpy our_strcpy
#define stpncpy our_stpncpy
#define strncpy our_strncpy
#define strcat our_strcat
#define strdup our_strdup
#define strtok our_strtok
#define strtoul our_strtoul
#define strtoull our_strtoull
#define mmap our_mmap
#define munmap our_munmap
#include "lib/undo/libc.c"
#undef strtoul

static unsigned compared;

static void compare(const char *text, int base)
{
    char *our_end, *end;
    unsigned long is, wanted;
    int our_error;

    errno = 0;
    is = our_strtoul(text, &our_end, base);
    our_error = errno;
    errno = 0;
    wanted = strtoul(text, &end, base);
    if (is != wanted || our_end != end || (our_error == ERANGE) != (errno == ERANGE))
        fail_msg("strtoul(\"%s\", %d): %lu, %d characters, error %d; should be %lu, %d, %d", text,
                 base, is, (int)(our_end - text), our_error, wanted, (int)(end - text), errno);
    compared++;
}

/* Each digit counts once, and after those before it: "12" is neither 30 nor 21. */
static void test_digits(void **state)
{
    static const char *const texts[] = {"0",
                                        "7",
                                        "12",
                                        "1234567890",
                                        "+5",
                                        "-1",
                                        " \t\n42rest",
                                        "0x",
                                        "0x1F",
                                        "0xg",
                                        "017",
                                        "08",
                                        "",
                                        "-",
                                        "z",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "99999999999999999999999",
                                        "ffffffffffffffff",
                                        "10000000000000000",
                                        "-18446744073709551615",
                                        "0xffffffffffffffffff;",
                                        "zZ9",
                                        "1777777777777777777777",
                                        "2000000000000000000000"};
    static const int bases[] = {0, 2, 8, 10, 16, 36};

    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        for (unsigned b = 0; b < sizeof bases / sizeof *bases; b++)
            compare(texts[i], bases[b]);
    assert_int_equal(our_strtoul("12", NULL, 10), 12);
    assert_int_equal(compared, sizeof texts / sizeof *texts * (sizeof bases / sizeof *bases));
}

static void test_any_number(void **state)
{
    srand(1);
    for (unsigned n = 0; n < 100000; n++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        static const int bases[] = {0, 2, 3, 8, 10, 16, 36};
        int base = bases[rand() % 7], length = 1 + rand() % 70;
        int common = base ? base : 10;
        char text[80];

        for (int i = 0; i < length; i++)
            text[i] = digits[rand() % (rand() % 8 ? common : 36)];
        text[length] = 0;
        compare(text, base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_digits),
                                       cmocka_unit_test(test_any_number)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
