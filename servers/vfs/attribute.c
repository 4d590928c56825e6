/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that change attributes: chmod, chown, utimes and their families. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "servers/vfs/rights.h"

struct change {
    uint64_t mask;
    uint32_t mode, uid, gid;
    uint64_t atime_ns, mtime_ns;
    bool now; /* times: whoever may write may set them to now */
};

/* Root may all; the owner may change mode and times, and give the group that it is in. */
/* Times may be set to now by whoever may write the file. */
static long not_owner(const struct change *change, bool may_write)
{
    if (!change->now)
        return -EPERM;
    return may_write ? 0 : -EACCES;
}

static long may_change(struct client *c, struct server *s, uint64_t node,
                       const struct change *change)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result;

    if (c->uid == 0)
        return 0;
    result = ask(c, s, &m, AGAIN);
    if (result)
        return result;
    if (r->uid != c->uid)
        return not_owner(change, r->mode & (client_in_group(c, r->gid) ? S_IWGRP : S_IWOTH));
    if ((change->mask & ATTRIBUTE_UID) && change->uid != c->uid)
        return -EPERM;
    return (change->mask & ATTRIBUTE_GID) && !client_in_group(c, change->gid) ? -EPERM : 0;
}

static long change_node(struct client *c, struct server *s, uint64_t node,
                        const struct change *change)
{
    struct message m = message_of(
        FILE_SET_ATTRIBUTES, (struct file_set_attributes_request){.node = node,
                                                                  .mask = change->mask,
                                                                  .mode = change->mode,
                                                                  .uid = change->uid,
                                                                  .gid = change->gid,
                                                                  .atime_ns = change->atime_ns,
                                                                  .mtime_ns = change->mtime_ns});
    long result = may_change(c, s, node, change);

    if (result == 0 && change->mask)
        result = ask(c, s, &m, AGAIN);
    return result;
}

static long remote_change(struct client *c, struct file *f, const struct change *change)
{
    long result = remote_current(c, f);

    return result ? result : change_node(c, f->server, f->node, change);
}

static long change_open(struct client *c, struct file *f, const struct change *change)
{
    struct found *found;
    long result;

    if (!f->server || S_ISSOCK(f->mode))
        return -EINVAL;
    if (!S_ISCHR(f->mode) && !S_ISBLK(f->mode))
        return remote_change(c, f, change);
    found = found_new(); /* a device: its inode is where its name is */
    result = found ? path_find(c, AT_FDCWD, f->path, FOUND_FOLLOW, found) : -ENOMEM;
    if (result == 0)
        result = change_node(c, found->server, found->node, change);
    found_free(found);
    return result;
}

static long change_file(struct client *c, uint64_t fd, const struct change *change)
{
    struct file *f = fd_file(c, fd);
    long result;

    if (!f)
        return -EBADF;
    file_get(f);
    result = change_open(c, f, change);
    file_put(c, f);
    return result;
}

static long change_path(struct client *c, int at, uint64_t path, unsigned flags,
                        const struct change *change)
{
    struct found *f = found_new();
    long result = f ? path_find_user(c, at, path, flags, f) : -ENOMEM;

    if (result == 0)
        result = change_node(c, f->server, f->node, change);
    found_free(f);
    return result;
}

static struct change change_mode(uint64_t mode)
{
    return (struct change){.mask = ATTRIBUTE_MODE, .mode = (uint32_t)mode & 07777};
}

static struct change change_owner(uint64_t uid, uint64_t gid)
{
    struct change change = {.uid = (uint32_t)uid, .gid = (uint32_t)gid};

    change.mask = (change.uid != UINT32_MAX ? ATTRIBUTE_UID : 0) |
                  (change.gid != UINT32_MAX ? ATTRIBUTE_GID : 0);
    return change;
}

static long sys_chmod(struct client *c, const uint64_t *w)
{
    struct change change = change_mode(w[1]);

    return change_path(c, AT_FDCWD, w[0], FOUND_FOLLOW, &change);
}

static long sys_fchmod(struct client *c, const uint64_t *w)
{
    struct change change = change_mode(w[1]);

    if (!fd_used(c, w[0]))
        return -EBADF;
    return change_file(c, w[0], &change);
}

static long sys_fchmodat(struct client *c, const uint64_t *w)
{
    struct change change = change_mode(w[2]);

    return change_path(c, (int)w[0], w[1], FOUND_FOLLOW, &change);
}

static long sys_chown(struct client *c, const uint64_t *w)
{
    struct change change = change_owner(w[1], w[2]);

    return change_path(c, AT_FDCWD, w[0], FOUND_FOLLOW, &change);
}

