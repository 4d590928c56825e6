/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files that a file server serves: regular files, directories, devices, sockets. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "servers/vfs/parts.h"
#include "servers/vfs/size_limit.h"
#include "servers/vfs/vfs.h"

static struct file *told; /* files whose server will tell when they become ready */

static bool is_stream(const struct file *f)
{
    return !f->seekable;
}

/* The node that FILE_OPEN is about: of a character device its minor number, of a disk its device
 * number (one server has several majors). */
static uint64_t named_node(const struct file *f)
{
    if (S_ISCHR(f->mode))
        return minor(f->rdev);
    return S_ISBLK(f->mode) ? f->rdev : f->lock_node;
}

static long open_there(struct client *c, struct file *f)
{
    bool again = f->opened_by != 0;
    struct message m =
        message_of(FILE_OPEN, (struct file_open_request){.node = named_node(f),
                                                         .flags = f->flags | drops_ids(c),
                                                         .rdev = f->rdev,
                                                         .again = again});
    const struct file_open_reply *reply = message_words(&m);
    long result = ask(c, f->server, &m, AGAIN);
    endpoint_t opened_by = c->behind_endpoint;
    uint64_t node = reply->node ? reply->node : f->node;

    if (result < 0)
        return result;
    if (again && f->opened_by == opened_by) { /* somebody who shares it was quicker */
        remote_tell_refused(c, f->server, opened_by, node);
        return 0;
    }
    f->node = node;
    f->opened_by = opened_by;
    return 0;
}

/* A fresh incarnation of the server does not know that the file is open, or learns of it (remote_reopen()). */
long remote_settle(struct client *c, struct file *f)
{
    long result = 0;

    while (result == 0 && f->server->endpoint && f->opened_by != f->server->endpoint)
        result = open_there(c, f);
    return result;
}

/* (The answer may be of one that has died since: there is another, and it does not know of this.) */
long remote_open(struct client *c, struct file *f)
{
    long result = open_there(c, f);

    return result ? result : remote_settle(c, f);
}

/* Before it is asked for anything. */
long remote_current(struct client *c, struct file *f)
{
    long result = 0;

    undo_verify_word(&f->server);
    undo_verify_word(&f->node);
    if (!f->opened_by || f->opened_by == f->server->endpoint)
        return 0;
    if (!f->server->endpoint)
        result = server_wait(c, f->server, f->opened_by);
    return result ? result : remote_settle(c, f);
}

static inline struct message io_message(const struct client *c, const struct file *f,
                                        const struct io *io, uint64_t offset)
{
    static const uint16_t types[2][2] = {{FILE_READ, FILE_READ_VECTOR},
                                         {FILE_WRITE, FILE_WRITE_VECTOR}};

    return message_of(types[io->write][io->vector],
                      (struct file_transfer_request){.node = f->node,
                                                     .address = io->address,
                                                     .length = io->length,
                                                     .offset = offset,
                                                     .flags = f->flags | drops_ids(c)});
}

void remote_reopen(struct server *s)
{
    struct message m = {.type = FILE_REOPEN};
    unsigned n = 0;

    for (struct file *f = file_first(); f; f = list_at(f->next_all)) {
        if (f->server != s || !f->opened_by)
            continue;
        f->opened_by = s->endpoint;
        m.w[n++] = f->node;
        if (n < MESSAGE_WORDS)
            continue;
        server_call(s, &m);
        m = (struct message){.type = FILE_REOPEN};
        n = 0;
    }
    server_call(s, &m); /* with a 0: that was all */
    mounts_tell(s);
}

/* Its node is one of an incarnation that has died meanwhile. */
static bool is_reopened(const struct file *f)
{
    return f->opened_by && f->server->endpoint != f->opened_by;
}

long remote_ask(struct client *c, struct file *f, struct message *m, enum again again)
{
    struct file_node_request *r = message_words(m);
    struct message asked = *m;
    bool repeats = c->repeats;
    long result;

    do {
        result = remote_current(c, f);
        if (result)
            break;
        *m = asked;
        r->node = f->node;
        c->meant_for = f->server->traits & TRAIT_REMEMBERS ? 0 : f->opened_by;
        result = ask(c, f->server, m, again);
        c->meant_for = 0;
        c->repeats = true; /* who dies of it dies of the same request */
    } while (result == -ESTALE && is_reopened(f));
    c->repeats = repeats;
    return result;
}

