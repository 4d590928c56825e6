/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories: blocks with entries that follow each other; those that are gone leave room in the
 * one before. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "servers/fs/ext4/directory.h"

enum { DOT_SIZE = 12 };

/* ---- blocks ---- */

uint32_t directory_blocks(const struct inode *d)
{
    uint64_t n = inode_size(d) >> volume.block_shift;

    return n < 1u << 28 ? (uint32_t)n : 0;
}

long directory_block(struct inode *d, uint32_t n, struct buffer **out)
{
    struct extent_map map;
    long result = n < directory_blocks(d) ? extent_find(d, n, 1, &map) : -EUCLEAN;

    if (result)
        return result;
    if (map.physical == 0 || map.unwritten)
        return -EUCLEAN;
    return block_get(map.physical, KIND_DIRECTORY, d->seed, out);
}

long directory_grow(struct inode *d, uint32_t *n, struct buffer **out)
{
    uint64_t goal, block;
    uint32_t got;
    long result;

    *n = directory_blocks(d);
    result = extent_goal(d, *n, &goal);
    if (result == 0)
        result = blocks_allocate(goal, 1, &block, &got);
    if (result == 0)
        result = extent_insert(d, *n, block, 1, false);
    if (result == 0)
        result = block_fresh(block, KIND_DIRECTORY, d->seed, out);
    if (result == 0)
        inode_set_size(d, (uint64_t)(*n + 1) << volume.block_shift);
    return result;
}

/* ---- entries of a block ---- */

uint32_t entries_end(void)
{
    return volume.block_size -
           (volume.has_checksums ? (uint32_t)sizeof(struct ext4_dirent_tail) : 0);
}

static struct ext4_dirent *raw_at(struct buffer *b, uint32_t at)
{
    return (void *)((uint8_t *)buffer_data(b) + at);
}

struct ext4_dirent *entry_at(struct buffer *b, uint32_t at)
{
    struct ext4_dirent *e = raw_at(b, at);

    if (at + sizeof *e > entries_end() || e->length < sizeof *e || e->length % 4 ||
        e->length > entries_end() - at || entry_size(e->name_length) > e->length)
        return NULL;
    return e;
}

void entries_clear(struct buffer *b)
{
    struct ext4_dirent *e = raw_at(b, 0);
    struct ext4_dirent_tail *tail = (void *)raw_at(b, entries_end());

    memset(e, 0, volume.block_size);
    e->length = (uint16_t)entries_end();
    if (volume.has_checksums) {
        tail->length = sizeof *tail;
        tail->type = TYPE_CHECKSUM;
    }
}

static bool is_named(const struct ext4_dirent *e, const struct name *name)
{
    return e->inode && e->name_length == name->length &&
           memcmp(e->name, name->text, name->length) == 0;
}

long entries_find(struct buffer *b, const struct name *name, uint32_t *at)
{
    struct ext4_dirent *e;

    for (*at = 0; *at < entries_end(); *at += e->length) {
        e = entry_at(b, *at);
        if (!e)
            return -EUCLEAN;
        if (is_named(e, name))
            return 0;
    }
    return -ENOENT;
}

/* Without the feature the byte is part of the name's length. */
static void put_type(struct ext4_dirent *e, uint32_t type)
{
    e->type = (uint8_t)(volume.incompatible & INCOMPAT_FILETYPE ? type : TYPE_UNKNOWN);
}

static void put_entry(struct ext4_dirent *e, const struct name *name, uint32_t number,
                      uint32_t type)
{
    e->inode = number;
    e->name_length = (uint8_t)name->length;
    put_type(e, type);
    memcpy(e->name, name->text, name->length);
}

/* The entries of a block cover all of it: so room is what an entry has beyond its own name, and the
 * new one takes all of that along. An entry without an inode is room altogether. */
long entries_add(struct buffer *b, const struct name *name, uint32_t number, uint32_t type)
{
    uint32_t needed = entry_size(name->length);
    struct ext4_dirent *e;

    for (uint32_t at = 0; at < entries_end(); at += e->length) {
        uint32_t used;
        long result;

        e = entry_at(b, at);
        if (!e)
            return -EUCLEAN;
        used = e->inode ? entry_size(e->name_length) : 0;
        if (e->length - used < needed)
            continue;
        result = block_change(b);
        if (result)
            return result;
        if (used) {
            struct ext4_dirent *rest = raw_at(b, at + used);

            rest->length = (uint16_t)(e->length - used);
            e->length = (uint16_t)used;
            e = rest;
        }
        put_entry(e, name, number, type);
        return 0;
    }
    return -ENOSPC;
}

static long entries_remove(struct buffer *b, uint32_t at)
{
    struct ext4_dirent *e = raw_at(b, at), *before = NULL;
    long result = block_change(b);

    if (result)
        return result;
    for (uint32_t k = 0; k < at; k += before->length)
        before = raw_at(b, k);
    if (before)
        before->length = (uint16_t)(before->length + e->length);
    else
        e->inode = 0;
    return 0;
}

/* ---- the directory ---- */

static bool is_dots(const struct name *name)
{
    return name->text[0] == '.' &&
           (name->length == 1 || (name->length == 2 && name->text[1] == '.'));
}

