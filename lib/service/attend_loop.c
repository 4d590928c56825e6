/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loop of service.c asks of the accounts; see attend.h. */
#include "abi/message.h"
#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"

#define QUEUES_MAX 24 /* as many as there are notification bits for queues */

static struct seen {
    struct attended attended;
    /* Of the header, after the last turn that was its own. */
    uint64_t useful;
    uint32_t incarnation;
} queues[QUEUES_MAX];
static uint64_t known, deferred; /* their notification bits */
static uint64_t ours; /* of those, whose turn this is */
static uint64_t began; /* TSC, when there are some */
static uint64_t resume_at; /* clock, when some are deferred */

static uint64_t bit_of(uint32_t number)
{
    return NOTIFY_BIT(NOTIFY_BIT_PEER + number % QUEUES_MAX);
}

bool attend_defers(uint32_t number)
{
    return deferred & bit_of(number);
}

uint64_t attend_more(uint32_t number)
{
    return bit_of(number) & ~deferred;
}

static struct seen *first_of(uint64_t bits)
{
    return &queues[__builtin_ctzll(bits) - NOTIFY_BIT_PEER];
}

/* (Drivers alone: a file server that is disk's client does what programs ask for.) */
void attend_queue(const struct service_queue *where)
{
    struct seen *s = &queues[where->number % QUEUES_MAX];

    if (where->class < CLASS_NET || where->share == 0 ||
        s->attended.header == (struct queue_header *)(uintptr_t)where->address)
        return;
    *s = (struct seen){0};
    attended_open(&s->attended, where);
    known |= bit_of(where->number);
}

/* RS has news of services: of a fresh copy, perhaps, which is not to wait for what another has done. */
static void attend_to_all(void)
{
    for (uint64_t rest = deferred; rest; rest &= rest - 1)
        first_of(rest)->attended.account.is_deferred = false;
    deferred = 0;
}

uint64_t attend_begin(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        attend_to_all();
    ours = bits & known;
    if (ours == 0)
        return bits;
    if (bits != ours) /* what else there is to do is nobody's of them */
        ours = 0;
    began = tsc_read();
    return bits & ~deferred;
}

static void pay(uint64_t bit, uint64_t ns, uint64_t now)
{
    if (!attended_pay(&first_of(bit)->attended, ns, now))
        return;
    if (deferred == 0)
        resume_at = now + ACCOUNT_PAUSE;
    deferred |= bit;
}

/* Those of which nothing has come. */
static uint64_t in_vain(void)
{
    uint64_t vain = 0;

    for (uint64_t rest = ours; rest; rest &= rest - 1) {
        struct seen *s = first_of(rest);
        const volatile struct queue_header *h = s->attended.header;
        uint64_t useful = h->useful;
        uint32_t incarnation = h->incarnation;

        if (useful == s->useful || incarnation != s->incarnation)
            vain |= rest & -rest;
        s->useful = useful;
        s->incarnation = incarnation;
    }
    return vain;
}

void attend_end(void)
{
    uint64_t vain = in_vain(), now, each;

    if (vain) {
        now = clock_now();
        each = (now - clock_of(began)) / (uint64_t)__builtin_popcountll(ours);
        for (uint64_t rest = vain; rest; rest &= rest - 1)
            pay(rest & -rest, each, now);
    }
    ours = 0;
}

static void resume(uint64_t now)
{
    uint64_t over = 0;

    for (uint64_t rest = deferred; rest; rest &= rest - 1)
        if (attended_resume(&first_of(rest)->attended, now))
            over |= rest & -rest;
    deferred &= ~over;
    resume_at = now + ACCOUNT_PAUSE;
    if (over)
        ipc_notify(service_info()->self, over);
}

uint64_t attend_wait(void)
{
    uint64_t now;

    if (deferred == 0)
        return 0;
    now = clock_now();
    if (now >= resume_at)
        resume(now);
    return deferred ? resume_at - now : 0;
}

void attend_again(uint64_t bits)
{
    if (bits)
        ipc_notify(service_info()->self, bits);
}
