/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of the real-time clock, in the loop that all drivers have. It does one request after
 * the other, and nothing between: the clock goes on by itself.
 */
#include <errno.h>

#include "abi/clock_queue.h"
#include "drivers/char/rtc/chip.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define NS 1000000000ull

static int do_operation(struct clock_queue *q)
{
    if (q->operation == CLOCK_READ) {
        int status = rtc_read(&q->seconds);

        q->at_ns = clock_now();
        return status;
    }
    if (q->operation == CLOCK_SET) {
        uint64_t passed = clock_now() - q->set_at_ns, seconds = (q->set_ns + passed) / NS;

        return rtc_set(seconds < (uint64_t)CLOCK_SECONDS_END ? (int64_t)seconds
                                                             : CLOCK_SECONDS_END);
    }
    return -EINVAL;
}

static unsigned serve(void *device)
{
    struct clock_queue *q = device;
    uint32_t posted = queue_read(&q->posted);

    if (!queue_read(&q->header.client_ready) || posted == q->completed)
        return 0;
    q->status = do_operation(q);
    queue_publish(&q->completed, posted);
    return DRIVER_TELL;
}

/* One that a predecessor has stopped goes on: what it was to be set to is posted still, and is set
 * now. */
static enum queue_driver_state begin(struct clock_queue *q, bool may_adopt)
{
    if (may_adopt && !rtc_is_stopped()) {
        q->header.adoptions++;
        return QUEUE_DRIVER_ADOPTED;
    }
    rtc_go();
    q->header.resets++;
    return QUEUE_DRIVER_RESET;
}

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    struct clock_queue *q = (struct clock_queue *)(uintptr_t)info->queue.address;

    (void)driver;
    if (!q || info->queue.size < sizeof *q)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)info->queue.size);
    if (!rtc_is_there())
        return -ENODEV;
    *start = (struct driver_start){.device = q, .header = &q->header, .class = "char"};
    start->state = begin(q, info->adopt);
    if (start->state == QUEUE_DRIVER_RESET && info->adopt)
        start->mismatch = "it was stopped";
    return 0;
}

int main(void)
{
    static const struct driver_class class = {
        .turns = 1, .serves_first = true, .open = open, .serve = serve};

    driver_loop_run(&class, NULL);
}
