/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs/dev: the directory /dev, and the devices of major 1, which are nothing but software. The names
 * are a table, and what the disk server lists; the other devices are served by whoever published
 * "chr/MAJOR" or "blk/MAJOR" (abi/proto/file.h).
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "abi/proto/pm.h"
#include "lib/fs/fs.h"
#include "lib/fs/orders.h"
#include "lib/fs/report.h"
#include "lib/fs/scripts.h"
#include "lib/rt/kernel.h"
#include "lib/rt/rings.h"
#include "lib/rt/log.h"
#include "lib/block/disks.h"
#include "servers/fs/dev/corpses.h"
#include "servers/fs/dev/entropy.h"

/* Minors of major 1, as in Linux. As nodes they are the devices; nodes from NODE_ROOT up
 * are names. */
enum {
    MEMORY_MAJOR = 1,
    MISC_MAJOR = 10,
    MINOR_NULL = 3,
    MINOR_ZERO = 5,
    MINOR_FULL = 7,
    MINOR_RANDOM = 8,
    MINOR_URANDOM = 9,
    MINOR_KMSG = 11,
    MINOR_BARDO = 16, /* ours: orders to RS, and what it knows, also when fs/proc is away */
    MINOR_RECOVERY,
    MINOR_DEVICES,
    MINOR_STORE,
    MINOR_SCRIPTS
};
enum { NODE_ROOT = 0x10000, NODE_FIRST, NODE_DISKS = 0x20000 };

static struct name {
    const char *name, *target; /* target: of a symbolic link */
    uint32_t mode, major, minor, uid, gid;
} names[] = {
    {"null", NULL, S_IFCHR | 0666, MEMORY_MAJOR, MINOR_NULL, 0, 0},
    {"zero", NULL, S_IFCHR | 0666, MEMORY_MAJOR, MINOR_ZERO, 0, 0},
    {"full", NULL, S_IFCHR | 0666, MEMORY_MAJOR, MINOR_FULL, 0, 0},
    {"random", NULL, S_IFCHR | 0666, MEMORY_MAJOR, MINOR_RANDOM, 0, 0},
    {"urandom", NULL, S_IFCHR | 0666, MEMORY_MAJOR, MINOR_URANDOM, 0, 0},
    {"kmsg", NULL, S_IFCHR | 0644, MEMORY_MAJOR, MINOR_KMSG, 0, 0},
    {"klog", NULL, S_IFCHR | 0644, MISC_MAJOR, MINOR_KMSG, 0,
     0}, /* of the log server, which keeps more */
    {"bardo", NULL, S_IFCHR | 0644, MEMORY_MAJOR, MINOR_BARDO, 0, 0},
    {"bardo-recovery", NULL, S_IFCHR | 0444, MEMORY_MAJOR, MINOR_RECOVERY, 0, 0},
    {"bardo-devices", NULL, S_IFCHR | 0444, MEMORY_MAJOR, MINOR_DEVICES, 0, 0},
    {"bardo-store", NULL, S_IFCHR | 0444, MEMORY_MAJOR, MINOR_STORE, 0, 0},
    {"bardo-scripts", NULL, S_IFCHR | 0400, MEMORY_MAJOR, MINOR_SCRIPTS, 0, 0},
    {"bardo-corpse", NULL, S_IFDIR | 0500, 0, 0, 0, 0},
    {"tty", NULL, S_IFCHR | 0666, 5, 0, 0, 5},
    {"console", NULL, S_IFCHR | 0600, 5, 1, 0, 5},
    {"ttyS0", NULL, S_IFCHR | 0620, 4, 64, 0, 5},
    {"ttyS1", NULL, S_IFCHR | 0620, 4, 65, 0, 5},
    {"ttyS2", NULL, S_IFCHR | 0620, 4, 66, 0, 5},
    {"ttyS3", NULL, S_IFCHR | 0620, 4, 67, 0, 5},
    {"rtc0", NULL, S_IFCHR | 0600, 254, 0, 0, 0},
    {"rtc", "rtc0", S_IFLNK | 0777, 0, 0, 0, 0},
    {"tty0", NULL, S_IFCHR | 0620, 4, 0, 0, 5},
    {"tty1", NULL, S_IFCHR | 0620, 4, 1, 0, 5},
    {"tty2", NULL, S_IFCHR | 0620, 4, 2, 0, 5},
    {"tty3", NULL, S_IFCHR | 0620, 4, 3, 0, 5},
    {"tty4", NULL, S_IFCHR | 0620, 4, 4, 0, 5},
    {"lp0", NULL, S_IFCHR | 0660, 6, 0, 0, 7},
    {"lp1", NULL, S_IFCHR | 0660, 6, 1, 0, 7},
    {"lp2", NULL, S_IFCHR | 0660, 6, 2, 0, 7},
    {"mixer", NULL, S_IFCHR | 0660, 14, 0, 0, 29},
    {"dsp", NULL, S_IFCHR | 0660, 14, 3, 0, 29},
    {"fd", "/proc/self/fd", S_IFLNK | 0777, 0, 0, 0, 0},
    {"stdin", "/proc/self/fd/0", S_IFLNK | 0777, 0, 0, 0, 0},
    {"stdout", "/proc/self/fd/1", S_IFLNK | 0777, 0, 0, 0, 0},
    {"stderr", "/proc/self/fd/2", S_IFLNK | 0777, 0, 0, 0, 0},
    {"shm", "/tmp", S_IFLNK | 0777, 0, 0, 0, 0},
};
enum { NAMES = sizeof names / sizeof names[0], GROUP_DISK = 6 };

