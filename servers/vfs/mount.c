/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of mounts, mount(2), umount(2). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "servers/vfs/vfs.h"

enum { MOUNTS_MAX = 32 };

static struct mount mounts[MOUNTS_MAX];

struct mount *mount_over(struct server *s, uint64_t node)
{
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server && m->over_server == s && m->over_node == node)
            return m;
    return NULL;
}

/* A server has one file system: root 0 means any. */
struct mount *mount_at(struct server *s, uint64_t root)
{
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server == s && (!root || m->root == root))
            return m;
    return NULL;
}

struct mount *mount_root(void)
{
    return mounts[0].server ? &mounts[0] : NULL;
}

/* Such a directory can be neither renamed nor removed while it is covered: its name is as good as a
 * walk. */
struct mount *mount_of_path(const char *path, const char **rest)
{
    const char *name = path + strspn(path, "/");
    size_t n = strcspn(name, "/");

    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server && m->over_server && n && strlen(m->path) == n + 1 &&
            memcmp(m->path + 1, name, n) == 0) {
            *rest = name + n;
            return m;
        }
    return NULL;
}

static struct mount *mount_free(void)
{
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (!m->server)
            return m;
    return NULL;
}

static long cover(struct client *c, struct server *s, uint64_t node, bool covered)
{
    struct message m = {.type = FILE_MOUNT, .w = {node, covered}};

    return ask(c, s, &m, AGAIN);
}

long mount_add(struct client *c, struct server *s, const char *type, const struct found *over,
               const char *options)
{
    long grant = grant_make(s->endpoint, options, strlen(options) + 1, GRANT_READ), result;
    struct message root = {.type = FILE_ROOT, .w = {(uint64_t)grant, 0, strlen(options)}};
    struct mount *m = mount_free();

    if (grant < 0 || !m) {
        if (grant >= 0)
            grant_revoke(grant);
        return -ENOMEM;
    }
    /* a file server that has just said that it is there */
    result = s->endpoint ? ipc_call(s->endpoint, &root) : -EIO;
    grant_revoke(grant);
    if (result == 0 && over)
        result = cover(c, over->server, over->node, true);
    if (result < 0)
        return result;
    *m = (struct mount){.server = s, .root = root.w[1]};
    if (over) {
        m->over_server = over->server;
        m->over_node = over->node;
    }
    snprintf(m->path, sizeof m->path, "%.255s", over ? over->path : "/");
    snprintf(m->type, sizeof m->type, "%s", type);
    snprintf(m->options, sizeof m->options, "%s", *options ? options : "rw");
    return 0;
}

/* Paths in /proc/mounts have their blanks escaped, as getmntent(3) expects. */
static int put_path(char *text, size_t room, const char *path)
{
    size_t n = 0;

    for (; *path && n + 5 < room; path++)
        if (*path == ' ' || *path == '\t' || *path == '\n' || *path == '\\')
            n += (size_t)snprintf(text + n, room - n, "\\%03o", (unsigned char)*path);
        else
            text[n++] = *path;
    text[n] = 0;
    return (int)n;
}

long mounts_text(char *text, size_t room)
{
    size_t n = 0;

    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++) {
        char path[4 * sizeof m->path];
        int added;

        if (!m->server)
            continue;
        put_path(path, sizeof path, m->path);
        added = snprintf(text + n, room - n, "%s %s %s %s 0 0\n", m->server->key, path, m->type,
                         m->options);
        if (added < 0 || (size_t)added >= room - n)
            break;
        n += (size_t)added;
    }
    return (long)n;
}

static long mount_type(const char *type, char *key, size_t room)
{
    if (!*type || strchr(type, '/') || strlen(type) > 12)
        return -ENODEV;
    if (strcmp(type, "devtmpfs") == 0)
        type = "dev";
    snprintf(key, room, "fs/%s", type);
    return 0;
}

/* One instance of a file system for each server: a second mount of it is refused. */
static long mount_found(struct client *c, const char *type, const struct found *over)
{
    struct server *s;
    char key[32];
    long result = mount_type(type, key, sizeof key);

    if (result)
        return result;
    s = server_find(key);
    if (!s)
        return -ENODEV;
    if (!S_ISDIR(over->mode))
        return -ENOTDIR;
    return mount_at(s, 0) ? -EBUSY : mount_add(c, s, type, over, "rw");
}

static long sys_mount(struct client *c, const uint64_t *w)
{
    struct found *over;
    char type[32];
    long result;

    if (c->uid)
        return -EPERM;
    if (w[3] & (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
        return w[3] & MS_REMOUNT ? 0 : -EINVAL;
    result = user_string(c, w[2], type, sizeof type);
    if (result < 0)
        return result == -ENAMETOOLONG ? -ENODEV : result;
    over = found_new();
    if (!over)
        return -ENOMEM;
    result = path_find_user(c, AT_FDCWD, w[1], FOUND_FOLLOW, over);
    if (result == 0)
        result = mount_found(c, type, over);
    found_free(over);
    return result;
}

/* Somebody has a file or directory of it. */
static bool is_busy(const struct mount *m)
{
    for (struct client *c = client_next(NULL); c; c = client_next(c)) {
        if (c->place && (c->place->cwd.server == m->server || c->place->root.server == m->server))
            return true;
        for (uint32_t i = 0; c->files && i < c->files->size; i++)
            if (c->files->descriptor[i].file && c->files->descriptor[i].file->server == m->server)
                return true;
    }
    for (const struct mount *other = mounts; other < mounts + MOUNTS_MAX; other++)
        if (other->server && other->over_server == m->server)
            return true;
    return false;
}

static long umount_found(struct client *c, const struct found *f, bool lazy)
{
    struct mount *m = mount_at(f->server, f->node);
    long result;

    if (!m)
        return -EINVAL;
    if (!m->over_server || (is_busy(m) && !lazy))
        return -EBUSY;
    result = cover(c, m->over_server, m->over_node, false);
    if (result < 0)
        return result;
    m->server = NULL;
    return 0;
}

static long sys_umount2(struct client *c, const uint64_t *w)
{
    struct found *f;
    long result;

    if (c->uid)
        return -EPERM;
    f = found_new();
    if (!f)
        return -ENOMEM;
    result = path_find_user(c, AT_FDCWD, w[0], FOUND_FOLLOW, f);
    if (result == 0)
        result = umount_found(c, f, w[1] & (MNT_DETACH | MNT_FORCE));
    found_free(f);
    return result;
}

VFS_TABLE(mount_calls, {SYS_mount, sys_mount}, {SYS_umount2, sys_umount2})
