/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file protocol to the operations of a file server. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/fs/serve.h"
#include "lib/rt/kernel.h"

enum { ST_FLAGS_ARE_VALID = 0x20 }; /* Linux's, of struct statfs */
enum { SEGMENTS_MAX = 1024 }; /* of a vector, as in Linux */

const struct fs_operations *fs_served;
static endpoint_t program;
static bool is_later; /* the request being handled was put off */

/* ---- answers ---- */

long fs_back(struct message *m, long result)
{
    struct file_reply *reply = message_words(m);

    if (result == FS_LATER) {
        is_later = true;
        return SERVICE_NO_REPLY;
    }
    if (message_via(m) == 0)
        return result;
    reply->result = result;
    m->type = FILE_BACK_RESULT;
    /* fails only when it or VFS has died meanwhile */
    ipc_forward_at_end(message_caller(m), message_via(m), m);
    return SERVICE_NO_REPLY;
}

long fs_answer(struct message *m, bool is_back, long result)
{
    is_later |= result == FS_LATER;
    if (result == FS_LATER)
        return SERVICE_NO_REPLY;
    return is_back ? fs_back(m, result) : result;
}

static service_handler handler_of(uint64_t type);

/* One request: its type alone, without the number that VFS may have put above it. */
static long serve(struct message *m)
{
    struct message original = *m;
    uint64_t node = 0;
    long result, begun;
    service_handler handle;

    m->type &= FILE_TYPE_MASK;
    handle = handler_of(m->type);
    if (!handle)
        return -ENOSYS;
    is_later = false;
    begun = fs_served->begin ? fs_served->begin(&original, &node) : 0;
    if (begun == FS_LATER) {
        is_later = true;
        result = SERVICE_NO_REPLY;
    } else if (begun == 1) {
        result = fs_finish_again(m, node);
    } else {
        result = begun < 0 ? fs_back(m, begun) : handle(m);
    }
    if (is_later && fs_served->later)
        fs_served->later(&original);
    return result;
}

void fs_retry(const struct message *request)
{
    struct message m = *request;
    long result;

    service_serving(request);
    result = serve(&m);
    service_serving(NULL);
    if (result != SERVICE_NO_REPLY)
        ipc_reply_at_end(message_caller(&m), &m, result);
}

endpoint_t fs_program(void)
{
    return program;
}

void fs_program_is(endpoint_t ep)
{
    program = ep;
}

/* ---- open files ---- */

static long transfer(uint64_t node, bool is_write, struct fs_transfer *t)
{
    long (*operation)(uint64_t, struct fs_transfer *) =
        is_write ? fs_served->write : fs_served->read;
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
    const struct file_transfer_request *r = message_words(m);
    struct file_transfer_reply *reply = message_words(m);
    bool is_write = m->type == FILE_WRITE;
    bool is_back = r->back & FILE_BACK;
    struct fs_transfer t = {.program = message_caller(m),
                            .address = r->address,
                            .length = r->length,
                            .offset = r->offset,
                            .flags = (uint32_t)r->flags,
                            .request = m};
    long result;

    if (t.length > 0x7ffff000)
        t.length = 0x7ffff000;
    result = is_write && t.length ? fs_drop_ids(fs_served, r->node, r->flags) : 0;
    if (result == 0)
        result = transfer(r->node, is_write, &t);
    reply->position = t.position;
    return fs_answer(m, is_back, result);
}

/* Segment by segment; it ends early at the first that is short. */
static long do_vector(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    struct file_transfer_reply *reply = message_words(m);
    bool is_write = m->type == FILE_WRITE_VECTOR;
    bool is_back = r->back & FILE_BACK;
    struct fs_transfer t = {.program = message_caller(m),
                            .offset = r->offset,
                            .flags = (uint32_t)r->flags,
                            .request = m};
    long done = 0, result = r->length > SEGMENTS_MAX ? -EINVAL : 0;
    struct iovec segment;

    t.position = t.offset;
    if (is_write && result == 0)
        result = fs_drop_ids(fs_served, r->node, r->flags);
    for (uint64_t i = 0; result >= 0 && i < r->length; i++) {
        result = copy_from(t.program, r->address + i * sizeof segment, &segment, sizeof segment);
        if (result < 0 || segment.iov_len == 0)
            continue;
        t.address = (uint64_t)segment.iov_base;
        t.length = segment.iov_len;
        t.position = 0;
        result = transfer(r->node, is_write, &t);
        if (result == FS_LATER && (done == 0 || fs_served->later))
            return fs_answer(m, is_back, result);
        if (result <= 0)
            break;
        done += result;
        t.offset = t.position;
        if ((size_t)result < segment.iov_len)
            break;
    }
    reply->position = t.position;
    return fs_answer(m, is_back, done > 0 || result == FS_LATER ? done : result);
}

