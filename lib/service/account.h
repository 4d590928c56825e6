/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client does for a driver that nothing comes of. Of a client's time nobody else can tell for whose
 * sake it was spent: a notification has no sender's name on it, and one turn of a loop looks at several
 * queues. So the client itself keeps an account for each queue, a token bucket. A look of which something
 * of use came is free; what else a look takes is paid from it, and it is filled at the rate of the
 * driver's own share of the processor (abi/service.h, service_queue.share). While it is overdrawn
 * the queue is not looked at, for ACCOUNT_PAUSE at a time: other queues and programs are served. All that
 * was paid adds up in the queue's header, where RS sees it (queue_spent_in_vain()): there it counts as though the
 * driver had used it.
 *
 * Pure logic, with the caller's clock. One who cannot be deferred (its pause is no good driver's
 * trouble: it takes 5 ms of looks of no use at once, or half of the processor) loses nothing.
 */
#ifndef SERVICE_ACCOUNT_H
#define SERVICE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define ACCOUNT_BURST 5000000ll /* ns that may be spent at once */
#define ACCOUNT_DEBT 5000000ll /* that it can have at most, so that it is looked at again */
#define ACCOUNT_PAUSE 4000000ull /* ns without a look; also what a frame may have to wait */
#define ACCOUNT_LOOK_MOST                                                                          \
    1000000ull /* of one look: a machine that stood still meanwhile proves nothing */

struct queue_account {
    int64_t credit; /* ns */
    uint64_t filled; /* clock: when it was */
    uint64_t in_vain; /* ns, all that was ever paid */
    uint32_t share; /* per mille */
    bool is_deferred;
};

/* in_vain: what a predecessor has paid. */
static inline void account_open(struct queue_account *a, uint32_t share, uint64_t in_vain)
{
    *a = (struct queue_account){.credit = ACCOUNT_BURST, .in_vain = in_vain, .share = share};
}

/* A look of which nothing came took so long. True: it is overdrawn, unless filling helps. */
static inline bool account_pay(struct queue_account *a, uint64_t ns)
{
    ns = ns < ACCOUNT_LOOK_MOST ? ns : ACCOUNT_LOOK_MOST;
    a->in_vain += ns;
    a->credit -= (int64_t)ns;
    if (a->credit < -ACCOUNT_DEBT)
        a->credit = -ACCOUNT_DEBT;
    return a->credit < 0;
}

/* What time has brought in. True: it is still overdrawn. */
static inline bool account_fill(struct queue_account *a, uint64_t now)
{
    uint64_t most = 2 * (uint64_t)ACCOUNT_BURST * 1000 / (a->share ? a->share : 1);
    uint64_t since = now - a->filled;

    a->credit += (int64_t)((since < most ? since : most) * a->share / 1000);
    if (a->credit > ACCOUNT_BURST)
        a->credit = ACCOUNT_BURST;
    a->filled = now;
    return a->credit < 0;
}

#endif
