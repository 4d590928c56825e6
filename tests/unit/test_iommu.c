/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pci/domain.c servers/pci/dmar.c
/* What a device may reach: the IOMMU's tables, walked as the hardware does; and the firmware's that
 * says where the units are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/pci/iommu.h"

#define PAGES 64
#define PHYSICAL 0x7000000ull
#define MB (1ull << 20)

static uint64_t memory[PAGES][TABLE_ENTRIES];
static unsigned long writes;

static void written(const void *at, size_t length)
{
    const char *p = at;

    assert_true(p >= (char *)memory && p + length <= (char *)memory + sizeof memory);
    writes++;
}

static struct tables t;

static int fresh(void **state)
{
    memset(memory, 0, sizeof memory);
    t = (struct tables){
        .page = memory, .physical = PHYSICAL, .pages = PAGES, .levels = 3, .written = written};
    return 0;
}

static uint64_t *table_at(uint64_t entry)
{
    uint64_t page = ((entry & ~0xfffull) - PHYSICAL) / 4096;

    assert_true(page > 0 && page < PAGES);
    return memory[page];
}

/* As VT-d 3.3 says, by other code than domain.c: where the address leads to; ~0: a fault. */
static uint64_t translate(uint16_t place, uint64_t address)
{
    uint64_t *entry = &memory[0][(place >> 8) * 2];

    if (!(*entry & 1))
        return ~0ull;
    entry = table_at(*entry) + (place & 0xff) * 2;
    if (!(*entry & 1))
        return ~0ull;
    assert_int_equal(*entry & 0xffe, 0); /* translation by the tables, faults are told */
    assert_int_equal(entry[1] & 7, t.levels - 2);
    assert_true(entry[1] >> 8); /* domain 0 is reserved */
    for (unsigned level = t.levels; level > 0; level--) {
        entry = table_at(*entry) + (address >> (3 + 9 * level) & 511);
        if ((*entry & 3) != 3)
            return ~0ull;
    }
    return (*entry & ~0xfffull) | (address & 0xfff);
}

static void test_reaches_what_is_its_own(void **state)
{
    for (t.levels = 3; t.levels <= 4; t.levels++) {
        memset(memory, 0, sizeof memory);
        assert_true(domain_add(&t, 0x08, 5 * MB - 4096, 3 * MB));
        assert_true(domain_add(&t, 0x08, 0xfffff000, 4096));
        for (uint64_t at = 5 * MB - 4096; at < 8 * MB - 4096; at += 4096)
            assert_int_equal(translate(0x08, at + 17), at + 17);
        assert_int_equal(translate(0x08, 0xfffff123), 0xfffff123);
        for (uint64_t at = 0; at < 16 * MB; at += 4096) {
            bool own = at >= 5 * MB - 4096 && at < 8 * MB - 4096;

            assert_int_equal(translate(0x08, at) == at, own);
            assert_int_equal(domain_reaches(&t, 0x08, at), own);
            assert_int_equal(translate(0x09, at), ~0ull);
            assert_int_equal(translate(0x108, at), ~0ull);
        }
    }
}

static void test_each_has_its_own(void **state)
{
    assert_true(domain_add(&t, 0x08, 2 * MB, 4096));
    assert_true(domain_add(&t, 0x10, 2 * MB + 4096, 4096));
    assert_true(domain_add(&t, 0x308, 2 * MB + 8192, 4096));
    for (unsigned n = 0; n < 3; n++) {
        uint64_t at = 2 * MB + 4096ull * n;

        assert_int_equal(translate(0x08, at) == at, n == 0);
        assert_int_equal(translate(0x10, at) == at, n == 1);
        assert_int_equal(translate(0x308, at) == at, n == 2);
    }
    domain_end(&t, 0x10);
    assert_int_equal(translate(0x10, 2 * MB + 4096), ~0ull);
    assert_int_equal(translate(0x08, 2 * MB), 2 * MB);
    domain_end(&t, 0x2000); /* never was */
}

static void test_adding_again_changes_nothing(void **state)
{
    static uint64_t before[PAGES][TABLE_ENTRIES];

    assert_true(domain_add(&t, 0x08, 2 * MB, MB));
    memcpy(before, memory, sizeof memory);
    assert_true(domain_add(&t, 0x08, 2 * MB, MB));
    assert_memory_equal(before, memory, sizeof memory);
}

static void test_nonsense(void **state)
{
    assert_false(domain_add(&t, 0x08, 2 * MB + 1, 4096));
    assert_false(domain_add(&t, 0x08, 2 * MB, 100));
    assert_false(domain_add(&t, 0x08, ~0xfffull, 8192));
    assert_false(domain_add(&t, 0x08, 1ull << 39, 4096));
    assert_false(domain_reaches(&t, 0x08, 1ull << 39));
    t.levels = 4;
    assert_true(domain_add(&t, 0x08, 1ull << 39, 4096));
}

/* Pages of ended domains are found again, a thousand times over; too few of them are an answer. */
static void test_pages_come_back(void **state)
{
    for (unsigned n = 0; n < 1000; n++) {
        uint16_t place = (uint16_t)(n % 40 * 8);

        assert_true(domain_add(&t, place, (2 + n) * MB, 40 * MB));
        assert_int_equal(translate(place, (40 + n) * MB), (40 + n) * MB);
        domain_end(&t, place);
    }
    assert_true(domain_add(&t, 0x08, 4 * MB, 8 * MB));
    assert_false(domain_add(&t, 0x10, 0, 200 * MB));
    assert_int_equal(translate(0x08, 5 * MB), 5 * MB);
}

