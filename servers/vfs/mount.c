/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of mounts, mount(2), umount(2).
 *
 * Both wait for file servers, and others may mount and unmount meanwhile. So what is being mounted is
 * claimed first, in an entry of the table that only claim() looks at: disk, server, directory. The
 * client's coroutine gives it back when that fails, whoever dies.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/rt/error.h"
#include "servers/vfs/vfs.h"

enum { MOUNTS_MAX = 32 };
#define PASS_NS 1000000000ull /* so long are walks and requests waited for by umount(2) */
#define PASS_LOOK_NS 1000000ull
#define KEPT_HERE (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define NEVER_KEPT (MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC)

static struct mount mounts[MOUNTS_MAX];

struct mount *mount_over(struct server *s, uint64_t node)
{
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server && !m->ends && m->over_server == s && m->over_node == node)
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

bool server_is_mounted_with(struct server *s, uint64_t flag)
{
    const struct mount *m = mount_at(s, 0);

    return m && (m->flags & flag);
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
        if (m->server && !m->ends && m->over_server && n && strlen(m->path) == n + 1 &&
            memcmp(m->path + 1, name, n) == 0) {
            *rest = name + n;
            return m;
        }
    return NULL;
}

struct mount *mount_next(struct mount *m)
{
    for (m = m ? m + 1 : mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server)
            return m;
    return NULL;
}

/* Two of them cannot be mounted, be it at once or one after the other. */
static bool exclude(const struct mount *a, const struct mount *b)
{
    return parts_overlap(&a->part, &b->part) || (a->claimed && a->claimed == b->claimed) ||
           (a->over_server == b->over_server && a->over_node == b->over_node);
}

bool part_is_mounted(const struct part *p)
{
    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (parts_overlap(&m->part, p))
            return true;
    return false;
}

/* Nothing is mounted on what goes away. */
static bool may_cover(const struct found *over)
{
    const struct mount *in = mount_at(over->server, 0);

    return in && !in->ends && in->root != over->node;
}

/* s: NULL: one of its own, that is still to be started. */
static long claim(const struct server *s, struct part part, const struct found *over,
                  struct mount **out)
{
    struct mount wanted = {.is_claimed = true, .claimed = s, .part = part};
    struct mount *unused = NULL;

    if ((over && !may_cover(over)) || part_is_claimed(&part))
        return -EBUSY;
    if (over) {
        wanted.over_server = over->server;
        wanted.over_node = over->node;
    }
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (!m->server && !m->is_claimed)
            unused = unused ? unused : m;
        else if (exclude(m, &wanted))
            return -EBUSY;
    if (!unused)
        return -ENOMEM;
    *unused = wanted;
    *out = unused;
    return 0;
}

static void give_back(struct mount *m)
{
    *m = (struct mount){0};
}

static long cover(struct client *c, struct server *s, uint64_t node, bool covered)
{
    struct message m =
        message_of(FILE_MOUNT, (struct file_mount_request){.node = node, .covered = covered});

    return ask(c, s, &m, AGAIN);
}

void mounts_tell(struct server *s)
{
    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++) {
        struct message covered =
            message_of(FILE_MOUNT, (struct file_mount_request){.node = m->over_node, .covered = 1});

        if (m->server && m->over_server == s)
            server_call(s, &covered);
    }
}

/* What is claimed, by the server s. */
static long mount_claimed(struct client *c, struct mount *m, struct server *s, const char *type,
                          const struct found *over, const char *options)
{
    struct message root = message_of(
        FILE_ROOT, (struct file_root_request){.read_only = strncmp(options, "ro", 2) == 0});
    const struct file_root_reply *there = message_words(&root);
    long result = ask(c, s, &root, AGAIN);

    if (result == 0 && over)
        result = cover(c, over->server, over->node, true);
    if (result)
        return result < 0 ? result : -EIO;
    s->traits = (uint32_t)there->traits;
    m->server = s;
    m->claimed = s;
    m->is_claimed = false;
    m->root = there->node;
    snprintf(m->path, sizeof m->path, "%.255s", over ? over->path : "/");
    snprintf(m->type, sizeof m->type, "%s", type);
    snprintf(m->options, sizeof m->options, "%s", options);
    snprintf(m->source, sizeof m->source, "%s", s->key);
    return 0;
}

