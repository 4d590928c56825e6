/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading extended attributes: in the inode, after its fields, and in a block that files may share.
 * Both are a list of entries from the front and their values from the back.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "servers/fs/ext4/ext4.h"

enum { INDEX_ACL_ACCESS = 2, INDEX_ACL_DEFAULT = 3 };

/* What the number before a name stands for. Those with `whole` have no name besides. */
static const struct prefix {
    const char *text;
    uint8_t length, whole;
} prefixes[] = {
    [1] = {"user.", 5, 0},
    [INDEX_ACL_ACCESS] = {"system.posix_acl_access", 23, 1},
    [INDEX_ACL_DEFAULT] = {"system.posix_acl_default", 24, 1},
    [4] = {"trusted.", 8, 0},
    [6] = {"security.", 9, 0},
    [7] = {"system.", 7, 0},
};
enum { PREFIXES = sizeof prefixes / sizeof *prefixes };

struct area {
    const uint8_t *start, *end; /* of the entries; what values' offsets count from: */
    const uint8_t *base;
};

/* NULL: one that we don't know, or a name that such an entry cannot have. */
static const struct prefix *prefix_of(const struct ext4_xattr_entry *e)
{
    const struct prefix *p = e->name_index < PREFIXES ? &prefixes[e->name_index] : NULL;

    return p && p->text && (e->name_length == 0) == p->whole ? p : NULL;
}

/* ---- the two areas ---- */

/* 1; 0: the inode has none. */
static long area_of_inode(const struct inode *i, struct area *out)
{
    const uint8_t *raw = (const uint8_t *)i->raw, *from;
    uint32_t magic;

    if (volume.inode_size <= 128)
        return 0;
    from = raw + 128 + i->raw->extra_isize;
    out->end = raw + volume.inode_size;
    if (from + sizeof magic > out->end)
        return 0;
    memcpy(&magic, from, sizeof magic);
    out->start = out->base = from + sizeof magic;
    return magic == EXT4_XATTR_MAGIC;
}

static long area_of_block(const struct inode *i, struct area *out)
{
    uint64_t block = i->raw->file_acl_lo;
    const struct ext4_xattr_header *h;
    struct buffer *b;
    long result;

    if (volume.incompatible & INCOMPAT_64BIT)
        block |= (uint64_t)i->raw->file_acl_hi << 32;
    if (block == 0)
        return 0;
    if (block_is_system(block, 1))
        return -EUCLEAN;
    result = block_get(block, KIND_XATTR, 0, &b);
    if (result)
        return result;
    h = buffer_data(b);
    if (h->magic != EXT4_XATTR_MAGIC || h->blocks != 1)
        return -EUCLEAN;
    out->base = (const uint8_t *)h;
    out->start = out->base + sizeof *h;
    out->end = out->base + volume.block_size;
    return 1;
}

static long (*const areas[])(const struct inode *, struct area *) = {area_of_inode, area_of_block};
enum { AREAS = sizeof areas / sizeof *areas };

/* ---- entries ---- */

/* The entry at *at, which moves on to the next: 1; 0: that was the last. */
static long entry_next(const struct area *a, const uint8_t **at,
                       const struct ext4_xattr_entry **out)
{
    const struct ext4_xattr_entry *e = (const void *)*at;
    size_t left = (size_t)(a->end - *at), size;
    uint32_t end_mark;

    if (left < sizeof end_mark)
        return -EUCLEAN;
    memcpy(&end_mark, *at, sizeof end_mark);
    if (end_mark == 0)
        return 0;
    if (left < sizeof *e)
        return -EUCLEAN;
    size = (sizeof *e + e->name_length + 3) & ~(size_t)3;
    if (size > left)
        return -EUCLEAN;
    *at += size;
    *out = e;
    return 1;
}

/* Where its value lies: behind the entries. NULL: it makes no sense. */
static const uint8_t *value_of(const struct area *a, const struct ext4_xattr_entry *e)
{
    const uint8_t *at = a->start;
    const struct ext4_xattr_entry *each;
    size_t room = (size_t)(a->end - a->base);

    while (entry_next(a, &at, &each) == 1)
        ;
    if (e->value_size == 0)
        return at;
    if (e->value_offset < (size_t)(at - a->base) || e->value_offset > room ||
        e->value_size > room - e->value_offset)
        return NULL;
    return a->base + e->value_offset;
}

