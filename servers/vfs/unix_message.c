/* SPDX-License-Identifier: BSD-2-Clause */
/* read, write, send, receive: between the arguments of the calls and struct unix_transfer. Control
 * messages: descriptors (cmsg(3)). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include "servers/vfs/unix.h"

enum {
    RIGHTS_AT_ONCE = 253, /* as Linux's SCM_MAX_FD */
    CONTROL_MAX = 20480,
};

struct user_message { /* struct msghdr as the kernel has it */
    uint64_t name;
    uint32_t name_length, pad;
    uint64_t vector, vector_count, control, control_length;
    uint32_t flags, pad_end;
};
struct control_header {
    uint64_t length; /* with this header */
    int32_t level, type;
};
struct user_credentials {
    int32_t pid;
    uint32_t uid, gid;
};

static long begin(struct client *c, struct file *f, struct unix_transfer *t, const struct io *io,
                  uint32_t flags)
{
    *t = (struct unix_transfer){.flags = flags | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0)};
    return segments_begin(c, &t->segments, io);
}

/* A program that has its answer already cannot help to close what was not sent. */
static long end(struct client *c, struct unix_transfer *t, long result)
{
    segments_end(&t->segments);
    rights_drop(result == SERVICE_NO_REPLY ? NULL : c, t->rights);
    return result;
}

long unix_transfer(struct client *c, struct file *f, struct io *io)
{
    struct unix_transfer t;
    long result = begin(c, f, &t, io, 0);

    if (result == 0 && io->positioned)
        result = -ESPIPE;
    else if (result == 0)
        result = io->write ? unix_send(c, f->local, &t) : unix_receive(c, f->local, &t);
    return end(c, &t, result);
}

long unix_sendto(struct client *c, struct file *f, const uint64_t *call)
{
    struct unix_transfer t;
    struct unix_name to;
    long result =
        begin(c, f, &t, &(struct io){.address = call[1], .length = call[2]}, (uint32_t)call[3]);

    if (result == 0 && call[4]) {
        result = unix_name_fetch(c, call[4], (uint32_t)call[5], &to);
        t.to = &to;
    }
    if (result == 0)
        result = unix_send(c, f->local, &t);
    return end(c, &t, result);
}

long unix_recvfrom(struct client *c, struct file *f, const uint64_t *call)
{
    struct unix_transfer t;
    long result = begin(c, f, &t, &(struct io){.address = call[1], .length = call[2]},
                        (uint32_t)call[3]),
         stored = 0;

    if (result == 0)
        result = unix_receive(c, f->local, &t);
    if (result >= 0 && call[4] && call[5])
        stored = t.from.length ? unix_name_store(c, &t.from, call[4], call[5])
                               : user_write(c, call[5], &(uint32_t){0}, sizeof(uint32_t));
    return end(c, &t, stored ? stored : result);
}

/* ---- sendmsg ---- */

/* They say who sends: no one else than the sender. */
static long check_credentials(struct client *c, uint64_t address, uint64_t length)
{
    struct user_credentials u;

    if (length != sizeof u)
        return -EINVAL;
    if (user_read(c, address, &u, sizeof u))
        return -EFAULT;
    return c->uid == 0 || (u.pid == c->pid && u.uid == c->uid && u.gid == c->gid) ? 0 : -EPERM;
}

static long fetch_one(struct client *c, const struct control_header *h, uint64_t address,
                      struct unix_rights **rights)
{
    uint64_t length = h->length - sizeof *h;

    if (h->level != SOL_SOCKET)
        return 0;
    if (h->type == SCM_CREDENTIALS)
        return check_credentials(c, address, length);
    if (h->type != SCM_RIGHTS || *rights || length / sizeof(int) > RIGHTS_AT_ONCE)
        return -EINVAL;
    return length < sizeof(int)
               ? 0
               : rights_collect(c, address, (unsigned)(length / sizeof(int)), rights);
}

static long fetch_control(struct client *c, const struct user_message *m,
                          struct unix_rights **rights)
{
    uint64_t at = 0, length = m->control ? m->control_length : 0;

