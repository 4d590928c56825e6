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

static bool has_news; /* for the client */

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

static void serve(void *device)
{
    struct clock_queue *q = device;
    uint32_t posted = queue_read(&q->posted);

    if (!queue_read(&q->header.client_ready) || posted == q->completed)
        return;
    q->status = do_operation(q);
    queue_publish(&q->completed, posted);
    has_news = true;
}

static bool wake(void *device, uint64_t bits)
{
    (void)bits;
    serve(device);
    if (has_news)
        driver_notify_client();
    has_news = false;
    return true;
}

static void silence(void *device)
{
    (void)device; /* it interrupts nobody */
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

int main(void)
{
    static const struct driver_class class = {
        .name = "char", .first = serve, .wake = wake, .silence = silence};
    const struct service_info *info = service_info();
    struct clock_queue *q = (struct clock_queue *)(uintptr_t)info->queue.address;
    enum queue_driver_state how;

    if (!q || info->queue.size < sizeof *q)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)info->queue.size);
    if (!rtc_is_there())
        driver_start_failed(-ENODEV);
    how = begin(q, info->adopt);
    driver_loop_run(&class, q, &q->header, how,
                    how == QUEUE_DRIVER_RESET && info->adopt ? "it was stopped" : NULL);
}