static bool is_named(const struct ext4_xattr_entry *e, const char *name)
{
    const struct prefix *p = prefix_of(e);

    return p && strncmp(name, p->text, p->length) == 0 &&
           strlen(name + p->length) == e->name_length &&
           memcmp(name + p->length, e->name, e->name_length) == 0;
}

/* ---- access control lists: on the disk those entries that need no id are without it ---- */

enum { ACL_VERSION_DISK = 1, ACL_VERSION = 2, ACL_USER = 2, ACL_GROUP = 8 };
struct acl_entry {
    uint16_t tag, permissions;
    uint32_t id;
};
enum { ACL_SHORT = 4, ACL_HEADER = 4 };

/* In the form that programs know. The size it has then. */
static long put_acl(const uint8_t *from, size_t size, uint8_t *value, size_t room)
{
    uint32_t version;
    size_t done = ACL_HEADER;

    memcpy(&version, from, size < sizeof version ? 0 : sizeof version);
    if (size < sizeof version || version != ACL_VERSION_DISK)
        return -EUCLEAN;
    version = ACL_VERSION;
    if (room >= done)
        memcpy(value, &version, sizeof version);
    for (size_t at = ACL_HEADER; at < size; done += sizeof(struct acl_entry)) {
        struct acl_entry e = {.id = ~0u};
        size_t length = ACL_SHORT;

        if (size - at >= ACL_SHORT)
            memcpy(&e, from + at, ACL_SHORT);
        if (e.tag == ACL_USER || e.tag == ACL_GROUP)
            length = sizeof e;
        if (size - at < length)
            return -EUCLEAN;
        memcpy(&e, from + at, length);
        at += length;
        if (room >= done + sizeof e)
            memcpy(value + done, &e, sizeof e);
    }
    return room && room < done ? -ERANGE : (long)done;
}

static long put_value(const struct area *a, const struct ext4_xattr_entry *e, void *value,
                      size_t room)
{
    const uint8_t *from;

    if (e->value_inode)
        return -EOPNOTSUPP;
    from = value_of(a, e);
    if (!from)
        return -EUCLEAN;
    if (e->name_index == INDEX_ACL_ACCESS || e->name_index == INDEX_ACL_DEFAULT)
        return put_acl(from, e->value_size, value, room);
    if (room && room < e->value_size)
        return -ERANGE;
    if (room)
        memcpy(value, from, e->value_size);
    return (long)e->value_size;
}

/* ---- */

long xattr_get(struct inode *i, const char *name, void *value, size_t room)
{
    for (unsigned n = 0; n < AREAS; n++) {
        const struct ext4_xattr_entry *e;
        const uint8_t *at;
        struct area a;
        long result = areas[n](i, &a);

        if (result < 0)
            return result;
        if (result == 0)
            continue;
        at = a.start;
        while ((result = entry_next(&a, &at, &e)) == 1)
            if (is_named(e, name))
                return put_value(&a, e, value, room);
        if (result < 0)
            return result;
    }
    return -ENODATA;
}

/* A name for the list: how many bytes, with its NUL. -ERANGE: more than there is room for. */
static long put_name(const struct ext4_xattr_entry *e, char *list, size_t done, size_t room)
{
    const struct prefix *p = prefix_of(e);
    size_t size = p ? (size_t)p->length + e->name_length + 1 : 0;

    if (!p || memchr(e->name, 0, e->name_length))
        return 0;
    if (room == 0)
        return (long)size;
    if (size > room - done)
        return -ERANGE;
    memcpy(list + done, p->text, p->length);
    memcpy(list + done + p->length, e->name, e->name_length);
    list[done + size - 1] = 0;
    return (long)size;
}

long xattr_list(struct inode *i, char *list, size_t room)
{
    size_t done = 0;

    for (unsigned n = 0; n < AREAS; n++) {
        const struct ext4_xattr_entry *e;
        const uint8_t *at;
        struct area a;
        long result = areas[n](i, &a);

        if (result < 0)
            return result;
        if (result == 0)
            continue;
        at = a.start;
        while ((result = entry_next(&a, &at, &e)) == 1) {
            result = put_name(e, list, done, room);
            if (result < 0)
                return result;
            done += (size_t)result;
        }
        if (result < 0)
            return result;
    }
    return (long)done;
}
