/* SPDX-License-Identifier: BSD-2-Clause */
/* Path walking, permissions and the packing of entries: logic without kernel calls. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/fs/fs.h"

static bool is_member(struct fs_user user, uint32_t gid)
{
    for (uint32_t n = 0; n < user.group_count; n++)
        if (user.groups[n] == gid)
            return true;
    return user.gid == gid;
}

bool fs_may(const struct fs_attributes *a, struct fs_user user, unsigned wanted)
{
    unsigned shift = is_member(user, a->gid) ? 3 : 0;

    if (user.uid == 0)
        return !(wanted & X_OK) || S_ISDIR(a->mode) || (a->mode & 0111);
    if (user.uid == a->uid)
        shift = 6;
    return (a->mode >> shift & wanted) == wanted;
}

long fs_may_remove(const struct fs_attributes *directory, const struct fs_attributes *child,
                   struct fs_user user)
{
    if (!fs_may(directory, user, W_OK | X_OK))
        return -EACCES;
    if ((directory->mode & S_ISVTX) && user.uid != 0 && user.uid != directory->uid &&
        user.uid != child->uid)
        return -EPERM;
    return 0;
}

long fs_name_check(char *name, size_t length)
{
    while (length > 1 && name[length - 1] == '/')
        length--;
    name[length] = 0;
    if (length == 0)
        return -ENOENT;
    if (length > FS_NAME_MAX)
        return -ENAMETOOLONG;
    if (memchr(name, '/', length) || memchr(name, 0, length))
        return -EINVAL;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -EEXIST : 0;
}

static size_t skip_slashes(const struct fs_walk *w, size_t at)
{
    while (at < w->length && w->path[at] == '/')
        at++;
    return at;
}

/* One component from directory w->node: 0, or -errno with w->node as fs_walk() promises. */
static long step(const struct fs_operations *fs, struct fs_walk *w, const char *name, bool is_last)
{
    bool is_up = strcmp(name, "..") == 0;
    uint64_t next = 0;
    long result = is_up ? fs->parent(w->node, &next) : fs->child(w->node, name, &next);

    if (result < 0) {
        if (result != -ENOENT || !is_last)
            w->node = 0;
        return result;
    }
    w->directory = w->node;
    w->node = next;
    return fs->attributes(next, &w->attributes);
}

/* May the walk go through w->node, a directory? */
static long enter(const struct fs_walk *w)
{
    if (!S_ISDIR(w->attributes.mode))
        return -ENOTDIR;
    return fs_may(&w->attributes, w->user, X_OK) ? 0 : -EACCES;
}

static enum file_stop stops_at(const struct fs_walk *w, bool is_last, bool slash_after)
{
    if (S_ISLNK(w->attributes.mode) && (!is_last || slash_after || (w->flags & LOOKUP_FOLLOW)))
        return STOP_SYMLINK;
    return w->attributes.covered ? STOP_MOUNT : STOP_NONE;
}

/* Search permission is asked for before a name is looked up, or one could find out what is in a
 * directory that one may not enter. Where the walk stops early the slashes behind the name are not
 * consumed: they tell the caller that a directory is meant. */
long fs_walk(const struct fs_operations *fs, struct fs_walk *w)
{
    size_t at = skip_slashes(w, 0);
    long result;

    w->node = w->start;
    w->stop = STOP_NONE;
    w->directory = 0;
    result = fs->attributes(w->node, &w->attributes);
    if (result == -ESTALE) /* the directory was removed, and somebody still stands in it */
        result = -ENOENT;
    while (result == 0 && at < w->length) {
        char name[FS_NAME_MAX + 1];
        const char *slash = memchr(w->path + at, '/', w->length - at);
        size_t end = slash ? (size_t)(slash - w->path) : w->length, after = skip_slashes(w, end);

        result = enter(w);
        if (result == 0 && end - at > FS_NAME_MAX)
            result = -ENAMETOOLONG;
        if (result < 0)
            break;
        memcpy(name, w->path + at, end - at);
        name[end - at] = 0;
        at = after;
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0 && w->node == fs->root) {
            w->stop = STOP_ABOVE_ROOT;
            return (long)end;
        }
        result = step(fs, w, name, after == w->length);
        if (result < 0)
            return result;
        w->stop = stops_at(w, after == w->length, slash != NULL);
        if (w->stop != STOP_NONE)
            return (long)end;
        if (slash && after == w->length)
            result = enter(w) == -ENOTDIR ? -ENOTDIR : 0;
    }
    if (result < 0)
        w->node = 0;
    return result;
}

struct packed_entry { /* struct linux_dirent64 */
    uint64_t node, next;
    uint16_t length;
    uint8_t type;
    char name[];
} __attribute__((packed));

static long pack_entry(void *buffer, size_t room, const struct fs_entry *e, uint64_t next)
{
    struct packed_entry *out = buffer;
    size_t name = strlen(e->name) + 1, length = (sizeof *out + name + 7) & ~7ull;

    if (length > room)
        return 0;
    memset(out, 0, length);
    out->node = e->node;
    out->next = next;
    out->length = (uint16_t)length;
    out->type = (uint8_t)(e->mode >> 12 & 15); /* DT_* are the upper bits of S_IF* */
    memcpy(out->name, e->name, name);
    return (long)length;
}

/* The cookies 0 and 1 are "." and ".."; the server's own come after, moved by 2. */
static long entry_at(const struct fs_operations *fs, uint64_t directory, uint64_t cookie,
                     struct fs_entry *e)
{
    long result;

    if (cookie < 2) {
        *e = (struct fs_entry){.node = directory, .cookie = cookie + 1, .mode = S_IFDIR};
        strcpy(e->name, cookie ? ".." : ".");
        result = cookie == 1 && directory != fs->root ? fs->parent(directory, &e->node) : 0;
        if (fs->number)
            e->node = fs->number(e->node);
        return result < 0 ? result : 1;
    }
    result = fs->next(directory, cookie - 2, e);
    e->cookie += 2;
    return result;
}

long fs_pack_directory(const struct fs_operations *fs, uint64_t directory, void *buffer,
                       size_t room, uint64_t *cookie)
{
    struct fs_entry e;
    size_t used = 0;
    long result;

    while ((result = entry_at(fs, directory, *cookie, &e)) > 0) {
        long n = pack_entry((char *)buffer + used, room - used, &e, e.cookie);

        if (n == 0)
            return used ? (long)used : -EINVAL;
        used += (size_t)n;
        *cookie = e.cookie;
    }
    return used ? (long)used : result;
}

static struct timespec time_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

void fs_fill_stat(uint64_t node, const struct fs_attributes *a, struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_ino = node;
    out->st_nlink = a->links;
    out->st_mode = a->mode;
    out->st_uid = a->uid;
    out->st_gid = a->gid;
    out->st_rdev = a->rdev;
    out->st_size = (off_t)a->size;
    out->st_blksize = 4096;
    out->st_blocks = (blkcnt_t)a->blocks;
    out->st_atim = time_of(a->atime_ns);
    out->st_mtim = time_of(a->mtime_ns);
    out->st_ctim = time_of(a->ctime_ns);
}
