/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading, writing, seeking, and what else is done with one open file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "servers/vfs/parts.h"
#include "servers/vfs/size_limit.h"
#include "servers/vfs/vfs.h"

enum { SEGMENTS_MAX = 1024 };

/* Any call with one descriptor: the file stays while the call lasts here. (Once it is handed over
 * the server has its own idea of who waits.) */
static long with_file(struct client *c, struct file *f, long result)
{
    file_put(result == SERVICE_NO_REPLY ? NULL : c, f);
    return result;
}

static bool may(const struct file *f, bool write)
{
    uint32_t mode = f->flags & O_ACCMODE;

    return !(f->flags & O_PATH) &&
           (write ? mode == O_WRONLY || mode == O_RDWR : mode == O_RDONLY || mode == O_RDWR);
}

static long transfer(struct client *c, uint64_t fd, struct io *io)
{
    struct file *f = fd_file(c, fd);

    if (!f || !may(f, io->write))
        return -EBADF;
    if (io->positioned && (int64_t)io->offset < 0)
        return -EINVAL;
    if (io->vector && io->length > SEGMENTS_MAX)
        return -EINVAL;
    if (!f->operations->transfer)
        return -EINVAL;
    file_get(f);
    return with_file(c, f, f->operations->transfer(c, f, io));
}

static long sys_read(struct client *c, const uint64_t *w)
{
    return transfer(c, w[0], &(struct io){.address = w[1], .length = w[2]});
}

static long sys_write(struct client *c, const uint64_t *w)
{
    return transfer(c, w[0], &(struct io){.address = w[1], .length = w[2], .write = true});
}

static long sys_pread(struct client *c, const uint64_t *w)
{
    return transfer(
        c, w[0], &(struct io){.address = w[1], .length = w[2], .offset = w[3], .positioned = true});
}

static long sys_pwrite(struct client *c, const uint64_t *w)
{
    return transfer(
        c, w[0],
        &(struct io){
            .address = w[1], .length = w[2], .offset = w[3], .positioned = true, .write = true});
}

static long sys_readv(struct client *c, const uint64_t *w)
{
    return transfer(c, w[0], &(struct io){.address = w[1], .length = w[2], .vector = true});
}

static long sys_writev(struct client *c, const uint64_t *w)
{
    return transfer(c, w[0],
                    &(struct io){.address = w[1], .length = w[2], .vector = true, .write = true});
}

static long sys_preadv(struct client *c, const uint64_t *w)
{
    return transfer(
        c, w[0],
        &(struct io){
            .address = w[1], .length = w[2], .offset = w[3], .vector = true, .positioned = true});
}

static long sys_pwritev(struct client *c, const uint64_t *w)
{
    return transfer(c, w[0],
                    &(struct io){.address = w[1],
                                 .length = w[2],
                                 .offset = w[3],
                                 .vector = true,
                                 .positioned = true,
                                 .write = true});
}

static inline long file_size(struct client *c, struct file *f, uint64_t *size)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = f->node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result = remote_ask(c, f, &m, AGAIN);

    *size = r->size;
    return result;
}

/* A server that knows of holes answers itself; of any other file all up to its end is data, so its
 * size is needed. The position is changed last, and by a result alone: a call that fails leaves
 * it. */
static long seek(struct client *c, struct file *f, int64_t offset, unsigned whence)
{
    uint64_t size = 0, at;
    long result;

    if (whence > SEEK_HOLE)
        return -EINVAL;
    if (whence >= SEEK_END) {
        result = file_size(c, f, &size);
        if (result)
            return result;
    }
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        struct message m = message_of(
            FILE_SEEK, (struct file_seek_request){
                           .node = f->node, .offset = (uint64_t)offset, .whence = whence});

        if (offset < 0)
            return -ENXIO;
        result = S_ISREG(f->mode) ? remote_ask(c, f, &m, AGAIN) : -EINVAL;
        if (result >= 0)
            f->position = (uint64_t)result;
        if (result != -EINVAL)
            return result;
    }
    /* a server that knows of no holes: data up to the end */
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (offset < 0 || (uint64_t)offset >= size)
            return -ENXIO;
        at = whence == SEEK_DATA ? (uint64_t)offset : size;
    } else {
        int64_t from = whence == SEEK_CUR ? (int64_t)f->position : 0;

        if (whence == SEEK_END)
            from = (int64_t)size;
        if (__builtin_add_overflow(from, offset, (int64_t *)&at))
            return -EOVERFLOW;
    }
    if ((int64_t)at < 0)
        return -EINVAL;
    f->position = at;
    return (long)at;
}

static long sys_lseek(struct client *c, const uint64_t *w)
{
    struct file *f = fd_used(c, w[0]);

    if (!f)
        return -EBADF;
    if (!f->seekable)
        return -ESPIPE;
    file_get(f);
    return with_file(c, f, seek(c, f, (int64_t)w[1], (unsigned)w[2]));
}

