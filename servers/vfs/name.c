/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that change names: mkdir, unlink, rename, link, symlink, mknod; and readlink. How a server is
 * told a name, and by whom. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "servers/vfs/rights.h"

#define RENAME_NOREPLACE 1u /* renameat2(2) */

/* Root's groups do not matter. */
long naming_begin(struct client *c, struct server *s, uint64_t directory, const char *name,
                  size_t length, struct naming *n)
{
    uint32_t count = c->uid ? c->group_count : 0;
    size_t groups = count * sizeof *c->groups;
    long grant;

    n->copy = groups ? malloc(length + groups) : NULL;
    if (groups && !n->copy)
        return -ENOMEM;
    if (groups) {
        memcpy(n->copy, name, length);
        memcpy(n->copy + length, c->groups, groups);
        name = n->copy;
    }
    grant = server_grant(c, s, name, length + groups ? length + groups : 1, GRANT_READ, 0);
    if (grant < 0) {
        free(n->copy);
        return grant;
    }
    n->request = (struct file_name_request){.directory = directory,
                                            .grant = (uint64_t)grant,
                                            .length = (uint32_t)length,
                                            .groups = count,
                                            .uid = c->uid,
                                            .gid = c->gid};
    return 0;
}

void naming_end(struct server *s, struct naming *n)
{
    server_revoke(s, (long)n->request.grant);
    free(n->copy);
}

long name_create(struct client *c, const struct found *f, uint32_t mode, struct message *m)
{
    struct naming name;
    long result = naming_begin(c, f->server, f->parent, f->last, strlen(f->last), &name);

    if (result)
        return result;
    *m = message_of(FILE_CREATE, (struct file_create_request){
                                     .name = name.request,
                                     .mode = (mode & S_IFMT) | (mode & 07777 & ~c->place->umask)});
    result = ask(c, f->server, m, ONCE);
    naming_end(f->server, &name);
    return result;
}

/* A request with the name f->last in the directory f. */
static long ask_name(struct client *c, const struct found *f, struct message *m)
{
    struct file_name_request *r = message_words(m);
    struct naming name;
    long result = naming_begin(c, f->server, f->node, f->last, strlen(f->last), &name);

    if (result)
        return result;
    *r = name.request;
    result = ask(c, f->server, m, m->type == FILE_LOOKUP ? AGAIN : ONCE);
    naming_end(f->server, &name);
    return result;
}

/* What is there by that name; a link itself, and what is covered. 0, -ENOENT. */
static long look_up_name(struct client *c, const struct found *f, uint32_t *mode)
{
    struct message m = message_of(FILE_LOOKUP, (struct file_lookup_request){.how = 0});
    const struct file_lookup_reply *there = message_words(&m);
    long result = ask_name(c, f, &m);

    *mode = result > 0 ? S_IFDIR : (uint32_t)there->mode; /* > 0: something is mounted there */
    return result < 0 ? result : 0;
}

/* A name with a slash at its end, of something new that is no directory. */
static long refuse_slash(struct client *c, const struct found *f)
{
    uint32_t mode;
    long result = look_up_name(c, f, &mode);

    return result == 0 ? -EEXIST : result;
}

static long make_node(struct client *c, int at, uint64_t path, uint32_t mode, uint64_t rdev)
{
    struct found *f = found_new();
    struct message m =
        message_of(FILE_CREATE,
                   (struct file_create_request){
                       .mode = (mode & S_IFMT) | (mode & 07777 & ~c->place->umask), .rdev = rdev});
    long result = f ? path_find_parent(c, at, path, f) : -ENOMEM;

    if (result == 0)
        result = f->trailing_slash && !S_ISDIR(mode) ? refuse_slash(c, f) : ask_name(c, f, &m);
    found_free(f);
    return result;
}

static long sys_mkdir(struct client *c, const uint64_t *w)
{
    return make_node(c, AT_FDCWD, w[0], S_IFDIR | ((uint32_t)w[1] & 01777), 0);
}

static long sys_mkdirat(struct client *c, const uint64_t *w)
{
    return make_node(c, (int)w[0], w[1], S_IFDIR | ((uint32_t)w[2] & 01777), 0);
}

