/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/pm/rate.h"

void rate_begin(struct rate *r, const struct rate_sample *now)
{
    *r = (struct rate){.from = *now, .seconds = RATE_FIRST_S};
}

static uint64_t scale(uint64_t value, uint64_t by, uint64_t over)
{
    return (uint64_t)(((unsigned __int128)value * by + over / 2) / over);
}

uint64_t rate_measure(struct rate *r, const struct rate_sample *now, uint64_t hz)
{
    uint64_t passed = now->tsc - r->from.tsc, wrong = (r->from.took + now->took) / 2;
    /* The PIT has gone round many times; how many is clear from the TSC, whose rate is known well
     * enough for that. */
    uint64_t about = scale(passed, RATE_PIT_HZ, hz);
    int16_t off = (int16_t)((uint16_t)(r->from.pit - now->pit) - (uint16_t)about);
    uint64_t ticks = about + (uint64_t)(int64_t)off;
    bool good = ticks && wrong < passed / 1000000 * RATE_GOOD_PPM;

    if (!good || r->seconds == RATE_LONGEST_S)
        r->from = *now;
    if (r->seconds < RATE_LONGEST_S)
        r->seconds *= 2;
    return good ? scale(passed, RATE_PIT_HZ, ticks) : 0;
}
