/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets the clock's rate wrong, once, and watches it: each half second how far its rate is off from a
 * TSC of 1 GHz, which is what -icount shift=0 makes; and whether it ever goes back. */
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define HALF 500000000ull /* ticks of that TSC */
#define WRONG_PPM 800
#define PAUSE_NS 10000000

static uint64_t last;

static uint64_t now_checked(void)
{
    uint64_t now = clock_now();

    if (now < last)
        log_always("MISCLOCK back by %llu", (unsigned long long)(last - now));
    return last = now;
}

/* ns that the clock is ahead after half a second of the TSC */
static long watch(void)
{
    uint64_t tsc = clock_tsc(), begin = clock_now();

    while (clock_tsc() - tsc < HALF) {
        for (unsigned i = 0; i < 100; i++)
            now_checked();
        clock_alarm(last + PAUSE_NS);
        ipc_receive(ENDPOINT_ANY, &(struct message){0}, 0);
    }
    return (long)(now_checked() - begin) - (long)(clock_tsc() - tsc);
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    for (unsigned i = 0; i < 16; i++) {
        now_checked();
        if (i == 2)
            kernel_clock_rate(kernel_page()->tsc_hz - kernel_page()->tsc_hz / 1000000 * WRONG_PPM);
        now_checked();
        log_always("MISCLOCK %u ahead %ld", i, watch());
    }
    log_always("MISCLOCK end");
    service_run(&(struct service_table){0});
}
