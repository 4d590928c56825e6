/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs/proc: a live view of everything, as Linux programs expect it in /proc, and of what is Bardo's
 * own in /proc/bardo and /proc/recovery. Names are rows of one table. An open file is a handle with
 * the text as it was when it was first read; reading at offset 0 again asks again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/vfs.h"
#include "lib/fs/corpse.h"
#include "lib/fs/fs.h"
#include "lib/fs/orders.h"
#include "lib/fs/scripts.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/proc/rows.h"

/* Of the handles users together have three quarters at most, and one of them half of these. */
enum { HANDLES = 256, HANDLES_OF_USERS = HANDLES / 4 * 3, HANDLES_OF_USER = HANDLES_OF_USERS / 2 };
enum { PIDS_MAX = ENDPOINT_SLOTS, FD_MAX = 1024, LIST_FRESH_NS = 50000000 };
enum { IS_CWD = -1, IS_EXE = -2 }; /* of VFS_FD_LINK */

/* A node: row + 1, descriptor or mark << 16, pid << 32. The mark tells the process from a later one with its pid, so
 * that what is open stays its file, also in a fresh copy of us, which opens it by its node. A handle: HANDLE | of its node << 16 | its
 * place. A fresh copy gives the same handle for the same node (unless its place is taken): a request that has killed is
 * known there as the same (struct service_note). */
#define HANDLE (1ull << 62)

struct handle {
    uint64_t node; /* what is open; 0: free */
    uint32_t uid; /* of who has opened it */
    struct text text;
};
static struct handle handles[HANDLES];

static uint64_t node_make(int row, int pid, int descriptor)
{
    return (uint64_t)(row + 1) | (uint64_t)(uint16_t)descriptor << 16 | (uint64_t)pid << 32;
}

static uint64_t mix(uint64_t node) /* 40 bits */
{
    return node * 0x9e3779b97f4a7c15ull >> 24;
}

static struct handle *handle_of(uint64_t node)
{
    struct handle *h =
        (node & HANDLE) && (node & 0xffff) < HANDLES ? &handles[node & 0xffff] : NULL;

    return h && h->node && mix(h->node) == (node & ~HANDLE) >> 16 ? h : NULL;
}

static int pid_of(uint64_t node)
{
    return (int)(node >> 32 & 0xffffff);
}

static int mark_at(uint64_t node)
{
    return (int)(node >> 16 & 0xffff);
}

/* The row behind a node or handle; NULL: stale. *node becomes what is open. */
static const struct row *row_of(uint64_t *node)
{
    const struct handle *h = handle_of(*node);

    if (*node & HANDLE) {
        if (!h)
            return NULL;
        *node = h->node;
    }
    return (*node & 0xffff) >= 1 && (*node & 0xffff) <= (uint64_t)row_count
               ? &rows[(*node & 0xffff) - 1]
               : NULL;
}

static bool is_of_process(const struct row *r)
{
    return r == &rows[PROCESS] || r->in == PROCESS || r->in == PROCESS_FD;
}

/* By when it began; so many bits are enough for those that had its pid before. (A service that is replaced stays
 * the one it was.) */
static int mark_of(const struct process *p)
{
    uint64_t ms = p->p.start_ns / 1000000;

    return p->is_service ? 0 : (int)((ms ^ ms >> 16 ^ ms >> 32) & 0xffff);
}

/* The process that a node is of, if it is still that one: 0, -ESRCH. */
static long process_at(uint64_t node, const struct row *r, bool with_memory, struct process *out)
{
    long result = process_find(pid_of(node), with_memory, out);
    bool has_mark = r->in != PROCESS_FD;

    if (result == 0 && has_mark && mark_of(out) != mark_at(node))
        return -ESRCH;
    return result;
}

static long process_node(int pid, uint64_t *node)
{
    struct process p;

    if (process_find(pid, false, &p) < 0)
        return -ENOENT;
    *node = node_make(PROCESS, pid, mark_of(&p));
    return 0;
}

