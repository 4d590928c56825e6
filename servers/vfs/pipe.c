/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes and FIFOs (pipe(7), fifo(7)). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/vfs/ring.h"
#include "servers/vfs/segments.h"

enum { PIPE_ATOMIC = 4096 }; /* PIPE_BUF */

struct pipe {
    struct ring ring;
    unsigned readers, writers; /* open files of each end */
    unsigned opened_reading, opened_writing; /* ever: for FIFOs that wait for the other end */
    struct wait_queue changed; /* everybody who waits for either end */
    struct file *files; /* all open files of it, for their pollers */
    struct server *server; /* FIFO: its inode */
    uint64_t node;
    struct pipe *next; /* of the FIFOs */
};

struct end { /* file->local */
    struct pipe *pipe;
    struct file *next; /* of pipe->files */
};

_Static_assert(offsetof(struct pipe, readers) % 8 == 0, "a word is verified");

static struct pipe *fifos;

static struct end *end_of(const struct file *f)
{
    return f->local;
}

static struct pipe *pipe_of(const struct file *f)
{
    struct pipe *p = end_of(f)->pipe;

    undo_verify_word(&p->readers); /* and the writers */
    return p;
}

static bool is_reader(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool is_writer(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

enum { FOR_READERS = 1, FOR_WRITERS = 2 };

/* Only those pollers for whom it is news: edge-triggered ones would take it for an edge. */
static void changed(struct pipe *p, unsigned whom)
{
    wake_all(&p->changed);
    for (struct file *f = list_at(p->files); f; f = list_at(end_of(f)->next))
        if ((is_reader(f) && (whom & FOR_READERS)) || (is_writer(f) && (whom & FOR_WRITERS)))
            wake_all(&f->pollers);
}

/* ---- reading and writing ---- */

static long pipe_read(struct client *c, struct file *f, struct segments *s)
{
    struct pipe *p = pipe_of(f);
    long done = 0, result;

    if (s->left == 0)
        return 0;
    while (ring_used(&p->ring) == 0) {
        if (p->writers == 0)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        result = wait_on(c, &p->changed, WAIT_FOREVER);
        if (result)
            return result;
    }
    while (s->left) {
        const uint8_t *at;
        size_t n = ring_readable(&p->ring, 0, s->left, &at);

        if (n == 0)
            break;
        result = segments_write(c, s, at, n);
        if (result)
            return done ? done : result;
        ring_consume(&p->ring, n);
        done += (long)n;
    }
    changed(p, FOR_WRITERS);
    return done;
}

/* As much as there is room for now: bytes, or -EFAULT. */
static long put(struct client *c, struct pipe *p, struct segments *s)
{
    long done = 0;

    while (s->left) {
        uint8_t *at;
        size_t n = ring_writable(&p->ring, s->left, &at);

        if (n == 0)
            break;
        if (segments_read_vault(c, s, at, n))
            return done ? done : -EFAULT;
        ring_produce(&p->ring, n);
        done += (long)n;
    }
    return done;
}

static long broken(struct client *c, long done)
{
    return segments_broken(c, done);
}

/* Up to PIPE_ATOMIC bytes go in one piece. */
static long pipe_write(struct client *c, struct file *f, struct segments *s)
{
    struct pipe *p = pipe_of(f);
    size_t whole = s->left <= PIPE_ATOMIC ? s->left : 1;
    long done = 0;

    if (s->left == 0)
        return 0;
    for (;;) {
        long result;

        if (p->readers == 0)
            return broken(c, done);
        if (ring_room(&p->ring) >= whole && ring_reserve(&p->ring, whole)) {
            result = put(c, p, s);
            if (result < 0)
                return done ? done : result;
            done += result;
            if (result)
                changed(p, FOR_READERS);
        }
        if (s->left == 0)
            return done;
        if (f->flags & O_NONBLOCK)
            return done ? done : -EAGAIN;
        result = wait_on(c, &p->changed, WAIT_FOREVER);
        if (result)
            return done ? done : result;
    }
}

static long pipe_transfer(struct client *c, struct file *f, struct io *io)
{
    struct segments s;
    long result;

    if (io->positioned)
        return -ESPIPE;
    result = segments_begin(c, &s, io);
    if (result == 0)
        result = io->write ? pipe_write(c, f, &s) : pipe_read(c, f, &s);
    segments_end(&s);
    return result;
}

static uint32_t pipe_poll(struct file *f, uint32_t events, bool tell)
{
    struct pipe *p = pipe_of(f);
    uint32_t now = 0;

    (void)tell; /* changed() wakes pollers in any case */
    if (is_reader(f)) {
        now |= ring_used(&p->ring) ? POLLIN | POLLRDNORM : 0;
        now |= p->writers == 0 && p->opened_writing ? POLLHUP : 0;
    }
    if (is_writer(f)) {
        if (ring_room(&p->ring) >= PIPE_ATOMIC && ring_reserve(&p->ring, PIPE_ATOMIC))
            now |=
                POLLOUT | POLLWRNORM; /* and a write of so much does not fail for want of memory */
        now |= p->readers == 0 ? POLLERR : 0;
    }
    return now & (events | POLLHUP | POLLERR);
}

static long pipe_ioctl(struct client *c, struct file *f, uint64_t request, uint64_t argument)
{
    int n = (int)ring_used(&pipe_of(f)->ring);

    return request == 0x541b /* FIONREAD */ ? user_write(c, argument, &n, sizeof n) : -ENOTTY;
}

long pipe_fcntl(struct file *f, uint64_t command, uint64_t argument)
{
    struct pipe *p;

    if (!S_ISFIFO(f->mode) || !f->local)
        return -EBADF;
    p = pipe_of(f);
    if ((uint32_t)command == F_GETPIPE_SZ)
        return p->ring.limit;
    if ((uint32_t)argument > RING_LIMIT_MAX)
        return -EPERM;
    return ring_set_limit(&p->ring, (uint32_t)argument) ? (long)p->ring.limit : -EBUSY;
}

/* ---- coming and going ---- */

static struct pipe *pipe_new(void)
{
    struct share *share = share_mine();
    struct pipe *p;

    if (!share_take(share, SHARE_PIPES, 1))
        return NULL;
    p = calloc(1, sizeof *p);
    if (p && ring_init(&p->ring, share))
        return p;
    free(p);
    share_give(share, SHARE_PIPES, 1);
    return NULL;
}

static void pipe_drop(struct pipe *p)
{
    if (p->readers || p->writers || p->changed.first)
        return;
    list_take(fifos, p, next);
    ring_free(&p->ring);
    share_give(p->ring.share, SHARE_PIPES, 1);
    free(p);
}

static void pipe_close(struct client *c, struct file *f)
{
    struct pipe *p = pipe_of(f);

    (void)c;
    for (struct file **link = &p->files; list_at(*link); link = &end_of(*link)->next)
        if (*link == f) {
            *link = list_at(end_of(f)->next);
            break;
        }
    p->readers -= is_reader(f);
    p->writers -= is_writer(f);
    free(f->local);
    changed(p, FOR_READERS | FOR_WRITERS);
    pipe_drop(p);
}

static const struct file_operations pipe_operations = {.name = "pipe",
                                                       .transfer = pipe_transfer,
                                                       .ioctl = pipe_ioctl,
                                                       .poll = pipe_poll,
                                                       .is_ours = true,
                                                       .close = pipe_close};
/* Its inode is the file server's. */
static void fifo_close(struct client *c, struct file *f)
{
    pipe_close(c, f);
    if (f->opened_by)
        remote_tell_closed(c, f);
}

static const struct file_operations fifo_operations = {.name = "fifo",
                                                       .transfer = pipe_transfer,
                                                       .ioctl = pipe_ioctl,
                                                       .poll = pipe_poll,
                                                       .close = fifo_close};

static struct file *end_new(struct pipe *p, uint32_t flags, uint32_t mode, uint64_t number)
{
    struct end *e = malloc(sizeof *e);
    const struct file_operations *operations = p->server ? &fifo_operations : &pipe_operations;
    struct file *f = e ? file_new(operations, flags, mode) : NULL;

    if (!f) {
        free(e);
        return NULL;
    }
    *e = (struct end){p, list_at(p->files)};
    f->local = e;
    f->server = p->server;
    f->node = f->lock_node = number;
    p->files = f;
    p->readers += is_reader(f);
    p->writers += is_writer(f);
    p->opened_reading += is_reader(f);
    p->opened_writing += is_writer(f);
    return f;
}

/* The pipe belongs to its ends: from the first one on it goes when they do. A descriptor that could
 * not be given has closed its file already; so what is undone differs from step to step. */
static long make_pipe(struct client *c, uint64_t address, uint32_t flags)
{
    struct pipe *p = pipe_new();
    uint64_t number = file_number();
    struct file *reader, *writer;
    int fds[2];

    if (!p)
        return -ENFILE;
    reader = end_new(p, O_RDONLY | (flags & O_NONBLOCK), S_IFIFO | 0600, number);
    writer = reader ? end_new(p, O_WRONLY | (flags & O_NONBLOCK), S_IFIFO | 0600, number) : NULL;
    if (!writer) {
        if (reader)
            file_put(c, reader);
        else
            pipe_drop(p);
        return -ENFILE;
    }
    fds[0] = (int)fd_install(c, reader, 0, flags);
    if (fds[0] < 0) {
        file_put(c, writer);
        return fds[0];
    }
    fds[1] = (int)fd_install(c, writer, 0, flags);
    if (fds[1] < 0 || user_write(c, address, fds, sizeof fds)) {
        long result = fds[1] < 0 ? fds[1] : -EFAULT;

        fd_close(c, (uint64_t)fds[0]);
        if (fds[1] >= 0)
            fd_close(c, (uint64_t)fds[1]);
        return result;
    }
    return 0;
}

static long sys_pipe(struct client *c, const uint64_t *w)
{
    return make_pipe(c, w[0], 0);
}

static long sys_pipe2(struct client *c, const uint64_t *w)
{
    return w[1] & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK) ? -EINVAL
                                                      : make_pipe(c, w[0], (uint32_t)w[1]);
}

/* ---- FIFOs ---- */

static struct pipe *fifo_of(const struct found *f)
{
    struct pipe *p;

    list_for(p, fifos, next) if (p->server == f->server && p->node == f->node) return p;
    p = pipe_new();
    if (p) {
        p->server = f->server;
        p->node = f->node;
        list_put(fifos, p, next);
    }
    return p;
}

/* Each end waits for the other, unless told not to. An open for both waits for nobody. */
long fifo_open(struct client *c, const struct found *found, uint32_t flags, struct file **out)
{
    struct pipe *p = fifo_of(found);
    unsigned readers, writers;
    struct file *f;
    long result = 0;

    if (!p)
        return -ENFILE;
    if ((flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) && p->readers == 0) {
        pipe_drop(p);
        return -ENXIO;
    }
    readers = p->opened_reading;
    writers = p->opened_writing;
    f = end_new(p, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC), found->mode,
                found->node);
    if (!f) {
        pipe_drop(p);
        return -ENFILE;
    }
    changed(p, FOR_READERS | FOR_WRITERS);
    result = file_set_path(f, found->path) ? remote_open(c, f) : -ENFILE;
    if (!(flags & O_NONBLOCK) && is_reader(f) && !is_writer(f))
        while (result == 0 && p->writers == 0 && p->opened_writing == writers)
            result = wait_on(c, &p->changed, WAIT_FOREVER);
    if (is_writer(f) && !is_reader(f))
        while (result == 0 && p->readers == 0 && p->opened_reading == readers)
            result = wait_on(c, &p->changed, WAIT_FOREVER);
    if (result) {
        file_put(c, f);
        return result;
    }
    *out = f;
    return 0;
}

VFS_TABLE(pipe_calls, {SYS_pipe, sys_pipe}, {SYS_pipe2, sys_pipe2})