static uint8_t zeros[65536], scratch[8192];

static struct name *name_of(uint64_t node)
{
    if (node >= NODE_FIRST && node < NODE_FIRST + NAMES)
        return &names[node - NODE_FIRST];
    for (int i = 0; i < NAMES; i++)
        if (names[i].major == MEMORY_MAJOR && names[i].minor == node)
            return &names[i];
    return NULL;
}

static long attributes(uint64_t node, struct fs_attributes *out)
{
    const struct name *n = name_of(node);

    const struct disk_device *d = node >= NODE_DISKS ? disk_at(node - NODE_DISKS) : NULL;

    if (corpses_has(node))
        return corpses_attributes(node, out);
    *out = (struct fs_attributes){.mode = S_IFDIR | 0755, .links = 2};
    if (d) {
        *out = (struct fs_attributes){.mode = S_IFBLK | 0660, .links = 1, .gid = GROUP_DISK};
        out->rdev = makedev(d->major, d->minor);
    }
    if (n) {
        *out = (struct fs_attributes){.mode = n->mode, .links = 1, .uid = n->uid, .gid = n->gid};
        out->rdev = makedev(n->major, n->minor);
        out->size = n->target ? strlen(n->target) : 0;
    }
    out->atime_ns = out->mtime_ns = out->ctime_ns = realtime_now();
    return n || d || node == NODE_ROOT ? 0 : -ESTALE;
}

static uint64_t node_at(uint64_t i) /* of names[i] */
{
    return S_ISDIR(names[i].mode) ? NODE_CORPSES : NODE_FIRST + i;
}

static long child(uint64_t directory, const char *name, uint64_t *node)
{
    if (directory == NODE_CORPSES)
        return corpses_child(name, node);
    for (uint64_t i = 0; directory == NODE_ROOT && i < NAMES; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *node = node_at(i);
            return 0;
        }
    }
    if (directory == NODE_ROOT) {
        int n = disk_named(name);

        *node = NODE_DISKS + (uint64_t)n;
        return n < 0 ? -ENOENT : 0;
    }
    return -ENOENT;
}

static long parent(uint64_t directory, uint64_t *node)
{
    (void)directory; /* the root, or one in it */
    *node = NODE_ROOT;
    return 0;
}

static long next_disk(uint64_t cookie, struct fs_entry *out)
{
    const struct disk_device *d;

    if (cookie == NAMES)
        disks_fetch();
    d = disk_at(cookie - NAMES);
    if (!d)
        return 0;
    *out = (struct fs_entry){
        .node = NODE_DISKS + cookie - NAMES, .cookie = cookie + 1, .mode = S_IFBLK};
    strcpy(out->name, d->name);
    return 1;
}