static long attributes(uint64_t node, struct fs_attributes *out)
{
    const struct row *r = row_of(&node);
    struct process p;

    if (!r)
        return -ESTALE;
    *out = (struct fs_attributes){.mode = r->mode, .links = S_ISDIR(r->mode) ? 2 : 1};
    out->atime_ns = out->mtime_ns = out->ctime_ns = realtime_now();
    if (!is_of_process(r))
        return 0;
    if (process_at(node, r, false, &p) < 0)
        return -ENOENT;
    out->uid = (uint32_t)p.p.uid;
    out->gid = (uint32_t)p.p.gid;
    return 0;
}

/* ---- names ---- */

/* A decimal number without leading zeros, or -1. */
static int number_of(const char *name)
{
    char *end;
    long value = *name >= '1' && *name <= '9' ? strtol(name, &end, 10) : -1;

    if (strcmp(name, "0") == 0)
        return 0;
    return value > 0 && value <= PID_MAX && *end == 0 ? (int)value : -1;
}

static int row_at(const struct row *r)
{
    return (int)(r - rows);
}

static long descriptor_link(int pid, int descriptor, char *text, size_t room, int *next_descriptor);

/* The row of what has no name of its own there. */
static int unnamed_in(int directory)
{
    int i = DIRECTORIES;

    while (rows[i].in != directory || rows[i].name)
        i++;
    return i;
}

static long child_descriptor(int pid, const char *name, uint64_t *node)
{
    int descriptor = number_of(name);
    char text[FS_PATH_MAX];

    if (descriptor < 0 || descriptor >= FD_MAX ||
        descriptor_link(pid, descriptor, text, sizeof text, NULL) < 0)
        return -ENOENT;
    *node = node_make(unnamed_in(PROCESS_FD), pid, descriptor);
    return 0;
}

static long child_corpse(const char *name, uint64_t *node)
{
    int number = corpse_named(name);

    *node = node_make(unnamed_in(CORPSE), number, 0);
    return number > 0 ? 0 : -ENOENT;
}

static long child(uint64_t directory, const char *name, uint64_t *node)
{
    const struct row *r = row_of(&directory);
    struct process p;

    if (!r)
        return -ESTALE;
    if (is_of_process(r) && process_at(directory, r, false, &p) < 0)
        return -ENOENT;
    if (r == &rows[PROCESS_FD])
        return child_descriptor(pid_of(directory), name, node);
    if (r == &rows[CORPSE])
        return child_corpse(name, node);
    if (r == &rows[ROOT] && number_of(name) > 0)
        return process_node(number_of(name), node);
    for (int i = 0; i < row_count; i++) {
        if (rows[i].in == row_at(r) && rows[i].name && strcmp(rows[i].name, name) == 0) {
            *node = node_make(i, pid_of(directory), mark_at(directory));
            return 0;
        }
    }
    return -ENOENT;
}

static long parent(uint64_t directory, uint64_t *node)
{
    const struct row *r = row_of(&directory);

    if (!r || r->in < 0)
        return -ESTALE;
    *node = r->in == ROOT ? ROOT + 1 : node_make(r->in, pid_of(directory), mark_at(directory));
    return 0;
}

/* Pids come after the rows: cookie row_count + pid. */
static long next_pid(uint64_t cookie, struct fs_entry *out)
{
    static int pids[PIDS_MAX], count;
    static uint64_t listed_ns;

    if (cookie <= (uint64_t)row_count || clock_now() - listed_ns > LIST_FRESH_NS) {
        count = process_list(pids, PIDS_MAX);
        listed_ns = clock_now();
    }
    for (int i = 0; i < count; i++) {
        if ((uint64_t)(pids[i] + row_count) <= cookie)
            continue;
        *out = (struct fs_entry){.cookie = (uint64_t)(pids[i] + row_count), .mode = S_IFDIR};
        if (process_node(pids[i], &out->node) < 0) /* it has just ended */
            continue;
        snprintf(out->name, sizeof out->name, "%d", pids[i]);
        return 1;
    }
    return 0;
}

