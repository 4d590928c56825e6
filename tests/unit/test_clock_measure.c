/* SPDX-License-Identifier: BSD-2-Clause */
// sources: boot/clock.c
// includes: boot/clock.c
/* The TSC's rate as it is measured at boot, on a processor that the host stops at any time and for as long as it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/arch.h"
#include "kernel/boot_info.h"
#include "kernel/x86_64/apic.h"
#include "kernel/x86_64/cpu.h"

#define TSC_HZ 2400000000ull
#define TIMER_HZ 1000000000ull
#define MS 1000000ull /* ns */

static uint64_t now; /* ns */
static uint64_t (*stop)(void); /* how long the host stops us, at each access */
static uint16_t latched;
static bool high; /* the byte that comes next */
static unsigned accesses;
static uint32_t registers[1024];

struct boot_info boot_info;
struct kernel_page kernel_page;

static uint64_t count(uint64_t hz)
{
    return (uint64_t)((unsigned __int128)now * hz / 1000000000);
}

static void pass(void)
{
    accesses++;
    now += 1000 + stop();
    registers[LAPIC_TIMER_CURRENT / 4] = 0xffffffff - (uint32_t)count(TIMER_HZ);
}

static uint64_t fake_tsc(void)
{
    now += 10;
    return count(TSC_HZ);
}

static void *fake_direct(uint64_t physical)
{
    return (char *)registers + physical;
}

void arch_port_out(unsigned port, unsigned width, uint32_t value)
{
    pass();
    if (port == 0x43 && value == 0x80) {
        latched = (uint16_t)(65535 - count(1193182));
        high = false;
    }
}

uint32_t arch_port_in(unsigned port, unsigned width)
{
    uint32_t value = high ? latched >> 8 : latched & 0xff;

    pass();
    if (port != 0x42)
        return 0;
    high = !high;
    return value;
}

#define arch_tsc fake_tsc
#define direct fake_direct
#include "boot/clock.c"

static void assert_measured(void)
{
    accesses = 0;
    clock_measure();
    assert_in_range(kernel_page.tsc_hz, TSC_HZ - TSC_HZ / 500, TSC_HZ + TSC_HZ / 500);
    assert_in_range(boot_info.timer_hz, TIMER_HZ - TIMER_HZ / 500, TIMER_HZ + TIMER_HZ / 500);
}

static uint64_t never(void)
{
    return 0;
}

static void test_undisturbed(void **state)
{
    stop = never;
    for (now = 0; now < 300 * MS; now += 7 * MS)
        assert_measured();
}

static unsigned stop_at, stops, between;
static uint64_t stop_for;

static uint64_t sometimes(void)
{
    return accesses >= stop_at && accesses < stop_at + stops * between &&
                   (accesses - stop_at) % between == 0
               ? stop_for
               : 0;
}

/* One stop or several, anywhere in the first of the measurements, for up to three rounds of the PIT. */
static void test_stopped(void **state)
{
    static const unsigned counts[] = {1, 2, 5};

    stop = sometimes;
    between = 40;
    for (unsigned n = 0; n < sizeof counts / sizeof *counts; n++)
        for (stop_at = 4; stop_at < 8000; stop_at += 97)
            for (stop_for = MS; stop_for < 170 * MS; stop_for += 3 * MS) {
                stops = counts[n];
                assert_measured();
            }
}

static uint64_t by_chance(void)
{
    return rand() % 2000 ? 0 : (uint64_t)(rand() % 90) * MS;
}

/* Some five stops in each measurement. */
static void test_stopped_all_the_time(void **state)
{
    srand(1);
    stop = by_chance;
    for (unsigned n = 0; n < 2000; n++)
        assert_measured();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undisturbed),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_stopped_all_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
