/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a character driver: start (adopt or reset), tell the client and RS, then sleep and
 * serve. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/message.h"
#include "abi/proto/rs.h"
#include "lib/driver/chardriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define WAKE_TURNS 8 /* turns without a look at the notifications, at most */

static void wake_client(struct char_device *d, const struct service_info *info, bool always)
{
    if (!d->wake_client && !always)
        return;
    d->wake_client = false;
    ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void announce(struct char_device *d, const struct service_info *info,
                     enum queue_driver_state state)
{
    struct char_queue *q = d->queue;

    q->header.driver = info->self;
    q->header.driver_state = state;
    q->header.ready_ns = clock_now();
    queue_publish(&q->header.incarnation, info->incarnation); /* last: it covers the others */
}

/*
 * One wake; false: there is more to do. The interrupt may be an edge: one that comes while it is
 * masked is lost. So it is unmasked first, and only then settle() looks at the chip for the last
 * time.
 */
static bool wake(struct char_device *d, const struct service_info *info, uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ))
        irq_ack(0);
    for (int turn = 0; turn < WAKE_TURNS; turn++) {
        bool moved = char_device_serve(d);

        wake_client(d, info, false);
        if (!moved && char_device_settle(d))
            return true;
    }
    return false;
}

void char_driver_run(const struct char_driver *driver)
{
    static struct char_device device;
    const struct service_info *info = service_info();
    struct char_device *d = &device;
    enum queue_driver_state state;
    struct message m = {0};
    char key[32];
    int status;
    bool done;

    char_device_open(d, driver, (void *)(uintptr_t)info->queue.address, info->queue.size);
    status = char_device_start(d, info->adopt, &state);
    if (status < 0)
        panic("the device does not answer: error %d", -status);
    announce(d, info, state);
    service_ready(state == QUEUE_DRIVER_ADOPTED ? RS_READY_ADOPTED : RS_READY_RESET);
    done = wake(d, info, NOTIFY_BIT(NOTIFY_BIT_IRQ)); /* one may have come to our predecessor */
    wake_client(d, info, true);
    snprintf(key, sizeof key, "char/%s", info->name);
    service_publish(key);
    for (;;) {
        if (ipc_receive(ENDPOINT_ANY, &m, done ? 0 : RECEIVE_POLL) < 0) {
            done = wake(d, info, 0);
            continue;
        }
        if (m.type != MESSAGE_NOTIFY) {
            ipc_reply_result(message_caller(&m), -ENOSYS); /* nobody may call a driver */
            continue;
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
            d->driver->want(d, false, false);
            exit(0);
        }
        done = wake(d, info, m.w[0]);
    }
}
