/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flock(2) and the locks of fcntl(2): advisory, for the inode that an open file has. The owner of a
 * POSIX lock is the process, that is its table of descriptors; of the others the open file. Those
 * of flock() and those of fcntl() know nothing of each other.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "servers/vfs/lock_ranges.h"
#include "servers/vfs/vfs.h"

enum { CHAIN_MAX = 64, BUCKETS = 1024 };

struct locks { /* of an inode */
    struct locks *next;
    const struct server *server;
    uint64_t node;
    unsigned users; /* calls that are at work on it, or wait */
    struct lock_ranges ranges, whole; /* of fcntl, of flock */
    struct wait_queue changed;
};

struct wish { /* a lock that is set, or waited for */
    struct wish *next; /* of those that wait */
    struct locks *of;
    const void *owner;
    int pid;
    enum lock_kind kind;
    uint64_t start, end;
};

static struct locks *inodes[BUCKETS];
static struct wish *wishes;

/* ---- inodes ---- */

static struct locks **bucket_of(const struct server *server, uint64_t node)
{
    uint64_t h = (node ^ (uint64_t)(uintptr_t)server >> 4) * 0x9e3779b97f4a7c15ull;

    return &inodes[h >> 32 & (BUCKETS - 1)];
}

static struct locks *find(const struct file *f)
{
    struct locks **bucket = bucket_of(f->server, f->lock_node), *l;

    list_for(l, *bucket, next) if (l->server == f->server && l->node == f->lock_node) break;
    return l;
}

/* For a call: give it back. NULL: no memory. */
static struct locks *locks_get(const struct file *f)
{
    struct locks **bucket = bucket_of(f->server, f->lock_node), *l = find(f);

    if (!l) {
        l = calloc(1, sizeof *l);
        if (!l)
            return NULL;
        l->server = f->server;
        l->node = f->lock_node;
        list_put(*bucket, l, next);
    }
    l->users++;
    return l;
}

static void locks_put(struct locks *l)
{
    struct locks **bucket = bucket_of(l->server, l->node);

    if (--l->users || list_at(l->ranges.first) || list_at(l->whole.first))
        return;
    list_take(*bucket, l, next);
    free(l);
}

/* ---- waiting ---- */

static const struct lock_range *in_the_way(const struct wish *w)
{
    return ranges_conflict(&w->of->ranges, w->owner, w->kind, w->start, w->end);
}

static const struct wish *wish_of(const void *owner)
{
    const struct wish *w;

    list_for(w, wishes, next) if (w->owner == owner) break;
    return w;
}

/* Who is in the way waits for somebody who waits ... for us. */
static bool is_deadlock(const struct wish *mine)
{
    const struct wish *w = mine;

    for (unsigned i = 0; w && i < CHAIN_MAX; i++) {
        const struct lock_range *r = in_the_way(w);

        if (!r)
            return false;
        if (r->owner == mine->owner)
            return true;
        w = wish_of(r->owner);
    }
    return false;
}

static long wait_for(struct client *c, struct wish *w)
{
    long result;

    list_put(wishes, w, next);
    result = wait_on(c, &w->of->changed, WAIT_FOREVER);
    list_take(wishes, w, next);
    return result;
}

static long set(struct client *c, struct wish *w, bool wait, bool is_open_file)
{
    while (w->kind && in_the_way(w)) {
        long result = -EAGAIN;

        if (wait)
            result = !is_open_file && is_deadlock(w) ? -EDEADLK : wait_for(c, w);
        if (result)
            return result;
    }
    if (!ranges_set(&w->of->ranges, share_of(c->uid), w->owner, w->pid, w->kind, w->start, w->end))
        return -ENOLCK;
    wake_all(&w->of->changed);
    return 0;
}

/* The owner has no lock on that inode any more. */
static void drop(const struct file *f, const void *owner)
{
    struct locks *l = find(f);
    bool had;

    if (!l)
        return;
    had = ranges_drop(&l->ranges, owner);
    had = ranges_drop(&l->whole, owner) || had;
    if (!had)
        return;
    l->users++;
    wake_all(&l->changed);
    locks_put(l);
}

/* ---- fcntl ---- */

