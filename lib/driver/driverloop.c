/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/driver/driverloop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/message.h"
#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

/* ns from the start to what nobody waits for: the client and its programs come first */
#define AFTERWARDS 5000000

static bool has_alarm;

/* Before main(), in every driver: while another incarnation drives the device. What is read of
 * service_info() before is that one's. */
static __attribute__((constructor)) void stand_by(void)
{
    const volatile uint32_t *stands_by = &service_info()->stands_by;
    struct message m = {0};

    while (*stands_by)
        ipc_receive(ENDPOINT_ANY, &m, 0);
}

void driver_notify_client(void)
{
    const struct service_queue *q = &service_info()->queue;

    ipc_notify(q->client, NOTIFY_BIT(NOTIFY_BIT_PEER + q->number));
}

void driver_wake_in(uint64_t ns)
{
    if (has_alarm)
        return; /* it comes soon enough */
    has_alarm = true;
    clock_alarm(clock_now() + ns);
}

static void announce(struct queue_header *h, enum queue_driver_state state)
{
    h->driver = service_info()->self;
    h->driver_state = state;
    h->ready_ns = clock_now();
    /* last: it covers the others */
    queue_publish(&h->incarnation, service_info()->incarnation);
}

static void publish(const struct driver_class *class, const char *mismatch)
{
    char key[32];

    if (mismatch)
        log_info("device reset (%s)", mismatch);
    snprintf(key, sizeof key, "%s/%s", class->name, service_info()->name);
    service_publish(key);
}

void driver_loop_run(const struct driver_class *class, void *device, struct queue_header *header,
                     enum queue_driver_state state, const char *mismatch)
{
    struct message m = {0};
    bool done, is_published = false;

    announce(header, state);
    if (class->first)
        class->first(device);
    driver_notify_client();
    service_ready(state == QUEUE_DRIVER_ADOPTED ? RS_READY_ADOPTED : RS_READY_RESET);
    if (class->started)
        class->started(device);
    driver_wake_in(AFTERWARDS);
    done = class->wake(device, 0);
    for (;;) {
        if (ipc_receive(ENDPOINT_ANY, &m, done ? 0 : RECEIVE_POLL) < 0) {
            done = class->wake(device, 0);
            continue;
        }
        if (m.type != MESSAGE_NOTIFY) {
            ipc_reply_result(message_caller(&m), -ENOSYS); /* nobody may call a driver */
            continue;
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
            class->silence(device);
            exit(0);
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM)) {
            has_alarm = false;
            if (!is_published)
                publish(class, mismatch);
            is_published = true;
        }
        done = class->wake(device, m.w[0]);
    }
}
