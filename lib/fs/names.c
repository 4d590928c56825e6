/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file protocol to the operations of a file server: what is done with names. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/fs/serve.h"
#include "lib/rt/kernel.h"

static char path[FS_PATH_MAX + 1],
    second_path[FS_PATH_MAX + 1]; /* one request at a time uses them */
static uint32_t groups[FILE_GROUPS_MAX]; /* of who asks: fetch_groups() */

static struct fs_user user_of(const struct message *m)
{
    const struct file_name_request *r = message_words(m);

    return (struct fs_user){
        .uid = r->uid, .gid = r->gid, .group_count = r->groups, .groups = groups};
}

static endpoint_t lender(const struct message *m)
{
    return message_via(m) ? message_via(m) : message_caller(m);
}

/* They lie behind the name: before user_of(). */
static long fetch_groups(const struct message *m)
{
    const struct file_name_request *r = message_words(m);

    if (r->groups > FILE_GROUPS_MAX)
        return -EINVAL;
    return r->groups
               ? grant_from(lender(m), r->grant, r->length, groups, r->groups * sizeof *groups)
               : 0;
}

long fs_fetch(const struct message *m, uint64_t grant, uint64_t length, char *text)
{
    long result;

    if (length > FS_PATH_MAX)
        return -ENAMETOOLONG;
    result = length ? grant_from(lender(m), grant, 0, text, length) : 0;
    text[length] = 0;
    if (result < 0)
        return result;
    return memchr(text, 0, length) ? -EINVAL : 0;
}

static void put_node(struct message *m, uint64_t node, const struct fs_attributes *a,
                     enum file_stop stop)
{
    struct file_lookup_reply *reply = message_words(m);

    reply->node = node;
    reply->mode = a->mode;
    reply->size = a->size;
    reply->rdev = a->rdev;
    message_halves(&reply->stop, stop, a->uid);
}

static long open_at_once(uint64_t node, uint32_t flags, struct message *m)
{
    struct file_lookup_reply *reply = message_words(m);
    uint64_t use = node;
    long result = fs_served->open ? fs_served->open(node, flags, &use) : 0;

    reply->rdev = use;
    reply->stop |= STOP_OPENED;
    return result;
}