long mount_add(struct client *c, struct server *s, const char *type, const struct found *over,
               uint64_t flags)
{
    struct mount *m;
    long result = claim(s, (struct part){0}, over, &m);

    if (result)
        return result;
    m->flags = flags & (KEPT_HERE | MS_RDONLY);
    result = mount_claimed(c, m, s, type, over, flags & MS_RDONLY ? "ro" : "rw");
    if (result)
        give_back(m);
    return result;
}

void mounts_read_only(struct server *s)
{
    for (struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        if (m->server == s && strncmp(m->options, "rw", 2) == 0)
            memcpy(m->options, "ro", 2);
}

long mounts_text(char *text, size_t room)
{
    size_t n = 0;

    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++) {
        int added;

        if (!m->server)
            continue;
        added = mount_line(m, text + n, room - n);
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
static long mount_found(struct client *c, const char *type, uint64_t flags,
                        const struct found *over)
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
    return mount_add(c, s, type, over, flags);
}

/* ---- file systems on disks: a server for each ---- */

static const struct {
    const char *type, *server;
} device_types[] = {{"ext4", "ext4"}, {"ext3", "ext4"}, {"ext2", "ext4"}};

static const char *device_server(const char *type)
{
    for (unsigned n = 0; n < sizeof device_types / sizeof *device_types; n++)
        if (strcmp(device_types[n].type, type) == 0)
            return device_types[n].server;
    return NULL;
}

/* The file server is started for this mount alone, and ends with it. The number tells it whose what
 * it finds in its queue is: a predecessor's of this mount, or what a former mount has left, which
 * is of no use. */
static long mount_disk_claimed(struct client *c, struct mount *m, const char *base,
                               const char *type, uint64_t flags, const struct found *disk,
                               const struct found *over)
{
    static uint64_t number;
    bool read_only = flags & MS_RDONLY;
    struct server *s;
    const char *options = flags & MS_NOATIME ? "rw,noatime" : "rw,relatime";
    char parameters[128], name[16], key[32];
    endpoint_t ep;
    long result;

    if (read_only)
        options = "ro,relatime";
    snprintf(parameters, sizeof parameters, "mount=%llu device=%u:%u%s%s",
             (unsigned long long)++number, major(disk->rdev), minor(disk->rdev),
             read_only ? " ro" : "", flags & MS_NOATIME ? " noatime" : "");
    result = instance_start(base, parameters, name, &ep);
    if (result)
        return result;
    snprintf(key, sizeof key, "fs/%s", name);
    s = server_expect(key, ep);
    result = s ? mount_claimed(c, m, s, type, over, options) : -ENOMEM;
    if (result) {
        instance_stop(name);
        return result;
    }
    s->tells = true; /* that it has become read-only */
    snprintf(m->source, sizeof m->source, "%.63s", disk->path);
    memcpy(m->instance, name, sizeof m->instance);
    return 0;
}

static long mount_disk(struct client *c, const char *base, const char *type, uint64_t flags,
                       const struct found *disk, const struct found *over)
{
    struct mount *m;
    struct part part;
    long result;

    if (!S_ISBLK(disk->mode))
        return -ENOTBLK;
    if (!S_ISDIR(over->mode))
        return -ENOTDIR;
    if (server_is_mounted_with(disk->server, MS_NODEV))
        return -EACCES;
    result = part_find(c, disk->rdev, &part);
    if (result == 0)
        result = claim(NULL, part, over, &m);
    if (result)
        return result;
    m->flags = flags & KEPT_HERE;
    result = mount_disk_claimed(c, m, base, type, flags, disk, over);
    if (result)
        give_back(m);
    return result;
}

static long mount_device(struct client *c, const char *server, const char *type, const uint64_t *w,
                         const struct found *over)
{
    struct found *disk = found_new();
    long result = disk ? path_find_user(c, AT_FDCWD, w[0], FOUND_FOLLOW, disk) : -ENOMEM;

    if (result == 0)
        result = mount_disk(c, server, type, w[3], disk, over);
    if (disk)
        found_free(disk);
    return result;
}

/* File servers know from their start whether they may write, and how times of reading are kept: what
 * would change is refused, with EROFS where that would be writing, and not said to be done. What is
 * kept here changes. */
static long remount(struct mount *m, uint64_t flags)
{
    bool read_only = flags & MS_RDONLY, no_atime = flags & MS_NOATIME;

    if (!m || m->ends || (flags & NEVER_KEPT))
        return -EINVAL;
    if (read_only != (strncmp(m->options, "ro", 2) == 0))
        return read_only ? -EINVAL : -EROFS;
    if (no_atime != (strstr(m->options, "noatime") != NULL))
        return -EINVAL;
    m->flags = (m->flags & MS_RDONLY) | (flags & KEPT_HERE);
    return 0;
}

static long sys_remount(struct client *c, const uint64_t *w)
{
    struct found *at = found_new();
    long result = at ? path_find_user(c, AT_FDCWD, w[1], FOUND_FOLLOW, at) : -ENOMEM;

    if (result == 0)
        result = remount(mount_at(at->server, at->node), w[3]);
    found_free(at);
    return result;
}

static long sys_mount(struct client *c, const uint64_t *w)
{
    struct found *over;
    char type[32];
    const char *server;
    long result;

    if (c->uid)
        return -EPERM;
    if (w[3] & (MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE | NEVER_KEPT))
        return -EINVAL;
    if (w[3] & MS_REMOUNT)
        return sys_remount(c, w);
    result = user_string(c, w[2], type, sizeof type);
    if (result < 0)
        return result == -ENAMETOOLONG ? -ENODEV : result;
    server = device_server(type);
    over = found_new();
    if (!over)
        return -ENOMEM;
    result = path_find_user(c, AT_FDCWD, w[1], FOUND_FOLLOW, over);
    if (result == 0)
        result = server ? mount_device(c, server, type, w, over) : mount_found(c, type, w[3], over);
    found_free(over);
    return result;
}

/* Somebody has a file or directory of it. */
static bool is_busy(const struct mount *m)
{
    for (struct client *c = client_next(NULL); c; c = client_next(c))
        if (c->place && (c->place->cwd.server == m->server || c->place->root.server == m->server))
            return true;
    for (const struct file *f = file_first(); f; f = list_at(f->next_all))
        if (f->server == m->server)
            return true;
    for (const struct mount *other = mounts; other < mounts + MOUNTS_MAX; other++)
        if ((other->server || other->is_claimed) && other->over_server == m->server)
            return true;
    return false;
}

/* Somebody's path leads there just now, or what was asked for by one is not done. (Those of who unmounts
 * do not count: two of them would wait for each other.) */
static bool is_passed(const struct mount *m)
{
    for (const struct found *f = found_first(); f; f = list_at(f->next_all))
        if (f->server == m->server && !f->unmounts)
            return true;
    return ask_any_behind(m->server);
}

/* What is on its way there is over soon, and nobody has done anything wrong: it is waited for. */
static void let_pass(struct client *c, const struct found *f)
{
    uint64_t end = clock_now() + PASS_NS;
    const struct mount *m;

    while ((m = mount_at(f->server, f->node)) != NULL && !m->ends && is_passed(m) &&
           clock_now() < end && !c->cancelled)
        wait_through(c, PASS_LOOK_NS);
}

/* All that it has is written, and what it covers is seen again. From the first on the server is done
 * with it, and changes nothing more: so there is no way back, however the rest goes, and a signal waits
 * until it is over. */
static void unmount(struct client *c, const struct mount *m)
{
    struct message end = {.type = FILE_UNMOUNT};
    long result;

    c->finishes = true;
    result = m->part.device ? ask(c, m->server, &end, AGAIN) : 0;
    if (result < 0)
        log_info("%s: not everything could be written (%s)", m->source, error_name(result));
    result = cover(c, m->over_server, m->over_node, false);
    if (result < 0)
        log_info("%s: what it covered does not come back (%s)", m->path, error_name(result));
    c->finishes = false;
}

/* Nobody finds it from the beginning on: what came in while it waits would lose its server. */
static long umount_found(struct client *c, const struct found *f, bool lazy)
{
    struct mount *m;

    let_pass(c, f);
    m = mount_at(f->server, f->node);
    if (!m || m->ends)
        return -EINVAL;
    if (!m->over_server || ((is_busy(m) || is_passed(m)) && (!lazy || m->part.device)))
        return -EBUSY;
    m->ends = true;
    unmount(c, m);
    if (m->part.device)
        instance_stop(m->instance);
    give_back(m);
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
    f->unmounts = true;
    result = path_find_user(c, AT_FDCWD, w[0], FOUND_FOLLOW, f);
    if (result == 0)
        result = umount_found(c, f, w[1] & (MNT_DETACH | MNT_FORCE));
    found_free(f);
    return result;
}

VFS_TABLE(mount_calls, {SYS_mount, sys_mount}, {SYS_umount2, sys_umount2})
