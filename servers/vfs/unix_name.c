/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of sockets: paths, which are inodes of a file server, and abstract ones, which begin with a
 * zero. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/rt/random.h"
#include "servers/vfs/unix.h"
#include "servers/vfs/rights.h"

enum { TRIES = 64 };
#define PATH_AT offsetof(struct sockaddr_un, sun_path)

long unix_name_fetch(struct client *c, uint64_t address, uint64_t length, struct unix_name *name)
{
    *name = (struct unix_name){0};
    if (length < PATH_AT || length > sizeof name->address)
        return -EINVAL;
    if (user_read(c, address, &name->address, length))
        return -EFAULT;
    if (name->address.sun_family != AF_UNIX)
        return -EINVAL;
    name->length = (uint32_t)length;
    /* with its zero, whether that was counted or not */
    if (length > PATH_AT && name->address.sun_path[0])
        name->length = (uint32_t)(PATH_AT + strnlen(name->address.sun_path, length - PATH_AT) + 1);
    return 0;
}

long unix_name_store(struct client *c, const struct unix_name *name, uint64_t address,
                     uint64_t length_address)
{
    uint32_t whole = name->length ? name->length : PATH_AT, n;
    char bytes[sizeof name->address + 1] = {0};
    int room;

    if (!length_address || !address)
        return 0;
    if (user_read(c, length_address, &room, sizeof room))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    memcpy(bytes, &name->address, sizeof name->address);
    memcpy(bytes, &(sa_family_t){AF_UNIX}, sizeof(sa_family_t));
    n = (uint32_t)room < whole ? (uint32_t)room : whole;
    if (user_write(c, address, bytes, n) || user_write(c, length_address, &whole, sizeof whole))
        return -EFAULT;
    return 0;
}

static bool is_path(const struct unix_name *name)
{
    return name->length > PATH_AT && name->address.sun_path[0];
}

/* The path with a zero at its end even when all 108 bytes are used. */
static void path_of(const struct unix_name *name, char path[sizeof name->address.sun_path + 1])
{
    memcpy(path, name->address.sun_path, sizeof name->address.sun_path);
    path[sizeof name->address.sun_path] = 0;
}

/* As on Linux each type has abstract names of its own. */
static struct unix_socket *bound_abstract(const struct unix_name *name, int type)
{
    struct unix_socket *s = unix_all();

    while (s && (!s->bound || s->type != type || s->name.length != name->length ||
                 memcmp(&s->name.address, &name->address, name->length) != 0))
        s = list_at(s->next);
    return s;
}

static struct unix_socket *bound_inode(const struct server *server, uint64_t node)
{
    struct unix_socket *s = unix_all();

    while (s && (s->server != server || s->node != node))
        s = list_at(s->next);
    return s;
}

/* ---- bind ---- */

static long bind_abstract(struct unix_socket *s, const struct unix_name *name)
{
    if (bound_abstract(name, s->type))
        return -EADDRINUSE;
    s->name = *name;
    s->bound = true;
    return 0;
}

/* A name that nobody has: five hexadecimal digits, by chance: nobody knows which to take before. There are
 * so many more of them than sockets that one of a few is free. */
static long bind_any(struct unix_socket *s)
{
    long result = -EADDRINUSE;

    for (unsigned tries = 0; result && tries < TRIES; tries++) {
        struct unix_name name = {.length = PATH_AT + 6, .address.sun_family = AF_UNIX};

        snprintf(name.address.sun_path + 1, 6, "%05x", (unsigned)random_word() & 0xfffff);
        result = bind_abstract(s, &name);
    }
    return result;
}

static long create_node(struct client *c, struct found *f)
{
    struct message m;
    const struct file_lookup_reply *reply = message_words(&m);
    long result = name_create(c, f, S_IFSOCK | 0777, &m);

    if (result == 0)
        f->node = reply->node;
    return result == -EEXIST ? -EADDRINUSE : result;
}

static long bind_path(struct client *c, struct unix_socket *s, const struct unix_name *name)
{
    char path[sizeof name->address.sun_path + 1];
    struct found *f = found_new();
    long result;

    path_of(name, path);
    result = f ? path_find(c, AT_FDCWD, path, FOUND_MAY_MISS, f) : -ENOMEM;
    if (result == 0 && f->mode)
        result = -EADDRINUSE;
    else if (result == 0)
        result = f->trailing_slash ? -ENOENT : create_node(c, f);
    if (result == 0 && s->name.length)
        result = -EINVAL; /* another thread was quicker */
    if (result == 0) {
        s->name = *name;
        s->bound = true;
        s->server = f->server;
        s->node = f->node;
    }
    found_free(f);
    return result;
}

long unix_bind(struct client *c, struct unix_socket *s, uint64_t address, uint64_t length)
{
    struct unix_name name;
    long result = unix_name_fetch(c, address, length, &name);

    if (result)
        return result;
    if (name.length == PATH_AT)
        return s->name.length ? 0 : bind_any(s);
    if (s->name.length)
        return -EINVAL;
    return is_path(&name) ? bind_path(c, s, &name) : bind_abstract(s, &name);
}

/* ---- lookup ---- */

static long lookup_path(struct client *c, const struct unix_name *name, int type,
                        struct unix_socket **out)
{
    char path[sizeof name->address.sun_path + 1];
    struct found *f = found_new();
    long result;

    path_of(name, path);
    result = f ? path_find(c, AT_FDCWD, path, FOUND_FOLLOW, f) : -ENOMEM;
    if (result == 0)
        result = found_may(c, f, W_OK);
    if (result == 0) {
        *out = S_ISSOCK(f->mode) ? bound_inode(f->server, f->node) : NULL;
        if (!*out)
            result = -ECONNREFUSED;
        else
            result = (*out)->type != type ? -EPROTOTYPE : 0;
    }
    found_free(f);
    return result;
}

long unix_lookup(struct client *c, const struct unix_name *name, int type, struct unix_socket **out)
{
    if (name->length == PATH_AT)
        return -EINVAL;
    if (is_path(name))
        return lookup_path(c, name, type, out);
    *out = bound_abstract(name, type);
    return *out ? 0 : -ECONNREFUSED;
}