static long next_descriptor(int pid, uint64_t cookie, struct fs_entry *out)
{
    char text[FS_PATH_MAX];

    for (int descriptor = (int)cookie; descriptor >= 0 && descriptor < FD_MAX;) {
        int after = -1;

        if (descriptor_link(pid, descriptor, text, sizeof text, &after) >= 0) {
            *out = (struct fs_entry){.node = node_make(unnamed_in(PROCESS_FD), pid, descriptor),
                                     .cookie = (uint64_t)descriptor + 1,
                                     .mode = S_IFLNK};
            snprintf(out->name, sizeof out->name, "%d", descriptor);
            return 1;
        }
        if (after <= descriptor)
            return 0;
        descriptor = after;
    }
    return 0;
}

static long next_corpse(uint64_t cookie, struct fs_entry *out)
{
    int number = corpse_next((int)cookie, out->name, sizeof out->name);

    out->mode = S_IFREG;
    out->cookie = (uint64_t)number + 1;
    return (out->node = node_make(unnamed_in(CORPSE), number, 0)) && number > 0;
}

static long next(uint64_t directory, uint64_t cookie, struct fs_entry *out)
{
    const struct row *r = row_of(&directory);
    struct process p;

    if (!r)
        return -ESTALE;
    if (is_of_process(r) && process_at(directory, r, false, &p) < 0)
        return -ENOENT;
    if (r == &rows[PROCESS_FD])
        return next_descriptor(pid_of(directory), cookie, out);
    if (r == &rows[CORPSE])
        return next_corpse(cookie, out);
    for (uint64_t i = cookie; i < (uint64_t)row_count; i++) {
        if (rows[i].in != row_at(r) || !rows[i].name)
            continue;
        *out = (struct fs_entry){.node = node_make((int)i, pid_of(directory), mark_at(directory)),
                                 .cookie = i + 1,
                                 .mode = rows[i].mode};
        strcpy(out->name, rows[i].name);
        return 1;
    }
    return r == &rows[ROOT] ? next_pid(cookie, out) : 0;
}

/* ---- links ---- */

/* What a descriptor (or IS_CWD, IS_EXE) of the process leads to: bytes. *next: the next open
 * descriptor. */
static long descriptor_link(int pid, int descriptor, char *text, size_t room, int *next_open)
{
    struct message m;
    const struct vfs_fd_link_reply *reply = message_words(&m);
    struct process p;
    long grant, result;

    if (process_find(pid, false, &p) < 0 || p.is_service)
        return -ENOENT;
    grant = grant_make(service_info()->vfs, text, room, GRANT_WRITE);
    if (grant < 0)
        return grant;
    m = message_of(VFS_FD_LINK, (struct vfs_fd_link_request){.process = (uint64_t)p.p.endpoint,
                                                             .fd = descriptor,
                                                             .grant = (uint64_t)grant,
                                                             .room = room});
    result = ipc_call(service_info()->vfs, &m);
    grant_revoke(grant);
    if (next_open)
        *next_open = (int)reply->next;
    return result > (long)room ? (long)room : result;
}

static long link_text(uint64_t node, char *text, size_t room)
{
    const struct row *r = row_of(&node);
    int n;

    if (!r || !S_ISLNK(r->mode))
        return r ? -EINVAL : -ESTALE;
    if (r->in == PROCESS_FD)
        return descriptor_link(pid_of(node), (int)(node >> 16 & 0xffff), text, room, NULL);
    if (r->in == PROCESS && !r->target)
        return descriptor_link(pid_of(node), strcmp(r->name, "cwd") == 0 ? IS_CWD : IS_EXE, text,
                               room, NULL);
    n = r->target ? snprintf(text, room, "%s", r->target)
                  : snprintf(text, room, "%d", process_of(fs_program(), NULL));
    return n < (int)room ? n : (long)room;
}

