/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file protocol to the operations of a file server. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/fs/fs.h"
#include "lib/rt/kernel.h"

enum { MORE_MAX = 8 };
enum { SEGMENTS_MAX = 1024 }; /* of a vector, as in Linux */

static const struct fs_operations *fs;
static endpoint_t program;
static bool is_later; /* the request being handled was put off */
static char path[FS_PATH_MAX + 1],
    second_path[FS_PATH_MAX + 1]; /* one request at a time uses them */

/* ---- answers ---- */

/* The program goes back to VFS; w[1..5] of m are results. Without one who forwarded it, VFS itself
 * is calling: reply. */
static long back(struct message *m, long result)
{
    if (result == FS_LATER) {
        is_later = true;
        return SERVICE_NO_REPLY;
    }
    if (message_via(m) == 0)
        return result;
    m->w[0] = (uint64_t)result;
    m->type = FILE_BACK_RESULT;
    /* fails only when it or VFS has died meanwhile */
    ipc_forward_at_end(message_caller(m), message_via(m), m);
    return SERVICE_NO_REPLY;
}

static long answer(struct message *m, bool is_back, long result)
{
    is_later |= result == FS_LATER;
    if (result == FS_LATER)
        return SERVICE_NO_REPLY;
    return is_back ? back(m, result) : result;
}

static long (*handler_of(uint64_t type))(struct message *);
static long finish_again(struct message *m, uint64_t node);

/* One request: its type alone, without the number that VFS may have put above it. */
static long serve(struct message *m)
{
    struct message original = *m;
    uint64_t node = 0;
    long result, begun;

    m->type &= FILE_TYPE_MASK;
    is_later = false;
    begun = fs->begin ? fs->begin(&original, &node) : 0;
    if (begun == FS_LATER) {
        is_later = true;
        result = SERVICE_NO_REPLY;
    } else if (begun == 1) {
        result = finish_again(m, node);
    } else {
        result = begun < 0 ? back(m, begun) : handler_of(m->type)(m);
    }
    if (is_later && fs->later)
        fs->later(&original);
    return result;
}

void fs_retry(const struct message *request)
{
    struct message m = *request;
    long result = serve(&m);

    if (result != SERVICE_NO_REPLY)
        ipc_reply_at_end(message_caller(&m), &m, result);
}

endpoint_t fs_program(void)
{
    return program;
}

/* ---- names ---- */

static struct fs_user user_of(const struct message *m)
{
    return (struct fs_user){.uid = (uint32_t)m->w[3], .gid = (uint32_t)(m->w[3] >> 32)};
}

/* Text behind a grant of VFS's, NUL-terminated. */
static long fetch(const struct message *m, uint64_t grant, uint64_t length, char *text)
{
    endpoint_t owner = message_via(m) ? message_via(m) : message_caller(m);
    long result;

    if (length > FS_PATH_MAX)
        return -ENAMETOOLONG;
    result = length ? grant_from(owner, grant, 0, text, length) : 0;
    text[length] = 0;
    if (result < 0)
        return result;
    return memchr(text, 0, length) ? -EINVAL : 0;
}

static void put_node(struct message *m, uint64_t node, const struct fs_attributes *a,
                     enum file_stop stop)
{
    m->w[1] = node;
    m->w[2] = a->mode;
    m->w[3] = a->size;
    m->w[4] = a->rdev;
    m->w[5] = (uint64_t)stop | (uint64_t)a->uid << 32;
}

static long open_at_once(uint64_t node, uint32_t flags, struct message *m)
{
    uint64_t use = node;
    long result = fs->open ? fs->open(node, flags, &use) : 0;

    m->w[4] = use;
    m->w[5] |= STOP_OPENED;
    return result;
}