/* The entry with that name. */
static long find(struct inode *d, const struct name *name, struct buffer **b, uint32_t *at)
{
    uint32_t blocks = directory_blocks(d);

    if (index_is_used(d) && !is_dots(name))
        return index_find(d, name, b, at);
    if (index_is_used(d))
        blocks = 1;
    for (uint32_t n = 0; n < blocks; n++) {
        long result = directory_block(d, n, b);

        if (result == 0 && index_is_used(d)) { /* what comes after ".." is no entry */
            struct ext4_dirent *e = raw_at(*b, *at = name->length == 2 ? DOT_SIZE : 0);

            return is_named(e, name) ? 0 : -EUCLEAN;
        }
        if (result == 0)
            result = entries_find(*b, name, at);
        if (result != -ENOENT)
            return result;
    }
    return -ENOENT;
}

long directory_find(struct inode *d, const char *text, uint32_t length, uint32_t *number,
                    uint32_t *type)
{
    struct name name = {text, length};
    struct buffer *b;
    uint32_t at;
    long result = find(d, &name, &b, &at);

    if (result)
        return result;
    *number = raw_at(b, at)->inode;
    *type = raw_at(b, at)->type;
    return 0;
}

/* The name is looked for first, for it is in there once or not at all. A tree that somebody else has
 * made and we do not keep up is marked as none, or he would look for names by it. */
long directory_add(struct inode *d, const char *text, uint32_t length, uint32_t number,
                   uint32_t type)
{
    struct name name = {text, length};
    uint32_t blocks = directory_blocks(d), at, n;
    struct buffer *b;
    long result = find(d, &name, &b, &at);

    if (result != -ENOENT)
        return result ? result : -EEXIST;
    result = inode_change(d);
    if (result)
        return result;
    if (index_is_used(d))
        return index_add(d, &name, number, type);
    d->raw->flags &= ~(uint32_t)INODE_INDEX; /* its tree is not kept up */
    for (n = 0; n < blocks; n++) {
        result = directory_block(d, n, &b);
        if (result == 0)
            result = entries_add(b, &name, number, type);
        if (result != -ENOSPC)
            return result;
    }
    if (blocks == 1 && (volume.compatible & COMPAT_DIR_INDEX)) {
        result = index_make(d);
        return result ? result : index_add(d, &name, number, type);
    }
    result = directory_grow(d, &n, &b);
    if (result)
        return result;
    entries_clear(b);
    return entries_add(b, &name, number, type);
}

long directory_remove(struct inode *d, const char *text, uint32_t length)
{
    struct name name = {text, length};
    struct buffer *b;
    uint32_t at;
    long result = find(d, &name, &b, &at);

    return result ? result : entries_remove(b, at);
}

long directory_set(struct inode *d, const char *text, uint32_t length, uint32_t number,
                   uint32_t type)
{
    struct name name = {text, length};
    struct buffer *b;
    uint32_t at;
    long result = find(d, &name, &b, &at);

    if (result == 0)
        result = block_change(b);
    if (result)
        return result;
    raw_at(b, at)->inode = number;
    put_type(raw_at(b, at), type);
    return 0;
}

long directory_begin(struct inode *d, uint32_t parent)
{
    struct ext4_dirent *dot, *up;
    struct buffer *b;
    uint32_t n;
    long result = directory_grow(d, &n, &b);

    if (result)
        return result;
    entries_clear(b);
    dot = raw_at(b, 0);
    dot->length = DOT_SIZE;
    put_entry(dot, &(struct name){".", 1}, d->number, TYPE_DIRECTORY);
    up = raw_at(b, DOT_SIZE);
    up->length = (uint16_t)(entries_end() - DOT_SIZE);
    put_entry(up, &(struct name){"..", 2}, parent, TYPE_DIRECTORY);
    return 0;
}

/* ---- listing ---- */

bool entry_is_shown(const struct ext4_dirent *e)
{
    return e->inode && e->name_length && !is_dots(&(struct name){e->name, e->name_length});
}

/* The cookie is the byte where the entry begins, and one more. An entry that is removed joins the
 * one before: so its block is walked from the start. */
static long linear_next(struct inode *d, uint64_t cookie, struct directory_entry *out)
{
    uint32_t blocks = directory_blocks(d), n = (uint32_t)(cookie >> volume.block_shift);

    for (; n < blocks; n++) {
        struct ext4_dirent *e;
        struct buffer *b;
        long result = directory_block(d, n, &b);

        if (result)
            return result;
        for (uint32_t at = 0; at < entries_end(); at += e->length) {
            uint64_t own = ((uint64_t)n << volume.block_shift) + at + 1;

            e = entry_at(b, at);
            if (!e)
                return -EUCLEAN;
            if (own <= cookie || !entry_is_shown(e))
                continue;
            out->number = e->inode;
            out->type = e->type;
            out->length = e->name_length;
            memcpy(out->name, e->name, e->name_length);
            out->name[e->name_length] = 0;
            out->cookie = own;
            return 1;
        }
    }
    return 0;
}

long directory_next(struct inode *d, uint64_t cookie, struct directory_entry *out)
{
    /* A directory of one block may get a tree while it is listed: cookies must stay the same. */
    bool by_hash =
        index_is_used(d) || ((volume.compatible & COMPAT_DIR_INDEX) && directory_blocks(d) == 1);

    return by_hash ? index_next(d, cookie, out) : linear_next(d, cookie, out);
}

long directory_is_empty(struct inode *d)
{
    static struct directory_entry e;
    long result = index_is_used(d) ? index_next(d, 0, &e) : linear_next(d, 0, &e);

    return result < 0 ? result : result == 0;
}
