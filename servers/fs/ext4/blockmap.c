/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/ext4/blockmap.h"

#include <errno.h>

enum { DIRECT = 12, LEVELS = 3 };

/* Entry n of a table of `level` levels at `block` (0: a hole). */
static long descend(uint32_t block, unsigned level, uint64_t n, const uint32_t **table,
                    uint32_t *left)
{
    uint32_t each = volume.block_size / sizeof(uint32_t);

    for (;;) {
        struct buffer *b;
        uint64_t below = 1;
        long result;

        for (unsigned k = 1; k < level; k++)
            below *= each;
        *left = (uint32_t)(each - n / below % each);
        *table = NULL;
        if (block == 0)
            return 0;
        if (block_is_system(block, 1))
            return -EUCLEAN;
        result = block_get(block, KIND_DATA, 0, &b);
        if (result)
            return result;
        *table = (const uint32_t *)buffer_data(b) + n / below % each;
        if (level-- == 1)
            return 0;
        block = **table;
    }
}

/* As far as blocks follow each other within one table, so that they are read at once: what lies
 * behind it would be another block to read first. */
long blockmap_find(struct inode *i, uint32_t logical, uint32_t want, struct extent_map *out)
{
    const uint32_t *table = i->raw->block + logical;
    uint64_t n = logical - DIRECT, size = volume.block_size / sizeof(uint32_t), span = size;
    uint32_t left = DIRECT - logical, count = 1;
    long result = 0;

    if (logical >= DIRECT) {
        unsigned level = 1;

        for (; level <= LEVELS && n >= span; level++, span *= size)
            n -= span;
        if (level > LEVELS)
            return -EFBIG;
        result = descend(i->raw->block[DIRECT + level - 1], level, n, &table, &left);
    }
    if (result)
        return result;
    if (!table || *table == 0) {
        *out = (struct extent_map){.count = 1};
        return 0;
    }
    if (left > want)
        left = want;
    while (count < left && table[count] == *table + count)
        count++;
    *out = (struct extent_map){.physical = *table, .count = count};
    return *table >= volume.blocks || count > volume.blocks - *table ||
                   block_is_system(*table, count)
               ? -EUCLEAN
               : 0;
}
