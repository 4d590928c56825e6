/* SPDX-License-Identifier: BSD-2-Clause */
/* close, dup, fcntl. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>

#include "servers/vfs/vfs.h"

static long sys_close(struct client *c, const uint64_t *w)
{
    return fd_close(c, w[0]);
}

static long duplicate(struct client *c, uint64_t fd, uint64_t from, uint32_t flags)
{
    struct file *f = fd_file(c, fd);

    if (!f)
        return -EBADF;
    if (from >= c->files->limit)
        return -EINVAL;
    file_get(f);
    return fd_install(c, f, (uint32_t)from, flags);
}

static long sys_dup(struct client *c, const uint64_t *w)
{
    return duplicate(c, w[0], 0, 0);
}

static long duplicate_to(struct client *c, uint64_t fd, uint64_t to, uint32_t flags)
{
    struct file *f = fd_file(c, fd);

    if (!f || (uint32_t)to >= c->files->limit)
        return -EBADF;
    file_get(f);
    return fd_replace(c, f, (uint32_t)to, flags);
}

static long sys_dup2(struct client *c, const uint64_t *w)
{
    if ((uint32_t)w[0] == (uint32_t)w[1])
        return fd_file(c, w[0]) ? (long)(uint32_t)w[0] : -EBADF;
    return duplicate_to(c, w[0], w[1], 0);
}

static long sys_dup3(struct client *c, const uint64_t *w)
{
    if ((uint32_t)w[0] == (uint32_t)w[1] || (w[2] & ~(uint64_t)O_CLOEXEC))
        return -EINVAL;
    return duplicate_to(c, w[0], w[1], (uint32_t)w[2]);
}

enum { SETTABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME };

static long fcntl_do(struct client *c, struct file *f, const uint64_t *w)
{
    struct descriptor *d = &c->files->descriptor[(uint32_t)w[0]];

    switch ((uint32_t)w[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(c, w[0], (uint32_t)w[2],
                         (uint32_t)w[1] == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0);
    case F_GETFD:
        return d->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
        d->close_on_exec = w[2] & FD_CLOEXEC;
        return 0;
    case F_GETFL:
        return f->flags | (f->flags & O_PATH ? 0 : O_LARGEFILE);
    case F_SETFL:
        f->flags = (f->flags & ~(uint32_t)SETTABLE) | ((uint32_t)w[2] & SETTABLE);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_fcntl(c, f, w[1], w[2]);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return pipe_fcntl(f, w[1], w[2]);
    case F_SETOWN:
    case F_SETSIG:
        return 0; /* SIGIO is not sent */
    case F_GETOWN:
    case F_GETSIG:
        return 0;
    default:
        return -EINVAL;
    }
}

/* What is done with descriptors of O_PATH, too. */
static bool of_any_file(uint32_t command)
{
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC || command == F_GETFD ||
           command == F_SETFD || command == F_GETFL;
}

static long sys_fcntl(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    long result;

    if (!f || ((f->flags & O_PATH) && !of_any_file((uint32_t)w[1])))
        return -EBADF;
    file_get(f);
    result = fcntl_do(c, f, w);
    file_put(c, f);
    return result;
}

VFS_TABLE(descriptor_calls, {SYS_close, sys_close}, {SYS_dup, sys_dup}, {SYS_dup2, sys_dup2},
          {SYS_dup3, sys_dup3}, {SYS_fcntl, sys_fcntl})