static long do_ioctl(struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    bool is_back = r->back & FILE_BACK;

    return fs_answer(m, is_back,
                     fs_served->ioctl
                         ? fs_served->ioctl(r->node, r->request, r->argument, message_caller(m))
                         : -ENOTTY);
}

static long do_truncate(struct message *m)
{
    const struct file_truncate_request *r = message_words(m);
    uint64_t node = r->node, length = r->length;
    long result = fs_served->truncate ? 0 : -EROFS;

    if (result == 0)
        result = (int64_t)length < 0 ? -EINVAL : fs_drop_ids(fs_served, node, r->flags);
    return fs_back(m, result ? result : fs_served->truncate(node, length));
}

static long do_sync(struct message *m)
{
    const struct file_sync_request *r = message_words(m);
    bool is_back = r->back & FILE_BACK;

    return fs_answer(m, is_back, fs_served->sync ? fs_served->sync(r->node, m) : 0);
}

static long do_stat(struct message *m)
{
    const struct file_stat_request *r = message_words(m);
    struct file_stat_reply *reply = message_words(m);
    bool is_back = r->back & FILE_BACK;
    struct fs_attributes a;
    struct stat out;
    long result = fs_served->attributes(r->node, &a);

    if (result == 0 && !is_back) {
        fs_fill_stat(fs_served->number ? fs_served->number(r->node) : r->node, &a, &out);
        out.st_dev = fs_served->device;
        return copy_to(message_caller(m), r->address, &out, sizeof out);
    }
    if (result == 0) {
        message_halves(&reply->mode, a.mode, a.links);
        reply->size = a.size;
        message_halves(&reply->uid, a.uid, a.gid);
        reply->rdev = a.rdev;
        reply->mtime_ns = a.mtime_ns;
    }
    return fs_answer(m, is_back, result);
}

static long do_statfs(struct message *m)
{
    const struct file_statfs_request *r = message_words(m);
    struct statfs out = {.f_bsize = 4096, .f_frsize = 4096, .f_namelen = FS_NAME_MAX};
    long result = fs_served->statfs ? fs_served->statfs(&out) : 0;

    out.f_flags = ST_FLAGS_ARE_VALID | r->flags;
    if (result == 0)
        result = copy_to(message_caller(m), r->address, &out, sizeof out);
    return fs_answer(m, r->back & FILE_BACK, result);
}

static long do_set_attributes(struct message *m)
{
    const struct file_set_attributes_request *r = message_words(m);
    struct fs_set set = {.mask = r->mask,
                         .mode = (uint32_t)r->mode,
                         .uid = r->uid,
                         .gid = r->gid,
                         .atime_ns = r->atime_ns,
                         .mtime_ns = r->mtime_ns};
    long result =
        fs_served->set_attributes ? fs_drop_ids_of_owner(fs_served, r->node, &set) : -EROFS;

    return fs_back(m, result ? result : fs_served->set_attributes(r->node, &set));
}

static long do_read_directory(struct message *m)
{
    const struct file_read_directory_request *r = message_words(m);
    struct file_read_directory_reply *reply = message_words(m);
    static char buffer[32768];
    size_t room = r->room < sizeof buffer ? r->room : sizeof buffer;
    uint64_t cookie = r->cookie;
    struct fs_attributes a;
    long result = fs_served->attributes(r->node, &a);

    if (result == 0)
        result = S_ISDIR(a.mode) ? fs_pack_directory(fs_served, r->node, buffer, room, &cookie)
                                 : -ENOTDIR;
    if (result > 0) {
        long copied = copy_to(message_caller(m), r->address, buffer, (size_t)result);

        result = copied < 0 ? copied : result;
    }
    reply->cookie = cookie;
    return fs_back(m, result);
}

static long do_map(struct message *m)
{
    const struct file_map_request *r = message_words(m);
    struct file_map_reply *reply = message_words(m);
    uint64_t address = 0;
    long result =
        fs_served->map ? fs_served->map(r->node, r->offset, r->length, &address) : -ENOSYS;

    reply->address = address;
    return fs_back(m, result);
}

static long do_open(struct message *m)
{
    const struct file_open_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    uint64_t use = r->node;
    long result;

    fs_program_is(message_caller(m));
    result = r->flags & O_TRUNC ? fs_drop_ids(fs_served, r->node, r->flags) : 0;
    if (result == 0)
        result = fs_served->open ? fs_served->open(r->node, (uint32_t)r->flags, &use) : 0;

    reply->node = use;
    return fs_back(m, result);
}

