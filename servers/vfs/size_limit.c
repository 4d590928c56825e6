/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/size_limit.h"

#include <fcntl.h>
#include <signal.h>

/* Files of /proc do not grow by what is written to them: no limit of size is theirs, as in Linux. */
bool size_limit_near(const struct client *c, const struct file *f, uint64_t offset,
                     const struct segments *s)
{
    uint64_t limit = c->files->size_limit;

    if (limit == UINT64_MAX || !S_ISREG(f->mode) || f->server->calls_us)
        return false;
    return (f->flags & O_APPEND) || offset >= limit || s->left > limit - offset;
}

static long exceeded(struct client *c)
{
    return signal_with_result(c, SIGXFSZ, -EFBIG);
}

static inline long size_of(struct client *c, struct server *s, uint64_t node, uint64_t *size)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result = ask(c, s, &m, AGAIN);

    *size = r->size;
    return result;
}

long size_limit_write(struct client *c, struct file *f, uint64_t offset, struct segments *s)
{
    uint64_t limit = c->files->size_limit;
    long result = 0;

    if (!s->left)
        return 0;
    if (f->flags & O_APPEND)
        result = size_of(c, f->server, f->node, &offset);
    if (result)
        return result;
    if (offset >= limit)
        return exceeded(c);
    if (s->left > limit - offset)
        s->left = limit - offset;
    return 0;
}

long size_limit_grow(struct client *c, struct server *s, uint64_t node, uint64_t length)
{
    uint64_t size;
    long result;

    if (length <= c->files->size_limit || s->calls_us)
        return 0;
    result = size_of(c, s, node, &size);
    if (result)
        return result;
    return size < length ? exceeded(c) : 0;
}
