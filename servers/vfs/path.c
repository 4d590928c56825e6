/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths. A file server walks as many components as it can; what it can't decide (symbolic links,
 * mounts, ".." above its root) it hands back, and we go on from there. Along the way we keep the
 * canonical path: what has been walked holds no symbolic link any more.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "servers/vfs/rights.h"

enum { REST_ROOM = 2 * VFS_PATH_MAX };

struct walk {
    struct client *c;
    struct found *out;
    bool follow, may_miss, open, unnamed;
    uint32_t open_flags;
    unsigned links;
    char *rest; /* what remains, from `text` on */
    char text[REST_ROOM];
};

static struct found *all_found;

struct found *found_first(void)
{
    return list_at(all_found);
}

void found_begin(struct found *f)
{
    memset(f, 0, offsetof(struct found, path));
    f->unmounts = false;
    list_put_linked(all_found, f, next_all, link_all);
}

void found_end(struct found *f)
{
    list_take_linked(f, next_all, link_all);
}

struct found *found_new(void)
{
    struct found *f = malloc(sizeof *f);

    if (f)
        found_begin(f);
    return f;
}

void found_free(struct found *f)
{
    if (f)
        found_end(f);
    free(f);
}

long path_fetch(struct client *c, uint64_t address, char **text)
{
    long result;

    *text = malloc(VFS_PATH_MAX);
    if (!*text)
        return -ENOMEM;
    result = user_string(c, address, *text, VFS_PATH_MAX);
    if (result < 0) {
        free(*text);
        *text = NULL;
    }
    return result < 0 ? result : 0;
}

/* Append n bytes of walked components to the canonical path. */
static long canonical_add(char *path, const char *text, size_t n)
{
    size_t length = strlen(path);

    for (const char *end = text + n, *next; text < end; text = next) {
        size_t size;

        while (text < end && *text == '/')
            text++;
        for (next = text; next < end && *next != '/'; next++)
            ;
        size = (size_t)(next - text);
        if (size == 0 || (size == 1 && text[0] == '.'))
            continue;
        if (size == 2 && text[0] == '.' && text[1] == '.') {
            while (length > 1 && path[--length] != '/')
                ;
            path[length ? length : 1] = 0;
            length = length ? length : 1;
            continue;
        }
        if (length + size + 2 > VFS_PATH_MAX)
            return -ENAMETOOLONG;
        if (length > 1)
            path[length++] = '/';
        memcpy(path + length, text, size);
        length += size;
        path[length] = 0;
    }
    return 0;
}

static void go_to(struct walk *w, struct server *s, uint64_t node)
{
    w->out->server = s;
    w->out->node = node;
}

static void go_to_location(struct walk *w, const struct location *l)
{
    go_to(w, l->server, l->node);
    strcpy(w->out->path, l->path);
}

static bool is_chrooted(const struct client *c)
{
    const struct mount *root = mount_root();

    return root && (c->place->root.server != root->server || c->place->root.node != root->root);
}

/* Where a path begins: the root, a descriptor's directory, or the working directory. */
static long begin(struct walk *w, int at, const char *path)
{
    struct file *f;

    if (*path == '/') {
        const char *rest;
        struct mount *m = is_chrooted(w->c) ? NULL : mount_of_path(path, &rest);

        go_to_location(w, &w->c->place->root);
        if (m) {
            go_to(w, m->server, m->root);
            strcpy(w->out->path, m->path);
            w->rest += rest - path;
        }
        return 0;
    }
    if (at == AT_FDCWD) {
        go_to_location(w, &w->c->place->cwd);
        return 0;
    }
    f = fd_file(w->c, (uint64_t)at);
    if (!f)
        return -EBADF;
    if (!S_ISDIR(f->mode) && *path)
        return -ENOTDIR;
    if (!f->server)
        return -ENOTDIR;
    go_to(w, f->server, f->node);
    strcpy(w->out->path, f->path ? f->path : "/");
    return 0;
}

static bool is_dot_dot(const char *text)
{
    return text[0] == '.' && text[1] == '.' && (text[2] == '/' || !text[2]);
}

/* How much of the rest the server may walk at once: all, but under chroot() not past a "..". */
static size_t piece(struct walk *w)
{
    const struct location *root = &w->c->place->root;
    const char *at = w->rest;

    if (!is_chrooted(w->c))
        return strlen(at);
    for (;; w->rest += at - w->rest + 2, at = w->rest) { /* ".." of the root is the root */
        while (*at == '/')
            at++;
        if (!is_dot_dot(at))
            break;
        if (w->out->server != root->server || w->out->node != root->node)
            return (size_t)(at + 2 - w->rest);
    }
    while (*at) {
        while (*at && *at != '/')
            at++;
        while (*at == '/')
            at++;
        if (is_dot_dot(at))
            break;
    }
    return (size_t)(at - w->rest);
}

