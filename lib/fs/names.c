/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file protocol to the operations of a file server: what is done with names. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/fs/serve.h"
#include "lib/rt/kernel.h"

static char path[FS_PATH_MAX + 1],
    second_path[FS_PATH_MAX + 1]; /* one request at a time uses them */

static struct fs_user user_of(const struct message *m)
{
    return (struct fs_user){.uid = (uint32_t)m->w[3], .gid = (uint32_t)(m->w[3] >> 32)};
}

long fs_fetch(const struct message *m, uint64_t grant, uint64_t length, char *text)
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
    long result = fs_served->open ? fs_served->open(node, flags, &use) : 0;

    m->w[4] = use;
    m->w[5] |= STOP_OPENED;
    return result;
}

long fs_do_lookup(struct message *m)
{
    uint32_t open_flags = (uint32_t)m->w[5];
    struct fs_walk w = {
        .start = m->w[0], .path = path, .length = m->w[2], .flags = m->w[4], .user = user_of(m)};
    long result = fs_fetch(m, m->w[1], m->w[2], path);

    fs_program_is(message_caller(m));
    if (result == 0)
        result = fs_walk(fs_served, &w);
    put_node(m, w.node, &w.attributes, w.stop);
    if (w.stop == STOP_SYMLINK)
        m->w[4] = w.directory;
    if (result == 0 && (w.flags & LOOKUP_OPEN) && S_ISREG(w.attributes.mode))
        result = open_at_once(w.node, open_flags, m);
    return fs_back(m, result);
}

/* A directory that the user may change, and a fresh name for an entry in it. */
static long check_entry(struct message *m, uint64_t directory, uint64_t grant, uint64_t length,
                        char *name)
{
    struct fs_attributes a;
    long result = fs_fetch(m, grant, length, name);

    if (result == 0)
        result = fs_name_check(name, length);
    if (result == 0)
        result = fs_served->attributes(directory, &a);
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
    long result = fs_served->child(directory, name, &node);

    if (result == 0)
        result = fs_served->attributes(directory, &a);
    if (result == 0)
        result = fs_served->attributes(node, &child);
    return result < 0 ? result : fs_may_remove(&a, &child, user_of(m));
}

/* An error that a name gives when it exists already goes before the one for a read-only file system
 * or a missing right. */
static long check_new(struct message *m, char *name)
{
    uint64_t node;
    long result = check_entry(m, m->w[0], m->w[1], m->w[2], name);

    if ((result == 0 || result == -EACCES) && fs_served->child(m->w[0], name, &node) == 0)
        return -EEXIST;
    return result;
}

long fs_do_create(struct message *m)
{
    struct fs_attributes a;
    uint64_t node = 0;
    long result = check_new(m, path);

    if (result == 0)
        result = fs_served->create ? fs_served->create(m->w[0], path, (uint32_t)m->w[4], m->w[5],
                                                       user_of(m), &node)
                                   : -EROFS;
    if (result == 0)
        result = fs_served->attributes(node, &a);
    if (result == 0)
        put_node(m, node, &a, STOP_NONE);
    return fs_back(m, result);
}

long fs_finish_again(struct message *m, uint64_t node)
{
    struct fs_attributes a;
    long result = 0;

    if (m->type == FILE_CREATE) {
        result = fs_served->attributes(node, &a);
        if (result == 0)
            put_node(m, node, &a, STOP_NONE);
    }
    return fs_back(m, result);
}

long fs_do_symlink(struct message *m)
{
    long result = check_new(m, path);

    if (result == 0)
        result = fs_fetch(m, m->w[4], m->w[5], second_path);
    if (result == 0)
        result = fs_served->symlink ? fs_served->symlink(m->w[0], path, second_path, user_of(m))
                                    : -EROFS;
    return fs_back(m, result);
}

long fs_do_link(struct message *m)
{
    long result = check_new(m, path);

    if (result == 0)
        result = fs_served->link ? fs_served->link(m->w[0], path, m->w[4]) : -EROFS;
    return fs_back(m, result);
}

long fs_do_unlink(struct message *m)
{
    long result = check_entry(m, m->w[0], m->w[1], m->w[2], path);

    if (result == -EEXIST) /* "." and ".." */
        result = strcmp(path, ".") == 0 ? -EINVAL : -ENOTEMPTY;
    if (result == 0)
        result = check_removal(m, m->w[0], path);
    if (result == 0)
        result = fs_served->unlink ? fs_served->unlink(m->w[0], path, m->w[4] == 1) : -EROFS;
    return fs_back(m, result);
}

long fs_do_rename(struct message *m)
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
        result =
            fs_served->rename ? fs_served->rename(m->w[0], path, m->w[5], second_path) : -EROFS;
    return fs_back(m, result);
}

long fs_do_read_link(struct message *m)
{
    bool is_back = m->w[5] & FILE_BACK;
    long result;

    fs_program_is(message_caller(m));
    result = fs_served->link_text ? fs_served->link_text(m->w[0], path, FS_PATH_MAX) : -EINVAL;

    if (result >= 0) {
        size_t n = (size_t)result < m->w[2] ? (size_t)result : m->w[2];
        long copied = is_back ? grant_to(message_via(m), m->w[1], 0, path, n)
                              : copy_to(message_caller(m), m->w[1], path, n);

        result = copied < 0 ? copied : (long)n;
    }
    return fs_answer(m, is_back, result);
}