    if (length > CONTROL_MAX)
        return -ENOBUFS;
    while (at + sizeof(struct control_header) <= length) {
        struct control_header h;
        long result = user_read(c, m->control + at, &h, sizeof h);

        if (result)
            return result;
        if (h.length < sizeof h || h.length > length - at)
            return -EINVAL;
        result = fetch_one(c, &h, m->control + at + sizeof h, rights);
        if (result)
            return result;
        at += (h.length + 7) & ~(uint64_t)7;
    }
    return 0;
}

static struct io io_of(const struct user_message *m)
{
    return (struct io){.address = m->vector, .length = m->vector_count, .vector = true};
}

static long fetch_message(struct client *c, uint64_t address, struct user_message *m)
{
    if (user_read(c, address, m, sizeof *m))
        return -EFAULT;
    return m->vector_count > 1024 /* IOV_MAX */ ? -EMSGSIZE : 0;
}

long unix_sendmsg(struct client *c, struct file *f, const uint64_t *call)
{
    struct unix_transfer t;
    struct user_message m;
    struct unix_name to;
    struct io io;
    long result = fetch_message(c, call[1], &m);

    if (result)
        return result;
    io = io_of(&m);
    result = begin(c, f, &t, &io, (uint32_t)call[2]);
    if (result == 0 && m.name && m.name_length) {
        result = unix_name_fetch(c, m.name, m.name_length, &to);
        t.to = &to;
    }
    if (result == 0)
        result = fetch_control(c, &m, &t.rights);
    if (result == 0)
        result = unix_send(c, f->local, &t);
    return end(c, &t, result);
}

/* ---- recvmsg ---- */

/* Descriptors for what came, as many as there is room for. */
static long store_rights(struct client *c, struct unix_transfer *t, struct user_message *m)
{
    struct unix_rights *rights = t->rights;
    uint64_t room = m->control ? m->control_length : 0;
    int fds[RIGHTS_AT_ONCE];
    struct control_header h = {.level = SOL_SOCKET, .type = SCM_RIGHTS};
    unsigned n, count;

    m->control_length = 0;
    if (!rights)
        return 0;
    t->rights = NULL;
    count = rights->count;
    room = room < sizeof h ? 0 : (room - sizeof h) / sizeof(int);
    n = rights_install(c, rights, fds, (unsigned)(room < RIGHTS_AT_ONCE ? room : RIGHTS_AT_ONCE),
                       t->flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0);
    if (n < count)
        t->result_flags |= MSG_CTRUNC;
    if (n == 0)
        return 0;
    h.length = sizeof h + n * sizeof *fds;
    if (user_write(c, m->control, &h, sizeof h) ||
        user_write(c, m->control + sizeof h, fds, n * sizeof *fds)) {
        while (n)
            fd_close(c, (uint64_t)fds[--n]);
        return -EFAULT;
    }
    m->control_length = (h.length + 7) & ~(uint64_t)7;
    return 0;
}

static long store_message(struct client *c, uint64_t address, struct unix_transfer *t,
                          struct user_message *m)
{
    uint64_t room = m->control_length;
    char name[sizeof t->from.address + 1] = {0};
    long result = store_rights(c, t, m);

    if (result)
        return result;
    if (m->control_length > room)
        m->control_length = room;
    if (m->name) {
        memcpy(name, &t->from.address, sizeof t->from.address);
        if (user_write(c, m->name, name,
                       t->from.length < m->name_length ? t->from.length : m->name_length))
            return -EFAULT;
        m->name_length = t->from.length;
    }
    m->flags = t->result_flags | (t->flags & MSG_CMSG_CLOEXEC);
    return user_write(c, address, m, sizeof *m);
}

long unix_recvmsg(struct client *c, struct file *f, const uint64_t *call)
{
    struct unix_transfer t;
    struct user_message m;
    struct io io;
    long result = fetch_message(c, call[1], &m), stored = 0;

    if (result)
        return result;
    io = io_of(&m);
    result = begin(c, f, &t, &io, (uint32_t)call[2]);
    if (result == 0)
        result = unix_receive(c, f->local, &t);
    if (result >= 0)
        stored = store_message(c, call[1], &t, &m);
    return end(c, &t, stored ? stored : result);
}
