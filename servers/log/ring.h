/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last bytes of a stream of records, each ending in a newline. Positions are free-running, from
 * the stream's beginning: the same as the kernel's, so they stay good when the server is replaced.
 * Pure logic.
 */
#ifndef LOG_RING_H
#define LOG_RING_H

#include <stddef.h>
#include <stdint.h>

#define RING_SIZE (256u * 1024)

struct ring {
    uint64_t begin, end; /* positions of what is kept */
    uint8_t bytes[RING_SIZE];
};

/* Bytes that begin at `position`. A gap before them (the source has overrun) drops all that is
 * older. */
void ring_add(struct ring *r, uint64_t position, const uint8_t *bytes, size_t count);

/*
 * Copies whole records (or the first part of one that is longer than room) from *position on, which
 * first moves forward to the oldest record that is still there, and then behind what was copied.
 * Returns the number of bytes; 0: nothing new.
 */
size_t ring_read(const struct ring *r, uint64_t *position, uint8_t *to, size_t room);

#endif
