/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel calls and requests with arguments that are right, nearly right or nonsense: endpoints of
 * everybody who could be there, grants that lead nowhere, callers that are others'. A sequence is
 * given by its seed.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/proto/ds.h"
#include "abi/proto/rs.h"
#include "drivers/example/hostile/hostile.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

static struct grant grants[64]; /* what the kernel takes for our grants, now and then */

/* All that a grant may get wrong: to whom, where, how long, and all of it once it has been looked
 * at. */
static void forge_grants(void)
{
    for (unsigned i = 0; i < 4; i++)
        grants[bits() % 64] = (struct grant){(endpoint_t)some_endpoint(), (uint32_t)bits() & 3,
                                             some_number(), some_number()};
    if (bits() % 4)
        grant_table(grants, 64);
    else
        grant_table((struct grant *)some_number(), some_number());
}

static void some_message(uint64_t number)
{
    static const uint16_t protocols[] = {
        PROTOCOL_RS, PROTOCOL_DS, PROTOCOL_VM, PROTOCOL_PM, PROTOCOL_VFS, PROTOCOL_FILE, 0};
    uint64_t r = bits();
    struct message m = {.type = protocols[r % 7] + (r >> 8 & 31)};

    if (m.type == RS_READY)
        m.type++;
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m.w[i] = some_number();
    kernel_message((long)number, (endpoint_t)some_endpoint(), &m,
                   number == KERNEL_FORWARD ? some_endpoint() : 1 + (r >> 16 & 0xfff));
}

void attack_kernel(void)
{
    uint64_t end = clock_now() + attack_seconds(5), calls = 0;

    random_start();
    for (; clock_now() < end; calls++) {
        uint64_t number = bits() % (KERNEL_CALLS + 2);

        if (calls % 64 == 0)
            forge_grants();
        if (calls % 256 == 0)
            breathe();
        if (number >= KERNEL_CALL && number <= KERNEL_LATE_ANSWER)
            some_message(number);
        else if (number != KERNEL_LOG)
            kernel_call6((long)number, (long)some_number(), (long)some_number(),
                         (long)some_number(), (long)some_number(), (long)some_number(),
                         (long)some_number());
    }
    grant_table(NULL, 0);
    log_info("calls: %llu", (unsigned long long)calls);
}

/* Calls and notifications as fast as they go, to all whom it may reach. */
void attack_flood(void)
{
    uint64_t end = clock_now() + attack_seconds(5), calls = 0;

    for (; clock_now() < end; calls++) {
        struct message m = {.type = calls & 1 ? RS_LIST : RS_CORE};

        ipc_call(service_info()->rs, &m);
        service_publish("hostile");
        service_subscribe("*");
        ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
        breathe();
    }
    log_info("floods: %llu", (unsigned long long)calls);
}

void claim_to_drive(struct net_queue *q)
{
    q->header.driver = service_info()->self;
    q->header.driver_state = QUEUE_DRIVER_RESET;
    q->mtu = 1500;
    q->link_up = 1;
    queue_publish(&q->header.incarnation, service_info()->incarnation);
}

/* A network driver whose indices jump, and whose entries change while the client reads them. */
void attack_rings(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;
    uint64_t end = clock_now() + attack_seconds(5), lies = 0;

    if (!q)
        panic("no queue");
    random_start();
    claim_to_drive(q);
    for (; clock_now() < end; lies++) {
        volatile uint32_t *word = (volatile uint32_t *)q + bits() % (QUEUE_CHIP_OFFSET / 4);

        if (bits() % 8 == 0)
            *word = (uint32_t)some_number();
        q->receive.entry[bits() % NET_RING_SIZE].length = (uint32_t)some_number();
        if (bits() % 64 == 0)
            queue_publish(&q->receive.completed, q->receive.completed + (uint32_t)bits() % 3);
        if (bits() % 256 == 0)
            queue_publish(&q->transmit.completed, (uint32_t)some_number());
        ipc_notify(service_info()->queue.client,
                   NOTIFY_BIT(NOTIFY_BIT_PEER + service_info()->queue.number));
        if (lies % 16 == 0)
            breathe();
    }
    log_info("lies: %llu", (unsigned long long)lies);
}

/* Any other driver: whatever its client may read in the first 16K of the queue changes, all the
 * time; seldom what it says of itself, too, since from then on nobody listens to it. */
void attack_queue(void)
{
    struct queue_header *h = (struct queue_header *)(uintptr_t)service_info()->queue.address;
    uint64_t end = clock_now() + attack_seconds(5), lies = 0;

    if (!h)
        panic("no queue");
    random_start();
    h->driver = service_info()->self;
    h->driver_state = QUEUE_DRIVER_RESET;
    queue_publish(&h->incarnation, service_info()->incarnation);
    for (; clock_now() < end; lies++) {
        volatile uint32_t *word =
            (volatile uint32_t *)(h + 1) + bits() % ((16384 - sizeof *h) / sizeof(uint32_t));

        if (bits() % 512 == 0) /* the line of the header that is a driver's */
            word = (volatile uint32_t *)&h->driver_state + bits() % 16;
        *word = bits() & 1 ? *word + (uint32_t)(bits() % 5) : (uint32_t)some_number();
        if (lies % 16 == 0)
            ipc_notify(service_info()->queue.client,
                       NOTIFY_BIT(NOTIFY_BIT_PEER + service_info()->queue.number));
        if (lies % 64 == 0)
            breathe();
    }
    log_info("lies: %llu", (unsigned long long)lies);
}
