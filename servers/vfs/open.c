/* SPDX-License-Identifier: BSD-2-Clause */
/* open(2) and what it is made of. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "servers/vfs/rights.h"

enum {
    OPEN_FLAGS = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |
                 O_DSYNC | O_SYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |
                 O_CLOEXEC | O_PATH | O_ASYNC
};

#define DISKS_NS 5000000000ull /* so long may a disk's server take to find its disks */
#define DISKS_LOOK_NS 20000000ull

static int access_wanted(uint32_t flags)
{
    static const int how[] = {R_OK, W_OK, R_OK | W_OK, 0};
    int want = how[flags & O_ACCMODE];

    return flags & O_TRUNC ? want | W_OK : want;
}

/* A device file's server, by its major number. */
static struct server *device_server(uint32_t mode, uint64_t rdev)
{
    char key[32];

    snprintf(key, sizeof key, "%s/%u", S_ISCHR(mode) ? "chr" : "blk", major(rdev));
    return server_find(key);
}

/* One that has just been started may not know its disks yet. */
long part_find(struct client *c, uint64_t device, struct part *out)
{
    struct server *s = device_server(S_IFBLK, device);
    uint64_t end = clock_now() + DISKS_NS;

    while (s) {
        struct message m =
            message_of(FILE_STAT, (struct file_stat_request){.node = device, .back = FILE_BACK});
        const struct file_stat_reply *r = message_words(&m);
        long result = ask(c, s, &m, AGAIN);

        *out = (struct part){device, r->rdev};
        if (result != -EAGAIN || clock_now() >= end)
            return result == -EAGAIN ? -ENXIO : result;
        result = wait_sleep(c, clock_now() + DISKS_LOOK_NS);
        if (result != -ETIMEDOUT)
            return result;
    }
    return -ENXIO;
}

bool part_is_claimed(const struct part *p)
{
    for (const struct file *f = file_first(); f; f = list_at(f->next_all))
        if (parts_overlap(&f->claimed, p))
            return true;
    return false;
}

/* Nobody else mounts it, or opens it so: open(2), O_EXCL without O_CREAT. */
static long claim(struct client *c, struct file *file)
{
    struct part part;
    long result = part_find(c, file->rdev, &part);

    if (result < 0)
        return result;
    if (part_is_mounted(&part) || part_is_claimed(&part))
        return -EBUSY;
    file->claimed = part;
    return 0;
}

static long open_device(struct client *c, const struct found *f, uint32_t flags, struct file *file)
{
    long result = 0;

    file->server = device_server(f->mode, f->rdev);
    if (!file->server)
        return -ENXIO;
    file->seekable = S_ISBLK(f->mode) || major(f->rdev) == 1;
    if (S_ISBLK(f->mode) && (flags & O_EXCL))
        result = claim(c, file);
    return result ? result : remote_open(c, file);
}

static long check(struct client *c, const struct found *f, uint32_t flags)
{
    int want = flags & O_PATH ? 0 : access_wanted(flags);

    if (S_ISLNK(f->mode) && !(flags & O_PATH))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && !S_ISDIR(f->mode))
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (S_ISDIR(f->mode) && (want & W_OK))
        return -EISDIR;
    if (S_ISSOCK(f->mode))
        return -ENXIO;
    if ((S_ISCHR(f->mode) || S_ISBLK(f->mode)) && server_is_mounted_with(f->server, MS_NODEV))
        return -EACCES;
    if ((want & W_OK) && S_ISREG(f->mode) && server_is_mounted_with(f->server, MS_RDONLY))
        return -EROFS;
    return want ? found_may(c, f, want) : 0;
}

