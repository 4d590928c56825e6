/* SPDX-License-Identifier: BSD-2-Clause */
/* The account of one queue; attend_loop.c has the loop's. */
#include "lib/service/attend.h"

#include <string.h>

#include "lib/rt/log.h"
#include "lib/undo/undo.h"

#define SAID_AGAIN 10000000000ull /* ns; the log is not told more often that a driver has to wait */

void attended_open(struct attended *a, const struct service_queue *where)
{
    *a = (struct attended){.header = (struct queue_header *)(uintptr_t)where->address};
    memcpy(a->driver, where->driver, sizeof a->driver);
    account_open(&a->account, where->share,
                 undo_input(*(volatile uint64_t *)&a->header->in_vain_ns));
}

bool attended_pay(struct attended *a, uint64_t ns, uint64_t now)
{
    bool overdrawn = account_pay(&a->account, ns);

    *(volatile uint64_t *)&a->header->in_vain_ns = a->account.in_vain;
    if (!overdrawn || !account_fill(&a->account, now) || a->account.is_deferred)
        return false;
    a->account.is_deferred = true;
    if (a->said == 0 || now - a->said >= SAID_AGAIN) {
        a->said = now;
        log_info("driver %.16s keeps us busy for nothing: it has to wait", a->driver);
    }
    return true;
}

bool attended_resume(struct attended *a, uint64_t now)
{
    a->account.is_deferred = account_fill(&a->account, now);
    return !a->account.is_deferred;
}
