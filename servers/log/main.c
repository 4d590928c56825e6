/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log server: keeps what the kernel's log, where all records go, has room for only for a while,
 * and serves it as the device 10:11 (/dev/klog; /dev/kmsg is what the kernel has itself, and needs
 * nobody). A read gets whole records from the open file's position on, and waits for more at the
 * end; a write adds a record. When the server dies nothing is lost that the kernel still has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/fs/fs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/rings.h"
#include "servers/log/ring.h"

enum {
    MISC_MAJOR = 10,
    MINOR_KMSG = 11,
    NODE_FIRST = 0x100,
    OPENS_FIRST = 64,
    WAITERS = ENDPOINT_SLOTS, /* a program waits for one thing at a time */
    CHUNK = 8192
};

static struct ring ring;
static struct open_log { /* an open file */
    uint64_t node; /* 0: unused */
    uint64_t position;
    bool polled, ready;
} * opens; /* as many as VFS lets there be: it knows whose they are, and gives no user all */
static unsigned open_room;
static struct message waiting[WAITERS];
static unsigned waiting_count;
static uint8_t chunk[CHUNK];

/* Takes over what is new in the kernel's log. */
static void follow(void)
{
    uint64_t first;
    long n;

    while ((n = log_ring_read(ring.end, chunk, sizeof chunk, &first)) > 0)
        ring_add(&ring, first, chunk, (size_t)n);
}

static struct open_log *open_find(uint64_t node)
{
    for (unsigned i = 0; i < open_room; i++)
        if (opens[i].node == node)
            return &opens[i];
    return NULL;
}

/* The first of as many more as there are. NULL: no memory. */
static struct open_log *opens_grow(void)
{
    unsigned room = open_room ? 2 * open_room : OPENS_FIRST, first = open_room;
    struct open_log *more = realloc(opens, room * sizeof *more);

    if (!more)
        return NULL;
    memset(more + first, 0, (room - first) * sizeof *more);
    opens = more;
    open_room = room;
    return opens + first;
}

static struct open_log *open_new(uint64_t node)
{
    struct open_log *o = open_find(0);

    if (!o)
        o = opens_grow();
    if (o)
        *o = (struct open_log){.node = node};
    return o;
}

/* One that we do not know was opened with our predecessor: it goes on with the oldest record there
 * is. */
static struct open_log *open_of(uint64_t node)
{
    struct open_log *o = node >= NODE_FIRST ? open_find(node) : NULL;

    return o || node < NODE_FIRST ? o : open_new(node);
}

static long attributes(uint64_t node, struct fs_attributes *out)
{
    if (node != MINOR_KMSG && !open_of(node))
        return -ENXIO;
    *out = (struct fs_attributes){
        .mode = S_IFCHR | 0644, .links = 1, .rdev = makedev(MISC_MAJOR, MINOR_KMSG)};
    return 0;
}

static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    static uint64_t last;

    (void)flags;
    if (node >= NODE_FIRST) /* VFS opens it again: it was our predecessor's */
        return open_of(node) ? 0 : -ENFILE;
    if (node != MINOR_KMSG)
        return -ENXIO;
    *use = (uint64_t)service_info()->incarnation << 32 | (NODE_FIRST + last++);
    return open_new(*use) ? 0 : -ENFILE;
}

static void close_node(uint64_t node)
{
    struct open_log *o = node >= NODE_FIRST ? open_find(node) : NULL;

    if (o)
        o->node = 0;
}

/* The position moves when the records have arrived, so a program whose memory is not there misses
 * none. A vector waits for its first piece alone: what it has got is given to it. */
static long read_log(uint64_t node, struct fs_transfer *t)
{
    struct open_log *o = open_of(node);
    const struct file_transfer_request *r = message_words(t->request);
    bool first_segment = t->offset == r->offset;
    uint64_t position;
    size_t n;
    long error;

    if (!o)
        return -ENXIO;
    if (t->length == 0)
        return 0;
    follow();
    position = o->position;
    n = ring_read(&ring, &position, chunk, t->length < sizeof chunk ? t->length : sizeof chunk);
    if (n != 0) {
        error = copy_to(t->program, t->address, chunk, n);
        if (error < 0)
            return error;
        o->position = position;
        return (long)n;
    }
    if (!first_segment)
        return 0;
    if (t->flags & O_NONBLOCK)
        return -EAGAIN;
    if (waiting_count == WAITERS)
        return -EBUSY;
    waiting[waiting_count++] = *t->request;
    return FS_LATER;
}

static long write_log(uint64_t node, struct fs_transfer *t)
{
    char text[LOG_RECORD_MAX - SERVICE_NAME_MAX - 4];
    size_t n = t->length < sizeof text - 1 ? t->length : sizeof text - 1;
    const char *start = text;

    if (!open_of(node))
        return -ENXIO;
    if (copy_from(t->program, t->address, text, n) < 0)
        return -EFAULT;
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    if (text[0] == '<' && strchr(text, '>')) /* a priority, as syslog(3) writes it */
        start = strchr(text, '>') + 1;
    log_info("%s", start);
    return (long)t->length;
}

static long poll_node(uint64_t node, uint64_t events, bool tell)
{
    struct open_log *o = open_of(node);
    uint64_t ready = POLLOUT | POLLWRNORM;

    if (!o)
        return -ENXIO;
    follow();
    if (o->position < ring.end)
        ready |= POLLIN | POLLRDNORM;
    ready &= events;
    o->polled |= tell && !ready;
    return (long)ready;
}

static uint64_t next_ready(void)
{
    for (unsigned i = 0; i < open_room; i++)
        if (opens[i].ready) {
            opens[i].ready = false;
            return opens[i].node;
        }
    return 0;
}

static long cancel(endpoint_t program)
{
    for (unsigned i = 0; i < waiting_count; i++)
        if (message_caller(&waiting[i]) == program) {
            memmove(&waiting[i], &waiting[i + 1], (--waiting_count - i) * sizeof waiting[0]);
            return 1;
        }
    return 0;
}

/* There is something new: whoever waits gets it. */
static void notified(uint64_t bits)
{
    static uint64_t served; /* up to there everybody has been told */
    unsigned count = waiting_count;
    bool tell = false;

    (void)bits;
    follow();
    if (ring.end == served)
        return;
    served = ring.end;
    waiting_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct message m = waiting[i]; /* one that waits on comes into a place before it */

        fs_retry(&m);
    }
    for (unsigned i = 0; i < open_room; i++)
        if (opens[i].node && opens[i].polled && opens[i].position < ring.end) {
            opens[i].polled = false;
            opens[i].ready = tell = true;
        }
    if (tell)
        ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}

int main(void)
{
    static const struct fs_operations operations = {
        .root = MINOR_KMSG,
        .attributes = attributes,
        .open = open_node,
        .close = close_node,
        .read = read_log,
        .write = write_log,
        .poll = poll_node,
        .ready = next_ready,
        .cancel = cancel,
        .notified = notified,
    };

    follow();
    if (service_publish("chr/10") < 0)
        panic("chr/10 is published by somebody else");
    service_publish("log");
    fs_serve(&operations);
}