static long do_close(struct message *m)
{
    const struct file_node_request *r = message_words(m);

    if (fs_served->close)
        fs_served->close(r->node);
    return fs_back(m, 0);
}

static long do_mount(struct message *m)
{
    const struct file_mount_request *r = message_words(m);

    return fs_back(m, fs_served->cover ? fs_served->cover(r->node, r->covered != 0) : -EINVAL);
}

static long do_root(struct message *m)
{
    const struct file_root_request *r = message_words(m);
    struct file_root_reply *reply = message_words(m);
    long result = fs_served->mounted ? fs_served->mounted(r->read_only == 1) : 0;

    reply->node = fs_served->root;
    reply->traits = fs_served->traits;
    return fs_back(m, result);
}

static long do_unmount(struct message *m)
{
    return fs_back(m, fs_served->unmount ? fs_served->unmount() : 0);
}

static long do_reopen(struct message *m)
{
    for (int i = 0; i < MESSAGE_WORDS && fs_served->reopen; i++)
        fs_served->reopen(m->w[i]);
    return 0;
}

static long do_allocate(struct message *m)
{
    const struct file_allocate_request *r = message_words(m);

    long result = fs_served->allocate ? fs_drop_ids(fs_served, r->node, r->flags) : -EOPNOTSUPP;

    if (result == 0)
        result = fs_served->allocate(r->node, (uint32_t)r->mode, r->offset, r->length);
    return fs_back(m, result);
}

static long do_xattr(struct message *m)
{
    const struct file_get_xattr_request *r = message_words(m);
    static char value[65536]; /* XATTR_SIZE_MAX */
    size_t room = r->room < sizeof value ? r->room : sizeof value;
    char name[FS_NAME_MAX + 1];
    long result = r->length > FS_NAME_MAX ? -ERANGE : fs_fetch(m, r->grant, r->length, name);

    if (result == 0)
        result = fs_served->xattr ? fs_served->xattr(r->node, name, value, room) : -EOPNOTSUPP;
    if (result > 0 && room) {
        long copied = copy_to(message_caller(m), r->address, value, (size_t)result);

        result = copied < 0 ? copied : result;
    }
    return fs_back(m, result);
}

static long do_seek(struct message *m)
{
    const struct file_seek_request *r = message_words(m);

    return fs_back(m, !fs_served->seek ? -EINVAL
                                       : fs_served->seek(r->node, r->offset, (int)r->whence));
}

static long do_poll(struct message *m)
{
    const struct file_poll_request *r = message_words(m);

    if (fs_served->poll)
        return fs_served->poll(r->node, r->events, r->tell == 1);
    return (long)(r->events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
}

static long do_poll_events(struct message *m)
{
    for (int i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = fs_served->ready ? fs_served->ready() : 0;
    return 0;
}

static long do_cancel(struct message *m)
{
    const struct file_program_request *r = message_words(m);

    return fs_served->cancel ? fs_served->cancel((endpoint_t)r->program) : 0;
}

static long do_waits(struct message *m)
{
    const struct file_program_request *r = message_words(m);
    struct file_waits_reply *reply = message_words(m);
    endpoint_t asked_for = (endpoint_t)r->program;

    reply->moves = 0;
    return fs_served->waits ? fs_served->waits(asked_for, &reply->moves) : 0;
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
    {FILE_LOOKUP, fs_do_lookup},
    {FILE_CREATE, fs_do_create},
    {FILE_SYMLINK, fs_do_symlink},
    {FILE_LINK, fs_do_link},
    {FILE_UNLINK, fs_do_unlink},
    {FILE_RENAME, fs_do_rename},
    {FILE_READ_LINK, fs_do_read_link},
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

static service_handler handler_of(uint64_t type)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (entries[i].type == type)
            return entries[i].handle;
    return NULL;
}

void fs_serve(const struct fs_operations *operations)
{
    static const struct service_entry others[] = {
        {FILE_WAITS, do_waits}, /* not to be put off itself */
        {0}};
    static const struct service_entry *const tables[] = {others, NULL};

    fs_served = operations;
    service_ready(fs_served->adopted ? RS_READY_ADOPTED : RS_READY_FRESH);
    service_run(&(struct service_table){.entries = fs_served->more,
                                        .count = fs_served->more_count,
                                        .more = tables,
                                        .fallback = serve,
                                        .notified = fs_served->notified,
                                        .shutdown = fs_served->shutdown,
                                        .idle = fs_served->idle});
}
