/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network driver without a network that is busy for ever, and of use by all that can be counted. In
 * the manifest:
 *
 *     parameters forges    it comes back to its loop all the time, and counts itself as of use there
 *     parameters frames    each buffer is completed at once with a sound frame, a broadcast for others
 */
#include <string.h>

#include "abi/message.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define BEGINS_NS 500000000ull /* after its start */

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x66};
static const uint8_t question[60] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0xaa, 0xbb, 0xcc, 0xdd, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
    1,    2,    0xaa, 0xbb, 0xcc, 0xdd, 1, 10,   0,    2,    77,   0, 0, 0, 0, 0, 0, 10, 0, 2, 99};

static struct net_queue *queue;
static bool has_begun;

static void notify_client(void)
{
    const struct service_info *info = service_info();

    ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void forge_for_ever(void)
{
    struct message m = {0};

    for (;;) {
        queue->header.useful++;
        if (ipc_receive(ENDPOINT_ANY, &m, RECEIVE_POLL) == 0 && m.type != MESSAGE_NOTIFY)
            ipc_reply_result(message_caller(&m), -1);
    }
}

/* The client gives each buffer back, and says so: so this never ends. */
static void bring_frames(void)
{
    uint32_t posted, k = queue->receive.completed;

    queue->receive.driver_waits = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it before the index */
    posted = queue_read(&queue->receive.posted);
    if (k == posted)
        return;
    for (; k != posted; k++) {
        struct net_entry *entry = &queue->receive.entry[k % NET_RING_SIZE];

        memcpy((uint8_t *)queue + entry->offset, question, sizeof question);
        entry->length = sizeof question;
        entry->status = NET_FRAME_OK;
    }
    queue_publish(&queue->receive.completed, posted);
    notify_client();
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)) {
        log_info("begins: %s", service_info()->parameters);
        has_begun = true;
    }
    if (has_begun && strcmp(service_info()->parameters, "forges") == 0)
        forge_for_ever();
    if (has_begun)
        bring_frames();
    queue->transmit.driver_waits = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    queue_publish(&queue->transmit.completed, queue_read(&queue->transmit.posted));
}

static void do_nothing(void)
{
}

int main(void)
{
    queue = (struct net_queue *)(uintptr_t)service_info()->queue.address;
    memcpy(queue->mac, mac, sizeof mac);
    queue->header.driver = service_info()->self;
    queue->header.driver_state = QUEUE_DRIVER_RESET;
    queue->mtu = 1500;
    queue->link_up = 1;
    queue->header.ready_ns = clock_now();
    queue_publish(&queue->header.incarnation, service_info()->incarnation);
    notify_client();
    service_ready(RS_READY_RESET);
    clock_alarm(clock_now() + BEGINS_NS);
    service_run(&(struct service_table){.notified = notified, .shutdown = do_nothing});
}
