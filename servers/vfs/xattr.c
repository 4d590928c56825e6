/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes: read only. Where the file server has none, there are none. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/vfs/vfs.h"

enum { NAME_MAX_XATTR = 255 };

static long get(struct client *c, struct server *s, uint64_t node, uint64_t name,
                const uint64_t *value)
{
    struct message m = message_of(
        FILE_GET_XATTR,
        (struct file_get_xattr_request){.node = node, .address = value[0], .room = value[1]});
    struct file_get_xattr_request *r = message_words(&m);
    char text[NAME_MAX_XATTR + 1] = "";
    long grant, result = 0;

    if (name) {
        result = user_string(c, name, text, sizeof text);
        if (result <= 0)
            return result == 0 || result == -ENAMETOOLONG ? -ERANGE : result;
        if (!strchr(text, '.'))
            return -EOPNOTSUPP;
    }
    grant = server_grant(c, s, text, sizeof text, GRANT_READ, 0);
    if (grant < 0)
        return grant;
    r->grant = (uint64_t)grant;
    r->length = strlen(text);
    result = ask(c, s, &m, AGAIN);
    server_revoke(s, grant);
    return result == -EOPNOTSUPP && !name ? 0 : result;
}

static long get_by_path(struct client *c, uint64_t path, bool follows, uint64_t name,
                        const uint64_t *value)
{
    unsigned how = follows ? FOUND_FOLLOW : 0;
    struct found *f = found_new();
    long result = f ? path_find_user(c, AT_FDCWD, path, how, f) : -ENOMEM;

    if (result == 0)
        result = get(c, f->server, f->node, name, value);
    if (f)
        found_free(f);
    return result;
}

static long get_by_file(struct client *c, uint64_t fd, uint64_t name, const uint64_t *value)
{
    struct file *f = fd_file(c, fd);
    long result;

    if (!f)
        return -EBADF;
    if (!f->server || (!S_ISREG(f->mode) && !S_ISDIR(f->mode)))
        return name ? -EOPNOTSUPP : 0;
    file_get(f);
    result = remote_current(c, f);
    if (result == 0)
        result = get(c, f->server, f->node, name, value);
    file_put(c, f);
    return result;
}

static long sys_getxattr(struct client *c, const uint64_t *w)
{
    return get_by_path(c, w[0], true, w[1], w + 2);
}

static long sys_lgetxattr(struct client *c, const uint64_t *w)
{
    return get_by_path(c, w[0], false, w[1], w + 2);
}

static long sys_fgetxattr(struct client *c, const uint64_t *w)
{
    return get_by_file(c, w[0], w[1], w + 2);
}

static long sys_listxattr(struct client *c, const uint64_t *w)
{
    return get_by_path(c, w[0], true, 0, w + 1);
}

static long sys_llistxattr(struct client *c, const uint64_t *w)
{
    return get_by_path(c, w[0], false, 0, w + 1);
}

static long sys_flistxattr(struct client *c, const uint64_t *w)
{
    return get_by_file(c, w[0], 0, w + 1);
}

VFS_TABLE(xattr_calls, {SYS_getxattr, sys_getxattr}, {SYS_lgetxattr, sys_lgetxattr},
          {SYS_fgetxattr, sys_fgetxattr}, {SYS_listxattr, sys_listxattr},
          {SYS_llistxattr, sys_llistxattr}, {SYS_flistxattr, sys_flistxattr})
