/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading directories. Positions are the server's cookies. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/vfs/vfs.h"

static long read_directory(struct client *c, struct file *f, uint64_t address, uint64_t room)
{
    struct message m = message_of(
        FILE_READ_DIRECTORY,
        (struct file_read_directory_request){
            .node = f->node, .address = address, .room = (uint32_t)room, .cookie = f->position});
    const struct file_read_directory_reply *reply = message_words(&m);
    long result = remote_ask(c, f, &m, AGAIN);

    if (result >= 0)
        f->position = reply->cookie;
    return result;
}

static long directory_of(struct client *c, uint64_t fd, struct file **f)
{
    *f = fd_used(c, fd);
    if (!*f)
        return -EBADF;
    return !S_ISDIR((*f)->mode) || !(*f)->server ? -ENOTDIR : 0;
}

static long sys_getdents64(struct client *c, const uint64_t *w)
{
    struct file *f;
    long result = directory_of(c, w[0], &f);

    if (result)
        return result;
    file_get(f);
    result = read_directory(c, f, w[1], w[2]);
    file_put(c, f);
    return result;
}

/* The old layout: no type before the name, but after it; both records have the same length here. */
struct entry64 {
    uint64_t inode, offset;
    uint16_t length;
    uint8_t type;
    char name[];
} __attribute__((packed));
struct entry_old {
    uint64_t inode, offset;
    uint16_t length;
    char name[];
} __attribute__((packed));

static long rewrite(struct client *c, uint64_t address, size_t length)
{
    char *buffer = malloc(length);
    long result = buffer ? user_read(c, address, buffer, length) : -ENOMEM;

    for (size_t at = 0; result == 0 && at + sizeof(struct entry64) < length;) {
        struct entry64 *new = (struct entry64 *)(buffer + at);
        struct entry_old *old = (struct entry_old *)(buffer + at);
        uint8_t type = new->type;
        uint16_t size = new->length;

        if (size < sizeof *new + 2 || size > length - at)
            break;
        memmove(old->name, new->name, size - sizeof *new);
        buffer[at + size - 1] = (char)type;
        at += size;
    }
    if (result == 0)
        result = user_write(c, address, buffer, length);
    free(buffer);
    return result;
}

static long sys_getdents(struct client *c, const uint64_t *w)
{
    long n = sys_getdents64(c, w), result;

    if (n <= 0)
        return n;
    result = rewrite(c, w[1], (size_t)n);
    return result ? result : n;
}

VFS_TABLE(directory_calls, {SYS_getdents64, sys_getdents64}, {SYS_getdents, sys_getdents})