static long next(uint64_t directory, uint64_t cookie, struct fs_entry *out)
{
    if (directory == NODE_CORPSES)
        return corpses_next(cookie, out);
    if (directory == NODE_ROOT && cookie >= NAMES)
        return next_disk(cookie, out);
    if (directory != NODE_ROOT)
        return 0;
    *out = (struct fs_entry){
        .node = node_at(cookie), .cookie = cookie + 1, .mode = names[cookie].mode};
    strcpy(out->name, names[cookie].name);
    return 1;
}

static long link_text(uint64_t node, char *text, size_t room)
{
    const struct name *n = name_of(node);
    size_t length;

    if (!n || !n->target)
        return -EINVAL;
    length = strlen(n->target) < room ? strlen(n->target) : room;
    memcpy(text, n->target, length);
    return (long)length;
}

static long set_attributes(uint64_t node, const struct fs_set *set)
{
    struct name *n = name_of(node);

    if (!n)
        return -EPERM;
    if (set->mask & ATTRIBUTE_MODE)
        n->mode = (n->mode & S_IFMT) | (set->mode & 07777);
    if (set->mask & ATTRIBUTE_UID)
        n->uid = set->uid;
    if (set->mask & ATTRIBUTE_GID)
        n->gid = set->gid;
    return 0;
}

/* ---- the devices ---- */

static size_t piece(const struct fs_transfer *t, uint64_t done, size_t most)
{
    return t->length - done < most ? (size_t)(t->length - done) : most;
}

static long read_null(struct fs_transfer *t)
{
    (void)t;
    return 0;
}

static long read_zero(struct fs_transfer *t)
{
    uint64_t done = 0;
    long result = 0;

    while (done < t->length && result == 0) {
        size_t n = piece(t, done, sizeof zeros);

        result = copy_to(t->program, t->address + done, zeros, n);
        done += result == 0 ? n : 0;
    }
    return done ? (long)done : result;
}

static long read_random(struct fs_transfer *t)
{
    uint64_t done = 0;
    long result = 0;

    while (done < t->length && result == 0) {
        size_t n = piece(t, done, sizeof scratch);

        entropy_take(scratch, n);
        result = copy_to(t->program, t->address + done, scratch, n);
        done += result == 0 ? n : 0;
    }
    return done ? (long)done : result;
}

/* The kernel's log from the position that is the file's; 0 at its end. */
static long read_kmsg(struct fs_transfer *t)
{
    uint64_t first;
    long n = log_ring_read(t->offset, scratch, piece(t, 0, sizeof scratch), &first), result;

    if (n <= 0)
        return n;
    result = copy_to(t->program, t->address, scratch, (size_t)n);
    t->position = first + (uint64_t)n;
    return result < 0 ? result : n;
}

static long write_discard(struct fs_transfer *t)
{
    return (long)t->length;
}

static long write_full(struct fs_transfer *t)
{
    (void)t;
    return -ENOSPC;
}

static long write_random(struct fs_transfer *t)
{
    size_t n = piece(t, 0, sizeof scratch);
    long result = copy_from(t->program, t->address, scratch, n);

    if (result < 0)
        return result;
    entropy_add(scratch, n);
    return (long)n;
}

static long write_kmsg(struct fs_transfer *t)
{
    size_t n = piece(t, 0, LOG_RECORD_MAX - 32);
    long result = copy_from(t->program, t->address, scratch, n);

    if (result < 0)
        return result;
    scratch[n] = 0;
    scratch[strcspn((char *)scratch, "\n")] = 0;
    log_info("%s", (char *)scratch);
    return (long)t->length;
}

/* Lines from the position on, which counts lines: they change while somebody reads them. -EINVAL: not even
 * one fits. */
static long read_report(report_writer write, struct fs_transfer *t)
{
    struct text text = {0};
    uint64_t from = t->offset;
    long result = write(&text, &from, piece(t, 0, sizeof scratch));

    if (result > 0)
        result = text.length ? 0 : -EINVAL;
    if (text.length && result == 0)
        result = copy_to(t->program, t->address, text.bytes, text.length);
    if (result == 0)
        result = (long)text.length;
    t->position = from;
    text_free(&text);
    return result;
}

