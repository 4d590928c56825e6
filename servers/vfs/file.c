/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files, and the tables of descriptors that refer to them. */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "servers/vfs/vfs.h"

enum { FILES_START = 32 };

_Static_assert(offsetof(struct file, references) % 8 == 0 &&
                   offsetof(struct files, references) == 0 && offsetof(struct files, size) == 4 &&
                   sizeof(struct descriptor) % 8 == 0,
               "words are verified");

static struct file *all;

struct file *file_first(void)
{
    return list_at(all);
}

struct file *file_new(const struct file_operations *operations, uint32_t flags, uint32_t mode)
{
    struct share *share = share_mine();
    struct file *f;

    if (!share_take(share, SHARE_FILES, 1))
        return NULL;
    f = calloc(1, sizeof *f);
    if (!f)
        share_give(share, SHARE_FILES, 1);
    if (f) {
        f->share = share;
        f->operations = operations;
        f->references = 1;
        f->flags = flags & ~(uint32_t)O_CLOEXEC;
        f->mode = mode;
        list_put_linked(all, f, next_all, link_all);
    }
    return f;
}

void file_get(struct file *f)
{
    f->references++;
}

void file_discard(struct file *f)
{
    list_take_linked(f, next_all, link_all);
    share_give(f->share, SHARE_PATHS, f->path_bytes);
    share_give(f->share, SHARE_FILES, 1);
    free(f->path);
    free(f);
}

bool file_set_path(struct file *f, const char *path)
{
    size_t n = strlen(path) + 1;

    if (!share_take(f->share, SHARE_PATHS, n))
        return false;
    f->path_bytes = n;
    f->path = strdup(path);
    return f->path != NULL;
}

void file_put(struct client *c, struct file *f)
{
    if (--f->references) {
        if (S_ISSOCK(f->mode))
            unix_still_referenced(c, f);
        return;
    }
    epoll_file_gone(f);
    lock_file_gone(f);
    if (f->operations->close)
        f->operations->close(c, f);
    file_discard(f);
}

uint64_t file_number(void)
{
    static uint64_t last = 1000;

    return ++last;
}

struct file *fd_file(struct client *c, uint64_t fd)
{
    const struct files *t;
    struct file *f;

    undo_verify_word(&c->files);
    t = c->files;
    undo_verify_word(&t->references); /* and the size */
    if ((uint32_t)fd >= t->size)
        return NULL;
    undo_verify_word(&t->descriptor);
    undo_verify_word(&t->descriptor[(uint32_t)fd].file);
    f = t->descriptor[(uint32_t)fd].file;
    if (f)
        undo_verify_word(&f->references); /* and the flags */
    return f;
}

struct file *fd_used(struct client *c, uint64_t fd)
{
    struct file *f = fd_file(c, fd);

    return f && !(f->flags & O_PATH) ? f : NULL;
}

static bool grow(struct files *t, uint32_t size)
{
    uint32_t want = t->size ? t->size : FILES_START;
    struct descriptor *d;

    while (want < size)
        want *= 2;
    d = realloc(t->descriptor, want * sizeof *d);
    if (!d)
        return false;
    memset(d + t->size, 0, (want - t->size) * sizeof *d);
    t->descriptor = d;
    t->size = want;
    return true;
}

long fd_install(struct client *c, struct file *f, uint32_t from, uint32_t flags)
{
    struct files *t = c->files;
    uint32_t fd = from;

    undo_verify_word(&t->references); /* and the size */
    while (fd < t->size && t->descriptor[fd].file)
        fd++;
    if (fd >= t->limit || (fd >= t->size && !grow(t, fd + 1))) {
        file_put(c, f);
        return fd >= t->limit ? -EMFILE : -ENOMEM;
    }
    t->descriptor[fd] = (struct descriptor){f, flags & O_CLOEXEC};
    return fd;
}

long fd_wanted(const struct client *c)
{
    const struct files *t = c->files;
    uint32_t fd = 0;

    undo_verify_word(&t->references); /* and the size */
    while (fd < t->size && t->descriptor[fd].file)
        fd++;
    return fd < t->limit ? 0 : -EMFILE;
}

static void closed(struct client *c, struct file *f)
{
    lock_closed(c->files, f);
    file_put(c, f);
}

/* The closing may wait: by then the descriptor is what it shall be, or another thread would get it. */
long fd_replace(struct client *c, struct file *f, uint32_t fd, uint32_t flags)
{
    struct files *t = c->files;
    struct file *old;

    if (fd >= t->size && !grow(t, fd + 1)) {
        file_put(c, f);
        return -ENOMEM;
    }
    old = t->descriptor[fd].file;
    t->descriptor[fd] = (struct descriptor){f, flags & O_CLOEXEC};
    if (old)
        closed(c, old);
    return fd;
}

/* The descriptor is free at once; the closing may wait. */
long fd_close(struct client *c, uint64_t fd)
{
    struct file *f = fd_file(c, fd);

    if (!f)
        return -EBADF;
    c->files->descriptor[(uint32_t)fd] = (struct descriptor){0};
    closed(c, f);
    return 0;
}

struct files *files_new(void)
{
    struct files *t = calloc(1, sizeof *t);

    if (t) {
        t->references = 1;
        t->limit = VFS_FILES_MAX;
        t->size_limit = UINT64_MAX;
    }
    return t;
}

struct files *files_copy(const struct files *from)
{
    struct files *t = files_new();

    undo_verify(from, sizeof *from);
    if (!t || (from->size && !grow(t, from->size))) {
        free(t);
        return NULL;
    }
    t->limit = from->limit;
    t->size_limit = from->size_limit;
    for (uint32_t i = 0; i < from->size; i++) {
        t->descriptor[i] = from->descriptor[i];
        if (t->descriptor[i].file)
            file_get(t->descriptor[i].file);
    }
    return t;
}

/* c, when there is one, is the last user's; the locks go with the descriptors. */
void files_put(struct client *c, struct files *t)
{
    if (!t || --t->references)
        return;
    for (uint32_t i = 0; i < t->size; i++) {
        struct file *f = t->descriptor[i].file;

        t->descriptor[i].file = NULL;
        if (f) {
            lock_closed(t, f);
            file_put(c, f);
        }
        if (c)
            wait_turn(c);
    }
    free(t->descriptor);
    free(t);
}

void files_close_on_exec(struct client *c)
{
    for (uint32_t i = 0; i < c->files->size; i++)
        if (c->files->descriptor[i].file && c->files->descriptor[i].close_on_exec)
            fd_close(c, i);
}

bool files_unshare(struct client *c)
{
    struct files *t;

    if (c->files->references == 1)
        return true;
    t = files_copy(c->files);
    if (!t)
        return false;
    c->files->references--;
    c->files = t;
    return true;
}