static long do_lookup(struct message *m)
{
    uint32_t open_flags = (uint32_t)m->w[5];
    struct fs_walk w = {
        .start = m->w[0], .path = path, .length = m->w[2], .flags = m->w[4], .user = user_of(m)};
    long result = fetch(m, m->w[1], m->w[2], path);

    program = message_caller(m);
    if (result == 0)
        result = fs_walk(fs, &w);
    put_node(m, w.node, &w.attributes, w.stop);
    if (w.stop == STOP_SYMLINK)
        m->w[4] = w.directory;
    if (result == 0 && (w.flags & LOOKUP_OPEN) && S_ISREG(w.attributes.mode))
        result = open_at_once(w.node, open_flags, m);
    return back(m, result);
}

/* A directory that the user may change, and a fresh name for an entry in it. */
static long check_entry(struct message *m, uint64_t directory, uint64_t grant, uint64_t length,
                        char *name)
{
    struct fs_attributes a;
    long result = fetch(m, grant, length, name);

    if (result == 0)
        result = fs_name_check(name, length);
    if (result == 0)
        result = fs->attributes(directory, &a);
    if (result == 0 && !S_ISDIR(a.mode))
        result = -ENOTDIR;
    if (result == 0 && !fs_may(&a, user_of(m), W_OK | X_OK))
        result = -EACCES;
    return result;
}

/* May the user take entry `name` out of the directory? */
static long check_removal(const struct message *m, uint64_t directory, const char *name)
{
    struct fs_attributes a, child;
    uint64_t node;
    long result = fs->child(directory, name, &node);

    if (result == 0)
        result = fs->attributes(directory, &a);
    if (result == 0)
        result = fs->attributes(node, &child);
    return result < 0 ? result : fs_may_remove(&a, &child, user_of(m));
}

/* An error that a name gives when it exists already goes before the one for a read-only file system
 * or a missing right. */
static long check_new(struct message *m, char *name)
{
    uint64_t node;
    long result = check_entry(m, m->w[0], m->w[1], m->w[2], name);

    if ((result == 0 || result == -EACCES) && fs->child(m->w[0], name, &node) == 0)
        return -EEXIST;
    return result;
}

static long do_create(struct message *m)
{
    struct fs_attributes a;
    uint64_t node = 0;
    long result = check_new(m, path);

    if (result == 0)
        result = fs->create
                     ? fs->create(m->w[0], path, (uint32_t)m->w[4], m->w[5], user_of(m), &node)
                     : -EROFS;
    if (result == 0)
        result = fs->attributes(node, &a);
    if (result == 0)
        put_node(m, node, &a, STOP_NONE);
    return back(m, result);
}

/* It had been done, but its answer was lost with the server. */
static long finish_again(struct message *m, uint64_t node)
{
    struct fs_attributes a;
    long result = 0;

    if (m->type == FILE_CREATE) {
        result = fs->attributes(node, &a);
        if (result == 0)
            put_node(m, node, &a, STOP_NONE);
    }
    return back(m, result);
}

static long do_symlink(struct message *m)
{
    long result = check_new(m, path);

    if (result == 0)
        result = fetch(m, m->w[4], m->w[5], second_path);
    if (result == 0)
        result = fs->symlink ? fs->symlink(m->w[0], path, second_path, user_of(m)) : -EROFS;
    return back(m, result);
}

static long do_link(struct message *m)
{
    long result = check_new(m, path);

    if (result == 0)
        result = fs->link ? fs->link(m->w[0], path, m->w[4]) : -EROFS;
    return back(m, result);
}

static long do_unlink(struct message *m)
{
    long result = check_entry(m, m->w[0], m->w[1], m->w[2], path);

    if (result == -EEXIST) /* "." and ".." */
        result = strcmp(path, ".") == 0 ? -EINVAL : -ENOTEMPTY;
    if (result == 0)
        result = check_removal(m, m->w[0], path);
    if (result == 0)
        result = fs->unlink ? fs->unlink(m->w[0], path, m->w[4] == 1) : -EROFS;
    return back(m, result);
}

