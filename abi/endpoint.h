/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An endpoint names one incarnation of one process: slot + generation. Each reuse of a slot has a
 * new generation, so whoever holds the endpoint of a dead process gets -EDEADSRCDST and never a
 * stranger.
 */
#ifndef ABI_ENDPOINT_H
#define ABI_ENDPOINT_H

#include <stdint.h>

typedef int32_t endpoint_t;

#define ENDPOINT_SLOT_BITS 10
#define ENDPOINT_SLOTS (1 << ENDPOINT_SLOT_BITS) /* slots in the system, slot 0 is the kernel */
#define ENDPOINT_GENERATIONS (1 << (30 - ENDPOINT_SLOT_BITS))

#define ENDPOINT_KERNEL 0 /* source of kernel-made messages; no slot */
#define ENDPOINT_ANY (-1) /* receive() filter: from anybody */
#define ENDPOINT_SELF (-2) /* in kernel calls that take an endpoint: the caller itself */

static inline endpoint_t endpoint_make(unsigned slot, unsigned generation)
{
    return (endpoint_t)(generation << ENDPOINT_SLOT_BITS | slot);
}

static inline unsigned endpoint_slot(endpoint_t e)
{
    return (unsigned)e & (ENDPOINT_SLOTS - 1);
}

static inline unsigned endpoint_generation(endpoint_t e)
{
    return (unsigned)e >> ENDPOINT_SLOT_BITS;
}

#endif