/* A pci that dies between any two writes: whoever comes next adds the same again, and at no moment
 * does the device reach what is not its own. */
static jmp_buf death;
static unsigned long life;

static void die(const void *at, size_t length)
{
    written(at, length);
    for (uint64_t a = 0; a < 8 * MB; a += 4096)
        if (a < 3 * MB || a >= 3 * MB + 12288)
            assert_int_equal(translate(0x08, a), ~0ull);
    if (--life == 0)
        longjmp(death, 1);
}

static void test_death_between_writes(void **state)
{
    for (volatile unsigned long lives = 1; lives < 12; lives++) {
        fresh(NULL);
        assert_true(domain_add(&t, 0x10, 2 * MB, 4096));
        memset(memory[40], 0xff, sizeof memory[40]); /* what is free is not empty */
        t.written = die;
        life = lives;
        if (setjmp(death) == 0)
            domain_add(&t, 0x08, 3 * MB, 12288);
        t.written = written;
        assert_true(domain_add(&t, 0x08, 3 * MB, 12288));
        for (uint64_t a = 3 * MB; a < 3 * MB + 12288; a += 4096)
            assert_int_equal(translate(0x08, a), a);
        assert_int_equal(translate(0x10, 2 * MB), 2 * MB);
    }
}

/* ---- the firmware's tables ---- */

static uint8_t firmware[0x4000];

bool firmware_read(uint64_t physical, void *to, size_t length)
{
    if (physical > sizeof firmware || length > sizeof firmware - physical)
        return false;
    memcpy(to, firmware + physical, length);
    return true;
}

static void number(unsigned at, uint64_t value, unsigned bytes)
{
    memcpy(firmware + at, &value, bytes);
}

enum { RSDP_AT = 0x100, ROOT_AT = 0x200, OTHER_AT = 0x400, DMAR_AT = 0x1000 };

static unsigned unit(unsigned at, uint16_t type, uint16_t size, uint64_t base)
{
    number(at, type, 2);
    number(at + 2, size, 2);
    number(at + 8, base, 8);
    return at + size;
}

static int tables(void **state)
{
    unsigned end = DMAR_AT + 48;

    memset(firmware, 0, sizeof firmware);
    firmware[RSDP_AT + 15] = 2;
    number(RSDP_AT + 16, 0xffffffff, 4);
    number(RSDP_AT + 24, ROOT_AT, 8);
    number(ROOT_AT + 4, 36 + 16, 4);
    number(ROOT_AT + 36, OTHER_AT, 8);
    number(ROOT_AT + 44, DMAR_AT, 8);
    number(OTHER_AT + 4, 60, 4);
    memcpy(firmware + DMAR_AT, "DMAR", 4);
    end = unit(end, 0, 24, 0xfed90000);
    end = unit(end, 1, 32, 0x12345678); /* a reserved region */
    end = unit(end, 0, 16, 0xfed91000);
    number(DMAR_AT + 4, end - DMAR_AT, 4);
    return 0;
}

static void test_units(void **state)
{
    uint64_t base[2] = {0};

    assert_int_equal(dmar_units(RSDP_AT, base, 2), 2);
    assert_int_equal(base[0], 0xfed90000);
    assert_int_equal(base[1], 0xfed91000);
    base[1] = 0;
    assert_int_equal(dmar_units(RSDP_AT, base, 1), 2);
    assert_int_equal(base[1], 0);
    assert_int_equal(dmar_units(0, base, 2), 0);
    firmware[RSDP_AT + 15] = 0; /* the first version: 32 bits */
    number(RSDP_AT + 16, ROOT_AT, 4);
    assert_int_equal(dmar_units(RSDP_AT, base, 2), 2);
    memcpy(firmware + DMAR_AT, "DMAX", 4);
    assert_int_equal(dmar_units(RSDP_AT, base, 2), 0);
}

/* Whatever the firmware has there: it ends, and reads nothing outside (ASan). */
static void test_broken_tables(void **state)
{
    uint64_t base[4];

    srand(1);
    for (unsigned n = 0; n < 20000; n++) {
        tables(NULL);
        for (unsigned i = rand() % 6 + 1; i > 0; i--) {
            static const unsigned places[] = {RSDP_AT, ROOT_AT, DMAR_AT};

            firmware[places[rand() % 3] + rand() % 128] = (uint8_t)rand();
        }
        dmar_units(RSDP_AT, base, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reaches_what_is_its_own, fresh),
        cmocka_unit_test_setup(test_each_has_its_own, fresh),
        cmocka_unit_test_setup(test_adding_again_changes_nothing, fresh),
        cmocka_unit_test_setup(test_nonsense, fresh),
        cmocka_unit_test_setup(test_pages_come_back, fresh),
        cmocka_unit_test_setup(test_death_between_writes, fresh),
        cmocka_unit_test_setup(test_units, tables),
        cmocka_unit_test_setup(test_broken_tables, tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
