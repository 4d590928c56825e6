/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes of files, disks and devices in parts, so that what a server does at
 * a time is bounded, and others are served in between. The program notices nothing: what is written
 * by one call lies together, as Linux has it. So who writes in parts writes alone, and other writes
 * of that file wait; those that are at a position or append, and fit into one request, only wait for
 * the former.
 */
#include "servers/vfs/parts.h"

#include <fcntl.h>

enum {
    PART = 1 << 20,
    PART_DEVICE = 1 << 16, /* random numbers cost eighty times what copying does */
    BYTES_MAX = 0x7ffff000 /* of one call, as in Linux */
};

static struct writing *writings; /* on the stacks of those who write */
static struct wait_queue ended;

static bool others_write(const struct writing *w, bool alone)
{
    const struct writing *other;

    list_for(other, writings, next) if (other != w && other->server == w->server &&
                                        other->node == w->node &&
                                        other->alone == alone) return true;
    return false;
}

static long wait_for_others(struct client *c, const struct writing *w, bool alone)
{
    long result = 0;

    while (result == 0 && others_write(w, alone))
        result = wait_on(c, &ended, WAIT_FOREVER);
    return result;
}

long writing_wait(struct client *c, struct server *s, uint64_t node)
{
    return wait_for_others(c, &(struct writing){.server = s, .node = node}, true);
}

/* Who will be alone is in the list while it waits, or it might wait for ever. */
long writing_begin(struct client *c, struct writing *w, const struct file *f, bool alone)
{
    long result;

    *w = (struct writing){.server = f->server, .node = f->lock_node, .alone = alone};
    result = wait_for_others(c, w, true);
    if (result)
        return result;
    list_put(writings, w, next);
    result = alone ? wait_for_others(c, w, false) : 0;
    if (result)
        writing_end(w);
    return result;
}

void writing_end(struct writing *w)
{
    list_take(writings, w, next);
    if (ended.first)
        wake_all(&ended);
}

static uint64_t part_of(const struct file *f)
{
    return S_ISCHR(f->mode) ? PART_DEVICE : PART;
}

bool parts_needed(const struct file *f, const struct segments *s)
{
    return s->left > part_of(f) && !S_ISSOCK(f->mode);
}

bool server_counts(const struct file *f, bool write)
{
    return write ? (f->flags & O_APPEND) : S_ISCHR(f->mode);
}

static void advance(struct segments *s, uint64_t bytes)
{
    s->segment[s->at].address += bytes;
    s->segment[s->at].length -= bytes;
    s->left -= bytes;
}

/* Until one part is short. The first may wait; what comes after it does not, of a file. */
long parts_do(struct client *c, struct file *f, struct segments *s, bool write, uint64_t *offset)
{
    bool append = write && (f->flags & O_APPEND);
    uint64_t done = 0, most = part_of(f);
    long result = 0;

    while (s->left && done < BYTES_MAX && !(done && c->exiting)) {
        struct segment *g = &s->segment[s->at];
        uint64_t part = g->length < most ? g->length : most;
        struct message m;
        const struct file_transfer_reply *reply = message_words(&m);

        if (!part) {
            s->at++;
            continue;
        }
        part = part < s->left ? part : s->left; /* a limit has cut it */
        part = part < BYTES_MAX - done ? part : BYTES_MAX - done;
        m = message_of(write ? FILE_WRITE : FILE_READ,
                       (struct file_transfer_request){.node = f->node,
                                                      .address = g->address,
                                                      .length = part,
                                                      .offset = *offset,
                                                      .flags = f->flags | drops_ids(c),
                                                      .back = FILE_BACK});
        result = remote_ask(c, f, &m, append ? ONCE : AGAIN);
        if (result <= 0)
            break;
        *offset = server_counts(f, write) ? reply->position : *offset + (uint64_t)result;
        done += (uint64_t)result;
        advance(s, (uint64_t)result);
        if ((uint64_t)result < part)
            break;
        if (s->left)
            wait_briefly(c); /* or no program would run until the last part is done */
    }
    return done ? (long)done : result;
}
