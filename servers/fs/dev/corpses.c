/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/dev/corpses.h"

#include <errno.h>
#include <fcntl.h>

#include "abi/proto/corpse.h"
#include "lib/fs/corpse.h"
#include "lib/rt/kernel.h"

enum { HANDLES = 8 };

/* An open file: HANDLE | generation << 8 | its place. */
#define HANDLE (1ull << 62)

static struct handle {
    int number; /* of the corpse; 0: free */
    uint64_t generation;
    struct text head; /* the file up to its segments */
} handles[HANDLES];
static uint64_t generation;

static struct handle *handle_of(uint64_t node)
{
    struct handle *h = (node & HANDLE) && (node & 0xff) < HANDLES ? &handles[node & 0xff] : NULL;

    return h && h->number && h->generation == (node & ~HANDLE) >> 8 ? h : NULL;
}

/* 0: the directory; < 0: stale. */
static int number_of(uint64_t node)
{
    const struct handle *h = handle_of(node);

    if (node & HANDLE)
        return h ? h->number : -1;
    return (int)(node - NODE_CORPSES);
}

bool corpses_has(uint64_t node)
{
    return (node & HANDLE) || (node >= NODE_CORPSES && node - NODE_CORPSES <= CORPSE_NUMBER_MAX);
}

long corpses_attributes(uint64_t node, struct fs_attributes *out)
{
    int number = number_of(node);

    *out = (struct fs_attributes){.mode = S_IFREG | 0400, .links = 1};
    if (number == 0)
        *out = (struct fs_attributes){.mode = S_IFDIR | 0500, .links = 2};
    out->atime_ns = out->mtime_ns = out->ctime_ns = realtime_now();
    return number < 0 ? -ESTALE : 0;
}

long corpses_child(const char *name, uint64_t *node)
{
    int number = corpse_named(name);

    *node = NODE_CORPSES + (uint64_t)number;
    return number ? 0 : -ENOENT;
}

long corpses_next(uint64_t cookie, struct fs_entry *out)
{
    int number = corpse_next((int)cookie, out->name, sizeof out->name);

    out->mode = S_IFREG;
    out->cookie = (uint64_t)number + 1;
    out->node = NODE_CORPSES + (uint64_t)number;
    return number > 0;
}

long corpses_open(uint64_t node, uint32_t flags, uint64_t *use)
{
    int number = number_of(node);

    if (number < 0)
        return -ESTALE;
    if (number == 0)
        return 0;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    for (unsigned i = 0; i < HANDLES; i++) {
        struct handle *h = &handles[i];

        if (h->number)
            continue;
        *h = (struct handle){.number = number, .generation = ++generation & 0xffffffffff};
        corpse_write(&h->head, number, NULL);
        *use = HANDLE | h->generation << 8 | i;
        return 0;
    }
    return -ENFILE;
}

void corpses_close(uint64_t node)
{
    struct handle *h = handle_of(node);

    if (!h)
        return;
    text_free(&h->head);
    h->number = 0;
}

long corpses_read(uint64_t node, struct fs_transfer *t)
{
    struct handle *h = handle_of(node);
    size_t n;
    long result;

    if (!h)
        return number_of(node) == 0 ? -EISDIR : -ESTALE;
    if (t->offset >= h->head.length)
        return corpse_read(h->number, &h->head, t);
    n = h->head.length - (size_t)t->offset;
    if (n > t->length)
        n = (size_t)t->length;
    result = copy_to(t->program, t->address, h->head.bytes + t->offset, n);
    return result < 0 ? result : (long)n;
}