static long do_rename(struct message *m)
{
    long result = check_entry(m, m->w[0], m->w[1], m->w[2], path);

    if (result == 0)
        result = check_removal(m, m->w[0], path);
    if (result == 0)
        result = check_entry(m, m->w[5], m->w[4] & 0xffffffff, m->w[4] >> 32, second_path);
    if (result == -EEXIST) /* "." and ".." */
        result = -EBUSY;
    if (result == 0) {
        result = check_removal(m, m->w[5], second_path);
        result = result == -ENOENT ? 0 : result;
    }
    if (result == 0)
        result = fs->rename ? fs->rename(m->w[0], path, m->w[5], second_path) : -EROFS;
    return back(m, result);
}

static long do_read_link(struct message *m)
{
    bool is_back = m->w[5] & FILE_BACK;
    long result;

    program = message_caller(m);
    result = fs->link_text ? fs->link_text(m->w[0], path, FS_PATH_MAX) : -EINVAL;

    if (result >= 0) {
        size_t n = (size_t)result < m->w[2] ? (size_t)result : m->w[2];
        long copied = is_back ? grant_to(message_via(m), m->w[1], 0, path, n)
                              : copy_to(message_caller(m), m->w[1], path, n);

        result = copied < 0 ? copied : (long)n;
    }
    return answer(m, is_back, result);
}

/* ---- open files ---- */

static long transfer(uint64_t node, bool is_write, struct fs_transfer *t)
{
    long (*operation)(uint64_t, struct fs_transfer *) = is_write ? fs->write : fs->read;
    long result;

    if (!operation)
        return is_write ? -EROFS : -EINVAL;
    result = operation(node, t);
    if (t->position == 0)
        t->position = t->offset + (result > 0 ? (uint64_t)result : 0);
    return result;
}

static long do_transfer(struct message *m)
{
    bool is_write = m->type == FILE_WRITE;
    bool is_back = m->w[5] & FILE_BACK;
    struct fs_transfer t = {.program = message_caller(m),
                            .address = m->w[1],
                            .length = m->w[2],
                            .offset = m->w[3],
                            .flags = (uint32_t)m->w[4],
                            .request = m};
    long result;

    if (t.length > 0x7ffff000)
        t.length = 0x7ffff000;
    result = transfer(m->w[0], is_write, &t);
    m->w[1] = t.position;
    return answer(m, is_back, result);
}

/* Segment by segment; it ends early at the first that is short. */
static long do_vector(struct message *m)
{
    bool is_write = m->type == FILE_WRITE_VECTOR;
    bool is_back = m->w[5] & FILE_BACK;
    struct fs_transfer t = {
        .program = message_caller(m), .offset = m->w[3], .flags = (uint32_t)m->w[4], .request = m};
    long done = 0, result = m->w[2] > SEGMENTS_MAX ? -EINVAL : 0;
    struct iovec segment;

    t.position = t.offset;
    for (uint64_t i = 0; result >= 0 && i < m->w[2]; i++) {
        result = copy_from(t.program, m->w[1] + i * sizeof segment, &segment, sizeof segment);
        if (result < 0 || segment.iov_len == 0)
            continue;
        t.address = (uint64_t)segment.iov_base;
        t.length = segment.iov_len;
        t.position = 0;
        result = transfer(m->w[0], is_write, &t);
        if (result == FS_LATER && (done == 0 || fs->later))
            return answer(m, is_back, result);
        if (result <= 0)
            break;
        done += result;
        t.offset = t.position;
        if ((size_t)result < segment.iov_len)
            break;
    }
    m->w[1] = t.position;
    return answer(m, is_back, done > 0 || result == FS_LATER ? done : result);
}

static long do_ioctl(struct message *m)
{
    bool is_back = m->w[5] & FILE_BACK;

    return answer(m, is_back,
                  fs->ioctl ? fs->ioctl(m->w[0], m->w[1], m->w[2], message_caller(m)) : -ENOTTY);
}

