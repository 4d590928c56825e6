/* SPDX-License-Identifier: BSD-2-Clause */
/* eventfd(2): a counter to wait for. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "servers/vfs/segments.h"

struct event {
    uint64_t count; /* at most COUNT_MAX */
    bool semaphore;
    struct wait_queue changed;
};

#define COUNT_MAX (UINT64_MAX - 1)

static void changed(struct file *f)
{
    wake_all(&((struct event *)f->local)->changed);
    wake_all(&f->pollers);
}

static long wait_for_change(struct client *c, struct file *f)
{
    struct event *e = f->local;

    return f->flags & O_NONBLOCK ? -EAGAIN : wait_on(c, &e->changed, WAIT_FOREVER);
}

static long event_read(struct client *c, struct file *f, struct segments *s)
{
    struct event *e = f->local;
    uint64_t value;

    while (e->count == 0) {
        long result = wait_for_change(c, f);

        if (result)
            return result;
    }
    value = e->semaphore ? 1 : e->count;
    if (segments_write(c, s, &value, sizeof value))
        return -EFAULT;
    e->count -= value;
    changed(f);
    return sizeof value;
}

static long event_write(struct client *c, struct file *f, struct segments *s)
{
    struct event *e = f->local;
    uint64_t value;

    if (segments_read(c, s, &value, sizeof value))
        return -EFAULT;
    if (value > COUNT_MAX)
        return -EINVAL;
    while (value > COUNT_MAX - e->count) {
        long result = wait_for_change(c, f);

        if (result)
            return result;
    }
    e->count += value;
    changed(f);
    return sizeof value;
}

static long event_transfer(struct client *c, struct file *f, struct io *io)
{
    struct segments s;
    long result;

    if (io->positioned)
        return -ESPIPE;
    result = segments_begin(c, &s, io);
    if (result == 0 && s.left < sizeof(uint64_t))
        result = -EINVAL;
    if (result == 0)
        result = io->write ? event_write(c, f, &s) : event_read(c, f, &s);
    segments_end(&s);
    return result;
}

static uint32_t event_poll(struct file *f, uint32_t events, bool tell)
{
    struct event *e = f->local;
    uint32_t now = 0;

    (void)tell; /* changed() wakes pollers in any case */
    now |= e->count ? POLLIN | POLLRDNORM : 0;
    now |= e->count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0;
    return now & events;
}

static void event_close(struct client *c, struct file *f)
{
    (void)c;
    free(f->local);
}

static const struct file_operations event_operations = {.name = "anon_inode:[eventfd]",
                                                        .transfer = event_transfer,
                                                        .poll = event_poll,
                                                        .is_ours = true,
                                                        .close = event_close};

static long sys_eventfd2(struct client *c, const uint64_t *w)
{
    uint32_t flags = (uint32_t)w[1];
    struct event *e;
    struct file *f;

    if (flags & ~(uint32_t)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
        return -EINVAL;
    e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    f = file_new(&event_operations, O_RDWR | (flags & EFD_NONBLOCK), 0600);
    if (!f) {
        free(e);
        return -ENFILE;
    }
    e->count = (uint32_t)w[0];
    e->semaphore = flags & EFD_SEMAPHORE;
    f->local = e;
    f->lock_node = file_number();
    return fd_install(c, f, 0, flags & EFD_CLOEXEC ? O_CLOEXEC : 0);
}

VFS_TABLE(event_calls, {SYS_eventfd2, sys_eventfd2})
