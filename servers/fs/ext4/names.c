/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of directories: what is created, linked, renamed and removed. Each is one operation. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "servers/fs/ext4/file.h"

enum { SHORT_LINK = 60, DEPTH_LIMIT = 4096 };

static uint32_t length_of(const char *name)
{
    return (uint32_t)strlen(name);
}

static uint32_t type_of(uint32_t mode)
{
    static const uint8_t types[16] = {
        [S_IFREG >> 12] = TYPE_REGULAR,   [S_IFDIR >> 12] = TYPE_DIRECTORY,
        [S_IFCHR >> 12] = TYPE_CHARACTER, [S_IFBLK >> 12] = TYPE_BLOCK,
        [S_IFIFO >> 12] = TYPE_FIFO,      [S_IFSOCK >> 12] = TYPE_SOCKET,
        [S_IFLNK >> 12] = TYPE_SYMLINK};

    return volume.incompatible & INCOMPAT_FILETYPE ? types[mode >> 12 & 15] : TYPE_UNKNOWN;
}

static uint32_t mode_of_type(uint32_t type)
{
    static const uint16_t modes[] = {
        [TYPE_REGULAR] = S_IFREG, [TYPE_DIRECTORY] = S_IFDIR, [TYPE_CHARACTER] = S_IFCHR,
        [TYPE_BLOCK] = S_IFBLK,   [TYPE_FIFO] = S_IFIFO,      [TYPE_SOCKET] = S_IFSOCK,
        [TYPE_SYMLINK] = S_IFLNK};

    return type < sizeof modes / sizeof *modes ? modes[type] : 0;
}

static long directory(uint64_t node, struct inode *d)
{
    long result = node_inode(node, d);

    if (result == 0 && !S_ISDIR(d->raw->mode))
        result = -ENOTDIR;
    return result;
}

/* One that entries can be added to: not removed. */
static long living_directory(uint64_t node, struct inode *d)
{
    long result = directory(node, d);

    if (result == 0 && d->raw->links == 0)
        result = -ENOENT;
    return result;
}

/* ---- looking ---- */

static long child_of(struct inode *d, const char *name, struct inode *out)
{
    uint32_t number, type;
    long result = directory_find(d, name, length_of(name), &number, &type);

    if (result)
        return result;
    if (number < volume.first_inode && number != EXT4_ROOT_INODE)
        return -EUCLEAN;
    result = inode_get(number, out);
    return result == -ESTALE ? -EUCLEAN : result;
}

long name_find(uint64_t node, const char *name, uint64_t *out)
{
    struct inode d, i;
    long result = directory(node, &d);

    if (result == 0)
        result = child_of(&d, name, &i);
    if (result == 0)
        *out = node_of(&i);
    return result;
}

long name_parent(uint64_t node, uint64_t *out)
{
    return name_find(node, "..", out);
}

long name_next(uint64_t node, uint64_t cookie, struct fs_entry *out)
{
    static struct directory_entry e;
    struct inode d;
    long result = directory(node, &d);

    if (result == 0)
        result = directory_next(&d, cookie, &e);
    if (result != 1)
        return result;
    *out = (struct fs_entry){.node = e.number, .cookie = e.cookie, .mode = mode_of_type(e.type)};
    memcpy(out->name, e.name, e.length);
    out->name[e.length] = 0;
    return 1;
}

/* ---- links ---- */

/* A directory with more subdirectories than can be counted says 1. */
static void add_links(struct inode *i, int change)
{
    bool is_directory = S_ISDIR(i->raw->mode);

    if (is_directory && (volume.ro_compatible & RO_DIR_NLINK)) {
        if (i->raw->links == 1)
            return;
        if (i->raw->links + change >= (int)EXT4_LINKS_MAX) {
            i->raw->links = 1;
            return;
        }
    }
    i->raw->links = (uint16_t)(i->raw->links + change);
}

static bool may_link(const struct inode *i)
{
    return i->raw->links < EXT4_LINKS_MAX - 1 ||
           (S_ISDIR(i->raw->mode) && (volume.ro_compatible & RO_DIR_NLINK));
}

static long changed_now(struct inode *i, bool is_modified)
{
    uint64_t now = time_now();
    long result = inode_change(i);

    if (result)
        return result;
    inode_set_time(i, TIME_CHANGE, now);
    if (is_modified)
        inode_set_time(i, TIME_MODIFY, now);
    return 0;
}

/* An inode has lost a link. Without any, it goes now when nobody has it open and it is small. */
static long dropped(struct inode *i)
{
    long result;

    if (i->raw->links)
        return 0;
    if (open_count(node_of(i)) == 0) {
        result = inode_delete(i);
        if (result <= 0)
            return result;
    }
    return orphan_add(i);
}

