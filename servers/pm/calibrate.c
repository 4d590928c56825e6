/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock's rate. The kernel measures the TSC for a few milliseconds, so from boot to boot it may
 * be off by a hundred millionths, seconds a day. Here it is measured again, over longer and longer,
 * against the channel of the PIT that the kernel has used; nobody else does, and it only has to be
 * read (8254 data sheet). The clock then goes on at the right rate; it never jumps.
 */
#include "servers/pm/pm.h"
#include "servers/pm/rate.h"

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define LATCH_CHANNEL2 0x80
#define READINGS 5

static struct rate rate;
static uint64_t next; /* when to measure again */

/* Of some readings the one that took the shortest: others may run in between. */
static struct rate_sample sample(void)
{
    struct rate_sample best = {.took = ~0ull};

    for (unsigned i = 0; i < READINGS; i++) {
        uint64_t begin = clock_tsc(), took;
        long low, high;

        port_out(PIT_COMMAND, 1, LATCH_CHANNEL2);
        took = clock_tsc() - begin;
        low = port_in(PIT_CHANNEL2, 1);
        high = port_in(PIT_CHANNEL2, 1);
        if (took < best.took)
            best = (struct rate_sample){begin + took / 2, took, (uint16_t)(high << 8 | low)};
    }
    return best;
}

static void begin(const struct rate_sample *now)
{
    rate_begin(&rate, now);
    next = clock_now() + rate.seconds * NS_PER_SECOND;
}

uint64_t calibrate_next(void)
{
    if (!next) {
        struct rate_sample now = sample();

        begin(&now);
    }
    return next;
}

void calibrate(void)
{
    struct rate_sample now;
    uint64_t hz;

    if (clock_now() < next)
        return;
    now = sample();
    hz = rate_measure(&rate, &now, kernel_page()->tsc_hz);
    if (hz && kernel_clock_rate(hz) < 0)
        begin(&now); /* no such rate: a clock has stood still */
    else
        next = clock_now() + rate.seconds * NS_PER_SECOND;
}