/* What concerns the open file and not the opening. */
static uint32_t server_flags(uint32_t flags)
{
    return flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What the server has opened on the way (FOUND_OPEN) is closed there. */
static long refuse(struct client *c, const struct found *f, long error)
{
    if (f->opened_by)
        remote_tell_refused(c, f->server, f->opened_by, f->use);
    return error;
}

/* The place for the file is taken before the server is asked to open it. What is to be emptied is emptied by
 * the opening: when the file is opened again, after its server has died, it must not be. */
static long open_checked(struct client *c, const struct found *f, uint32_t flags, struct file **out)
{
    struct file *file = file_new(&remote_operations, server_flags(flags), f->mode);
    long result = 0;

    if (!file)
        return refuse(c, f, -ENFILE);
    file->server = f->server;
    file->node = file->lock_node = f->node;
    file->rdev = f->rdev;
    file_set_path(file, f->path);
    file->seekable = S_ISREG(f->mode) || S_ISDIR(f->mode);
    if (f->opened_by) {
        file->node = f->use;
        file->opened_by = f->opened_by;
        result = remote_settle(c, file);
    } else if (!file->path) {
        result = -ENFILE;
    } else if (!(flags & O_PATH)) {
        result = S_ISCHR(f->mode) || S_ISBLK(f->mode) ? open_device(c, f, flags, file)
                                                      : remote_open(c, file);
    }
    if (result < 0) {
        file_discard(file); /* the server knows nothing of it: nothing to close there */
        return result;
    }
    file->flags &= ~(uint32_t)O_TRUNC;
    *out = file;
    return 0;
}

long open_found(struct client *c, const struct found *f, uint32_t flags, struct file **out)
{
    long result = check(c, f, flags);

    if (result)
        return refuse(c, f, result);
    return S_ISFIFO(f->mode) && !(flags & O_PATH) ? fifo_open(c, f, flags, out)
                                                  : open_checked(c, f, flags, out);
}

long open_path(struct client *c, const char *path, uint32_t flags, struct file **out)
{
    struct found *f = found_new();
    long result = f ? path_find(c, AT_FDCWD, path, FOUND_FOLLOW, f) : -ENOMEM;

    if (result == 0)
        result = open_found(c, f, flags, out);
    found_free(f);
    return result;
}

/* Make the file that is missing. The one who made it may do with it what it asked for, whatever the
 * mode. */
static long create(struct client *c, struct found *f, uint32_t flags, uint32_t mode,
                   struct file **out)
{
    struct message m;
    const struct file_lookup_reply *reply = message_words(&m);
    long result = name_create(c, f, S_IFREG | (mode & 07777), &m);

    if (result)
        return result;
    f->node = reply->node;
    f->mode = (uint32_t)reply->mode;
    f->size = reply->size;
    return open_checked(c, f, flags & ~(uint32_t)O_TRUNC, out);
}

/* The same pipe again, by a name in /proc/self/fd: in the way that it is open. */
static long open_unnamed(struct file *f, uint32_t flags, struct file **out)
{
    uint32_t has = f->flags & O_ACCMODE, wanted = flags & O_ACCMODE;

    if (S_ISSOCK(f->mode))
        return -ENXIO;
    if (has != O_RDWR && has != wanted)
        return -EACCES;
    file_get(f);
    *out = f;
    return 0;
}

static long open_at(struct client *c, int at, uint64_t path, uint32_t flags, uint32_t mode,
                    struct found *f, struct file **out)
{
    /* Root may open every regular file: at once. Whether others may is found out first. */
    bool at_once = c->uid == 0 && !(flags & (O_PATH | O_DIRECTORY | O_EXCL));
    uint64_t open = at_once ? FOUND_OPEN | (uint64_t)server_flags(flags) << FOUND_OPEN_SHIFT : 0;
    bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);

    for (int attempt = 0;; attempt++) {
        long result =
            path_find_user(c, at, path,
                           (follow ? FOUND_FOLLOW : 0) | (flags & O_CREAT ? FOUND_MAY_MISS : 0) |
                               FOUND_UNNAMED | open,
                           f);

        /* with a slash at its end it asks for a directory, which is not made here */
        if ((flags & O_CREAT) && f->trailing_slash) {
            result = path_find_parent(c, at, path, f);
            return result ? result : -EISDIR;
        }
        if (result)
            return refuse(c, f, result);
        if (f->unnamed)
            return open_unnamed(f->unnamed, flags, out);
        if (f->mode) {
            if ((flags & O_CREAT) && (flags & O_EXCL))
                return -EEXIST;
            return (flags & O_CREAT) && S_ISDIR(f->mode) ? -EISDIR : open_found(c, f, flags, out);
        }
        result = create(c, f, flags, mode, out);
        /* somebody else was quicker: open that one */
        if (result != -EEXIST || (flags & O_EXCL) || attempt > 3)
            return result;
    }
}

static long do_open(struct client *c, int at, uint64_t path, uint32_t flags, uint32_t mode)
{
    struct found *f = found_new();
    struct file *file = NULL;
    long result = fd_wanted(c); /* first: nothing is made or emptied that cannot be had */

    if (!f)
        return -ENOMEM;
    flags &= OPEN_FLAGS;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (result == 0)
        result = open_at(c, at, path, flags, mode, f, &file);
    found_free(f);
    return result ? result : fd_install(c, file, 0, flags);
}

static long sys_open(struct client *c, const uint64_t *w)
{
    return do_open(c, AT_FDCWD, w[0], (uint32_t)w[1], (uint32_t)w[2]);
}

static long sys_openat(struct client *c, const uint64_t *w)
{
    return do_open(c, (int)w[0], w[1], (uint32_t)w[2], (uint32_t)w[3]);
}

static long sys_creat(struct client *c, const uint64_t *w)
{
    return do_open(c, AT_FDCWD, w[0], O_CREAT | O_WRONLY | O_TRUNC, (uint32_t)w[1]);
}

VFS_TABLE(open_calls, {SYS_open, sys_open}, {SYS_openat, sys_openat}, {SYS_creat, sys_creat})
