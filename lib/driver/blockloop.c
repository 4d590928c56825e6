/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a block driver: start (adopt or reset), tell the client and RS, then sleep and serve.
 * What can wait (the name in DS, log lines) comes some milliseconds after the start.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/message.h"
#include "abi/proto/rs.h"
#include "lib/driver/blockdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define WAKE_TURNS 64 /* turns without a look at the notifications, at most */
#define AFTERWARDS 5000000 /* ns */

static void wake_client(struct block_device *d, const struct service_info *info, bool always)
{
    bool waits;

    if (!d->wake_client && !always)
        return;
    d->wake_client = false;
    /* completed before client_waits: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    waits = *(volatile uint32_t *)&d->queue->client_waits;
    if (waits || always)
        ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void announce(struct block_device *d, const struct service_info *info,
                     enum queue_driver_state state)
{
    struct queue_header *h = &d->queue->header;

    h->driver = info->self;
    h->driver_state = state;
    h->ready_ns = clock_now();
    queue_publish(&h->incarnation, info->incarnation); /* last: it covers the others */
}

/*
 * One wake; false: there is more to do. The interrupt may be an edge (MSI): it is unmasked first,
 * and only then finished() clears the causes and looks at the chip.
 */
static bool wake(struct block_device *d, const struct service_info *info, uint64_t bits)
{
    for (unsigned i = 0; i < info->irqs; i++)
        if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ + i))
            irq_ack(i);
    for (int turn = 0; turn < WAKE_TURNS; turn++) {
        bool moved = block_device_serve(d);

        wake_client(d, info, false);
        if (!moved && block_device_settle(d))
            return true;
    }
    return false;
}

static void afterwards(const struct block_device *d, const struct service_info *info)
{
    char key[32];

    if (d->mismatch)
        log_info("device reset (%s)", d->mismatch);
    snprintf(key, sizeof key, "block/%s", info->name);
    service_publish(key);
}

static void sleep_and_serve(struct block_device *d, const struct service_info *info)
    __attribute__((noreturn));
static void sleep_and_serve(struct block_device *d, const struct service_info *info)
{
    struct message m = {0};
    bool done = wake(d, info, 0);

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
            d->driver->mask(d);
            exit(0);
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM))
            afterwards(d, info);
        done = wake(d, info, m.w[0]);
    }
}

void block_driver_run(const struct block_driver *driver)
{
    static struct block_device device;
    const struct service_info *info = service_info();
    struct block_device *d = &device;
    enum queue_driver_state state;
    int status;

    block_device_open(d, driver, device_registers(&info->device, driver->registers_size),
                      (void *)(uintptr_t)info->queue.address, info->queue.physical,
                      info->queue.size);
    d->ports = device_ports(&info->device);
    d->regions = info->region;
    d->region_count = SERVICE_REGIONS;
    status = block_device_start(d, info->adopt, &state);
    if (status < 0)
        panic("the device does not answer: error %d", -status);
    announce(d, info, state);
    block_device_serve(d);
    wake_client(d, info, true);
    service_ready(state == QUEUE_DRIVER_ADOPTED ? RS_READY_ADOPTED : RS_READY_RESET);
    d->driver->unmask(d);
    clock_alarm(clock_now() + AFTERWARDS);
    sleep_and_serve(d, info);
}
