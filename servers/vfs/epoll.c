/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll_create(2), epoll_ctl(2), epoll_wait(2). */
#include "servers/vfs/epoll.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

enum { TAKE_MAX = VFS_FILES_MAX }; /* items at once; the others are next */

static long create(struct client *c, uint32_t flags)
{
    struct file *f = epoll_new();

    return f ? fd_install(c, f, 0, flags) : -ENFILE;
}

static long sys_epoll_create(struct client *c, const uint64_t *w)
{
    return (int)w[0] <= 0 ? -EINVAL : create(c, 0);
}

static long sys_epoll_create1(struct client *c, const uint64_t *w)
{
    return (uint32_t)w[0] & ~(uint32_t)O_CLOEXEC ? -EINVAL : create(c, (uint32_t)w[0]);
}

/* Regular files and directories are never waited for. */
static bool can_be_waited_for(const struct file *f)
{
    return f->operations->poll && !S_ISREG(f->mode) && !S_ISDIR(f->mode);
}

static long control(struct epoll_set *e, struct file *f, int operation, int fd,
                    const struct epoll_event *event)
{
    struct epoll_item *i = epoll_find(e, f, fd);

    switch (operation) {
    case EPOLL_CTL_ADD:
        return i ? -EEXIST : epoll_add(e, f, fd, event->events, event->data.u64);
    case EPOLL_CTL_DEL:
        if (!i)
            return -ENOENT;
        epoll_remove(i);
        return 0;
    case EPOLL_CTL_MOD:
        if (!i)
            return -ENOENT;
        if ((event->events | i->events) & EPOLLEXCLUSIVE)
            return -EINVAL;
        epoll_change(i, event->events, event->data.u64);
        return 0;
    default:
        return -EINVAL;
    }
}

static long sys_epoll_ctl(struct client *c, const uint64_t *w)
{
    struct file *set, *f;
    struct epoll_event event = {0};
    struct epoll_set *e;

    if ((int)w[1] != EPOLL_CTL_DEL && user_read(c, w[3], &event, sizeof event))
        return -EFAULT;
    set = fd_used(c, w[0]);
    f = fd_used(c, w[2]);
    if (!set || !f)
        return -EBADF;
    if (!can_be_waited_for(f))
        return -EPERM;
    e = epoll_of(set);
    if (!e || f == set)
        return -EINVAL;
    return control(e, f, (int)w[1], (int)w[2], &event);
}

/* The set is kept by a reference: another thread may close it meanwhile. It is looked at before the
 * time is, so that what is ready is reported also to who does not wait at all. */
static long wait(struct client *c, const uint64_t *w, uint64_t deadline)
{
    struct file *f = fd_file(c, w[0]);
    int room = (int)w[2];
    long n;

    if (room <= 0 || room > INT_MAX / (int)sizeof(struct epoll_event))
        return -EINVAL;
    if (!f)
        return -EBADF;
    if (!epoll_of(f))
        return -EINVAL;
    file_get(f);
    for (;;) {
        n = epoll_take(c, epoll_of(f), w[1], (unsigned)(room < TAKE_MAX ? room : TAKE_MAX));
        if (n == EPOLL_MORE) {
            wait_turn(c);
            if (!c->cancelled)
                continue;
            n = -EINTR; /* and it is made again */
            break;
        }
        if (n || (deadline != WAIT_FOREVER && deadline <= clock_now()))
            break;
        n = wait_on(c, &f->pollers, deadline);
        if (n == -ETIMEDOUT)
            n = 0;
        else if (n == 0)
            continue;
        break;
    }
    file_put(c, f);
    return n;
}

static long sys_epoll_wait(struct client *c, const uint64_t *w)
{
    int timeout = (int)w[3];

    return wait(c, w, timeout < 0 ? WAIT_FOREVER : clock_now() + (uint64_t)timeout * 1000000u);
}

static long sys_epoll_pwait(struct client *c, const uint64_t *w)
{
    long result = mask_begin(c, w[4], w[5]);

    return result ? result : mask_end(c, w[4], sys_epoll_wait(c, w));
}

static long sys_epoll_pwait2(struct client *c, const uint64_t *w)
{
    uint64_t deadline;
    long result = deadline_from(c, w[3], &deadline);

    if (result == 0)
        result = mask_begin(c, w[4], w[5]);
    return result ? result : mask_end(c, w[4], wait(c, w, deadline));
}

VFS_TABLE(epoll_calls, {SYS_epoll_create, sys_epoll_create}, {SYS_epoll_create1, sys_epoll_create1},
          {SYS_epoll_ctl, sys_epoll_ctl}, {SYS_epoll_wait, sys_epoll_wait},
          {SYS_epoll_pwait, sys_epoll_pwait}, {SYS_epoll_pwait2, sys_epoll_pwait2})
