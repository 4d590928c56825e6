/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver of characters that keeps the rules of its queue and is ill all the same: what one that
 * has a fault does, not an attacker. It drives nothing, so its terminal is the last of those for
 * which there is no port.
 */
#include <stdlib.h>

#include "abi/char_queue.h"
#include "drivers/example/hostile/hostile.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

enum { PIECE = 16 }; /* bytes, as a chip's FIFO has them */

static void tell_client(void)
{
    ipc_notify(service_info()->queue.client,
               NOTIFY_BIT(NOTIFY_BIT_PEER + service_info()->queue.number));
}

static struct char_queue *claim(void)
{
    struct char_queue *q = (struct char_queue *)(uintptr_t)service_info()->queue.address;

    if (!q)
        panic("no queue");
    q->header.driver = service_info()->self;
    q->header.driver_state = QUEUE_DRIVER_RESET;
    queue_publish(&q->header.incarnation, service_info()->incarnation);
    tell_client();
    return q;
}

/* Sent: what a client gives it goes nowhere, but in good time. */
static void take(struct char_queue *q)
{
    uint32_t written = queue_read(&q->transmit.written);

    if (written == q->transmit.taken)
        return;
    queue_publish(&q->transmit.taken, written);
    tell_client();
}

/* It counts bytes as received that it has stored nowhere; times=0: it is at rest. */
void attack_counts(void)
{
    struct char_queue *q = claim();
    unsigned long times = strtoul(parameter("times"), 0, 10);

    for (uint64_t end = clock_now() + attack_seconds(5); clock_now() < end;) {
        uint32_t written = q->receive.written;

        take(q);
        if (times != 0 && written + PIECE - queue_read(&q->receive.taken) <= CHAR_RECEIVE_SIZE) {
            times--;
            queue_publish(&q->receive.written, written + PIECE);
            tell_client();
        }
        breathe_for(1000000);
    }
}

/* Once it has been taken for a driver it says that there is none any more. */
void attack_nobody(void)
{
    struct char_queue *q = claim();

    breathe_for(100000000);
    queue_publish(&q->header.incarnation, 0);
    tell_client();
    breathe_for(attack_seconds(5));
}
