/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "abi/message.h"
#include "abi/proto/pm.h"
#include "lib/rt/error.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/clock/clock.h"

#define PATIENCE (2 * NS) /* with a driver that is alive and does not answer */

static struct service_queue where;
static struct clock_queue *queue; /* NULL: no driver has ever been there */
static endpoint_t driver;
static uint32_t incarnation; /* of the driver that we know; 0: none yet */
static uint32_t posted; /* what we stored last */
static struct clock_request asked; /* the request with that number */
static bool waits; /* for what was posted */
static bool is_fresh; /* this incarnation has not answered yet */
static uint64_t patience; /* clock: when this incarnation is complained of */
static enum { FOR_NOBODY, FOR_BOOT, FOR_PROGRAM } purpose; /* of what was posted */

/* All that is ours in the queue, also once more for a fresh driver: the one before may have written
 * there. */
static void write_request(void)
{
    queue->operation = asked.operation;
    queue->set_ns = asked.set_ns;
    queue->set_at_ns = asked.set_at_ns;
    queue_publish(&queue->posted, posted);
    queue_claim(&queue->header, CLOCK_QUEUE_MAGIC);
}

static void post(const struct clock_request *request)
{
    asked = *request;
    posted++;
    waits = true;
    patience = clock_now() + PATIENCE;
    write_request();
    if (driver)
        ipc_notify(driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
}

bool driver_is_free(void)
{
    return queue && !waits;
}

void driver_ask(const struct clock_request *request)
{
    purpose = FOR_PROGRAM;
    post(request);
}

bool driver_is_gone(void)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);

    if (!queue)
        return true;
    pack_text(r->name, where.driver, SERVICE_NAME_MAX);
    return ipc_call(service_info()->rs, &m) == -ENXIO;
}

/* ---- the time at boot ---- */

static void ask_first_time(void)
{
    static bool is_done;

    if (is_done || waits)
        return;
    is_done = true;
    purpose = FOR_BOOT;
    post(&(struct clock_request){.operation = CLOCK_READ});
}

/* PM takes it once. We may be a fresh copy, or somebody has been quicker: then it stays as it is. */
static void set_first_time(const struct clock_answer *a, uint64_t at_ns)
{
    struct message m =
        message_of(PM_FIRST_TIME,
                   (struct pm_first_time_request){.ns = (uint64_t)a->seconds * NS, .at = at_ns});
    long result = a->status < 0 ? a->status : ipc_call(service_info()->pm, &m);

    if (result == 0)
        service_set_integer("clock/at_boot", a->seconds); /* since 1970 */
    if (result < 0 && result != -EALREADY)
        log_info("the clock of %s says no time (%s): it is 1970 until somebody sets it",
                 where.driver, error_name(result));
}

/* ---- answers ---- */

static void note_reintegrated(void)
{
    if (!is_fresh)
        return;
    is_fresh = false;
    queue->header.reintegrated_ns = clock_now();
    queue_publish(&queue->header.reintegrated_incarnation,
                  incarnation); /* last: it covers the time */
}

static void answered(void)
{
    struct clock_answer a = {.status = *(volatile int32_t *)&queue->status,
                             .seconds = *(volatile int64_t *)&queue->seconds};
    uint64_t at_ns = *(volatile uint64_t *)&queue->at_ns, now = clock_now();

    waits = false;
    queue->header.useful++;
    note_reintegrated();
    if (a.status > 0 || a.status < -4095 || a.seconds < 0 || a.seconds >= CLOCK_SECONDS_END)
        a.status = a.status < 0 && a.status >= -4095 ? a.status : -EIO;
    if (purpose == FOR_BOOT)
        set_first_time(&a, at_ns < now ? at_ns : now);
    else if (purpose == FOR_PROGRAM)
        clock_answered(&a);
    ask_first_time(); /* of one who came to a queue in which something was under way */
}

static bool is_garbled(void)
{
    return queue_read(&queue->posted) != posted || queue->operation != asked.operation ||
           queue->set_ns != asked.set_ns || queue->set_at_ns != asked.set_at_ns;
}

static void note_driver(void)
{
    uint32_t current = queue_read(&queue->header.incarnation);

    if (current == incarnation)
        return;
    incarnation = current;
    driver = queue->header.driver;
    if (waits && is_garbled()) /* it may have done something else, with the same number */
        queue->completed = posted - 1;
    is_fresh = incarnation != queue->header.reintegrated_incarnation;
    write_request();
    patience = clock_now() + PATIENCE;
    if (waits)
        ipc_notify(driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    else /* for the record: nobody asks anything, and so it is of no use yet */
        note_reintegrated();
}

/* What a predecessor of ours has posted is waited for: the driver may be in the midst of it. */
static void find_queue(void)
{
    if (queue || !service_queue(0, &where))
        return;
    if (where.size < sizeof *queue) {
        log_info("the queue of %s is too small", where.driver);
        return;
    }
    queue = (struct clock_queue *)where.address;
    posted = queue_read(&queue->posted);
    asked = (struct clock_request){
        .operation = queue->operation, .set_ns = queue->set_ns, .set_at_ns = queue->set_at_ns};
    waits = posted != queue_read(&queue->completed);
    purpose = FOR_NOBODY;
    queue_claim(&queue->header, CLOCK_QUEUE_MAGIC);
    ask_first_time();
}

void driver_notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        find_queue();
    if (!queue)
        return;
    if (!attend_defers(where.number)) {
        note_driver();
        if (waits && queue_read(&queue->completed) == posted)
            answered();
    }
    if (waits && driver && clock_now() >= patience) {
        service_complain(where.driver, driver, COMPLAINT_DEADLINE);
        patience = clock_now() + PATIENCE;
    }
}

void driver_begin(void)
{
    find_queue();
}