static long read_bardo(struct fs_transfer *t)
{
    return read_report(report_services, t);
}

static long read_recovery(struct fs_transfer *t)
{
    return read_report(report_recoveries, t);
}

static long read_devices(struct fs_transfer *t)
{
    return read_report(report_devices, t);
}

static long read_store(struct fs_transfer *t)
{
    return read_report(report_store, t);
}

static long write_refuse(struct fs_transfer *t)
{
    (void)t;
    return -EACCES;
}

/* Who may write is asked now, and not when it was opened: root alone. */
static long write_bardo(struct fs_transfer *t)
{
    struct message ask =
        message_of(PM_CREDENTIALS, (struct pm_thread_request){.thread = (uint64_t)t->program});
    const struct pm_credentials_reply *who = message_words(&ask);
    char text[ORDERS_MAX + 1];
    long result;

    if (t->length > ORDERS_MAX)
        return -EINVAL;
    if (ipc_call(service_info()->pm, &ask) < 0 || who->euid != 0)
        return -EPERM;
    result = copy_from(t->program, t->address, text, t->length);
    text[t->length] = 0;
    if (result == 0)
        result = orders_run(text);
    return result < 0 ? result : (long)t->length;
}

static const struct device {
    long (*read)(struct fs_transfer *t);
    long (*write)(struct fs_transfer *t);
} devices[] = {
    [MINOR_NULL] = {read_null, write_discard},
    [MINOR_ZERO] = {read_zero, write_discard},
    [MINOR_FULL] = {read_zero, write_full},
    [MINOR_RANDOM] = {read_random, write_random},
    [MINOR_URANDOM] = {read_random, write_random},
    [MINOR_KMSG] = {read_kmsg, write_kmsg},
    [MINOR_BARDO] = {read_bardo, write_bardo},
    [MINOR_RECOVERY] = {read_recovery, write_refuse},
    [MINOR_DEVICES] = {read_devices, write_refuse},
    [MINOR_STORE] = {read_store, write_refuse},
    [MINOR_SCRIPTS] = {scripts_read, write_refuse},
};

static const struct device *device_of(uint64_t node)
{
    if (node >= NODE_FIRST && node < NODE_FIRST + NAMES &&
        names[node - NODE_FIRST].major == MEMORY_MAJOR)
        node = names[node - NODE_FIRST].minor;
    return node < sizeof devices / sizeof devices[0] && devices[node].read ? &devices[node] : NULL;
}

static long error_of(uint64_t node)
{
    return node == NODE_ROOT ? -EISDIR : -ENXIO;
}

static long read_node(uint64_t node, struct fs_transfer *t)
{
    const struct device *d = device_of(node);

    if (corpses_has(node))
        return corpses_read(node, t);
    return d ? d->read(t) : error_of(node);
}

static long write_node(uint64_t node, struct fs_transfer *t)
{
    const struct device *d = device_of(node);

    return d ? d->write(t) : error_of(node);
}

static long truncate_node(uint64_t node, uint64_t length)
{
    (void)length;
    return node == NODE_ROOT ? -EISDIR : -EINVAL;
}

static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    return corpses_has(node) ? corpses_open(node, flags, use) : 0;
}

static void notified(uint64_t bits)
{
    entropy_notified(bits);
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        scripts_notified();
}

static const struct fs_operations operations = {
    .device = 5, /* makedev(0, 5) */
    .root = NODE_ROOT,
    .attributes = attributes,
    .child = child,
    .parent = parent,
    .next = next,
    .open = open_node,
    .close = corpses_close,
    .link_text = link_text,
    .read = read_node,
    .write = write_node,
    .truncate = truncate_node,
    .set_attributes = set_attributes,
    .cancel = scripts_cancel,
    .notified = notified,
    .idle = orders_late,
};

int main(void)
{
    entropy_begin();
    if (service_publish("fs/dev") < 0 || service_publish("chr/1") < 0)
        panic("fs/dev or chr/1 is published by somebody else");
    fs_serve(&operations);
}