static long size_of(struct client *c, struct file *f, int64_t *size)
{
    struct message m =
        message_of(FILE_STAT, (struct file_stat_request){.node = f->node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result = f->server && !S_ISSOCK(f->mode) ? remote_ask(c, f, &m, AGAIN) : 0;

    *size = f->server ? (int64_t)r->size : 0;
    return result;
}

/* The bytes that are meant: [start, end]. */
static long range_of(struct client *c, struct file *f, const struct flock *l, uint64_t *start,
                     uint64_t *end)
{
    int64_t base = 0, first, last;
    long result = 0;

    if (l->l_whence == SEEK_CUR)
        base = (int64_t)f->position;
    else if (l->l_whence == SEEK_END)
        result = size_of(c, f, &base);
    else if (l->l_whence != SEEK_SET)
        result = -EINVAL;
    if (result)
        return result;
    if (__builtin_add_overflow(base, l->l_start, &first))
        return -EOVERFLOW;
    last = INT64_MAX;
    if (l->l_len > 0 && __builtin_add_overflow(first, l->l_len - 1, &last))
        return -EOVERFLOW;
    if (l->l_len < 0) {
        last = first - 1;
        if (first < 0 || __builtin_add_overflow(first, l->l_len, &first))
            return -EINVAL;
    }
    if (first < 0)
        return -EINVAL;
    *start = (uint64_t)first;
    *end = (uint64_t)last;
    return 0;
}

static long kind_of(const struct flock *l, const struct file *f, bool only_ask,
                    enum lock_kind *kind)
{
    uint32_t mode = f->flags & O_ACCMODE;

    *kind = l->l_type == F_WRLCK ? LOCK_KIND_WRITE : LOCK_KIND_NONE;
    if (l->l_type == F_RDLCK)
        *kind = LOCK_KIND_READ;
    if (*kind == LOCK_KIND_NONE && (l->l_type != F_UNLCK || only_ask))
        return -EINVAL;
    if (only_ask)
        return 0;
    if ((*kind == LOCK_KIND_READ && mode == O_WRONLY) ||
        (*kind == LOCK_KIND_WRITE && mode == O_RDONLY))
        return -EBADF;
    return 0;
}

static long tell(struct client *c, struct flock *l, const struct lock_range *r, uint64_t address)
{
    if (r)
        *l = (struct flock){.l_type = r->kind == LOCK_KIND_READ ? F_RDLCK : F_WRLCK,
                            .l_whence = SEEK_SET,
                            .l_start = (off_t)r->start,
                            .l_len = r->end == LOCK_END_MAX ? 0 : (off_t)(r->end - r->start + 1),
                            .l_pid = r->pid};
    else
        l->l_type = F_UNLCK;
    return user_write(c, address, l, sizeof *l);
}

/* To close any descriptor of a file gives up all locks of the process on it: a lock that is got
 * after that, since the call had waited, would stay for ever. Those of open files go with the file,
 * which the waiting call keeps. */
long lock_fcntl(struct client *c, struct file *f, uint64_t command, uint64_t argument)
{
    bool is_open_file = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    bool only_ask = command == F_GETLK || command == F_OFD_GETLK,
         wait = command == F_SETLKW || command == F_OFD_SETLKW;
    struct wish w = {.owner = is_open_file ? (const void *)f : c->files,
                     .pid = is_open_file ? -1 : c->pid};
    struct flock l;
    long result;

    if (f->flags & O_PATH)
        return -EBADF;
    if (user_read(c, argument, &l, sizeof l))
        return -EFAULT;
    if (is_open_file && l.l_pid)
        return -EINVAL;
    result = kind_of(&l, f, only_ask, &w.kind);
    if (result == 0)
        result = range_of(c, f, &l, &w.start, &w.end);
    if (result)
        return result;
    w.of = locks_get(f);
    if (!w.of)
        return -ENOLCK;
    result = only_ask ? tell(c, &l, in_the_way(&w), argument) : set(c, &w, wait, is_open_file);
    locks_put(w.of);
    /* closed while it waited */
    if (result == 0 && !only_ask && !is_open_file && fd_file(c, c->call.w[0]) != f) {
        drop(f, c->files);
        result = -EBADF;
    }
    return result;
}

/* ---- flock ---- */

/* To change its kind a lock is given up first, as on Linux. */
static long flock_set(struct client *c, struct locks *l, struct file *f, enum lock_kind kind,
                      bool wait)
{
    if (ranges_differ(&l->whole, f, kind)) {
        ranges_drop(&l->whole, f);
        wake_all(&l->changed);
    }
    if (!kind)
        return 0;
    while (ranges_conflict(&l->whole, f, kind, 0, LOCK_END_MAX)) {
        long result = wait ? wait_on(c, &l->changed, WAIT_FOREVER) : -EWOULDBLOCK;

        if (result)
            return result;
    }
    return ranges_set(&l->whole, share_of(c->uid), f, c->pid, kind, 0, LOCK_END_MAX) ? 0 : -ENOLCK;
}

static long sys_flock(struct client *c, const uint64_t *w)
{
    static const enum lock_kind kinds[] = {
        [LOCK_SH] = LOCK_KIND_READ, [LOCK_EX] = LOCK_KIND_WRITE, [LOCK_UN] = LOCK_KIND_NONE};
    uint32_t what = (uint32_t)w[1] & ~(uint32_t)LOCK_NB;
    struct file *f = fd_file(c, w[0]);
    struct locks *l;
    long result;

    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
        return -EINVAL;
    if (!f || (f->flags & O_PATH))
        return -EBADF;
    l = locks_get(f);
    if (!l)
        return -ENOLCK;
    file_get(f);
    result = flock_set(c, l, f, kinds[what], !(w[1] & LOCK_NB));
    locks_put(l);
    file_put(c, f);
    return result;
}

/* ---- ends ---- */

void lock_closed(const struct files *t, struct file *f)
{
    drop(f, t);
}

void lock_file_gone(struct file *f)
{
    drop(f, f);
}

VFS_TABLE(lock_calls, {SYS_flock, sys_flock})