static long lookup(struct walk *w, size_t length, bool all, struct message *m)
{
    bool follow = !all || w->follow;
    struct server *s = w->out->server;
    struct naming name;
    long result = naming_begin(w->c, s, w->out->node, w->rest, length, &name);

    if (result)
        return result;
    *m = message_of(FILE_LOOKUP,
                    (struct file_lookup_request){.name = name.request,
                                                 .how = (follow ? LOOKUP_FOLLOW : 0) |
                                                        (all && w->open ? LOOKUP_OPEN : 0),
                                                 .flags = w->open_flags});
    result = ask(w->c, s, m, AGAIN);
    naming_end(s, &name);
    return result;
}

/* /proc/PID/fd/N leads to a file without a path: one of ours, by the name that it has there
 * (proc_info.c). */
static struct file *unnamed_file(const struct client *c, const char *text)
{
    const char *number = strchr(text, '[');

    for (uint32_t fd = 0; number && fd < c->files->size; fd++) {
        struct file *f = c->files->descriptor[fd].file;

        if (f && !f->path && f->lock_node == strtoull(number + 1, NULL, 10) &&
            strncmp(text, f->operations->name, strlen(f->operations->name)) == 0)
            return f;
    }
    return NULL;
}

/* Replace what was walked up to the link by its text. 1: that was an unnamed file. */
static long expand(struct walk *w, size_t consumed, const struct message *m)
{
    size_t rest = strlen(w->rest + consumed), last = consumed;
    const struct file_lookup_reply *link = message_words(m);
    uint64_t directory = link->rdev;
    struct message read = message_of(
        FILE_READ_LINK, (struct file_read_link_request){
                            .node = link->node, .room = VFS_PATH_MAX - 1, .back = FILE_BACK});
    struct file_read_link_request *r = message_words(&read);
    char *text;
    long grant, n, result;

    if (++w->links > VFS_SYMLINKS_MAX)
        return -ELOOP;
    text = malloc(VFS_PATH_MAX);
    if (!text)
        return -ENOMEM;
    grant = server_grant(w->c, w->out->server, text, VFS_PATH_MAX - 1, GRANT_WRITE, 0);
    r->address = (uint64_t)grant;
    n = grant < 0 ? grant : ask(w->c, w->out->server, &read, AGAIN);
    if (grant >= 0)
        server_revoke(w->out->server, grant);
    while (last && w->rest[last - 1] == '/')
        last--;
    while (last && w->rest[last - 1] != '/')
        last--;
    result = n < 0 ? n : canonical_add(w->out->path, w->rest, last);
    if (result == 0 && (n == 0 || (size_t)n + rest + 1 > VFS_PATH_MAX))
        result = n == 0 ? -ENOENT : -ENAMETOOLONG;
    if (result == 0 && rest == 0 && w->unnamed && w->out->server->calls_us) {
        text[n] = 0;
        w->out->unnamed = unnamed_file(w->c, text);
        result = w->out->unnamed != NULL;
    }
    if (result == 0) {
        memmove(w->text + n, w->rest + consumed, rest + 1);
        memcpy(w->text, text, (size_t)n);
        w->rest = w->text;
        if (w->text[0] == '/')
            go_to_location(w, &w->c->place->root);
        else
            w->out->node = directory;
    }
    free(text);
    return result;
}

static long enter_mount(struct walk *w, size_t consumed, uint64_t node)
{
    struct mount *m = mount_over(w->out->server, node);
    long result = canonical_add(w->out->path, w->rest, consumed);

    if (result)
        return result;
    w->rest += consumed;
    if (m)
        go_to(w, m->server, m->root);
    else
        w->out->node = node; /* unmounted just now */
    return 0;
}

/* ".." at the root of a mount: go on with it in the file system that the mount covers. */
static long leave_mount(struct walk *w, size_t consumed)
{
    struct mount *m = mount_at(w->out->server, 0);
    long result;

    if (!m || !m->over_server) {
        if (m)
            go_to(w, m->server, m->root);
        strcpy(w->out->path, "/");
        w->rest += consumed;
        return 0;
    }
    result = canonical_add(w->out->path, w->rest, consumed - 2);
    go_to(w, m->over_server, m->over_node);
    w->rest += consumed - 2;
    return result;
}

static long stopped(struct walk *w, size_t consumed, const struct message *m)
{
    const struct file_lookup_reply *found = message_words(m);

    if (consumed > strlen(w->rest))
        return -EIO;
    switch ((enum file_stop)found->stop) {
    case STOP_SYMLINK:
        return expand(w, consumed, m);
    case STOP_MOUNT:
        return enter_mount(w, consumed, found->node);
    case STOP_ABOVE_ROOT:
        return consumed < 2 ? -EIO : leave_mount(w, consumed);
    default:
        return -EIO;
    }
}