/* The answer is remembered with the operation. */
static long remembered(long result, uint64_t node)
{
    const uint64_t answer[ANSWER_WORDS] = {node};

    if (result == 0)
        op_record(request_id(), answer);
    return change_end(result);
}

/* ---- creating ---- */

/* An inode with a name in d. */
static long make(struct inode *d, const char *name, uint32_t mode, struct fs_user user,
                 struct inode *i)
{
    uint32_t number;
    long result = S_ISDIR(mode) && !may_link(d) ? -EMLINK : 0;

    if (d->raw->mode & S_ISGID) {
        user.gid = d->raw->gid_lo | (uint32_t)d->raw->gid_hi << 16;
        if (S_ISDIR(mode))
            mode |= S_ISGID;
    }
    if (result == 0)
        result = inode_allocate(d->number, S_ISDIR(mode), &number);
    if (result == 0)
        result = inode_new(number, mode, user.uid, user.gid, i);
    if (result == 0)
        result = directory_add(d, name, length_of(name), number, type_of(mode));
    if (result == 0)
        result = changed_now(d, true);
    if (result)
        return result;
    i->raw->links = 1;
    if (S_ISDIR(mode)) {
        i->raw->links = 2;
        add_links(d, 1);
        result = directory_begin(i, d->number);
    }
    return result;
}

static void put_device(struct inode *i, uint64_t rdev)
{
    uint32_t a = major(rdev), b = minor(rdev);

    i->raw->block[0] = a < 256 && b < 256 ? a << 8 | b : 0;
    i->raw->block[1] = a < 256 && b < 256 ? 0 : (b & 0xff) | a << 8 | (b & ~0xffu) << 12;
}

long name_create(uint64_t node, const char *name, uint32_t mode, uint64_t rdev, struct fs_user user,
                 uint64_t *out)
{
    struct inode d, i;
    long result = change_begin();

    if (result)
        return result;
    result = living_directory(node, &d);
    if (result == 0)
        result = make(&d, name, mode, user, &i);
    if (result == 0) {
        if (S_ISCHR(mode) || S_ISBLK(mode))
            put_device(&i, rdev);
        *out = node_of(&i);
    }
    return remembered(result, result ? 0 : *out);
}

/* The text goes into the inode, or into a block of its own. */
static long put_text(struct inode *i, const char *text)
{
    uint32_t length = (uint32_t)strlen(text), got;
    uint64_t goal, block;
    struct buffer *b;
    long result;

    if (length >= volume.block_size)
        return -ENAMETOOLONG;
    inode_set_size(i, length);
    if (length < SHORT_LINK) {
        i->raw->flags &= ~(uint32_t)INODE_EXTENTS;
        memset(i->raw->block, 0, sizeof i->raw->block);
        memcpy(i->raw->block, text, length);
        return 0;
    }
    result = extent_goal(i, 0, &goal);
    if (result == 0)
        result = blocks_allocate(goal, 1, &block, &got);
    if (result == 0)
        result = extent_insert(i, 0, block, 1, false);
    if (result == 0)
        result = block_fresh_data(block, &b);
    if (result == 0)
        memcpy(buffer_data(b), text, length);
    return result;
}

long name_symlink(uint64_t node, const char *name, const char *target, struct fs_user user)
{
    struct inode d, i;
    long result = change_begin();

    if (result)
        return result;
    result = living_directory(node, &d);
    if (result == 0)
        result = make(&d, name, S_IFLNK | 0777, user, &i);
    if (result == 0)
        result = put_text(&i, target);
    return remembered(result, 0);
}

static long link_now(uint64_t node, const char *name, uint64_t target)
{
    struct inode d, i;
    long result = living_directory(node, &d);

    if (result == 0)
        result = node_inode(target, &i);
    if (result == 0 && S_ISDIR(i.raw->mode))
        result = -EPERM;
    if (result == 0 && i.raw->links == 0)
        result = -ENOENT;
    if (result == 0 && !may_link(&i))
        result = -EMLINK;
    if (result == 0)
        result = directory_add(&d, name, length_of(name), i.number, type_of(i.raw->mode));
    if (result == 0)
        result = changed_now(&d, true);
    if (result == 0)
        result = changed_now(&i, false);
    if (result == 0)
        add_links(&i, 1);
    return result;
}

long name_link(uint64_t node, const char *name, uint64_t target)
{
    long result = change_begin();

    return result ? result : remembered(link_now(node, name, target), 0);
}

/* ---- removing ---- */

