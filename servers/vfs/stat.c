/* SPDX-License-Identifier: BSD-2-Clause */
/* stat and its family, access, statfs; who may do what with a file. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "servers/vfs/rights.h"

bool client_in_group(const struct client *c, uint32_t gid)
{
    for (uint32_t n = 0; n < c->group_count; n++)
        if (c->groups[n] == gid)
            return true;
    return c->gid == gid;
}

static int granted(const struct client *c, uint32_t mode, uint32_t uid, uint32_t gid)
{
    if (c->uid == uid)
        mode >>= 6;
    else if (client_in_group(c, gid))
        mode >>= 3;
    return (int)mode & 7;
}

long found_may(struct client *c, const struct found *f, int how)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = f->node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result;

    if (c->uid == 0)
        return (how & X_OK) && !S_ISDIR(f->mode) && !(f->mode & 0111) ? -EACCES : 0;
    result = ask(c, f->server, &m, AGAIN);
    if (result < 0)
        return result;
    return (how & ~granted(c, r->mode, r->uid, r->gid)) ? -EACCES : 0;
}

static long hand_stat(struct client *c, struct server *s, uint64_t node, uint64_t address)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = node, .address = address});

    return hand_over(c, s, &m);
}

static long hand_statfs(struct client *c, struct server *s, uint64_t node, uint64_t address)
{
    const struct mount *mount = mount_at(s, 0);
    struct message m =
        message_of(FILE_STATFS,
                   (struct file_statfs_request){
                       .node = node, .address = address, .flags = mount ? mount_shown(mount) : 0});

    return hand_over(c, s, &m);
}

static long stat_found(struct client *c, const struct found *f, uint64_t address)
{
    return hand_stat(c, f->server, f->node, address);
}

/* The inode of a device is where its name is; it may have lost that. */
static long stat_device(struct client *c, struct file *f, const struct stat *other,
                        uint64_t address)
{
    struct found *found = f->path ? found_new() : NULL;
    long result = -ENOENT;

    file_get(f);
    if (found)
        result = path_find(c, AT_FDCWD, f->path, 0, found);
    if (result == 0 && found->node == f->lock_node && found->rdev == f->rdev)
        result = stat_found(c, found, address);
    else
        result = user_write(c, address, other, sizeof *other);
    found_free(found);
    file_put(result == SERVICE_NO_REPLY ? NULL : c, f);
    return result;
}

static long stat_file(struct client *c, struct file *f, uint64_t address)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = f->node, .address = address});
    struct stat out = {.st_blksize = 4096,
                       .st_mode = f->mode,
                       .st_ino = f->lock_node,
                       .st_rdev = f->rdev,
                       .st_nlink = 1};

    if (f->operations->is_ours) {
        out.st_uid = c->uid;
        out.st_gid = c->gid;
        return user_write(c, address, &out, sizeof out);
    }
    if (S_ISCHR(f->mode) || S_ISBLK(f->mode))
        return stat_device(c, f, &out, address);
    return remote_hand_over(c, f, &m);
}

static long stat_path(struct client *c, int at, uint64_t path, unsigned flags, uint64_t address)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, at, path, flags | FOUND_UNNAMED, f) : -ENOMEM;

    if (result == 0)
        result = f->unnamed ? stat_file(c, f->unnamed, address) : stat_found(c, f, address);
    found_free(f);
    return result;
}

static long sys_stat(struct client *c, const uint64_t *w)
{
    return stat_path(c, AT_FDCWD, w[0], FOUND_FOLLOW, w[1]);
}

static long sys_lstat(struct client *c, const uint64_t *w)
{
    return stat_path(c, AT_FDCWD, w[0], 0, w[1]);
}

static long sys_fstat(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);

    return f ? stat_file(c, f, w[1]) : -EBADF;
}

static bool is_empty(struct client *c, uint64_t path)
{
    char first;

    return user_read(c, path, &first, 1) == 0 && !first;
}

static unsigned follow_of(uint64_t flags)
{
    return flags & AT_SYMLINK_NOFOLLOW ? 0 : FOUND_FOLLOW;
}

static long sys_newfstatat(struct client *c, const uint64_t *w)
{
    if (w[3] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
        return -EINVAL;
    if ((w[3] & AT_EMPTY_PATH) && is_empty(c, w[1])) {
        if ((int)w[0] != AT_FDCWD)
            return sys_fstat(c, (uint64_t[]){w[0], w[2]});
        return hand_stat(c, c->place->cwd.server, c->place->cwd.node, w[2]);
    }
    return stat_path(c, (int)w[0], w[1], follow_of(w[3]), w[2]);
}

/* Linux's struct statx: statx(2). */
struct statx_time {
    int64_t seconds;
    uint32_t nanoseconds, pad;
};
struct statx_result {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, blocks, attributes_mask;
    struct statx_time accessed, born, changed, modified;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t spare[14];
};
_Static_assert(sizeof(struct statx_result) == 256, "as Linux has it");
enum { STATX_BASIC = 0x7ff };

/* f: it is open, by that node as far as we know. */
static long statx_node(struct client *c, struct file *f, struct server *s, uint64_t node,
                       uint64_t address)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    struct statx_result out = {.mask = STATX_BASIC, .block_size = 4096, .inode = node};
    long result = f ? remote_ask(c, f, &m, AGAIN) : ask(c, s, &m, AGAIN);
    struct statx_time t;

    if (result < 0)
        return result;
    t = (struct statx_time){.seconds = (int64_t)(r->mtime_ns / 1000000000u),
                            .nanoseconds = (uint32_t)(r->mtime_ns % 1000000000u)};
    out.mode = (uint16_t)r->mode;
    out.links = r->links;
    out.size = r->size;
    out.blocks = (r->size + 511) / 512;
    out.uid = r->uid;
    out.gid = r->gid;
    out.rdev_major = major(r->rdev);
    out.rdev_minor = minor(r->rdev);
    out.accessed = out.changed = out.modified = t;
    return user_write(c, address, &out, sizeof out);
}

