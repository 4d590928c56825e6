/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/log/ring.h"

#include <string.h>

void ring_add(struct ring *r, uint64_t position, const uint8_t *bytes, size_t count)
{
    if (position != r->end)
        r->begin = r->end = position;
    if (count > RING_SIZE) {
        bytes += count - RING_SIZE;
        r->end += count - RING_SIZE;
        count = RING_SIZE;
    }
    for (size_t piece; count != 0; count -= piece, bytes += piece, r->end += piece) {
        size_t straight = RING_SIZE - r->end % RING_SIZE;

        piece = count < straight ? count : straight;
        memcpy(r->bytes + r->end % RING_SIZE, bytes, piece);
    }
    if (r->end - r->begin > RING_SIZE)
        r->begin = r->end - RING_SIZE;
}

/* Behind the next newline from `position` on, or the end. */
static uint64_t next_record(const struct ring *r, uint64_t position)
{
    while (position != r->end && r->bytes[position++ % RING_SIZE] != '\n')
        ;
    return position;
}

size_t ring_read(const struct ring *r, uint64_t *position, uint8_t *to, size_t room)
{
    uint64_t at = *position, end, last = 0;

    if (at > r->end)
        at = r->end;
    if (at < r->begin)
        at = r->begin == 0 ? 0
                           : next_record(r, r->begin); /* the first may have lost its beginning */
    *position = at;
    end = r->end - at < room ? r->end : at + room;
    for (uint64_t k = at; k != end; k++) {
        to[k - at] = r->bytes[k % RING_SIZE];
        if (to[k - at] == '\n')
            last = k + 1;
    }
    if (last == 0)
        last = end;
    *position = last;
    return (size_t)(last - at);
}