/* (When the server dies with it, the call is made again: ask.c. Another thread may close it meanwhile.) */
long remote_hand_over(struct client *c, struct file *f, struct message *m)
{
    struct file_node_request *r = message_words(m);
    long result;

    file_get(f);
    result = remote_current(c, f);
    r->node = f->node;
    if (result == 0)
        result = hand_over(c, f->server, m);
    file_put(result == SERVICE_NO_REPLY ? NULL : c, f);
    return result;
}

/* VFS has it back at the end: the write is known to be over. One that a limit may cut writes alone: the end
 * of the file must stay where it is meanwhile. */
static long transfer_kept(struct client *c, struct file *f, struct io *io, struct segments *s,
                          uint64_t *offset)
{
    bool append = io->write && (f->flags & O_APPEND);
    bool limited = io->write && size_limit_near(c, f, *offset, s);
    bool long_one = limited || parts_needed(f, s), counts = io->write && f->seekable;
    struct writing w;
    struct message m;
    struct file_transfer_request *r = message_words(&m);
    const struct file_transfer_reply *reply = message_words(&m);
    long result = counts ? writing_begin(c, &w, f, long_one) : 0;

    if (result)
        return result;
    if (limited)
        result = size_limit_write(c, f, *offset, s);
    if (result) {
        /* over */
    } else if (long_one) {
        result = parts_do(c, f, s, io->write, offset);
    } else {
        m = io_message(c, f, io, *offset);
        r->back = FILE_BACK;
        result = remote_ask(c, f, &m, append ? ONCE : AGAIN);
        if (result > 0)
            *offset = server_counts(f, io->write) ? reply->position : *offset + (uint64_t)result;
    }
    if (counts)
        writing_end(&w);
    return result;
}

/* With a position: one call at a time moves it, as POSIX wants for shared descriptors. */
static long transfer_at_position(struct client *c, struct file *f, struct io *io,
                                 struct segments *s)
{
    long result;

    while (f->busy) {
        result = wait_on(c, &f->idle, WAIT_FOREVER);
        if (result)
            return result;
    }
    undo_verify_word(&f->position);
    f->busy = true;
    result = transfer_kept(c, f, io, s, &f->position);
    f->busy = false;
    if (f->idle.first)
        wake_all(&f->idle);
    return result;
}

/* Each write is on the disk when it returns: open(2), O_SYNC, O_DSYNC. (Disks are written through.) */
static bool is_synchronous(const struct file *f, const struct io *io)
{
    return io->write && (f->flags & O_DSYNC) && S_ISREG(f->mode);
}

static long sync_written(struct client *c, struct file *f, long written)
{
    bool data_only = (f->flags & O_SYNC) != O_SYNC;
    struct message m = message_of(
        FILE_SYNC, (struct file_sync_request){.data_only = data_only, .back = FILE_BACK});
    long result = written > 0 ? remote_ask(c, f, &m, AGAIN) : 0;

    return result < 0 ? result : written;
}

static long transfer_segments(struct client *c, struct file *f, struct io *io, struct segments *s)
{
    struct message m;
    long result = remote_current(c, f);

    if (result)
        return result;
    if (f->seekable && !io->positioned)
        return transfer_at_position(c, f, io, s);
    if (is_synchronous(f, io) || parts_needed(f, s) ||
        (f->seekable && io->write && (f->flags & O_APPEND)) ||
        (io->write && size_limit_near(c, f, io->offset, s))) {
        uint64_t offset = io->offset;

        return transfer_kept(c, f, io, s, &offset);
    }
    result = f->seekable && io->write ? writing_wait(c, f->server, f->lock_node) : 0;
    if (result)
        return result;
    m = io_message(c, f, io, io->offset);
    return remote_hand_over(c, f, &m);
}