long fs_do_lookup(struct message *m)
{
    const struct file_lookup_request *r = message_words(m);
    struct file_lookup_reply *reply = message_words(m);
    uint32_t open_flags = (uint32_t)r->flags;
    struct fs_walk w = {.start = r->name.directory,
                        .path = path,
                        .length = r->name.length,
                        .flags = r->how,
                        .user = user_of(m)};
    long result = fs_fetch(m, r->name.grant, r->name.length, path);

    fs_program_is(message_caller(m));
    if (result == 0)
        result = fetch_groups(m);
    if (result == 0)
        result = fs_walk(fs_served, &w);
    put_node(m, w.node, &w.attributes, w.stop);
    if (w.stop == STOP_SYMLINK)
        reply->rdev = w.directory;
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

/* The name that the request begins with. */
static long check_named(struct message *m, char *name)
{
    const struct file_name_request *r = message_words(m);
    long result = fetch_groups(m);

    return result < 0 ? result : check_entry(m, r->directory, r->grant, r->length, name);
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

/* Who may search the directory learns that the name is there: -EEXIST. */
static long check_unused(const struct message *m, uint64_t directory, const char *name)
{
    struct fs_attributes a;
    uint64_t node;
    long result = fs_served->attributes(directory, &a);

    if (result == 0 && !fs_may(&a, user_of(m), X_OK))
        return -EACCES;
    if (result == 0)
        result = fs_served->child(directory, name, &node);
    if (result == -ENOENT)
        return 0;
    return result == 0 ? -EEXIST : result;
}

/* An error that a name gives when it exists already goes before the one for a read-only file system
 * or a missing right. */
static long check_new(struct message *m, char *name)
{
    const struct file_name_request *r = message_words(m);
    long result = check_named(m, name);

    if ((result == 0 || result == -EACCES) && check_unused(m, r->directory, name) == -EEXIST)
        return -EEXIST;
    return result;
}

long fs_do_create(struct message *m)
{
    const struct file_create_request *r = message_words(m);
    struct fs_attributes a;
    uint64_t node = 0;
    long result = check_new(m, path);

    if (result == 0)
        result = fs_served->create ? fs_served->create(r->name.directory, path, (uint32_t)r->mode,
                                                       r->rdev, user_of(m), &node)
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
    const struct file_symlink_request *r = message_words(m);
    long result = check_new(m, path);

    if (result == 0)
        result = fs_fetch(m, r->target_grant, r->target_length, second_path);
    if (result == 0)
        result = fs_served->symlink
                     ? fs_served->symlink(r->name.directory, path, second_path, user_of(m))
                     : -EROFS;
    return fs_back(m, result);
}

/* As Linux has it where fs.protected_hardlinks is 1, as on Debian: who may not write to a file, or could
 * keep a program that changes who runs it, gives it no name. */
static long check_link(const struct message *m, uint64_t node)
{
    struct fs_user user = user_of(m);
    struct fs_attributes a;
    long result = fs_served->attributes(node, &a);

    if (result < 0 || user.uid == 0 || user.uid == a.uid)
        return result;
    if (!S_ISREG(a.mode) || (a.mode & S_ISUID) ||
        (a.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        return -EPERM;
    return fs_may(&a, user, R_OK | W_OK) ? 0 : -EPERM;
}

long fs_do_link(struct message *m)
{
    const struct file_link_request *r = message_words(m);
    long result = check_new(m, path), allowed;

    if (result == 0 || result == -EACCES) {
        allowed = check_link(m, r->node);
        result = allowed ? allowed : result;
    }
    if (result == 0)
        result = fs_served->link ? fs_served->link(r->name.directory, path, r->node, user_of(m))
                                 : -EROFS;
    return fs_back(m, result);
}

long fs_do_unlink(struct message *m)
{
    const struct file_unlink_request *r = message_words(m);
    long result = check_named(m, path);

    if (result == -EEXIST) /* "." and ".." */
        result = strcmp(path, ".") == 0 ? -EINVAL : -ENOTEMPTY;
    if (result == 0)
        result = check_removal(m, r->name.directory, path);
    if (result == 0)
        result = fs_served->unlink
                     ? fs_served->unlink(r->name.directory, path, r->is_directory == 1)
                     : -EROFS;
    return fs_back(m, result);
}

/* The name that it is to have, in second_path. */
static long check_new_name(struct message *m)
{
    const struct file_rename_request *r = message_words(m);
    long result = check_entry(m, r->to_directory, r->to_grant, r->to_length, second_path);

    if (r->no_replace && (result == 0 || result == -EACCES)) {
        long unused = check_unused(m, r->to_directory, second_path);

        return unused ? unused : result;
    }
    if (result == -EEXIST) /* "." and ".." */
        return r->no_replace ? -EEXIST : -EBUSY;
    if (result == 0)
        result = check_removal(m, r->to_directory, second_path);
    return result == -ENOENT ? 0 : result;
}

/* That there is nothing of the new name is looked up in the same step: no other can make it in between. */
long fs_do_rename(struct message *m)
{
    const struct file_rename_request *r = message_words(m);
    long result = check_named(m, path);

    if (result == -EEXIST) /* "." and ".." */
        result = -EBUSY;
    if (result == 0)
        result = check_removal(m, r->name.directory, path);
    if (result == 0)
        result = check_new_name(m);
    if (result == 0)
        result = fs_served->rename
                     ? fs_served->rename(r->name.directory, path, r->to_directory, second_path)
                     : -EROFS;
    return fs_back(m, result);
}

long fs_do_read_link(struct message *m)
{
    const struct file_read_link_request *r = message_words(m);
    bool is_back = r->back & FILE_BACK;
    long result;

    fs_program_is(message_caller(m));
    result = fs_served->link_text ? fs_served->link_text(r->node, path, FS_PATH_MAX) : -EINVAL;

    if (result >= 0) {
        size_t n = (size_t)result < r->room ? (size_t)result : r->room;
        long copied = is_back ? grant_to(message_via(m), r->address, 0, path, n)
                              : copy_to(message_caller(m), r->address, path, n);

        result = copied < 0 ? copied : (long)n;
    }
    return fs_answer(m, is_back, result);
}