static long sys_ioctl(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    int on;

    if (!f || (f->flags & O_PATH))
        return -EBADF;
    switch ((uint32_t)w[1]) {
    case 0x5421: /* FIONBIO */
        if (user_read(c, w[2], &on, sizeof on))
            return -EFAULT;
        f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~(uint32_t)O_NONBLOCK;
        return 0;
    case 0x5451: /* FIOCLEX */
    case 0x5450: /* FIONCLEX */
        c->files->descriptor[(uint32_t)w[0]].close_on_exec = (uint32_t)w[1] == 0x5451;
        return 0;
    default:
        file_get(f);
        return with_file(c, f,
                         f->operations->ioctl ? f->operations->ioctl(c, f, (uint32_t)w[1], w[2])
                                              : -ENOTTY);
    }
}

static long sync_file(struct client *c, const uint64_t *w, bool data_only)
{
    struct file *f = fd_used(c, w[0]);
    struct message m;

    if (!f)
        return -EBADF;
    if (!f->server || (!S_ISREG(f->mode) && !S_ISDIR(f->mode) && !S_ISBLK(f->mode)))
        return -EINVAL;
    m = message_of(FILE_SYNC, (struct file_sync_request){.data_only = data_only});
    return remote_hand_over(c, f, &m);
}

static long sys_fsync(struct client *c, const uint64_t *w)
{
    return sync_file(c, w, false);
}

static long sys_fdatasync(struct client *c, const uint64_t *w)
{
    return sync_file(c, w, true);
}

static long truncate_node(struct client *c, struct server *s, uint64_t node, uint64_t length)
{
    struct message m = message_of(
        FILE_TRUNCATE,
        (struct file_truncate_request){.node = node, .length = length, .flags = drops_ids(c)});
    long result = (int64_t)length < 0 ? -EINVAL : writing_wait(c, s, node);

    if (result == 0)
        result = size_limit_grow(c, s, node, length);
    return result ? result : ask(c, s, &m, AGAIN);
}

static long sys_ftruncate(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    long result;

    if (!f)
        return -EBADF;
    if (!may(f, true) || !S_ISREG(f->mode))
        return -EINVAL;
    file_get(f);
    result = remote_current(c, f);
    return with_file(c, f, result ? result : truncate_node(c, f->server, f->node, w[1]));
}

static long sys_truncate(struct client *c, const uint64_t *w)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, AT_FDCWD, w[0], FOUND_FOLLOW, f) : -ENOMEM;

    if (result == 0)
        result = S_ISDIR(f->mode) ? -EISDIR : 0;
    if (result == 0)
        result = S_ISREG(f->mode) ? found_may(c, f, W_OK) : -EINVAL;
    if (result == 0)
        result = truncate_node(c, f->server, f->node, w[1]);
    found_free(f);
    return result;
}

/* Where the server cannot reserve space the size grows as asked. */
static long sys_fallocate(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    struct message m = message_of(
        FILE_ALLOCATE, (struct file_allocate_request){
                           .mode = w[1], .offset = w[2], .length = w[3], .flags = drops_ids(c)});
    struct file_allocate_request *r = message_words(&m);
    uint64_t size, end;
    long result;

    if (!f || !may(f, true))
        return -EBADF;
    r->node = f->node;
    if ((int64_t)w[2] < 0 || (int64_t)w[3] <= 0 || __builtin_add_overflow(w[2], w[3], &end) ||
        (int64_t)end < 0)
        return -EINVAL;
    if (!S_ISREG(f->mode))
        return S_ISFIFO(f->mode) ? -ESPIPE : -ENODEV;
    if (w[1] & ~(uint64_t)FALLOC_FL_KEEP_SIZE)
        return -EOPNOTSUPP;
    file_get(f);
    result = w[1] ? 0 : size_limit_grow(c, f->server, f->node, end);
    if (result)
        return with_file(c, f, result);
    result = remote_ask(c, f, &m, AGAIN);
    if (result != -EOPNOTSUPP)
        return with_file(c, f, result);
    result = w[1] ? 0 : file_size(c, f, &size);
    if (result == 0 && !w[1] && size < end)
        result = truncate_node(c, f->server, f->node, end);
    return with_file(c, f, result);
}

static long sys_fadvise(struct client *c, const uint64_t *w)
{
    struct file *f = fd_used(c, w[0]);

    if (!f)
        return -EBADF;
    if (!f->seekable)
        return -ESPIPE;
    return (uint32_t)w[3] > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

static long sys_sync(struct client *c, const uint64_t *w)
{
    (void)w;
    for (struct mount *at = mount_next(NULL); at; at = mount_next(at)) {
        struct message m =
            message_of(FILE_SYNC, (struct file_sync_request){.node = at->root, .back = FILE_BACK});

        ask(c, at->server, &m, AGAIN);
    }
    return 0;
}

VFS_TABLE(io_calls, {SYS_read, sys_read}, {SYS_write, sys_write}, {SYS_pread64, sys_pread},
          {SYS_pwrite64, sys_pwrite}, {SYS_readv, sys_readv}, {SYS_writev, sys_writev},
          {SYS_preadv, sys_preadv}, {SYS_pwritev, sys_pwritev}, {SYS_lseek, sys_lseek},
          {SYS_ioctl, sys_ioctl}, {SYS_fsync, sys_fsync}, {SYS_fdatasync, sys_fdatasync},
          {SYS_ftruncate, sys_ftruncate}, {SYS_truncate, sys_truncate},
          {SYS_fallocate, sys_fallocate}, {SYS_fadvise64, sys_fadvise}, {SYS_sync, sys_sync},
          {SYS_syncfs, sys_fsync})
