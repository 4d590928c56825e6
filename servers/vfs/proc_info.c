/* SPDX-License-Identifier: BSD-2-Clause */
/* What fs/proc asks about clients. */
#include <stdio.h>
#include <string.h>

#include "abi/proto/vfs.h"
#include "servers/vfs/vfs.h"

enum { FD_CWD = -1, FD_EXE = -2 };

static const char *file_name(const struct file *f, char *text, size_t room)
{
    if (f->path)
        return f->path;
    snprintf(text, room, "%s:[%lu]", f->operations->name, (unsigned long)f->lock_node);
    return text;
}

static long next_open(const struct client *c, int after)
{
    for (uint32_t fd = (uint32_t)(after + 1); c->files && fd < c->files->size; fd++)
        if (c->files->descriptor[fd].file)
            return fd;
    return -1;
}

long info_fd_link(struct message *m)
{
    const struct vfs_fd_link_request *r = message_words(m);
    struct vfs_fd_link_reply *reply = message_words(m);
    struct client *c = client_of((endpoint_t)r->process);
    int fd = (int)r->fd;
    const char *text = NULL;
    char name[64];
    size_t n;
    long result;

    if (!c || !c->files || !c->place)
        return -ESRCH;
    reply->next = next_open(c, fd < 0 ? -1 : fd);
    if (fd == FD_CWD)
        text = c->place->cwd.path;
    else if (fd == FD_EXE)
        text = c->exe;
    else if (fd_file(c, (uint32_t)fd))
        text = file_name(fd_file(c, (uint32_t)fd), name, sizeof name);
    if (!text)
        return fd < 0 ? -ENOENT : -EBADF;
    n = strlen(text) < r->room ? strlen(text) : r->room;
    result = grant_to(message_caller(m), r->grant, 0, text, n);
    return result < 0 ? result : (long)n;
}

long info_mounts(struct message *m)
{
    static char text[8192];
    const struct vfs_mounts_request *r = message_words(m);
    long n = mounts_text(text, sizeof text < r->room ? sizeof text : r->room), result;

    result = grant_to(message_caller(m), r->grant, 0, text, (size_t)n);
    return result < 0 ? result : n;
}
