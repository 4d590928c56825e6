/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a pipe or stream: a ring that is as big as what waits in it needs, from RING_START,
 * which it has from its beginning to its end, so that it goes on when there is no memory any more,
 * up to its limit. What is beyond RING_START is taken from its user's share. The bytes lie in a vault
 * (lib/vault): VFS has them copied, and can do nothing else with them. Tested on the host.
 */
#ifndef VFS_RING_H
#define VFS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/undo/undo.h"
#include "lib/vault/pages.h"
#include "servers/vfs/share.h"

#define RING_START 4096u
#define RING_LIMIT 65536u /* as Linux's pipes */
#define RING_LIMIT_MAX (1u << 20)

struct ring {
    struct run first; /* RING_START bytes */
    struct run more; /* those in use when size is more; without a slab: a region of its own */
    uint32_t size, limit; /* powers of two, of RING_START and more */
    struct share *share; /* whose it is */
    uint64_t head, tail; /* free-running: read at head, write at tail */
    uint64_t
        given; /* the step (ring_step_end()) in which room was last gained that was in use when it began */
};

bool ring_init(struct ring *r, struct share *share); /* false: no memory */
void ring_free(struct ring *r);
static inline size_t ring_used(const struct ring *r)
{
    undo_verify_word(&r->head);
    undo_verify_word(&r->tail);
    return (size_t)(r->tail - r->head);
}
static inline size_t ring_room(const struct ring *r)
{
    return r->limit - ring_used(r);
}

/* The next contiguous bytes to read, at most n: their number. */
size_t ring_readable(const struct ring *r, size_t offset, size_t n, const uint8_t **at);
/* The next contiguous room to write n bytes into, growing if that helps: its size; 0: full.
 * What this step has taken from there before comes back if it is undone. */
size_t ring_writable(struct ring *r, size_t n, uint8_t **at);
/* Room for n bytes (<= ring_room()) without a failure halfway. false: no memory. */
bool ring_reserve(struct ring *r, size_t n);
void ring_retract(struct ring *r, size_t n); /* the last n bytes that were produced are not there */
void ring_consume(struct ring *r, size_t n); /* an empty one gives memory back */
void ring_produce(struct ring *r, size_t n);
void ring_step_end(void); /* what comes now is another step (lib/undo) */
/* A new limit, rounded up to a power of two: false: more than that is in it, or beyond
 * RING_LIMIT_MAX. */
bool ring_set_limit(struct ring *r, size_t limit);

#endif
