/* SPDX-License-Identifier: BSD-2-Clause */
/* The date at boot, from the real-time clock (MC146818 data sheet). */
#include <string.h>

#include "servers/rs/rs.h"

#define PORT_INDEX 0x70
#define PORT_DATA 0x71
#define REGISTER_B 0xb
#define B_BINARY 4

static uint8_t get(unsigned n)
{
    port_out(PORT_INDEX, 1, n);
    return (uint8_t)port_in(PORT_DATA, 1);
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static uint64_t days(unsigned year, unsigned month, unsigned day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned leap = month > 2 && (year % 4 == 0 && (year % 100 || year % 400 == 0)),
             past = year - 1;

    return (uint64_t)year * 365 + past / 4 - past / 100 + past / 400 + before[(month - 1) % 12] +
           leap + day - 719528;
}

static uint64_t now(void)
{
    static const uint8_t numbers[6] = {0, 2, 4, 7, 8, 9}; /* second minute hour day month year */
    uint8_t v[6], again[6];

    do { /* until two readings agree: no update in between */
        for (unsigned i = 0; i < 6; i++)
            v[i] = get(numbers[i]);
        for (unsigned i = 0; i < 6; i++)
            again[i] = get(numbers[i]);
    } while (memcmp(v, again, sizeof v));
    for (unsigned i = 0; i < 6 && !(get(REGISTER_B) & B_BINARY); i++) /* BCD */
        v[i] = (uint8_t)((v[i] >> 4) * 10 + (v[i] & 15));
    return (days(2000u + v[5], v[4] ? v[4] : 1, v[3]) * 24 + v[2]) * 3600 + v[1] * 60u + v[0];
}

uint64_t rtc_boot(void)
{
    static uint64_t boot;

    if (!boot)
        boot = now() - clock_now() / SECOND;
    return boot;
}