static long sys_lchown(struct client *c, const uint64_t *w)
{
    struct change change = change_owner(w[1], w[2]);

    return change_path(c, AT_FDCWD, w[0], 0, &change);
}

static long sys_fchown(struct client *c, const uint64_t *w)
{
    struct change change = change_owner(w[1], w[2]);

    if (!fd_used(c, w[0]))
        return -EBADF;
    return change_file(c, w[0], &change);
}

static long sys_fchownat(struct client *c, const uint64_t *w)
{
    struct change change = change_owner(w[2], w[3]);
    char first;

    if ((w[4] & AT_EMPTY_PATH) && user_read(c, w[1], &first, 1) == 0 && !first)
        return change_file(c, w[0], &change);
    return change_path(c, (int)w[0], w[1], w[4] & AT_SYMLINK_NOFOLLOW ? 0 : FOUND_FOLLOW, &change);
}

/* Later times than there are become the last. */
static uint64_t ns_of(const struct timespec *t)
{
    uint64_t seconds = (uint64_t)t->tv_sec;

    if (seconds >= UINT64_MAX / 1000000000u)
        return UINT64_MAX;
    return seconds * 1000000000u + (uint64_t)t->tv_nsec;
}

static long set_times(struct client *c, int at, uint64_t path, unsigned flags,
                      const struct timespec *times)
{
    uint64_t *out[2], value[2];
    struct change change = {.now = true};

    out[0] = &change.atime_ns;
    out[1] = &change.mtime_ns;
    for (int i = 0; i < 2; i++) {
        bool now = !times || times[i].tv_nsec == UTIME_NOW;

        if (!now && times[i].tv_nsec == UTIME_OMIT)
            continue;
        if (!now && ((uint64_t)times[i].tv_nsec >= 1000000000u || times[i].tv_sec < 0))
            return -EINVAL;
        value[i] = now ? realtime_now() : ns_of(&times[i]);
        *out[i] = value[i];
        change.mask |= i ? ATTRIBUTE_MTIME : ATTRIBUTE_ATIME;
        change.now &= now;
    }
    if (!path)
        return at == AT_FDCWD ? -EFAULT : change_file(c, (uint64_t)at, &change);
    return change_path(c, at, path, flags, &change);
}

static long sys_utimensat(struct client *c, const uint64_t *w)
{
    struct timespec times[2];

    if (w[3] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (w[2] && user_read(c, w[2], times, sizeof times))
        return -EFAULT;
    return set_times(c, (int)w[0], w[1], w[3] & AT_SYMLINK_NOFOLLOW ? 0 : FOUND_FOLLOW,
                     w[2] ? times : NULL);
}

static long times_from_timeval(struct client *c, int at, uint64_t path, uint64_t address)
{
    struct timeval tv[2];
    struct timespec times[2];

    if (!address)
        return set_times(c, at, path, FOUND_FOLLOW, NULL);
    if (user_read(c, address, tv, sizeof tv))
        return -EFAULT;
    for (int i = 0; i < 2; i++) {
        if ((uint64_t)tv[i].tv_usec >= 1000000u)
            return -EINVAL;
        times[i] = (struct timespec){tv[i].tv_sec, tv[i].tv_usec * 1000};
    }
    return set_times(c, at, path, FOUND_FOLLOW, times);
}

static long sys_utimes(struct client *c, const uint64_t *w)
{
    return times_from_timeval(c, AT_FDCWD, w[0], w[1]);
}

static long sys_futimesat(struct client *c, const uint64_t *w)
{
    return times_from_timeval(c, (int)w[0], w[1], w[2]);
}

static long sys_utime(struct client *c, const uint64_t *w)
{
    int64_t seconds[2];

    if (!w[1])
        return set_times(c, AT_FDCWD, w[0], FOUND_FOLLOW, NULL);
    if (user_read(c, w[1], seconds, sizeof seconds))
        return -EFAULT;
    return set_times(c, AT_FDCWD, w[0], FOUND_FOLLOW,
                     (struct timespec[]){{seconds[0], 0}, {seconds[1], 0}});
}

VFS_TABLE(attribute_calls, {SYS_chmod, sys_chmod}, {SYS_fchmod, sys_fchmod},
          {SYS_fchmodat, sys_fchmodat}, {SYS_chown, sys_chown}, {SYS_lchown, sys_lchown},
          {SYS_fchown, sys_fchown}, {SYS_fchownat, sys_fchownat}, {SYS_utimensat, sys_utimensat},
          {SYS_utimes, sys_utimes}, {SYS_futimesat, sys_futimesat}, {SYS_utime, sys_utime})