/* The last component is missing, and the caller wants to know where. */
static long missing(struct walk *w, uint64_t parent)
{
    struct found *out = w->out;
    const char *end = w->rest + strlen(w->rest), *last;

    while (end > w->rest && end[-1] == '/')
        end--;
    for (last = end; last > w->rest && last[-1] != '/'; last--)
        ;
    if (end - last > VFS_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(out->last, last, (size_t)(end - last));
    out->last[end - last] = 0;
    out->parent = parent;
    out->node = 0;
    out->mode = 0;
    return canonical_add(out->path, w->rest, strlen(w->rest));
}

static long arrived(struct walk *w, const struct message *m)
{
    const struct file_lookup_reply *found = message_words(m);
    struct found *out = w->out;

    out->node = found->node;
    out->mode = (uint32_t)found->mode;
    out->size = found->size;
    out->rdev = found->rdev;
    out->uid = found->uid;
    out->opened_by = w->open && found->stop == STOP_OPENED ? w->c->behind_endpoint : 0;
    if (out->opened_by) {
        out->use = found->rdev;
        out->rdev = 0;
    }
    return out->trailing_slash && !S_ISDIR(out->mode)
               ? -ENOTDIR
               : canonical_add(out->path, w->rest, strlen(w->rest));
}

static long walk(struct walk *w)
{
    for (;;) {
        size_t n = piece(w);
        bool all = n == strlen(w->rest);
        struct message m;
        const struct file_lookup_reply *found = message_words(&m);
        long result = lookup(w, n, all, &m);

        if (result == 0 && all)
            return arrived(w, &m);
        if (result == -ENOENT && all && w->may_miss && found->node)
            return missing(w, found->node);
        if (result == 0) {
            w->out->node = found->node;
            result = canonical_add(w->out->path, w->rest, n);
            w->rest += n;
        } else if (result > 0) {
            result = stopped(w, (size_t)result, &m);
        }
        if (result)
            return result < 0 ? result : 0;
    }
}

/* A slash at the end asks for a directory: a link is followed then, whatever the caller says, and
 * nothing is opened on the way that would be refused afterwards. The walk lies in the heap: its
 * text alone is a quarter of a coroutine's stack. */
long path_find(struct client *c, int at, const char *path, uint64_t flags, struct found *out)
{
    size_t length = strlen(path);
    struct walk *w;
    long result;

    if (length >= VFS_PATH_MAX)
        return -ENAMETOOLONG;
    w = malloc(sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(out, 0, offsetof(struct found, path));
    out->path[0] = out->last[0] = 0;
    out->trailing_slash = length && path[length - 1] == '/';
    w->c = c;
    w->out = out;
    w->follow = (flags & FOUND_FOLLOW) || out->trailing_slash;
    w->may_miss = flags & FOUND_MAY_MISS;
    w->open = (flags & FOUND_OPEN) && !out->trailing_slash;
    w->open_flags = w->open ? (uint32_t)(flags >> FOUND_OPEN_SHIFT) : 0;
    w->unnamed = flags & FOUND_UNNAMED;
    w->links = 0;
    memcpy(w->text, path, length + 1);
    w->rest = w->text;
    result = begin(w, at, path);
    if (result == 0)
        result = walk(w);
    free(w);
    return result;
}

long path_find_user(struct client *c, int at, uint64_t address, uint64_t flags, struct found *out)
{
    char *path;
    long result = path_fetch(c, address, &path);

    if (result)
        return result;
    result = *path ? path_find(c, at, path, flags, out) : -ENOENT;
    free(path);
    return result;
}

long path_find_parent(struct client *c, int at, uint64_t address, struct found *out)
{
    char *path, *last, *end;
    char name[VFS_NAME_MAX + 1];
    bool slash;
    long result = path_fetch(c, address, &path);

    if (result)
        return result;
    for (end = path + strlen(path); end > path + 1 && end[-1] == '/'; end--)
        ;
    slash = *end == '/';
    *end = 0;
    last = strrchr(path, '/');
    last = last ? last + 1 : path;
    if (!*path || strlen(last) > VFS_NAME_MAX) {
        result = *path ? -ENAMETOOLONG : -ENOENT;
    } else {
        strcpy(name, *last ? last : ".");
        *last = 0;
        result = path_find(c, at, *path ? path : ".", FOUND_FOLLOW, out);
    }
    free(path);
    if (result)
        return result;
    strcpy(out->last, name);
    out->trailing_slash = slash;
    return S_ISDIR(out->mode) ? 0 : -ENOTDIR;
}
