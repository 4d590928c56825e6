/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

void peer_take(struct peer *p, const struct service_queue *where, uint32_t magic)
{
    p->where = *where;
    p->header = (struct queue_header *)where->address;
    p->magic = magic;
    p->incarnation = 0;
    p->kick = true;
}

void peer_claim(struct peer *p)
{
    queue_claim(p->header, p->magic);
}

bool peer_is_new(struct peer *p)
{
    uint32_t incarnation = queue_read(&p->header->incarnation);

    if (incarnation == p->incarnation || attend_defers(p->where.number))
        return false;
    if (incarnation == 0) { /* none ever is: the header is broken, and so nobody to be told */
        peer_bad(p, COMPLAINT_PROTOCOL);
        p->incarnation = 0;
        return false;
    }
    p->incarnation = incarnation;
    p->driver = p->header->driver;
    p->fresh = incarnation != p->header->reintegrated_incarnation;
    p->kick = true;
    return true;
}

void peer_moved(struct peer *p)
{
    p->header->useful++;
    if (!p->fresh)
        return;
    p->fresh = false;
    p->header->reintegrated_ns = clock_now();
    queue_publish(&p->header->reintegrated_incarnation,
                  p->incarnation); /* last: it covers the time */
}

void peer_bad(struct peer *p, enum rs_complaint why)
{
    service_complain(p->where.driver, p->driver, why);
    p->kick = true;
}

uint64_t peer_watch(struct peer *p, uint32_t pending, uint32_t gone)
{
    if (p->incarnation == 0)
        return 0;
    if (tty_progress_check(&p->progress, pending, gone, clock_now())) {
        log_info("driver %s sends nothing any more", p->where.driver);
        service_complain(p->where.driver, p->driver, COMPLAINT_DEADLINE);
    }
    return p->progress.look_at;
}

bool peer_tell(struct peer *p)
{
    p->kick = false;
    return ipc_notify(p->driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE)) == 0;
}

uint64_t peer_settle(struct peer *p, bool more)
{
    more |= queue_read(&p->header->incarnation) != p->incarnation;
    if (p->kick)
        peer_tell(p);
    return more ? attend_more(p->where.number) : 0;
}
