/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/char/rtc/chip.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "abi/clock_queue.h"
#include "lib/driver/driver.h"

#define PATIENCE 20000000ull /* ns, to read: an update takes 2 ms at most */

enum { AT_SECONDS, AT_MINUTES, AT_HOURS, AT_DAY, AT_MONTH, AT_YEAR, AT_CENTURY, FIELDS };
static const enum rtc_register field[FIELDS] = {SECONDS, MINUTES, HOURS,  DATE_OF_MONTH,
                                                MONTH,   YEAR,    CENTURY};

static uint8_t get(enum rtc_register r)
{
    pio_write8(RTC_INDEX, (uint8_t)r);
    return pio_read8(RTC_DATA);
}

static void put(enum rtc_register r, uint8_t value)
{
    pio_write8(RTC_INDEX, (uint8_t)r);
    pio_write8(RTC_DATA, value);
}

bool rtc_is_there(void)
{
    return get(REGISTER_A) != 0xff || get(REGISTER_B) != 0xff || get(REGISTER_D) != 0xff;
}

bool rtc_is_stopped(void)
{
    return get(REGISTER_B) & B_SET;
}

void rtc_go(void)
{
    put(REGISTER_B, get(REGISTER_B) & (uint8_t)~B_SET);
}

/* ---- the forms of a number ---- */

static bool is_century(uint8_t value)
{
    return value == 0x19 || value == 0x20;
}

/* -1: it is no number */
static int number_of(uint8_t value, bool is_binary)
{
    if (is_binary)
        return value;
    return (value & 15) > 9 || value >> 4 > 9 ? -1 : (value >> 4) * 10 + (value & 15);
}

static uint8_t form_of(int number, bool is_binary)
{
    return (uint8_t)(is_binary ? number : number / 10 << 4 | number % 10);
}

static int hours_of(uint8_t value, uint8_t mode)
{
    int hours = number_of(value & (mode & B_24_12 ? 0xff : 0x7f), mode & B_DM);

    if (mode & B_24_12)
        return hours;
    if (hours < 1 || hours > 12)
        return -1;
    return hours % 12 + (value & HOURS_PM ? 12 : 0);
}

static uint8_t hours_form(int hours, uint8_t mode)
{
    if (mode & B_24_12)
        return form_of(hours, mode & B_DM);
    return form_of(hours % 12 ? hours % 12 : 12, mode & B_DM) | (hours >= 12 ? HOURS_PM : 0);
}

/* ---- reading ---- */

static void read_fields(uint8_t v[FIELDS])
{
    for (unsigned i = 0; i < FIELDS; i++)
        v[i] = get(field[i]);
}

/* Two readings that are alike, outside of an update. */
static bool read_twice(uint8_t v[FIELDS])
{
    struct driver_wait wait = {.patience = PATIENCE};

    do {
        uint8_t again[FIELDS];

        if (get(REGISTER_A) & A_UIP)
            continue;
        read_fields(v);
        read_fields(again);
        if (memcmp(v, again, sizeof again) == 0)
            return true;
    } while (driver_waits(&wait));
    return false;
}

static bool is_in(int value, int least, int most)
{
    return value >= least && value <= most;
}

int rtc_read(int64_t *seconds)
{
    uint8_t v[FIELDS], mode = get(REGISTER_B);
    int number[FIELDS];
    struct tm date;
    time_t result;

    if (!read_twice(v))
        return -EIO;
    for (unsigned i = 0; i < FIELDS; i++)
        number[i] = number_of(v[i], mode & B_DM);
    number[AT_HOURS] = hours_of(v[AT_HOURS], mode);
    if (!(get(REGISTER_D) & D_VRT) || !is_in(number[AT_SECONDS], 0, 59) ||
        !is_in(number[AT_MINUTES], 0, 59) || !is_in(number[AT_HOURS], 0, 23) ||
        !is_in(number[AT_DAY], 1, 31) || !is_in(number[AT_MONTH], 1, 12) ||
        !is_in(number[AT_YEAR], 0, 99))
        return -EINVAL;
    date = (struct tm){.tm_sec = number[AT_SECONDS],
                       .tm_min = number[AT_MINUTES],
                       .tm_hour = number[AT_HOURS],
                       .tm_mday = number[AT_DAY],
                       .tm_mon = number[AT_MONTH] - 1,
                       .tm_year = number[AT_YEAR] + (v[AT_CENTURY] == 0x19 ? 0 : 100)};
    result = timegm(&date);
    if (date.tm_mday != number[AT_DAY] || result < 0) /* 30 February; before 1970 */
        return -EINVAL;
    *seconds = result;
    return 0;
}

/* ---- setting ---- */

int rtc_set(int64_t seconds)
{
    uint8_t mode = get(REGISTER_B), century = get(CENTURY);
    bool is_binary = mode & B_DM;
    time_t time = seconds;
    struct tm t;

    if (seconds < 0 || seconds >= CLOCK_SECONDS_END)
        return -ERANGE;
    gmtime_r(&time, &t);
    if (!is_century(century) && t.tm_year < 100) /* without one all years are of this century */
        return -ERANGE;
    put(REGISTER_B, mode | B_SET);
    put(SECONDS, form_of(t.tm_sec, is_binary));
    put(MINUTES, form_of(t.tm_min, is_binary));
    put(HOURS, hours_form(t.tm_hour, mode));
    put(DAY_OF_WEEK, form_of(t.tm_wday + 1, is_binary));
    put(DATE_OF_MONTH, form_of(t.tm_mday, is_binary));
    put(MONTH, form_of(t.tm_mon + 1, is_binary));
    put(YEAR, form_of(t.tm_year % 100, is_binary));
    if (is_century(century))
        put(CENTURY, t.tm_year < 100 ? 0x19 : 0x20);
    put(REGISTER_B, mode & (uint8_t)~B_SET);
    return 0;
}
