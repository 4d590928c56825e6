/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors on their way in messages. Each is a reference to an open file, held by a queue. A
 * socket that is itself on its way may hold the only references to others, and they to it: such
 * circles are found when a socket ends while others are on their way, and when one has references from queues
 * alone. What a call has that sends it, and perhaps waits, is in no queue yet.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "servers/vfs/unix.h"

static unsigned sockets_in_flight;
static struct unix_rights *todo; /* what is to be dropped by who is at work */
static bool at_work, circles_wanted;

/* With room for `count` files, all of which are taken from the sender's share at once. */
static struct unix_rights *rights_new(struct share *share, unsigned count)
{
    struct unix_rights *r = malloc(sizeof *r + count * sizeof *r->file);

    if (r)
        *r = (struct unix_rights){.share = share, .taken = count};
    else
        share_give(share, SHARE_RIGHTS, count);
    return r;
}

void rights_queued(const struct unix_rights *r, int change)
{
    for (unsigned i = 0; r && i < r->count; i++) {
        struct unix_socket *s = unix_of(r->file[i]);

        if (!s)
            continue;
        s->in_flight += (unsigned)change;
        sockets_in_flight += (unsigned)change;
    }
}

static void add(struct unix_rights *r, struct file *f)
{
    file_get(f);
    r->file[r->count++] = f;
}

/* The share is charged for all at once, before any is taken: when there is too little, circles that
 * nobody can reach may give some back. That may wait, and the share may be gone meanwhile, so it is
 * looked up again. */
long rights_collect(struct client *c, uint64_t address, unsigned n, struct unix_rights **out)
{
    struct share *share = share_of(c->uid);
    struct unix_rights *r;
    long result = 0;

    if (!share_take(share, SHARE_RIGHTS, n)) {
        rights_clean(c); /* which may wait */
        share = share_of(c->uid);
        if (!share_take(share, SHARE_RIGHTS, n))
            return -ETOOMANYREFS;
    }
    r = rights_new(share, n);
    if (!r)
        return -ENOMEM;
    for (unsigned i = 0; i < n && result == 0; i++) {
        int fd;
        struct file *f = NULL;

        result = user_read(c, address + i * sizeof fd, &fd, sizeof fd);
        if (result == 0)
            f = fd_file(c, (uint32_t)fd);
        if (f)
            add(r, f);
        else
            result = result ? result : -EBADF;
    }
    if (result)
        rights_drop(c, r);
    else
        *out = r;
    return result;
}

struct unix_rights *rights_copy(const struct unix_rights *from)
{
    struct unix_rights *r;

    share_take_anyway(from->share, SHARE_RIGHTS, from->count); /* for the moment */
    r = rights_new(from->share, from->count);
    for (unsigned i = 0; r && i < from->count; i++)
        add(r, from->file[i]);
    return r;
}

unsigned rights_install(struct client *c, struct unix_rights *r, int *fds, unsigned room,
                        uint32_t flags)
{
    unsigned n = 0;

    while (n < r->count && n < room) {
        long fd;

        file_get(r->file[n]);
        fd = fd_install(c, r->file[n], 0, flags);
        if (fd < 0)
            break;
        fds[n++] = (int)fd;
    }
    rights_drop(c, r);
    return n;
}

/* ---- circles ---- */

static void reach(struct unix_socket *s, struct unix_socket **ahead)
{
    if (!s || s->reached)
        return;
    s->reached = true;
    s->next_reached = *ahead;
    *ahead = s;
}

static void reach_from(struct unix_socket *s, struct unix_socket **ahead)
{
    for (const struct unix_record *r = list_at(s->queue.first); r; r = list_at(r->next))
        for (unsigned i = 0; r->rights && i < r->rights->count; i++)
            reach(unix_of(r->rights->file[i]), ahead);
    for (struct unix_socket *p = list_at(s->pending); p; p = list_at(p->next_pending))
        reach(p, ahead);
}

/* Behind what is there; the end of it all. */
static struct unix_rights **append(struct unix_rights **end, struct unix_rights *r)
{
    *end = r;
    while (list_at(*end))
        end = &(*end)->next;
    return end;
}

/* (Marks are made anew each time, so there is nothing to be undone; and they are many.) */
static void mark_reached(void)
{
    struct unix_socket *ahead = NULL;

    for (struct unix_socket *s = unix_all(); s; s = list_at(s->next))
        s->reached = false;
    for (struct unix_socket *s = unix_all(); s; s = list_at(s->next))
        if (s->file && s->file->references > s->in_flight)
            reach(s, &ahead);
    while (ahead) {
        struct unix_socket *s = ahead;

        ahead = s->next_reached;
        reach_from(s, &ahead);
    }
}

/* What is in queues that nobody can reach is to be dropped: true, there is some. */
static bool find_circles(void)
{
    struct unix_rights *dead = NULL, **end = &dead;

    if (!circles_wanted)
        return false;
    circles_wanted = false;
    if (!sockets_in_flight)
        return false;
    mark_reached();
    for (struct unix_socket *s = unix_all(); s; s = list_at(s->next))
        if (!s->reached)
            end = append(end, queue_empty(&s->queue));
    *end = todo;
    todo = dead;
    return todo != NULL;
}

/* ---- dropping ---- */

static void drop_one(struct client *c, struct unix_rights *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        file_put(c, r->file[i]);
        if (c)
            wait_turn(c);
    }
    if (r->taken)
        share_give(r->share, SHARE_RIGHTS, r->taken);
    free(r);
}

/* To close one file may drop others: they wait for their turn here, however deep they are one in
 * the other; and circles are looked for when all are closed, since that is to go through all sockets
 * there are. Meanwhile others have their turn, and leave here what they drop. */
void rights_drop(struct client *c, struct unix_rights *r)
{
    while (r) {
        struct unix_rights *next = list_at(r->next);

        list_put(todo, r, next);
        r = next;
    }
    if (at_work)
        return;
    at_work = true;
    do
        while (list_at(todo)) {
            r = todo;
            todo = list_at(r->next);
            drop_one(c, r);
        }
    while (find_circles());
    at_work = false;
}

void unix_still_referenced(struct client *c, const struct file *f)
{
    const struct unix_socket *s = unix_of(f);

    if (s && s->in_flight == f->references)
        rights_clean(c);
}

void rights_clean(struct client *c)
{
    circles_wanted = true;
    rights_drop(c, NULL);
}
