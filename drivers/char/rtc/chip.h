/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real-time clock of a PC. Register names and what they mean: Motorola, MC146818A data sheet
 * ("Address map", "Time, calendar and alarm locations", "Registers"). The century is not in it: it
 * is where PCs have it by habit, in a byte of the RAM behind. The clock is taken to be in UTC.
 */
#ifndef CHAR_RTC_CHIP_H
#define CHAR_RTC_CHIP_H

#include <stdbool.h>
#include <stdint.h>

enum { RTC_INDEX = 0x70, RTC_DATA = 0x71 }; /* the ports of the manifest */

enum rtc_register {
    SECONDS = 0x00,
    MINUTES = 0x02,
    HOURS = 0x04, /* HOURS_PM: after noon, where hours are 1 to 12 */
    DAY_OF_WEEK = 0x06, /* 1 Sunday */
    DATE_OF_MONTH = 0x07,
    MONTH = 0x08,
    YEAR = 0x09, /* 0 to 99 */
    REGISTER_A = 0x0a,
    REGISTER_B = 0x0b,
    REGISTER_D = 0x0d,
    CENTURY = 0x32, /* 19 or 20 in BCD; anything else: it is none */
};

enum {
    HOURS_PM = 0x80,
    A_UIP = 0x80, /* an update is under way, or comes within 244 us */
    B_SET = 0x80, /* no updates: the time is being set */
    B_DM = 0x04, /* binary; else BCD */
    B_24_12 = 0x02, /* hours are 0 to 23 */
    D_VRT = 0x80, /* valid RAM and time: the battery was never empty */
};

/* Is there one? All registers are 0xff where none is. */
bool rtc_is_there(void);

/* It stands still since a predecessor has died while setting it. */
bool rtc_is_stopped(void);
void rtc_go(void);

/* Seconds since 1970. 0; -EIO: no two readings are alike; -EINVAL: it is no date, or the battery was
 * empty. */
int rtc_read(int64_t *seconds);

/* Up to a second off, as much as the second that it is in has passed. 0; -ERANGE: not a year that it
 * can have. */
int rtc_set(int64_t seconds);

#endif