/* ---- open files ---- */

/* A free handle for that user; HANDLES: none. */
static unsigned handle_free(uint32_t uid, uint64_t node)
{
    const unsigned most = uid ? HANDLES_OF_USERS : HANDLES, first = mix(node) % most;
    unsigned found = HANDLES, has = 0;

    for (unsigned n = most; n-- > 0;) {
        const struct handle *h = &handles[(first + n) % most];

        if (!h->node)
            found = (first + n) % most;
        else
            has += h->uid == uid;
    }
    return uid && has >= HANDLES_OF_USER ? HANDLES : found;
}

static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    const struct row *r = row_of(&node);
    uint32_t uid = UINT32_MAX; /* of nobody, when he is gone */
    unsigned i;

    if (!r)
        return -ESTALE;
    if ((flags & O_ACCMODE) != O_RDONLY && S_ISREG(r->mode) && !r->store)
        return -EACCES;
    if (!S_ISREG(r->mode))
        return 0;
    process_of(fs_program(), &uid);
    i = handle_free(uid, node);
    if (i == HANDLES)
        return -ENFILE;
    handles[i] = (struct handle){.node = node, .uid = uid};
    *use = HANDLE | mix(node) << 16 | i;
    return 0;
}

static void close_node(uint64_t node)
{
    struct handle *h = handle_of(node);

    if (!h)
        return;
    text_free(&h->text);
    h->node = 0;
}

static long generate(uint64_t node, const struct row *r, struct text *t)
{
    struct process p = {.p.pid = pid_of(node)};

    t->length = 0;
    if (is_of_process(r) && process_at(node, r, true, &p) < 0)
        return -ESRCH;
    r->write(t, &p);
    return 0;
}

static long read_node(uint64_t node, struct fs_transfer *t)
{
    struct handle *h = handle_of(node), once = {0};
    const struct row *r = row_of(&node);
    long result = 0;

    if (!r || !S_ISREG(r->mode))
        return r ? -EISDIR : -ESTALE;
    if (r->read)
        return r->read(t);
    if (!h)
        h = &once;
    if (t->offset == 0 || !h->text.bytes)
        result = generate(node, r, &h->text);
    if (result == 0 && r->in == CORPSE && t->offset >= h->text.length)
        result = corpse_read(pid_of(node), &h->text, t);
    else if (result == 0 && t->offset < h->text.length) {
        size_t left = h->text.length - (size_t)t->offset,
               n = t->length < left ? (size_t)t->length : left;

        result = copy_to(t->program, t->address, h->text.bytes + t->offset, n);
        result = result < 0 ? result : (long)n;
    }
    text_free(&once.text);
    return result;
}

static long write_node(uint64_t node, struct fs_transfer *t)
{
    const struct row *r = row_of(&node);

    if (!r)
        return -ESTALE;
    return r->store ? r->store(t) : -EACCES;
}

/* O_TRUNC on what takes commands is harmless; the rest is not for writing. */
static long truncate_node(uint64_t node, uint64_t length)
{
    const struct row *r = row_of(&node);

    (void)length;
    return r && r->store ? 0 : -EACCES;
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        scripts_notified();
}

static long statfs_proc(struct statfs *out)
{
    out->f_type = 0x9fa0; /* PROC_SUPER_MAGIC */
    return 0;
}

static const struct fs_operations operations = {
    .device = 4, /* makedev(0, 4) */
    .root = ROOT + 1,
    .attributes = attributes,
    .child = child,
    .parent = parent,
    .next = next,
    .link_text = link_text,
    .open = open_node,
    .close = close_node,
    .read = read_node,
    .write = write_node,
    .truncate = truncate_node,
    .statfs = statfs_proc,
    .cancel = scripts_cancel,
    .notified = notified,
    .idle = orders_late,
};

int main(void)
{
    if (service_publish("fs/proc") < 0)
        panic("fs/proc is published by somebody else");
    fs_serve(&operations);
}
