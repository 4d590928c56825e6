/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of metadata (feature metadata_csum): crc32c over the contents, begun with a seed that
 * tells whose they are. They are brought up to date once for each transaction, when the block goes
 * to the journal, and not with each change.
 */
#include <string.h>

#include "servers/fs/ext4/ext4.h"

/* ---- crc32c ---- */

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */

static bool has_instruction(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> 20 & 1; /* SSE 4.2 */
}

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t length)
{
    static uint32_t table[256];

    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;

            for (int bit = 0; bit < 8; bit++)
                value = value >> 1 ^ (value & 1 ? CRC32C_POLYNOMIAL : 0);
            table[i] = value;
        }
    while (length--)
        crc = crc >> 8 ^ table[(crc ^ *bytes++) & 255];
    return crc;
}

static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t length)
{
    uint64_t wide = crc;

    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t value;

        memcpy(&value, bytes, 8);
        __asm__("crc32q %1, %0" : "+r"(wide) : "r"(value));
    }
    crc = (uint32_t)wide;
    for (; length; length--, bytes++)
        __asm__("crc32b %1, %0" : "+r"(crc) : "r"(*bytes));
    return crc;
}

uint32_t crc32c(uint32_t seed, const void *data, size_t length)
{
    static int how; /* 0: not known yet */

    if (how == 0)
        how = has_instruction() ? 1 : 2;
    return how == 1 ? by_instruction(seed, data, length) : by_table(seed, data, length);
}

/* ---- each kind ---- */

static uint32_t super_sum(struct buffer *b, uint32_t **where)
{
    struct ext4_super *s = (void *)((uint8_t *)buffer_data(b) + volume.super_offset);

    *where = &s->checksum;
    return crc32c(~0u, s, offsetof(struct ext4_super, checksum));
}

static uint32_t extents_sum(struct buffer *b, uint32_t **where)
{
    struct ext4_extent_header *h = buffer_data(b);
    size_t end = sizeof *h + (size_t)h->max * sizeof(struct ext4_extent);

    if (end > volume.block_size - sizeof(struct ext4_extent_tail))
        end = volume.block_size - sizeof(struct ext4_extent_tail);
    *where = (uint32_t *)((uint8_t *)h + end);
    return crc32c(b->seed, h, end);
}

static uint32_t xattr_sum(struct buffer *b, uint32_t **where)
{
    struct ext4_xattr_header *h = buffer_data(b);
    uint64_t number = b->block;
    uint32_t sum = crc32c(volume.seed, &number, sizeof number), zero = 0;
    size_t at = offsetof(struct ext4_xattr_header, checksum);

    *where = &h->checksum;
    sum = crc32c(sum, h, at);
    sum = crc32c(sum, &zero, sizeof zero);
    return crc32c(sum, (uint8_t *)h + at + 4, volume.block_size - at - 4);
}

/* The hash tree entries of a root (at byte 32) or a node (at byte 8); NULL: it is a leaf. */
static struct ext4_dx_entry *dx_entries(struct buffer *b)
{
    uint8_t *data = buffer_data(b);
    const struct ext4_dirent *first = (void *)data, *second = (void *)(data + 12);
    const struct ext4_dx_info *info = (void *)(data + 24);

    if (first->inode == 0 && first->name_length == 0 && first->type == 0 &&
        first->length == volume.block_size)
        return (void *)(data + 8);
    if (first->length == 12 && first->name_length == 1 && second->name_length == 2 &&
        second->length == volume.block_size - 12 && info->zero == 0 && info->info_length == 8)
        return (void *)(data + 24 + info->info_length);
    return NULL;
}

static uint32_t dx_sum(struct buffer *b, struct ext4_dx_entry *e, uint32_t **where)
{
    size_t start = (size_t)((uint8_t *)e - (uint8_t *)buffer_data(b));
    uint32_t limit = e[0].hash & 0xffff, count = e[0].hash >> 16, zero = 0, sum;
    struct ext4_dx_tail *tail;

    if (count > limit || start + limit * sizeof *e > volume.block_size - sizeof *tail)
        return 0;
    tail = (void *)(e + limit);
    *where = &tail->checksum;
    sum = crc32c(b->seed, buffer_data(b), start + count * sizeof *e);
    sum = crc32c(sum, &tail->reserved, sizeof tail->reserved);
    return crc32c(sum, &zero, sizeof zero);
}

static uint32_t directory_sum(struct buffer *b, uint32_t **where)
{
    struct ext4_dx_entry *e = dx_entries(b);
    struct ext4_dirent_tail *tail =
        (void *)((uint8_t *)buffer_data(b) + volume.block_size - sizeof *tail);

    if (e)
        return dx_sum(b, e, where);
    if (tail->type != TYPE_CHECKSUM || tail->length != sizeof *tail)
        return 0;
    *where = &tail->checksum;
    return crc32c(b->seed, buffer_data(b), volume.block_size - sizeof *tail);
}

/* ---- group descriptors, inodes: many in a block ---- */

static uint16_t group_sum(uint32_t number, const struct ext4_group *g)
{
    uint32_t sum = crc32c(volume.seed, &number, sizeof number), zero = 0;
    size_t at = offsetof(struct ext4_group, checksum);

    sum = crc32c(sum, g, at);
    sum = crc32c(sum, &zero, 2);
    return (uint16_t)crc32c(sum, (const uint8_t *)g + at + 2, volume.group_size - at - 2);
}

static uint32_t first_group_of(const struct buffer *b)
{
    return (uint32_t)(b->block - volume.first_data_block - 1) * volume.groups_per_block;
}

