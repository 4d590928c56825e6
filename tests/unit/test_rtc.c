/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/char/rtc/chip.c lib/driver/wait.c
// flags: -Itests/unit/host
/* The chip's half of the driver of the real-time clock, against registers that behave as the data
 * sheet of the MC146818A says; times against the host's library. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "abi/clock_queue.h"
#include "drivers/char/rtc/chip.h"
#include "lib/driver/driver.h"
#include "tests/unit/fake_clock.h"

static uint8_t cmos[128];
static uint8_t selected;
static int64_t now; /* what the chip's counters have */
static unsigned accesses, updates_every; /* the time goes on at each so many accesses; 0: never */
static bool is_absent;
static jmp_buf death;
static long accesses_left; /* the driver dies before this many accesses more; < 0: never */

/* ---- the chip ---- */

static uint8_t form(int n)
{
    return (uint8_t)(cmos[REGISTER_B] & B_DM ? n : n / 10 << 4 | n % 10);
}

/* The counters, as the registers show them. */
static void show(void)
{
    time_t seconds = now;
    struct tm t;
    int hours;
    uint8_t afternoon;

    gmtime_r(&seconds, &t);
    hours = t.tm_hour % 12 ? t.tm_hour % 12 : 12;
    afternoon = t.tm_hour >= 12 ? HOURS_PM : 0;
    cmos[SECONDS] = form(t.tm_sec);
    cmos[MINUTES] = form(t.tm_min);
    cmos[HOURS] = cmos[REGISTER_B] & B_24_12 ? form(t.tm_hour) : (uint8_t)(form(hours) | afternoon);
    cmos[DAY_OF_WEEK] = form(t.tm_wday + 1);
    cmos[DATE_OF_MONTH] = form(t.tm_mday);
    cmos[MONTH] = form(t.tm_mon + 1);
    cmos[YEAR] = form(t.tm_year % 100);
    if (cmos[CENTURY] == 0x19 || cmos[CENTURY] == 0x20)
        cmos[CENTURY] = t.tm_year < 100 ? 0x19 : 0x20;
}

static void step(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (accesses_left == 0) {
        accesses_left = -1;
        longjmp(death, 1);
    }
    accesses_left -= accesses_left > 0;
    if (updates_every && ++accesses % updates_every == 0 && !(cmos[REGISTER_B] & B_SET)) {
        now++;
        show();
    }
}

uint8_t pio_read8(unsigned port)
{
    step();
    assert_int_equal(port, RTC_DATA);
    return is_absent ? 0xff : cmos[selected & 127];
}

void pio_write8(unsigned port, uint8_t value)
{
    static const uint8_t of_time[] = {SECONDS,       MINUTES, HOURS, DAY_OF_WEEK,
                                      DATE_OF_MONTH, MONTH,   YEAR,  CENTURY};

    step();
    if (port == RTC_INDEX) {
        assert_true(value < 128); /* bit 7 would shut the NMI out */
        selected = value;
        return;
    }
    assert_int_equal(port, RTC_DATA);
    if (memchr(of_time, selected, sizeof of_time))
        assert_true(cmos[REGISTER_B] & B_SET); /* else an update may come between two of them */
    else
        assert_int_equal(selected, REGISTER_B);
    cmos[selected] = value;
}

/* ---- tests ---- */

static int setup(void **state)
{
    memset(cmos, 0, sizeof cmos);
    cmos[REGISTER_A] = 0x26;
    cmos[REGISTER_B] = B_24_12;
    cmos[REGISTER_D] = D_VRT;
    cmos[CENTURY] = 0x20;
    accesses_left = -1;
    updates_every = 0;
    is_absent = false;
    now = 1234567890;
    show();
    return 0;
}

static void expect_time(int64_t expected)
{
    int64_t seconds = -1;

    assert_int_equal(rtc_read(&seconds), 0);
    assert_int_equal(seconds, expected);
}