static long make_special(struct client *c, int at, uint64_t path, uint32_t mode, uint64_t rdev)
{
    uint32_t type = mode & S_IFMT;

    if (type == 0)
        mode |= type = S_IFREG;
    if (type == S_IFDIR)
        return -EPERM;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR &&
        type != S_IFBLK)
        return -EINVAL;
    if ((type == S_IFCHR || type == S_IFBLK) && c->uid)
        return -EPERM;
    return make_node(c, at, path, mode, rdev);
}

static long sys_mknod(struct client *c, const uint64_t *w)
{
    return make_special(c, AT_FDCWD, w[0], (uint32_t)w[1], w[2]);
}

static long sys_mknodat(struct client *c, const uint64_t *w)
{
    return make_special(c, (int)w[0], w[1], (uint32_t)w[2], w[3]);
}

/* A slash at the end asks for a directory, which unlink does not remove. */
static long unlink_with_slash(struct client *c, const struct found *f)
{
    uint32_t mode;
    long result = look_up_name(c, f, &mode);

    if (result)
        return result;
    return S_ISDIR(mode) ? -EISDIR : -ENOTDIR;
}

static long remove_name(struct client *c, int at, uint64_t path, bool directory)
{
    struct found *f = found_new();
    struct message m =
        message_of(FILE_UNLINK, (struct file_unlink_request){.is_directory = directory});
    long result = f ? path_find_parent(c, at, path, f) : -ENOMEM;

    if (result == 0)
        result = f->trailing_slash && !directory ? unlink_with_slash(c, f) : ask_name(c, f, &m);
    found_free(f);
    return result;
}

static long sys_unlink(struct client *c, const uint64_t *w)
{
    return remove_name(c, AT_FDCWD, w[0], false);
}

static long sys_rmdir(struct client *c, const uint64_t *w)
{
    return remove_name(c, AT_FDCWD, w[0], true);
}

static long sys_unlinkat(struct client *c, const uint64_t *w)
{
    if (w[2] & ~(uint64_t)AT_REMOVEDIR)
        return -EINVAL;
    return remove_name(c, (int)w[0], w[1], w[2] & AT_REMOVEDIR);
}

/* Directories alone may be named so, before and after. */
static long rename_with_slash(struct client *c, const struct found *from, const struct found *to,
                              bool no_replace)
{
    uint32_t mode, other;
    long result = look_up_name(c, from, &mode);

    if (result)
        return result;
    if (no_replace && look_up_name(c, to, &other) == 0)
        return -EEXIST;
    return S_ISDIR(mode) ? 0 : -ENOTDIR;
}

static long rename_found(struct client *c, const struct found *from, const struct found *to,
                         bool no_replace)
{
    struct message m =
        message_of(FILE_RENAME, (struct file_rename_request){.to_directory = to->node,
                                                             .no_replace = no_replace});
    struct file_rename_request *r = message_words(&m);
    long grant, result = 0;

    if (from->server != to->server)
        return -EXDEV;
    if (from->trailing_slash || to->trailing_slash)
        result = rename_with_slash(c, from, to, no_replace);
    if (result)
        return result;
    grant = server_grant(c, to->server, to->last, strlen(to->last) + 1, GRANT_READ, 1);
    if (grant < 0)
        return grant;
    r->to_grant = (uint32_t)grant;
    r->to_length = (uint16_t)strlen(to->last);
    result = ask_name(c, from, &m);
    server_revoke(to->server, grant);
    return result;
}

static long rename_at(struct client *c, int from_at, uint64_t from_path, int to_at,
                      uint64_t to_path, uint64_t flags)
{
    struct found *from = found_new(), *to = found_new();
    long result = from && to ? 0 : -ENOMEM;

    if (flags & ~(uint64_t)RENAME_NOREPLACE)
        result = -EINVAL;
    if (result == 0)
        result = path_find_parent(c, from_at, from_path, from);
    if (result == 0)
        result = path_find_parent(c, to_at, to_path, to);
    if (result == 0)
        result = rename_found(c, from, to, flags & RENAME_NOREPLACE);
    found_free(from);
    found_free(to);
    return result;
}

static long sys_rename(struct client *c, const uint64_t *w)
{
    return rename_at(c, AT_FDCWD, w[0], AT_FDCWD, w[1], 0);
}

static long sys_renameat(struct client *c, const uint64_t *w)
{
    return rename_at(c, (int)w[0], w[1], (int)w[2], w[3], 0);
}

