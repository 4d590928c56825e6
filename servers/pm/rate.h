/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the TSC is, measured against the PIT: arithmetic alone (calibrate.c reads the clocks).
 * What a reading may be wrong by is known, so the longer it goes on the better it gets.
 */
#ifndef PM_RATE_H
#define PM_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_PIT_HZ 1193182u /* 8254 */
/* Until the first measurement; then twice as long each time; after the longest it begins anew. */
#define RATE_FIRST_S 1
#define RATE_LONGEST_S 128
#define RATE_GOOD_PPM 20 /* what is worse than that is not used */

struct rate_sample { /* both clocks at one moment */
    uint64_t tsc; /* in the middle of what it took */
    uint64_t took; /* TSC ticks */
    uint16_t pit; /* counts down, all of its 65536 values */
};

struct rate {
    struct rate_sample from;
    unsigned seconds; /* to the next sample */
};

void rate_begin(struct rate *r, const struct rate_sample *now);
/* After r->seconds: the rate of a TSC of about `hz`. 0: it is not known well enough. */
uint64_t rate_measure(struct rate *r, const struct rate_sample *now, uint64_t hz);

#endif
