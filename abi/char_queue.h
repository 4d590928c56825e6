/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue between tty or lp and a driver of characters (uart, printer): two rings of bytes. As with
 * abi/queue.h, RS makes the memory before the driver's first start (manifest: `queue 64K tty`), it
 * belongs to the client, and it outlives every incarnation of both sides.
 *
 * Each ring has one who writes and one who takes: of `receive` the driver writes, of `transmit` the
 * client. Indices are free-running; byte k is at bytes[k % size]. Fill in the bytes, then publish
 * `written`; read `written`, then the bytes, then publish `taken`. Each advance is one store, so
 * either side may die between any two instructions:
 *   - sent to the chip, but `taken` not yet advanced: those few bytes (one burst) are sent again.
 * None in the ring is ever lost;
 *     A driver that `starts over` (a printer's) sends nothing of what its predecessor was given: the
 *     client takes back what was not taken, tells the program, and names the new taker.
 *   - read from the chip, but `written` not yet advanced: those are lost, at most what the chip's
 * FIFO holds.
 *
 * Trust: each side keeps its own copy of the index that it writes and checks written - taken <=
 * size on every look. A driver that finds the rule broken exits; a client that does complains of
 * the driver (COMPLAINT_PROTOCOL) and goes on from its own index.
 *
 * Waking: before it sleeps, a side sets its flag of the ring (`taker_waits`: for bytes;
 * `writer_waits`: for room), then looks at the index once more. The other side publishes its index,
 * then looks at the flag; when it is set, it clears it and notifies: the driver by
 * NOTIFY_BIT_QUEUE, the client by NOTIFY_BIT_PEER + number. Both need a full barrier between the
 * two, which char_ring_wait() and char_ring_wake() have.
 *
 * The test of a device that can send to itself (`can_test`): nothing on a line of characters tells
 * whether they are right, or whether any should come, so a driver that loses them, or stores them
 * in the wrong place, looks like a line at rest. The client puts bytes into the transmit ring, behind
 * all that is to be sent, but does not publish them there: they are between `test.transmit.taken`
 * and `written`. It sets the
 * indices of `test.receive`, counts up `asked` and notifies; the driver carries them through the
 * device and into the receive ring of `test`, with the same code as all others, says in `result` how
 * it went, sets `told` to `asked` and notifies. The client judges: what it has put in must have come
 * back, in order, and `ring_at` be the ring that the client looks at, since a test has its own. What has come from outside in the meantime may stand between; the
 * driver hands that on in the ordinary ring. A driver that dies in a test leaves it undone, its
 * successor says so at once (CHAR_TEST_BUSY).
 */
#ifndef ABI_CHAR_QUEUE_H
#define ABI_CHAR_QUEUE_H

#include <stddef.h>

#include "abi/queue.h"

#define CHAR_QUEUE_MAGIC 0x51524843u /* "CHRQ" */
#define CHAR_RECEIVE_SIZE 0x4000u /* bytes; powers of two */
#define CHAR_TRANSMIT_SIZE 0x8000u
#define CHAR_TEST_SIZE 128u

struct char_ring {
    _Alignas(64) uint32_t written; /* by the writer */
    uint32_t writer_waits; /* for room; set by the writer, cleared by the taker */
    _Alignas(64) uint32_t taken; /* by the taker */
    uint32_t taker_waits; /* for bytes; set by the taker, cleared by the writer */
};

enum char_test_result {
    CHAR_TEST_DONE, /* what has come back is in the ring */
    CHAR_TEST_BUSY, /* not now: the device is still sending, or something waits for room */
};

struct char_test {
    _Alignas(64) uint32_t asked; /* by the client */
    /* by the driver */
    _Alignas(64) uint32_t told;
    uint32_t result; /* enum char_test_result */
    uint32_t can_test; /* 0: such a device has no test, `asked` is not looked at */
    uint32_t dry; /* counts: the device had nothing more to receive */
    uint32_t ring_at; /* where in the queue the ring is into which it receives outside of tests */
    uint8_t receive_bytes[CHAR_TEST_SIZE]; /* (char_blank() before: by the client) */
    struct char_ring transmit, receive; /* nobody waits for them; transmit: of the queue's bytes */
};

struct char_queue {
    struct queue_header header; /* errors: bytes that the device says it lost or got damaged */
    struct char_ring receive, transmit;
    /* by the client */
    _Alignas(64) uint32_t taker; /* the incarnation for which the bytes in the transmit ring are,
                                    where a driver starts over: another takes none */
    uint32_t status_asked; /* counted up and notified: what is the device's status now? */
    /* by the driver */
    _Alignas(64) uint32_t status_told; /* status_asked, once `status` is the answer */
    uint32_t status; /* a printer's: its status register */
    struct char_test test;
    _Alignas(4096) uint8_t receive_bytes[CHAR_RECEIVE_SIZE];
    uint8_t transmit_bytes[CHAR_TRANSMIT_SIZE];
};
#define CHAR_QUEUE_BYTES sizeof(struct char_queue)

_Static_assert(sizeof(struct char_queue) <= 0x10000, "fits 64K");

/* What the client leaves in place `at` of a receive ring once it has taken what was there: a driver
 * that says that more has come than it has stored, or stores it elsewhere, hands on that. The key is
 * the client's own: who sends at the other end of a line must not know what it would have to send
 * to make a healthy driver look ill. (Mixed as in a hash, so that to guess a part of the key is of
 * no use.) */
static inline uint8_t char_blank(uint32_t key, uint32_t at)
{
    uint32_t x = key ^ at % CHAR_RECEIVE_SIZE;

    x = (x ^ x >> 16) * 0x9e3779b1u;
    x = (x ^ x >> 15) * 0x9e3779b1u;
    return (uint8_t)(x >> 24);
}

/* Bytes in the ring, as one side sees it that has `own` for its index; -1: the other side broke the
 * rules. */
static inline int64_t char_ring_filled(uint32_t written, uint32_t taken, uint32_t size)
{
    return written - taken <= size ? (int64_t)(written - taken) : -1;
}

/* Bytes from index k on that lie in one piece, of `count` wanted. */
static inline uint32_t char_ring_piece(uint32_t k, uint32_t count, uint32_t size)
{
    uint32_t straight = size - k % size;

    return count < straight ? count : straight;
}

/* Before sleeping: set our flag, then (the caller) look at the index again. */
static inline void char_ring_wait(uint32_t *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
    /* the flag before the index: the other side does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* After publishing an index: does the other side wait for it? Clears the flag: then it must be
 * notified. */
static inline int char_ring_wake(uint32_t *flag)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the index before the flag */
    if (!__atomic_load_n(flag, __ATOMIC_RELAXED))
        return 0;
    __atomic_store_n(flag, 0, __ATOMIC_RELAXED);
    return 1;
}

#endif
