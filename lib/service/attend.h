/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's accounts of its queues (account.h), and what follows from them.
 *
 * The loop of service.c keeps them for all clients but net, which keeps its own (servers/net/main.c): it is
 * rolled back, and knows better what was of use. A turn that drivers' notifications alone have begun is
 * theirs: what it takes is paid by those of which nothing of use has been counted since their last one
 * (queue_header.useful), or that say to be a fresh copy. A queue that is deferred is not looked at: its
 * notifications are kept, and if there is nothing else, nothing is done. What a program asks for is no
 * driver's turn.
 */
#ifndef SERVICE_ATTEND_H
#define SERVICE_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/queue.h"
#include "abi/service.h"
#include "lib/service/account.h"

/* How often a client looks again in one turn at queues that do not come to rest, before it serves others:
 * attend_again(). */
#define ATTEND_ROUNDS 16

/* ---- one queue ---- */

struct attended {
    struct queue_account account;
    struct queue_header *header; /* NULL: no such queue */
    char driver[SERVICE_NAME_MAX];
    uint64_t said; /* clock: when the log was told that it is deferred; 0: never */
};

void attended_open(struct attended *a, const struct service_queue *where);
/* A look of which nothing came took so long. True: it has to wait, from now on. */
bool attended_pay(struct attended *a, uint64_t ns, uint64_t now);
/* It has waited for ACCOUNT_PAUSE. True: that was enough. */
bool attended_resume(struct attended *a, uint64_t now);

/* ---- all of a client, for the loop ---- */

void attend_queue(const struct service_queue *where); /* again and again, if need be */
/* Notifications have come: those that are to be handled now. */
uint64_t attend_begin(uint64_t bits);
void attend_end(void); /* of each turn */
/* How long to wait at most for the next message, ns; 0: for ever. Queues that have waited long enough are
 * notified by ourselves. */
uint64_t attend_wait(void);

/* ---- and for the client ---- */

/* The queue of that number is not to be looked at now. */
bool attend_defers(uint32_t number);
/* There is more in it already: the notification bit, 0 if it is not to be looked at now. */
uint64_t attend_more(uint32_t number);
/* Of these: look again, but after messages that wait. */
void attend_again(uint64_t bits);

#endif
