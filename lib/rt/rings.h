/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's log and trace, for whose manifest says `reads log`, `reads trace` (others have
 * nothing mapped there). Both copy what there is from a position on, at most `room` bytes or events,
 * and return how many; *first: the position of the first, later than asked for when the ring has
 * overrun. 0: nothing new. -EINVAL: a position beyond the end.
 */
#ifndef RT_RINGS_H
#define RT_RINGS_H

#include <stddef.h>

#include "abi/kernel.h"

long log_ring_read(uint64_t position, void *bytes, size_t room, uint64_t *first);
long trace_ring_read(uint64_t position, struct trace_event *events, size_t room, uint64_t *first);

const char *trace_kind_name(uint32_t kind); /* enum trace_kind, in a word; "?": none of them */

#endif