/* The entry is gone, or leads elsewhere: its inode has one link less. */
static long unlinked(struct inode *d, struct inode *i)
{
    long result = changed_now(i, false);

    if (result)
        return result;
    if (S_ISDIR(i->raw->mode)) {
        i->raw->links = 0;
        add_links(d, -1);
    } else {
        if (i->raw->links == 0)
            return -EUCLEAN;
        add_links(i, -1);
    }
    return dropped(i);
}

static long may_remove(struct inode *i, bool is_rmdir)
{
    long empty;

    if (S_ISDIR(i->raw->mode) != is_rmdir)
        return is_rmdir ? -ENOTDIR : -EISDIR;
    if (i->raw->flags & (INODE_IMMUTABLE | INODE_APPEND))
        return -EPERM;
    if (!is_rmdir)
        return 0;
    empty = directory_is_empty(i);
    if (empty < 0)
        return empty;
    return empty ? 0 : -ENOTEMPTY;
}

static long unlink_now(uint64_t node, const char *name, bool is_rmdir)
{
    struct inode d, i;
    long result = directory(node, &d);

    if (result == 0)
        result = child_of(&d, name, &i);
    if (result == 0)
        result = may_remove(&i, is_rmdir);
    if (result == 0)
        result = directory_remove(&d, name, length_of(name));
    if (result == 0)
        result = changed_now(&d, true);
    return result ? result : unlinked(&d, &i);
}

long name_unlink(uint64_t node, const char *name, bool is_rmdir)
{
    long result = change_begin();

    return result ? result : remembered(unlink_now(node, name, is_rmdir), 0);
}

/* ---- renaming ---- */

/* Does directory `i` lie on the way from d to the root? */
static long is_above(const struct inode *i, const struct inode *d)
{
    struct inode at = *d;

    for (unsigned n = 0; n < DEPTH_LIMIT; n++) {
        struct inode up;
        long result;

        if (at.number == i->number)
            return 1;
        if (at.number == EXT4_ROOT_INODE)
            return 0;
        result = child_of(&at, "..", &up);
        if (result)
            return result;
        at = up;
    }
    return -EUCLEAN;
}

struct renaming {
    struct inode from, to, moved, replaced;
    const char *old_name, *new_name;
    bool replaces, is_directory, crosses;
};

static long rename_check(struct renaming *r)
{
    long result = child_of(&r->from, r->old_name, &r->moved);

    if (result)
        return result;
    r->crosses = r->from.number != r->to.number;
    r->is_directory = S_ISDIR(r->moved.raw->mode);
    if (r->moved.raw->flags & (INODE_IMMUTABLE | INODE_APPEND))
        return -EPERM;
    if (r->is_directory && r->crosses) {
        result = is_above(&r->moved, &r->to);
        if (result)
            return result == 1 ? -EINVAL : result;
        if (!may_link(&r->to))
            return -EMLINK;
    }
    result = child_of(&r->to, r->new_name, &r->replaced);
    r->replaces = result == 0;
    if (result)
        return result == -ENOENT ? 0 : result;
    if (r->replaced.number == r->moved.number)
        return 1; /* two names of one file: nothing happens */
    result = may_remove(&r->replaced, r->is_directory);
    return result == -EISDIR && !r->is_directory ? -EISDIR : result;
}

static long rename_entries(struct renaming *r)
{
    uint32_t type = type_of(r->moved.raw->mode), length = length_of(r->new_name);
    long result = r->replaces ? directory_set(&r->to, r->new_name, length, r->moved.number, type)
                              : directory_add(&r->to, r->new_name, length, r->moved.number, type);

    if (result == 0)
        result = directory_remove(&r->from, r->old_name, length_of(r->old_name));
    if (result == 0 && r->is_directory && r->crosses)
        result = directory_set(&r->moved, "..", 2, r->to.number, TYPE_DIRECTORY);
    return result;
}

static long rename_now(struct renaming *r)
{
    long result = rename_check(r);

    if (result)
        return result == 1 ? 0 : result;
    result = rename_entries(r);
    if (result == 0)
        result = changed_now(&r->from, true);
    if (result == 0)
        result = changed_now(&r->to, true);
    if (result == 0)
        result = changed_now(&r->moved, false);
    if (result == 0 && r->is_directory && r->crosses) {
        add_links(&r->from, -1);
        add_links(&r->to, 1);
    }
    return result == 0 && r->replaces ? unlinked(&r->to, &r->replaced) : result;
}

long name_rename(uint64_t from, const char *old_name, uint64_t to, const char *new_name)
{
    struct renaming r = {.old_name = old_name, .new_name = new_name};
    long result = change_begin();

    if (result)
        return result;
    result = directory(from, &r.from);
    if (result == 0)
        result = living_directory(to, &r.to);
    return remembered(result ? result : rename_now(&r), 0);
}