static long do_truncate(struct message *m)
{
    if (!fs->truncate)
        return back(m, -EROFS);
    return back(m, (int64_t)m->w[1] < 0 ? -EINVAL : fs->truncate(m->w[0], m->w[1]));
}

static long do_sync(struct message *m)
{
    bool is_back = m->w[5] & FILE_BACK;

    return answer(m, is_back, fs->sync ? fs->sync(m->w[0], m) : 0);
}

static long do_stat(struct message *m)
{
    bool is_back = m->w[5] & FILE_BACK;
    struct fs_attributes a;
    struct stat out;
    long result = fs->attributes(m->w[0], &a);

    if (result == 0 && !is_back) {
        fs_fill_stat(fs->number ? fs->number(m->w[0]) : m->w[0], &a, &out);
        out.st_dev = fs->device;
        return copy_to(message_caller(m), m->w[1], &out, sizeof out);
    }
    if (result == 0) {
        m->w[1] = a.mode | (uint64_t)a.links << 32;
        m->w[2] = a.size;
        m->w[3] = a.uid | (uint64_t)a.gid << 32;
        m->w[4] = a.rdev;
        m->w[5] = a.mtime_ns;
    }
    return answer(m, is_back, result);
}

static long do_statfs(struct message *m)
{
    struct statfs out = {.f_bsize = 4096, .f_frsize = 4096, .f_namelen = FS_NAME_MAX};
    long result = fs->statfs ? fs->statfs(&out) : 0;

    if (result == 0)
        result = copy_to(message_caller(m), m->w[1], &out, sizeof out);
    return answer(m, m->w[5] & FILE_BACK, result);
}

static long do_set_attributes(struct message *m)
{
    struct fs_set set = {.mask = m->w[1],
                         .mode = (uint32_t)m->w[2],
                         .uid = (uint32_t)m->w[3],
                         .gid = (uint32_t)(m->w[3] >> 32),
                         .atime_ns = m->w[4],
                         .mtime_ns = m->w[5]};

    return back(m, fs->set_attributes ? fs->set_attributes(m->w[0], &set) : -EROFS);
}

static long do_read_directory(struct message *m)
{
    static char buffer[32768];
    size_t room = m->w[2] < sizeof buffer ? m->w[2] : sizeof buffer;
    uint64_t cookie = m->w[3];
    struct fs_attributes a;
    long result = fs->attributes(m->w[0], &a);

    if (result == 0)
        result = S_ISDIR(a.mode) ? fs_pack_directory(fs, m->w[0], buffer, room, &cookie) : -ENOTDIR;
    if (result > 0) {
        long copied = copy_to(message_caller(m), m->w[1], buffer, (size_t)result);

        result = copied < 0 ? copied : result;
    }
    m->w[1] = cookie;
    return back(m, result);
}

static long do_map(struct message *m)
{
    uint64_t address = 0;
    long result = fs->map ? fs->map(m->w[0], m->w[1], m->w[2], &address) : -ENOSYS;

    m->w[1] = address;
    return back(m, result);
}

static long do_open(struct message *m)
{
    uint64_t use = m->w[0];
    long result = fs->open ? fs->open(m->w[0], (uint32_t)m->w[1], &use) : 0;

    m->w[1] = use;
    return back(m, result);
}

static long do_close(struct message *m)
{
    if (fs->close)
        fs->close(m->w[0]);
    return back(m, 0);
}

static long do_mount(struct message *m)
{
    return back(m, fs->cover ? fs->cover(m->w[0], m->w[1] != 0) : -EINVAL);
}

static long do_root(struct message *m)
{
    long result = fs->mounted ? fs->mounted(m->w[0] == 1) : 0;

    m->w[1] = fs->root;
    m->w[2] = fs->traits;
    return back(m, result);
}

static long do_unmount(struct message *m)
{
    return back(m, fs->unmount ? fs->unmount() : 0);
}

static long do_reopen(struct message *m)
{
    for (int i = 0; i < MESSAGE_WORDS && fs->reopen; i++)
        fs->reopen(m->w[i]);
    return 0;
}