static long statx_open(struct client *c, struct file *f, uint64_t address)
{
    long result;

    file_get(f);
    result = statx_node(c, f, f->server, f->node, address);
    file_put(c, f);
    return result;
}

static long statx_local(struct client *c, struct file *f, uint64_t address)
{
    struct statx_result out = {.mask = STATX_BASIC,
                               .block_size = 4096,
                               .inode = f->lock_node,
                               .mode = (uint16_t)f->mode,
                               .links = 1};

    out.rdev_major = major(f->rdev);
    out.rdev_minor = minor(f->rdev);
    return user_write(c, address, &out, sizeof out);
}

static long sys_statx(struct client *c, const uint64_t *w)
{
    struct found *found;
    long result;

    if (w[2] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | 0x6000))
        return -EINVAL;
    if ((w[2] & AT_EMPTY_PATH) && is_empty(c, w[1])) {
        struct file *f = (int)w[0] == AT_FDCWD ? NULL : fd_file(c, w[0]);

        if ((int)w[0] != AT_FDCWD && !f)
            return -EBADF;
        if (f && (!f->server || S_ISCHR(f->mode) || S_ISBLK(f->mode)))
            return statx_local(c, f, w[4]);
        return f ? statx_open(c, f, w[4])
                 : statx_node(c, NULL, c->place->cwd.server, c->place->cwd.node, w[4]);
    }
    found = found_new();
    result = found ? path_find_user(c, (int)w[0], w[1], follow_of(w[2]), found) : -ENOMEM;
    if (result == 0)
        result = statx_node(c, NULL, found->server, found->node, w[4]);
    found_free(found);
    return result;
}

static long access_by(struct client *c, int at, uint64_t path, uint64_t how, uint64_t flags)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, at, path, follow_of(flags), f) : -ENOMEM;
    if (result == 0 && how)
        result = found_may(c, f, (int)how);
    if (result == 0 && S_ISREG(f->mode) && (how & X_OK) &&
        server_is_mounted_with(f->server, MS_NOEXEC))
        result = -EACCES;
    if (result == 0 && S_ISREG(f->mode) && (how & W_OK) &&
        server_is_mounted_with(f->server, MS_RDONLY))
        result = -EROFS;
    found_free(f);
    return result;
}

/* As the real user, on the way there, too: what set-uid programs ask for. */
static long access_at(struct client *c, int at, uint64_t path, uint64_t how, uint64_t flags)
{
    uint32_t uid = c->uid, gid = c->gid;
    long result;

    if ((how & ~7ull) || (flags & ~(uint64_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    if (!(flags & AT_EACCESS)) {
        c->uid = c->real_uid;
        c->gid = c->real_gid;
    }
    result = access_by(c, at, path, how, flags);
    c->uid = uid;
    c->gid = gid;
    return result;
}

static long sys_access(struct client *c, const uint64_t *w)
{
    return access_at(c, AT_FDCWD, w[0], (uint32_t)w[1], 0);
}

static long sys_faccessat(struct client *c, const uint64_t *w)
{
    return access_at(c, (int)w[0], w[1], (uint32_t)w[2], 0);
}

static long sys_faccessat2(struct client *c, const uint64_t *w)
{
    return access_at(c, (int)w[0], w[1], (uint32_t)w[2], (uint32_t)w[3]);
}

static long sys_statfs(struct client *c, const uint64_t *w)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, AT_FDCWD, w[0], FOUND_FOLLOW, f) : -ENOMEM;

    if (result == 0)
        result = hand_statfs(c, f->server, f->node, w[1]);
    found_free(f);
    return result;
}

static long sys_fstatfs(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[0]);
    struct statfs out = {
        .f_type = 0x50495045 /* pipefs */, .f_bsize = 4096, .f_namelen = VFS_NAME_MAX};

    if (!f)
        return -EBADF;
    if (!f->server || !S_ISREG(f->mode))
        return S_ISDIR(f->mode) ? hand_statfs(c, f->server, f->node, w[1])
                                : user_write(c, w[1], &out, sizeof out);
    return hand_statfs(c, f->server, f->node, w[1]);
}

VFS_TABLE(stat_calls, {SYS_stat, sys_stat}, {SYS_lstat, sys_lstat}, {SYS_fstat, sys_fstat},
          {SYS_newfstatat, sys_newfstatat}, {SYS_statx, sys_statx}, {SYS_access, sys_access},
          {SYS_faccessat, sys_faccessat}, {SYS_faccessat2, sys_faccessat2},
          {SYS_statfs, sys_statfs}, {SYS_fstatfs, sys_fstatfs})
