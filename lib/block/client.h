/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of a block queue (abi/block_queue.h). To have something done: take a slot with
 * block_slot(), fill in block_request(), block_post(); after the driver's notification
 * block_finished() gives the slots that are done; look at block_status(), then block_free().
 *
 * When the driver dies nothing needs to be done: its successor finds the requests in the queue.
 */
#ifndef BLOCK_CLIENT_H
#define BLOCK_CLIENT_H

#include <stdbool.h>

#include "abi/block_queue.h"
#include "abi/service.h"

struct block_client {
    struct block_queue *queue;
    /* What is asked for. The queue's own are what the driver reads, and it can write there: they are written for
     * each fresh driver once more, and nothing is read from them. */
    struct block_request request[BLOCK_SLOTS];
    uint64_t physical, size; /* of its memory */
    uint32_t used; /* slots */
    uint32_t held; /* of these: done, and not to be looked at until they are posted again */
    uint32_t sequence[BLOCK_SLOTS]; /* as posted; the queue's own could be changed by the driver */
    uint64_t posted_ns[BLOCK_SLOTS]; /* clock */
    uint32_t last; /* sequence */
    bool kick; /* the driver is to be told */
    endpoint_t driver;
    uint32_t incarnation; /* that was seen last; 0: none yet */
    bool fresh; /* of that incarnation nothing has been completed yet */
    bool is_ready; /* the driver may begin */
};

/* Take over a queue: what a predecessor has posted and is not done stays posted, in used slots. */
void block_client_open(struct block_client *c, const struct service_queue *where);
/* The driver may begin: all is set up. */
void block_client_ready(struct block_client *c);
/* A free slot, or -1. */
int block_slot(struct block_client *c);
static inline struct block_request *block_request(struct block_client *c, int slot)
{
    return &c->request[slot];
}
/* Posts it, or posts it again, as block_request() says. */
void block_post(struct block_client *c, int slot, uint64_t now);
/* Tell the driver, when something was posted and it waits. (The kernel call is left to the
 * caller: true: notify c->driver with NOTIFY_BIT_QUEUE.) */
bool block_kick(struct block_client *c);
/* Used slots that are done. Notes a fresh driver, and its first completion for the record. */
uint32_t block_finished(struct block_client *c, uint64_t now);
static inline uint32_t block_status(const struct block_client *c, int slot)
{
    return c->queue->status[slot];
}
void block_free(struct block_client *c, int slot);
/* It is not to be begun any more: BLOCK_ABANDONED. */
void block_abandon(struct block_client *c, int slot);
/* Before sleeping: ask for notifications; false: something is done already. */
bool block_settle(struct block_client *c);

/* Device address of something in the queue's memory. */
static inline uint64_t block_address(const struct block_client *c, const void *at)
{
    return c->physical + (uint64_t)((const uint8_t *)at - (const uint8_t *)c->queue);
}

/* Add memory to a request, joining it to the last segment if it follows that. False: no room. */
bool block_add(struct block_request *r, uint64_t address, uint32_t length);

/* The errno for enum block_status. */
int block_error(uint32_t status);

#endif