static long sys_renameat2(struct client *c, const uint64_t *w)
{
    return rename_at(c, (int)w[0], w[1], (int)w[2], w[3], w[4]);
}

static long link_at(struct client *c, int from_at, uint64_t from_path, int to_at, uint64_t to_path,
                    uint64_t flags)
{
    struct found *from = found_new(), *to = found_new();
    struct message m = {.type = FILE_LINK};
    struct file_link_request *r = message_words(&m);
    long result = from && to ? 0 : -ENOMEM;

    if (result == 0)
        result = path_find_user(c, from_at, from_path, flags & AT_SYMLINK_FOLLOW ? FOUND_FOLLOW : 0,
                                from);
    if (result == 0)
        result = S_ISDIR(from->mode) ? -EPERM : path_find_parent(c, to_at, to_path, to);
    if (result == 0) {
        r->node = from->node;
        result = from->server != to->server ? -EXDEV : 0;
        if (result == 0)
            result = to->trailing_slash ? refuse_slash(c, to) : ask_name(c, to, &m);
    }
    found_free(from);
    found_free(to);
    return result;
}

static long sys_link(struct client *c, const uint64_t *w)
{
    return link_at(c, AT_FDCWD, w[0], AT_FDCWD, w[1], 0);
}

static long sys_linkat(struct client *c, const uint64_t *w)
{
    return link_at(c, (int)w[0], w[1], (int)w[2], w[3], w[4]);
}

static long symlink_at(struct client *c, uint64_t target, int at, uint64_t path)
{
    struct found *f = NULL;
    struct message m = {.type = FILE_SYMLINK};
    struct file_symlink_request *r = message_words(&m);
    char *text;
    long grant = -1, result = path_fetch(c, target, &text);

    if (result)
        return result;
    f = found_new();
    if (!f)
        result = -ENOMEM;
    else
        result = *text ? path_find_parent(c, at, path, f) : -ENOENT;
    if (result == 0 && f->trailing_slash)
        result = refuse_slash(c, f);
    if (result == 0) {
        grant = server_grant(c, f->server, text, strlen(text) + 1, GRANT_READ, 1);
        r->target_grant = (uint64_t)grant;
        r->target_length = strlen(text);
        result = grant < 0 ? grant : ask_name(c, f, &m);
    }
    if (grant >= 0)
        server_revoke(f->server, grant);
    found_free(f);
    free(text);
    return result;
}

static long sys_symlink(struct client *c, const uint64_t *w)
{
    return symlink_at(c, w[0], AT_FDCWD, w[1]);
}

static long sys_symlinkat(struct client *c, const uint64_t *w)
{
    return symlink_at(c, w[0], (int)w[1], w[2]);
}

static long read_link_at(struct client *c, int at, uint64_t path, uint64_t address, uint64_t room)
{
    struct message m;
    struct found *f;
    long result;

    if ((int64_t)room <= 0)
        return -EINVAL;
    f = found_new();
    result = f ? path_find_user(c, at, path, 0, f) : -ENOMEM;
    if (result == 0) {
        m = message_of(FILE_READ_LINK, (struct file_read_link_request){
                                           .node = f->node, .address = address, .room = room});
        result = S_ISLNK(f->mode) ? hand_over(c, f->server, &m) : -EINVAL;
    }
    found_free(f);
    return result;
}

static long sys_readlink(struct client *c, const uint64_t *w)
{
    return read_link_at(c, AT_FDCWD, w[0], w[1], w[2]);
}

static long sys_readlinkat(struct client *c, const uint64_t *w)
{
    return read_link_at(c, (int)w[0], w[1], w[2], w[3]);
}

VFS_TABLE(name_calls, {SYS_mkdir, sys_mkdir}, {SYS_mkdirat, sys_mkdirat}, {SYS_mknod, sys_mknod},
          {SYS_mknodat, sys_mknodat}, {SYS_unlink, sys_unlink}, {SYS_rmdir, sys_rmdir},
          {SYS_unlinkat, sys_unlinkat}, {SYS_rename, sys_rename}, {SYS_renameat, sys_renameat},
          {SYS_renameat2, sys_renameat2}, {SYS_link, sys_link}, {SYS_linkat, sys_linkat},
          {SYS_symlink, sys_symlink}, {SYS_symlinkat, sys_symlinkat}, {SYS_readlink, sys_readlink},
          {SYS_readlinkat, sys_readlinkat})
