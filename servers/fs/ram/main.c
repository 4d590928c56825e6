/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs/ram: a writable file system in memory. The root is one, filled from the boot archive; files
 * that are not written go on lying in the archive. After a death it begins again from the archive:
 * what was written since is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fs/fs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "lib/undo/list.h"
#include "lib/vault/vault.h"
#include "servers/fs/ram/tree.h"
#include "servers/fs/ram/unpack.h"

enum { TMPFS_MAGIC = 0x01021994, DEFAULT_PERCENT = 75 };

static struct tree tree;

static long attributes(uint64_t node, struct fs_attributes *out)
{
    const struct node *n = tree_node(&tree, node);

    if (!n)
        return -ESTALE;
    *out = (struct fs_attributes){.mode = n->mode,
                                  .uid = n->uid,
                                  .gid = n->gid,
                                  .links = n->links,
                                  .rdev = n->rdev,
                                  .atime_ns = n->atime_ns,
                                  .mtime_ns = n->mtime_ns,
                                  .ctime_ns = n->ctime_ns,
                                  .covered = n->covered};
    if (S_ISREG(n->mode)) {
        out->size = n->content.size;
        out->blocks = n->content.borrowed ? (n->content.size + 511) / 512
                                          : content_pages(&n->content) * (PAGE_BYTES / 512);
    } else if (S_ISLNK(n->mode)) {
        out->size = strlen(n->target);
    } else if (S_ISDIR(n->mode)) {
        out->size = PAGE_BYTES;
    }
    return 0;
}

static struct node *directory_of(uint64_t number)
{
    struct node *n = tree_node(&tree, number);

    return n && S_ISDIR(n->mode) ? n : NULL;
}

static long child(uint64_t directory, const char *name, uint64_t *node)
{
    const struct node *d = directory_of(directory);
    const struct entry *e = d ? tree_find(&tree, d, name) : NULL;

    if (!e)
        return -ENOENT;
    *node = node_number(e->node);
    return 0;
}

static long parent(uint64_t directory, uint64_t *node)
{
    const struct node *d = directory_of(directory);

    if (!d || !d->directory.parent)
        return -ESTALE;
    *node = node_number(d->directory.parent);
    return 0;
}

static long next(uint64_t directory, uint64_t cookie, struct fs_entry *out)
{
    struct node *d = directory_of(directory);
    struct entry *e = d ? list_at(d->directory.given) : NULL;

    if (!e || e->cookie > cookie)
        e = d ? list_at(d->directory.first) : NULL;
    while (e && e->cookie <= cookie)
        e = list_at(e->next);
    if (!e)
        return 0;
    d->directory.given = e;
    *out =
        (struct fs_entry){.node = node_number(e->node), .cookie = e->cookie, .mode = e->node->mode};
    strcpy(out->name, e->name);
    return 1;
}

static long link_text(uint64_t node, char *text, size_t room)
{
    const struct node *n = tree_node(&tree, node);
    size_t length;

    if (!n || !S_ISLNK(n->mode))
        return n ? -EINVAL : -ESTALE;
    length = strlen(n->target);
    length = length < room ? length : room;
    memcpy(text, n->target, length);
    return (long)length;
}

static void written(struct node *n)
{
    n->mtime_ns = n->ctime_ns = realtime_now();
}

static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    struct node *n = tree_node(&tree, node);
    long result = 0;

    (void)use;
    if (!n)
        return -ESTALE;
    if ((flags & O_TRUNC) && S_ISREG(n->mode)) {
        result = content_truncate(tree_pages(&tree, n), &n->content, 0);
        written(n);
    }
    if (result == 0)
        n->opens++;
    return result;
}

static void close_node(uint64_t node)
{
    struct node *n = tree_node(&tree, node);

    if (n)
        tree_close(&tree, n);
}

static long copy_to_program(void *who, uint64_t done, void *bytes, size_t length)
{
    const struct fs_transfer *t = who;

    return copy_to(t->program, t->address + done, bytes, length);
}

static long copy_from_program(void *who, uint64_t done, void *bytes, size_t length)
{
    const struct fs_transfer *t = who;

    return copy_from_again(t->program, t->address + done, bytes, length);
}

static long regular_file(uint64_t node, struct node **n)
{
    *n = tree_node(&tree, node);
    if (!*n)
        return -ESTALE;
    if (S_ISREG((*n)->mode))
        return 0;
    return S_ISDIR((*n)->mode) ? -EISDIR : -EINVAL;
}

static long read_node(uint64_t node, struct fs_transfer *t)
{
    struct node *n;
    long result = regular_file(node, &n);

    return result < 0 ? result
                      : content_read(&n->content, t->offset, t->length, copy_to_program, t);
}

static long write_node(uint64_t node, struct fs_transfer *t)
{
    struct node *n;
    long result = regular_file(node, &n);

    if (result < 0)
        return result;
    if (t->flags & O_APPEND)
        t->offset = n->content.size;
    result = content_write(tree_pages(&tree, n), &n->content, t->offset, t->length,
                           copy_from_program, t);
    if (result > 0)
        written(n);
    return result;
}

static long truncate_node(uint64_t node, uint64_t length)
{
    struct node *n;
    long result = regular_file(node, &n);

    if (result == 0)
        result = content_truncate(tree_pages(&tree, n), &n->content, length);
    if (result == 0)
        written(n);
    return result;
}

