/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/segments.h"

#include <signal.h>
#include <stdlib.h>

enum { SEGMENTS_MAX = 1024 };

long segments_begin(struct client *c, struct segments *s, const struct io *io)
{
    *s = (struct segments){.count = 1, .one = {io->address, io->length}};
    s->segment = &s->one;
    if (io->vector) {
        if (io->length > SEGMENTS_MAX)
            return -EINVAL;
        s->count = (unsigned)io->length;
        s->segment = malloc((io->length + 1) * sizeof *s->segment);
        if (!s->segment)
            return -ENOMEM;
        if (io->length && user_read(c, io->address, s->segment, io->length * sizeof *s->segment))
            return -EFAULT;
    }
    for (unsigned i = 0; i < s->count; i++) {
        if (s->segment[i].length > INT64_MAX - s->left)
            return -EINVAL;
        s->left += s->segment[i].length;
    }
    return 0;
}

void segments_end(struct segments *s)
{
    if (s->segment != &s->one)
        free(s->segment);
    s->segment = &s->one;
}

static long write_piece(struct client *c, uint64_t address, void *local, size_t n)
{
    return user_write(c, address, local, n);
}

static long move(struct client *c, struct segments *s, void *local, size_t n,
                 long (*piece)(struct client *, uint64_t, void *, size_t))
{
    struct segments was = *s;
    struct segment first = s->at < s->count ? s->segment[s->at] : (struct segment){0};

    while (n) {
        struct segment *g = &s->segment[s->at];
        size_t part = n < g->length ? n : g->length;

        if (part == 0) {
            s->at++;
            continue;
        }
        if (piece(c, g->address, local, part)) {
            s->segment[was.at] = first;
            s->at = was.at;
            s->left = was.left;
            return -EFAULT;
        }
        g->address += part;
        g->length -= part;
        s->left -= part;
        local = (char *)local + part;
        n -= part;
    }
    return 0;
}

long segments_read(struct client *c, struct segments *s, void *local, size_t n)
{
    return move(c, s, local, n, user_read);
}

long segments_read_vault(struct client *c, struct segments *s, void *vault, size_t n)
{
    return move(c, s, vault, n, user_read_vault);
}

long segments_write(struct client *c, struct segments *s, const void *local, size_t n)
{
    return move(c, s, (void *)(uintptr_t)local, n, write_piece);
}

long segments_broken(struct client *c, long done)
{
    return signal_with_result(c, SIGPIPE, done ? done : -EPIPE);
}