/* Each form of the registers, both centuries, all hours, ends of months and years. */
static void test_forms(void **state)
{
    static const int64_t times[] = {0,          86399,      951782400,  951868799,
                                    946684799,  946684800,  1234567890, 1709164799,
                                    1709164800, 4102444799, 2147483647, 2147483648};

    for (unsigned mode = 0; mode < 4; mode++)
        for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++)
            for (int hour = 0; hour < 24; hour++) {
                int64_t time = times[i] - times[i] % 86400 + hour * 3600 + times[i] % 3600;
                uint8_t shown[128];

                cmos[REGISTER_B] = (uint8_t)((mode & 1 ? B_DM : 0) | (mode & 2 ? B_24_12 : 0));
                now = time;
                show();
                expect_time(time);
                memcpy(shown, cmos, sizeof shown);
                now = 86400 * 365;
                show();
                assert_int_equal(rtc_set(time), 0);
                assert_memory_equal(cmos, shown, sizeof cmos); /* the day of the week, too */
            }
}

static void test_ranges(void **state)
{
    assert_int_equal(rtc_set(-1), -ERANGE);
    assert_int_equal(rtc_set(CLOCK_SECONDS_END), -ERANGE);
    assert_int_equal(rtc_set(CLOCK_SECONDS_END - 1), 0);
    expect_time(CLOCK_SECONDS_END - 1);
    cmos[CENTURY] = 0xff; /* a byte of RAM like others */
    assert_int_equal(rtc_set(946684799), -ERANGE);
    assert_int_equal(rtc_set(946684800), 0);
    expect_time(946684800);
    assert_int_equal(cmos[CENTURY], 0xff);
}

/* The time goes on while it is read: what is read was right at some instant of it. */
static void test_updates_meanwhile(void **state)
{
    for (updates_every = 40; updates_every < 200; updates_every++)
        for (int i = 0; i < 50; i++) {
            int64_t before = now, seconds;

            assert_int_equal(rtc_read(&seconds), 0);
            assert_in_range(seconds, before, now);
        }
    updates_every = 5; /* no two readings are alike */
    assert_int_equal(rtc_read(&now), -EIO);
    setup(state);
    cmos[REGISTER_A] |= A_UIP;
    FAKE_SLEEPS(20000000, assert_int_equal(rtc_read(&now), -EIO));
}

static void test_no_date(void **state)
{
    static const struct {
        uint8_t where, value;
    } wrong[] = {{SECONDS, 0x60},       {SECONDS, 0x0a}, {MINUTES, 0xa0}, {HOURS, 0x24},
                 {DATE_OF_MONTH, 0x00}, {MONTH, 0x00},   {MONTH, 0x13},   {YEAR, 0xff},
                 {DATE_OF_MONTH, 0x32}, {REGISTER_D, 0}};
    int64_t seconds;

    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setup(state);
        cmos[wrong[i].where] = wrong[i].value;
        assert_int_equal(rtc_read(&seconds), -EINVAL);
    }
    setup(state);
    cmos[DATE_OF_MONTH] = 0x30; /* of February */
    cmos[MONTH] = 0x02;
    assert_int_equal(rtc_read(&seconds), -EINVAL);
    setup(state);
    cmos[CENTURY] = 0x19; /* 1909 */
    assert_int_equal(rtc_read(&seconds), -EINVAL);
    setup(state);
    cmos[REGISTER_B] = 0; /* hours 1 to 12 */
    cmos[HOURS] = 0x00;
    assert_int_equal(rtc_read(&seconds), -EINVAL);
    cmos[HOURS] = HOURS_PM | 0x13;
    assert_int_equal(rtc_read(&seconds), -EINVAL);
}

static void test_there(void **state)
{
    assert_true(rtc_is_there());
    is_absent = true;
    assert_false(rtc_is_there());
}

/* Killed at its n-th access while it sets the time, for every n; the successor does it again. */
static bool dies_while_setting(long n)
{
    accesses_left = n;
    if (setjmp(death) == 0) {
        assert_int_equal(rtc_set(1700000000), 0);
        return false;
    }
    return true;
}

static void test_dies_while_setting(void **state)
{
    unsigned stopped = 0;
    long n;

    for (n = 0; dies_while_setting(n); n++) {
        stopped += rtc_is_stopped();
        if (rtc_is_stopped())
            rtc_go();
        assert_int_equal(rtc_set(1700000001), 0);
        expect_time(1700000001);
        assert_false(rtc_is_stopped());
        assert_int_equal(cmos[REGISTER_B], B_24_12);
        setup(state);
    }
    expect_time(1700000000);
    assert_true(n > 20 && stopped > 10);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_forms),   TEST(test_ranges), TEST(test_updates_meanwhile),
        TEST(test_no_date), TEST(test_there),  TEST(test_dies_while_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