static long set_attributes(uint64_t node, const struct fs_set *set)
{
    struct node *n = tree_node(&tree, node);

    if (!n)
        return -ESTALE;
    if (set->mask & ATTRIBUTE_MODE)
        n->mode = (n->mode & S_IFMT) | (set->mode & 07777);
    if (set->mask & ATTRIBUTE_UID)
        n->uid = set->uid;
    if (set->mask & ATTRIBUTE_GID)
        n->gid = set->gid;
    if (set->mask & ATTRIBUTE_ATIME)
        n->atime_ns = set->atime_ns;
    if (set->mask & ATTRIBUTE_MTIME)
        n->mtime_ns = set->mtime_ns;
    n->ctime_ns = realtime_now();
    return 0;
}

static long create_node(uint64_t directory, const char *name, uint32_t mode, uint64_t rdev,
                        struct fs_user user, uint64_t *node)
{
    struct node *d = tree_node(&tree, directory), *n;
    long result;

    if (!d)
        return -ESTALE;
    if ((mode & S_IFMT) == 0)
        mode |= S_IFREG;
    if (S_ISLNK(mode))
        return -EINVAL;
    result = tree_create(&tree, d, name, mode, user, NULL, &n);
    if (result < 0)
        return result;
    n->rdev = rdev;
    *node = node_number(n);
    return 0;
}

static long make_symlink(uint64_t directory, const char *name, const char *target,
                         struct fs_user user)
{
    struct node *d = tree_node(&tree, directory), *n;

    if (!*target)
        return -ENOENT;
    return d ? tree_create(&tree, d, name, S_IFLNK | 0777, user, target, &n) : -ESTALE;
}

static long make_link(uint64_t directory, const char *name, uint64_t node, struct fs_user user)
{
    struct node *d = tree_node(&tree, directory), *n = tree_node(&tree, node);

    return d && n ? tree_link(&tree, d, name, n, user) : -ESTALE;
}

static long unlink_node(uint64_t directory, const char *name, bool is_rmdir)
{
    struct node *d = tree_node(&tree, directory);

    return d ? tree_unlink(&tree, d, name, is_rmdir) : -ESTALE;
}

static long rename_node(uint64_t from, const char *old_name, uint64_t to, const char *new_name)
{
    struct node *a = tree_node(&tree, from), *b = tree_node(&tree, to);

    return a && b ? tree_rename(&tree, a, old_name, b, new_name) : -ESTALE;
}

static long map_node(uint64_t node, uint64_t offset, uint64_t length, uint64_t *address)
{
    struct node *n;
    long result = regular_file(node, &n);

    if (result < 0)
        return result;
    if (offset % PAGE_BYTES || length == 0)
        return -EINVAL;
    result = content_make_whole(tree_pages(&tree, n), &n->content);
    if (result < 0)
        return result == -EAGAIN ? result : -ENOSYS; /* no memory for it: VFS reads instead */
    if (offset / PAGE_BYTES >= n->content.whole_pages ||
        (length + PAGE_BYTES - 1) / PAGE_BYTES > n->content.whole_pages - offset / PAGE_BYTES)
        return -ENOSYS;
    *address = (uint64_t)(uintptr_t)n->content.whole + offset;
    return 0;
}

static long cover(uint64_t node, bool covered)
{
    struct node *n = directory_of(node);

    if (!n)
        return -ENOTDIR;
    if (covered && n->covered)
        return -EBUSY;
    n->covered = covered;
    return 0;
}

static long statfs_tree(struct statfs *out)
{
    out->f_type = TMPFS_MAGIC;
    out->f_blocks = tree.pages_most;
    out->f_bfree = out->f_bavail =
        tree.pages_most > tree.pages.used ? tree.pages_most - tree.pages.used : 0;
    out->f_files = tree.count + out->f_bfree;
    out->f_ffree = out->f_bfree;
    return 0;
}

static struct fs_operations operations = {
    .device = 1, /* makedev(0, 1) */
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
    .set_attributes = set_attributes,
    .create = create_node,
    .symlink = make_symlink,
    .link = make_link,
    .unlink = unlink_node,
    .rename = rename_node,
    .map = map_node,
    .cover = cover,
    .statfs = statfs_tree,
};

/* Pages that files may take: the manifest's percentage of the machine's memory. */
static uint64_t pages_limit(void)
{
    const char *text = strstr(service_info()->parameters, "percent=");
    unsigned long percent = text ? strtoul(text + strlen("percent="), NULL, 10) : DEFAULT_PERCENT;

    if (percent == 0 || percent > 100)
        percent = DEFAULT_PERCENT;
    return kernel_info()->frames_total * percent / 100;
}

int main(void)
{
    const struct service_info *info = service_info();
    long result;

    if (!tree_make(&tree, pages_limit(), realtime_now))
        panic_hopeless("no memory for the root directory");
    if (!info->archive_mapped)
        panic_hopeless("no boot archive: the manifest must say  archive yes");
    result = unpack(&tree, (const void *)BOOT_ARCHIVE, info->archive_size);
    if (result < 0)
        log_info("the boot archive is damaged or too big for the memory (%s): only %u files "
                 "of it are there",
                 error_name(result), tree.count);
    operations.root = node_number(tree.root);
    if (service_publish("fs/ram") < 0)
        panic_hopeless("fs/ram is published by somebody else");
    fs_serve(&operations);
}