static long remote_transfer(struct client *c, struct file *f, struct io *io)
{
    struct segments s;
    long result;

    if (S_ISDIR(f->mode))
        return -EISDIR;
    if (io->positioned && is_stream(f))
        return -ESPIPE;
    if (!io->vector && (int64_t)io->length < 0)
        return -EFAULT;
    result = segments_begin(c, &s, io);
    if (result == 0)
        result = transfer_segments(c, f, io, &s);
    if (is_synchronous(f, io))
        result = sync_written(c, f, result);
    segments_end(&s);
    return result;
}

static long remote_ioctl(struct client *c, struct file *f, uint64_t request, uint64_t argument)
{
    struct message m = message_of(
        FILE_IOCTL,
        (struct file_ioctl_request){.request = request, .argument = argument, .flags = f->flags});

    return S_ISREG(f->mode) || S_ISDIR(f->mode) ? -ENOTTY : remote_hand_over(c, f, &m);
}

static void tell_later(struct file *f)
{
    if (f->told)
        return;
    f->told = true;
    list_put(told, f, next_told);
}

static uint32_t remote_poll(struct file *f, uint32_t events, bool tell)
{
    struct message m = message_of(
        FILE_POLL, (struct file_poll_request){.node = f->node, .events = events, .tell = tell});
    long result;

    if (S_ISREG(f->mode) || S_ISDIR(f->mode))
        return events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
    if (f->server->calls_us)
        return events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
    if (tell) { /* before the call: it may tell at once */
        f->server->tells = true;
        tell_later(f);
    }
    result = server_poll_call(f->server, &m);
    /* dead, dying or late: it will be asked again */
    return result < 0 ? 0 : (uint32_t)result;
}

static void told_leave(struct file *f)
{
    list_take(told, f, next_told);
    f->told = false;
}

/* (A server that has two names, as of two majors, tells of a node whichever name it was found by.) */
void remote_ready(struct server *s, uint64_t node)
{
    for (struct file *f = list_at(told), *next; f; f = next) {
        next = list_at(f->next_told);
        if (f->server->endpoint == s->endpoint && f->node == node) {
            told_leave(f);
            wake_all(&f->pollers);
        }
    }
}

void remote_server_back(struct server *s)
{
    for (struct file *f = list_at(told), *next; f; f = next) {
        next = list_at(f->next_told);
        if (f->server == s) {
            told_leave(f);
            wake_all(&f->pollers);
        }
    }
}

/* By the program when there is one: VFS does not wait. */
static void tell_closed(struct client *c, struct server *s, uint64_t node, endpoint_t opened_by)
{
    struct message m = message_of(FILE_CLOSE, (struct file_node_request){.node = node});
    long result = -EINTR;

    if (c && !c->cancelled && !c->lost)
        result = ask(c, s, &m, opened_by ? NEVER : AGAIN);
    m = message_of(FILE_CLOSE, (struct file_node_request){.node = node});
    if (result == -EINTR)
        server_tell(s, &m, opened_by);
}

/* An incarnation that has not been told that the file is open is not told that it is closed, or another's opening
 * would be taken for over. */
void remote_tell_refused(struct client *c, struct server *s, endpoint_t opened_by, uint64_t node)
{
    if (opened_by == s->endpoint)
        tell_closed(c, s, node, opened_by);
}

/* (Meanwhile a fresh one may have been told that it is open. Of sockets each incarnation knows.) */
void remote_tell_closed(struct client *c, struct file *f)
{
    endpoint_t knew;

    if (!f->opened_by) {
        tell_closed(c, f->server, f->node, 0);
        return;
    }
    do {
        knew = f->opened_by;
        remote_tell_refused(c, f->server, knew, f->node);
    } while (f->opened_by != knew);
}

static void remote_close(struct client *c, struct file *f)
{
    if (f->told)
        told_leave(f);
    if (!(f->flags & O_PATH))
        remote_tell_closed(c, f);
}

const struct file_operations remote_operations = {.name = "socket",
                                                  .transfer = remote_transfer,
                                                  .ioctl = remote_ioctl,
                                                  .poll = remote_poll,
                                                  .close = remote_close};

bool file_is_socket(const struct file *f)
{
    return S_ISSOCK(f->mode);
}