static long do_allocate(struct message *m)
{
    return back(m, !fs->allocate ? -EOPNOTSUPP
                                 : fs->allocate(m->w[0], (uint32_t)m->w[1], m->w[2], m->w[3]));
}

static long do_xattr(struct message *m)
{
    static char value[65536]; /* XATTR_SIZE_MAX */
    size_t room = m->w[4] < sizeof value ? m->w[4] : sizeof value;
    long result = fetch(m, m->w[1], m->w[2], path);

    if (result == 0)
        result = fs->xattr ? fs->xattr(m->w[0], path, value, room) : -EOPNOTSUPP;
    if (result > 0 && room) {
        long copied = copy_to(message_caller(m), m->w[3], value, (size_t)result);

        result = copied < 0 ? copied : result;
    }
    return back(m, result);
}

static long do_seek(struct message *m)
{
    return back(m, !fs->seek ? -EINVAL : fs->seek(m->w[0], m->w[1], (int)m->w[2]));
}

static long do_poll(struct message *m)
{
    if (fs->poll)
        return fs->poll(m->w[0], m->w[1], m->w[2] == 1);
    return (long)(m->w[1] & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
}

static long do_poll_events(struct message *m)
{
    for (int i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = fs->ready ? fs->ready() : 0;
    return 0;
}

static long do_cancel(struct message *m)
{
    return fs->cancel ? fs->cancel((endpoint_t)m->w[0]) : 0;
}

static const struct service_entry entries[] = {
    {FILE_READ, do_transfer},
    {FILE_WRITE, do_transfer},
    {FILE_READ_VECTOR, do_vector},
    {FILE_WRITE_VECTOR, do_vector},
    {FILE_IOCTL, do_ioctl},
    {FILE_TRUNCATE, do_truncate},
    {FILE_SYNC, do_sync},
    {FILE_STAT, do_stat},
    {FILE_STATFS, do_statfs},
    {FILE_SET_ATTRIBUTES, do_set_attributes},
    {FILE_READ_DIRECTORY, do_read_directory},
    {FILE_MAP, do_map},
    {FILE_OPEN, do_open},
    {FILE_CLOSE, do_close},
    {FILE_LOOKUP, do_lookup},
    {FILE_CREATE, do_create},
    {FILE_SYMLINK, do_symlink},
    {FILE_LINK, do_link},
    {FILE_UNLINK, do_unlink},
    {FILE_RENAME, do_rename},
    {FILE_READ_LINK, do_read_link},
    {FILE_MOUNT, do_mount},
    {FILE_ROOT, do_root},
    {FILE_POLL, do_poll},
    {FILE_POLL_EVENTS, do_poll_events},
    {FILE_CANCEL, do_cancel},
    {FILE_UNMOUNT, do_unmount},
    {FILE_REOPEN, do_reopen},
    {FILE_ALLOCATE, do_allocate},
    {FILE_SEEK, do_seek},
    {FILE_GET_XATTR, do_xattr},
};

static long (*handler_of(uint64_t type))(struct message *)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (entries[i].type == type)
            return entries[i].handle;
    return do_sync; /* kept requests are of this table: not reached */
}

void fs_serve(const struct fs_operations *operations)
{
    static struct service_entry all[sizeof entries / sizeof entries[0] + MORE_MAX];
    size_t count = sizeof entries / sizeof entries[0];

    fs = operations;
    for (size_t i = 0; i < count; i++)
        all[i] = (struct service_entry){entries[i].type, serve};
    for (size_t i = 0; i < fs->more_count && i < MORE_MAX; i++)
        all[count++] = fs->more[i];
    service_ready(fs->adopted ? RS_READY_ADOPTED : RS_READY_FRESH);
    service_run(&(struct service_table){.entries = all,
                                        .count = count,
                                        .notified = fs->notified,
                                        .shutdown = fs->shutdown,
                                        .idle = fs->idle});
}