static bool groups_each(struct buffer *b, bool is_check)
{
    uint32_t first = first_group_of(b);

    for (uint32_t n = 0; n < volume.groups_per_block && first + n < volume.groups; n++) {
        struct ext4_group *g = (void *)((uint8_t *)buffer_data(b) + n * volume.group_size);
        uint16_t sum = group_sum(first + n, g);

        if (!is_check)
            g->checksum = sum;
        else if (g->checksum != sum)
            return false;
    }
    return true;
}

static uint32_t inode_seed(uint32_t number, const struct ext4_inode *i)
{
    return crc32c(crc32c(volume.seed, &number, sizeof number), &i->generation, 4);
}

static bool has_high(const struct ext4_inode *i)
{
    return volume.inode_size > 128 && i->extra_isize >= 4;
}

/* With zeros in the places of the sum itself. (They are not put there meanwhile: who dies of it would leave
 * them to the next, and the block would be damaged.) */
static uint32_t inode_sum(uint32_t number, const struct ext4_inode *i)
{
    const uint8_t *bytes = (const uint8_t *)i;
    size_t at = offsetof(struct ext4_inode, checksum_lo), behind = at + sizeof i->checksum_lo;
    uint32_t sum = crc32c(inode_seed(number, i), bytes, at);
    const uint16_t zero = 0;

    sum = crc32c(sum, &zero, sizeof zero);
    if (!has_high(i))
        return crc32c(sum, bytes + behind, volume.inode_size - behind);
    at = offsetof(struct ext4_inode, checksum_hi);
    sum = crc32c(sum, bytes + behind, at - behind);
    sum = crc32c(sum, &zero, sizeof zero);
    behind = at + sizeof i->checksum_hi;
    return crc32c(sum, bytes + behind, volume.inode_size - behind);
}

/* b->seed is the number of the first inode in the block. */
static struct ext4_inode *inode_at(struct buffer *b, uint32_t n)
{
    return (void *)((uint8_t *)buffer_data(b) + n * volume.inode_size);
}

static void inodes_seal(struct buffer *b)
{
    for (uint32_t n = 0; n < volume.inodes_per_block; n++) {
        struct ext4_inode *i = inode_at(b, n);
        uint32_t sum;

        if (i->mode == 0 && i->dtime == 0 && i->links == 0)
            continue; /* never used: all zero */
        sum = inode_sum(b->seed + n, i);
        i->checksum_lo = (uint16_t)sum;
        if (has_high(i))
            i->checksum_hi = (uint16_t)(sum >> 16);
    }
}

/* Of those in use. (What has been freed is looked at by nobody.) */
static bool inodes_are_right(struct buffer *b)
{
    for (uint32_t n = 0; n < volume.inodes_per_block; n++) {
        struct ext4_inode *i = inode_at(b, n);
        uint32_t sum;

        if (i->mode == 0 || i->links == 0)
            continue;
        sum = inode_sum(b->seed + n, i);
        if (i->checksum_lo != (uint16_t)sum || (has_high(i) && i->checksum_hi != sum >> 16))
            return false;
    }
    return true;
}

/* ---- bitmaps: their sums are in the group's descriptor; b->seed is the group's number ---- */

static bool bitmap(struct buffer *b, bool is_check)
{
    bool blocks = b->kind == KIND_BLOCK_BITMAP, wide = volume.group_size >= 64;
    uint32_t bits = blocks ? volume.blocks_per_group : volume.inodes_per_group;
    uint32_t sum = crc32c(volume.seed, buffer_data(b), bits / 8);
    struct group g;
    uint16_t *lo, *hi;

    if (group_get(b->seed, &g) != 0)
        return false;
    lo = blocks ? &g.raw->block_bitmap_csum_lo : &g.raw->inode_bitmap_csum_lo;
    hi = blocks ? &g.raw->block_bitmap_csum_hi : &g.raw->inode_bitmap_csum_hi;
    if (is_check)
        return *lo == (uint16_t)sum && (!wide || *hi == sum >> 16);
    cache_changed(g.buffer);
    *lo = (uint16_t)sum;
    if (wide)
        *hi = (uint16_t)(sum >> 16);
    return true;
}

/* ---- */

static uint32_t (*const sums[])(struct buffer *, uint32_t **) = {
    [KIND_SUPER] = super_sum, [KIND_EXTENTS] = extents_sum, [KIND_DIRECTORY] = directory_sum,
    [KIND_XATTR] = xattr_sum, [KIND_JOURNAL] = NULL,
};

void seal(struct buffer *b)
{
    uint32_t *where = NULL, sum;

    if (!volume.has_checksums)
        return;
    cache_changed(b);
    if (b->kind == KIND_GROUPS) {
        groups_each(b, false);
    } else if (b->kind == KIND_INODES) {
        inodes_seal(b);
    } else if (b->kind == KIND_BLOCK_BITMAP || b->kind == KIND_INODE_BITMAP) {
        bitmap(b, false);
    } else if (sums[b->kind]) {
        sum = sums[b->kind](b, &where);
        if (where)
            *where = sum;
    }
}

bool seal_is_right(const struct buffer *constant)
{
    struct buffer *b = (struct buffer *)constant;
    uint32_t *where = NULL, sum;

    switch (b->kind) {
    case KIND_GROUPS:
        return groups_each(b, true);
    case KIND_INODES:
        return inodes_are_right(b);
    case KIND_BLOCK_BITMAP:
    case KIND_INODE_BITMAP:
        return bitmap(b, true);
    default:
        if (!sums[b->kind])
            return true;
        sum = sums[b->kind](b, &where);
        return where && *where == sum;
    }
}
