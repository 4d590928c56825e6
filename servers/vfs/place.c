/* SPDX-License-Identifier: BSD-2-Clause */
/* Working directory, root directory, umask. */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "servers/vfs/vfs.h"

/* The directory is open at its server for as long as somebody is in it: one that is removed is still a
 * directory, and its number nobody else's. What was there before is let go when that is done. */
long location_set(struct client *c, struct location *l, struct server *s, uint64_t node,
                  const char *path)
{
    struct file *f = file_new(&remote_operations, O_DIRECTORY, S_IFDIR), *old;
    long result;

    if (!f)
        return -ENFILE;
    f->server = s;
    f->node = f->lock_node = node;
    f->seekable = true;
    result = file_set_path(f, path) ? remote_open(c, f) : -ENOMEM;
    if (result < 0) {
        file_discard(f);
        return result == -ESTALE ? -ENOENT : result;
    }
    old = l->file;
    *l = (struct location){s, f->node, f->path, f};
    if (old)
        file_put(c, old);
    return 0;
}

static long change(struct client *c, uint64_t path, struct location *l)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, AT_FDCWD, path, FOUND_FOLLOW, f) : -ENOMEM;

    if (result == 0)
        result = S_ISDIR(f->mode) ? found_may(c, f, X_OK) : -ENOTDIR;
    if (result == 0)
        result = location_set(c, l, f->server, f->node, f->path);
    found_free(f);
    return result;
}

static long sys_chdir(struct client *c, const uint64_t *w)
{
    return change(c, w[0], &c->place->cwd);
}

static long sys_chroot(struct client *c, const uint64_t *w)
{
    return c->uid ? -EPERM : change(c, w[0], &c->place->root);
}

static long sys_fchdir(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    long result;

    if (!f)
        return -EBADF;
    if (!S_ISDIR(f->mode) || !f->path)
        return -ENOTDIR;
    file_get(f);
    result = location_set(c, &c->place->cwd, f->server, f->node, f->path);
    file_put(c, f);
    return result;
}

/* The part of the canonical path below the client's root. */
static const char *visible(const struct client *c, const char *path)
{
    const char *root = c->place->root.path;
    size_t n = strlen(root);

    if (n <= 1)
        return path;
    if (strncmp(path, root, n) == 0 && (path[n] == '/' || !path[n]))
        return path[n] ? path + n : "/";
    return path;
}

static long sys_getcwd(struct client *c, const uint64_t *w)
{
    struct location *cwd = &c->place->cwd;
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = cwd->node, .back = FILE_BACK});
    const struct file_stat_reply *there = message_words(&m);
    long result = ask(c, cwd->server, &m, AGAIN);
    const char *path = visible(c, cwd->path);
    size_t n = strlen(path) + 1;

    if (result < 0 || !there->links)
        return result == -EINTR ? result : -ENOENT; /* the directory has been removed */
    if (w[1] < n)
        return -ERANGE;
    result = user_write(c, w[0], path, n);
    return result ? result : (long)n;
}

static long sys_umask(struct client *c, const uint64_t *w)
{
    uint32_t old = c->place->umask;

    c->place->umask = (uint32_t)w[0] & 0777;
    return old;
}

VFS_TABLE(place_calls, {SYS_chdir, sys_chdir}, {SYS_fchdir, sys_fchdir}, {SYS_chroot, sys_chroot},
          {SYS_getcwd, sys_getcwd}, {SYS_umask, sys_umask})
