/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue between fs/dev and a driver of a device that gives randomness. As with abi/queue.h, RS
 * makes the memory before the driver's first start (manifest: `queue 16K dev`), it belongs to the
 * client, and it outlives every incarnation of both sides.
 *
 * There is one request: the client stores a fresh number in `posted`, and notifies the driver. The
 * driver lets its device fill `bytes`, says in `length` how many it has written, stores the same
 * number in `completed`, and notifies the client, which takes them before it posts again. Each is
 * one store, so either side may die between any two instructions: a fresh driver finds the request
 * that is not completed and has it filled (again), a fresh client the number that it goes on from.
 *
 * Trust: the client believes nothing. Whatever the bytes are, its pool of randomness is not worth
 * less for them (lib/random/pool.h).
 */
#ifndef ABI_ENTROPY_QUEUE_H
#define ABI_ENTROPY_QUEUE_H

#include "abi/queue.h"

#define ENTROPY_QUEUE_MAGIC 0x51544e45u /* "ENTQ" */
#define ENTROPY_BYTES 64u
#define ENTROPY_CHIP_OFFSET 0x400u /* the driver's own rings; see abi/queue.h */

struct entropy_queue {
    struct queue_header header;
    _Alignas(64) uint32_t posted; /* by the client */
    _Alignas(64) uint32_t completed; /* by the driver */
    uint32_t length; /* by the driver: 0..ENTROPY_BYTES */
    _Alignas(64) uint8_t bytes[ENTROPY_BYTES]; /* by the device */
};
_Static_assert(sizeof(struct entropy_queue) <= ENTROPY_CHIP_OFFSET, "fits before the chip's rings");

#endif
