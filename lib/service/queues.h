/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queues of which this service is the client, and whether their drivers will be back: what RS
 * says of both, in one place, so that all clients mean the same by "gone for good". To be asked at
 * the start, and after each NOTIFY_BIT_SERVICES: RS sends that when there is a queue more, when a
 * driver has come back, and when one is given up, taken down, held or has refused its device.
 *
 * A driver that is to be back soon (EAGAIN) is waited for: what was posted it finds in the queue.
 * Of one that is gone for good all who wait have an error at once, and all who come; and when
 * somebody starts it again after all, its incarnation in the queue's header is another, and all is
 * as before.
 */
#ifndef SERVICE_QUEUES_H
#define SERVICE_QUEUES_H

#include <stdbool.h>

#include "abi/service.h"

/* Hands each queue to `take`, once in the life of this process, in the order of their numbers. */
void queues_find(void (*take)(const struct service_queue *where));

/* The endpoint of its running incarnation; -EAGAIN: it is down just now, and will be back; -ENXIO:
 * it will not, unless somebody starts it (RS_LOOKUP); -ESRCH: there is no such service. */
long queue_driver(const char *name);

/* -ENXIO, or -ESRCH. When RS could not be asked nobody is gone. */
bool queue_driver_is_gone(const char *name);

#endif
