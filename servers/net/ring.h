/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of a network queue (abi/queue.h): which buffer is where, and what of it to
 * believe. Free of kernel calls, so that the unit tests run it on the host.
 *
 * Of the shared memory only `completed`, `length` and `status` are read, and checked; posted
 * indices, buffers and sizes are kept here as well. The driver broke the rules: -ERANGE, its index
 * is beyond what was posted; -EMSGSIZE, a frame is longer than its buffer; -EPROTO, there is no such
 * status. Then ring_repair() writes our truth over it, for the next incarnation to find.
 *
 * Receive: buffers 0..255 are free, posted, or held by whoever took a frame.
 *
 *     receive_look(); while (receive_take()) { use; receive_give() at any later time }
 *     receive_post();
 *     if (receive_publish()) notify the driver;
 *
 * Transmit: the buffer of entry k is k modulo 256.
 *
 *     while ((to = transmit_buffer())) { fill; transmit_add(); }
 *     if (transmit_publish()) notify the driver;
 */
#ifndef NET_RING_H
#define NET_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/queue.h"

struct receive_ring {
    struct net_queue *queue;
    uint32_t taken; /* entries below have been taken */
    uint32_t seen; /* entries below are completed, as last looked */
    uint32_t published; /* the driver knows of entries below */
    uint32_t posted; /* entries below have a buffer */
    uint16_t buffer[NET_RING_SIZE]; /* by slot: which one we posted there */
    uint16_t free[NET_RING_SIZE]; /* a stack */
    uint32_t free_count;
    uint64_t bad; /* frames that the driver marked as damaged, or that never came */
};

struct transmit_ring {
    struct net_queue *queue;
    uint32_t done; /* entries below are completed */
    uint32_t published; /* the driver knows of entries below */
    uint32_t posted; /* entries below are filled in */
    uint16_t size[NET_RING_SIZE]; /* by slot */
};

/*
 * Takes the queue over: one that an earlier incarnation of ours left goes on where it was, another,
 * or one that makes no sense, begins anew: then the result is false.
 */
bool ring_open(struct receive_ring *r, struct transmit_ring *t, struct net_queue *queue);
/* Writes our own truth into the queue, the driver's index, too. */
void ring_repair(struct receive_ring *r, const struct transmit_ring *t);
/* The same of what only we write: that may be done under a driver that is at work. */
void ring_claim(const struct receive_ring *r, const struct transmit_ring *t);

/* Takes notice of what is completed: how many frames can be taken, or -ERANGE. */
int receive_look(struct receive_ring *r);
/* The next frame: its buffer's number (>= 0) and *length; -EAGAIN: no more seen; -EMSGSIZE,
 * -EPROTO. */
int receive_take(struct receive_ring *r, uint32_t *length);
void receive_give(struct receive_ring *r, unsigned buffer);
uint8_t *receive_memory(const struct receive_ring *r, unsigned buffer);
/* How many buffers are neither free nor posted. */
uint32_t receive_held(const struct receive_ring *r);
/* Posts all free buffers. */
void receive_post(struct receive_ring *r);
/* Tells the driver of them. True: it waits for them. (This and transmit_publish() are output: after the
 * commit, and twice if need be; see service_table.publish.) */
bool receive_publish(struct receive_ring *r);
/* Says whether the driver shall notify us. When it shall: true when there is something already. */
bool receive_wait(struct receive_ring *r, bool wait);

/* How many entries were completed since, or -ERANGE. */
int transmit_reap(struct transmit_ring *t);
/* Room for the next frame (NET_BUFFER_ROOM bytes); NULL: the ring is full. */
uint8_t *transmit_buffer(const struct transmit_ring *t);
void transmit_add(struct transmit_ring *t, uint32_t size);
/* Tells the driver. True: it waits for a notification. */
bool transmit_publish(struct transmit_ring *t);
/* Says whether the driver shall notify us of completions; true: there are some already. */
bool transmit_wait(struct transmit_ring *t, bool wait);

#endif
