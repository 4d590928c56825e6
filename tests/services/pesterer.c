/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network driver without a network that keeps its client busy with looks of which nothing comes, and needs
 * little of the processor itself. (With the first illness it may be of any class, and without a device.) In
 * the manifest, after the name of an illness how long it rests between two turns, in us:
 *
 *     parameters renews 50    it says that it is a fresh copy, again and again
 *     parameters damages 50   each buffer comes back, with a damaged frame
 *     parameters rings 50     it notifies, and there is nothing
 *
 * With a third word, a number, every so manieth turn a frame that was to be sent is done, or a sound one
 * comes, a broadcast for others: so that something of use comes now and then.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/message.h"
#include "lib/driver/netdriver.h"
#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define BEGINS_NS 2000000000ull /* after its start */

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x66};
static const uint8_t question[60] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0xaa, 0xbb, 0xcc, 0xdd, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
    1,    2,    0xaa, 0xbb, 0xcc, 0xdd, 1, 10,   0,    2,    77,   0, 0, 0, 0, 0, 0, 10, 0, 2, 99};

static struct net_queue *queue;
static void (*ill)(void); /* a turn of its illness */
static uint64_t rest, turns, of_use; /* ns; turns so far; every so manieth is of use */
static bool has_begun;

static void notify_client(void)
{
    const struct service_info *info = service_info();

    ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void renew(void)
{
    queue_publish(&queue->header.incarnation, queue->header.incarnation + 1);
}

static void ring(void)
{
}

/* Gives back what is posted, up to `most`, with a frame in it. */
static void give_back(uint32_t most, enum net_status status)
{
    uint32_t posted = queue_read(&queue->receive.posted), k = queue->receive.completed;

    for (; k != posted && most-- != 0; k++) {
        struct net_entry *entry = &queue->receive.entry[k % NET_RING_SIZE];

        if (status == NET_FRAME_OK)
            memcpy((uint8_t *)queue + entry->offset, question, sizeof question);
        entry->length = status == NET_FRAME_OK ? sizeof question : 0;
        entry->status = status;
    }
    queue_publish(&queue->receive.completed, k);
}

static void damage(void)
{
    give_back(NET_RING_SIZE, NET_FRAME_BAD);
}

static bool is_net(void)
{
    return service_info()->queue.class == CLASS_NET;
}

static void take_turn(void)
{
    if (of_use && ++turns % of_use == 0)
        give_back(1, NET_FRAME_OK);
    ill();
    notify_client();
    clock_alarm(clock_now() + rest);
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM) && !has_begun) {
        log_info("begins: %s", service_info()->parameters);
        has_begun = true;
    }
    if (is_net()) {
        queue->transmit.driver_waits = 1;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        queue_publish(&queue->transmit.completed, queue_read(&queue->transmit.posted));
    }
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        take_turn();
}

static void do_nothing(void)
{
}

/* The illness, the rest, and how often it is of use. */
static void read_parameters(void)
{
    static const struct {
        const char *name;
        void (*turn)(void);
    } illnesses[] = {{"renews", renew}, {"damages", damage}, {"rings", ring}};
    const char *text = service_info()->parameters;

    for (unsigned i = 0; i < sizeof illnesses / sizeof *illnesses; i++) {
        size_t length = strlen(illnesses[i].name);
        char *end;

        if (strncmp(text, illnesses[i].name, length) != 0)
            continue;
        ill = illnesses[i].turn;
        rest = strtoul(text + length, &end, 10) * 1000;
        of_use = strtoul(end, NULL, 10);
    }
    if (!ill || !rest)
        panic("no such illness: %s", text);
}

static void announce_card(void)
{
    memcpy(queue->mac, mac, sizeof mac);
    queue->mtu = 1500;
    queue->link_up = 1;
    queue->transmit.driver_waits = 1;
}

int main(void)
{
    read_parameters();
    queue = (struct net_queue *)(uintptr_t)service_info()->queue.address;
    if (is_net())
        announce_card();
    queue->header.driver = service_info()->self;
    queue->header.driver_state = QUEUE_DRIVER_RESET;
    queue->header.ready_ns = clock_now();
    queue_publish(&queue->header.incarnation, service_info()->incarnation);
    notify_client();
    service_ready(RS_READY_RESET);
    clock_alarm(clock_now() + BEGINS_NS);
    service_run(&(struct service_table){.notified = notified, .shutdown = do_nothing});
}
