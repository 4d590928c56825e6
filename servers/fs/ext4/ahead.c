/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/ext4/ahead.h"

enum {
    STREAMS = 16, /* files that are read at the same time */
    WINDOW_MIN = 128 << 10,
    WINDOW_MAX = 2 << 20,
};

static struct stream {
    uint32_t inode;
    uint64_t next; /* offset where the reader goes on, if it reads in order */
    uint64_t started; /* offset up to which reading has been started */
    uint32_t window; /* bytes */
    uint64_t used;
} streams[STREAMS];

static struct stream *stream_of(uint32_t inode)
{
    static uint64_t uses;
    struct stream *s = streams;

    for (struct stream *other = streams; other < streams + STREAMS; other++) {
        if (other->inode == inode) {
            s = other;
            break;
        }
        if (other->used < s->used)
            s = other;
    }
    if (s->inode != inode)
        *s = (struct stream){.inode = inode};
    s->used = ++uses;
    return s;
}

static uint64_t round_up(uint64_t n)
{
    return (n + volume.block_size - 1) & ~(uint64_t)(volume.block_size - 1);
}

static void start(struct inode *i, uint64_t from, uint64_t end)
{
    uint64_t logical = from >> volume.block_shift, last = round_up(end) >> volume.block_shift;

    while (logical < last) {
        struct extent_map map;

        if (extent_find(i, (uint32_t)logical, (uint32_t)(last - logical), &map) != 0)
            return;
        for (uint32_t n = 0; map.physical && !map.unwritten && n < map.count; n++)
            block_ahead(map.physical + n, KIND_DATA);
        logical += map.count;
    }
}

void read_ahead(struct inode *i, uint64_t offset, uint64_t end)
{
    uint64_t size = round_up(inode_size(i)), limit = (uint64_t)box->buffers * volume.block_size / 4;
    struct stream *s = stream_of(i->number);

    if (offset <= s->next && s->next <= end && s->started >= offset) { /* in order, or run again */
        if (s->started < end + s->window / 2 && s->started < size) {
            uint64_t to;

            s->window = s->window ? 2 * s->window : WINDOW_MIN;
            if (s->window > WINDOW_MAX)
                s->window = WINDOW_MAX;
            if (s->window > limit)
                s->window = (uint32_t)limit;
            to = end + s->window < size ? end + s->window : size;
            start(i, s->started, to);
            s->started = round_up(to);
        }
    } else {
        s->window = offset == 0 ? WINDOW_MIN : 0;
        s->started = round_up(end + s->window < size ? end + s->window : size);
        start(i, offset, s->started);
    }
    s->next = end;
}
