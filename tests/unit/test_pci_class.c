/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/pci/class.c
// includes: lib/pci/class.c
/* What devices are in words: each row of the table can be reached, and every code has a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pci/class.c"

static void test_each_row_is_reached(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t rest = ~names[i].mask & ANY; /* a code that only this row, or none before, has */

        assert_int_equal(names[i].code & ~names[i].mask, 0);
        assert_string_equal(pci_class_name(names[i].code | (rest & 0x7f7f)), names[i].name);
    }
}

static void test_words(void **state)
{
    assert_string_equal(pci_class_name(0x020000), "Ethernet controller");
    assert_string_equal(pci_class_name(0x020300), "network controller");
    assert_string_equal(pci_class_name(0x010601), "SATA controller (AHCI)");
    assert_string_equal(pci_class_name(0x010600), "SATA controller");
    assert_string_equal(pci_class_name(0x0c0330), "USB controller (xHCI)");
    assert_string_equal(pci_class_name(0x00ff00), "unclassified device");
    assert_string_equal(pci_class_name(0x770000), "device of an unknown class");
    assert_string_equal(pci_class_name(0xff000000u | 0x040300), "HD audio device");
    for (uint32_t code = 0; code < 0x1000000; code += 0x55)
        assert_non_null(pci_class_name(code));
}

static void test_who_needs_a_driver(void **state)
{
    assert_false(pci_class_needs_driver(0x060000));
    assert_false(pci_class_needs_driver(0x060400));
    assert_true(pci_class_needs_driver(0x020000));
    assert_true(pci_class_needs_driver(0x0c0500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_row_is_reached),
                                       cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_who_needs_a_driver)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
