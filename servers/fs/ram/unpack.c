/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/ram/unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/cpio/cpio.h"
#include "lib/rt/error.h"
#include "lib/rt/log.h"

enum { LINK_DEPTH = 8 };

static long walk_to(struct tree *t, struct node *from, const char *path, size_t length, int depth,
                    struct node **out);

/* The directory that `name` is in `at`; made when it is missing; a link to one is followed. */
static long descend(struct tree *t, struct node *at, const char *name, int depth, struct node **out)
{
    struct entry *e;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        *out = name[1] && at->directory.parent ? at->directory.parent : at;
        return 0;
    }
    e = tree_find(t, at, name);
    if (!e)
        return tree_create(t, at, name, S_IFDIR | 0755, (struct fs_user){0}, NULL, out);
    if (S_ISLNK(e->node->mode)) {
        const char *target = e->node->target;

        return walk_to(t, *target == '/' ? t->root : at, target, strlen(target), depth + 1, out);
    }
    *out = e->node;
    return S_ISDIR(e->node->mode) ? 0 : -ENOTDIR;
}

static long walk_to(struct tree *t, struct node *from, const char *path, size_t length, int depth,
                    struct node **out)
{
    const char *end = path + length;

    *out = from;
    if (depth > LINK_DEPTH)
        return -ELOOP;
    while (path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t n = slash ? (size_t)(slash - path) : (size_t)(end - path);
        char name[FS_NAME_MAX + 1];
        long result;

        if (n > FS_NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, path, n);
        name[n] = 0;
        path += n + (slash != NULL);
        result = n ? descend(t, *out, name, depth, out) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}

/* A symbolic link's target, NUL-terminated. */
static long target_of(const struct cpio_entry *from, char *target)
{
    if (from->size == 0 || from->size >= FS_PATH_MAX)
        return -EINVAL;
    memcpy(target, from->data, from->size);
    target[from->size] = 0;
    return 0;
}

/* What comes later in the archive takes the place of what came before, but a directory keeps what
 * is in it. Contents stay in the archive, which is mapped for good: nothing is copied before
 * somebody writes. */
static long put(struct tree *t, struct node *directory, const char *name,
                const struct cpio_entry *from)
{
    struct fs_user owner = {.uid = from->uid, .gid = from->gid};
    struct entry *old = tree_find(t, directory, name);
    char target[FS_PATH_MAX];
    struct node *n;
    long result = S_ISLNK(from->mode) ? target_of(from, target) : 0;

    if (result < 0)
        return result;
    if (old && S_ISDIR(old->node->mode) && S_ISDIR(from->mode)) {
        n = old->node;
    } else {
        if (old)
            result = tree_unlink(t, directory, name, S_ISDIR(old->node->mode));
        if (result == 0)
            result = tree_create(t, directory, name, from->mode, owner,
                                 S_ISLNK(from->mode) ? target : NULL, &n);
        if (result < 0)
            return result;
    }
    n->mode = from->mode;
    n->uid = from->uid;
    n->gid = from->gid;
    n->rdev = makedev(from->major, from->minor);
    if (from->mtime)
        n->mtime_ns = from->mtime * 1000000000ull;
    if (S_ISREG(n->mode) && from->size)
        content_borrow(&n->content, from->data, from->size);
    return 0;
}

static bool is_known_kind(uint32_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
           S_ISFIFO(mode) || S_ISSOCK(mode);
}

static long unpack_entry(struct tree *t, const struct cpio_entry *from)
{
    char path[FS_PATH_MAX + 1], *name;
    size_t length = strlen(from->name);
    struct node *directory;
    long result;

    if (length > FS_PATH_MAX || !is_known_kind(from->mode))
        return -EINVAL;
    memcpy(path, from->name, length + 1);
    while (length > 0 && path[length - 1] == '/')
        path[--length] = 0;
    if (length == 0)
        return 0;
    name = strrchr(path, '/');
    name = name ? name + 1 : path;
    result = walk_to(t, t->root, path, (size_t)(name - path), 0, &directory);
    if (result == 0)
        result = fs_name_check(name, strlen(name));
    return result < 0 ? result : put(t, directory, name, from);
}

long unpack(struct tree *t, const void *archive, size_t size)
{
    struct cpio reader = {.bytes = archive, .size = size};
    struct cpio_entry entry;
    int more;

    while ((more = cpio_next(&reader, &entry)) > 0) {
        long result = unpack_entry(t, &entry);

        if (result == -ENOSPC)
            return result;
        if (result < 0)
            log_info("boot archive: %.200s is left out (%s)", entry.name, error_name(result));
    }
    return more;
}
