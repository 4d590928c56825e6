/* SPDX-License-Identifier: BSD-2-Clause */
/* Sorted, joined ranges of blocks. */
#include "servers/fs/ext4/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "servers/fs/ext4/ext4.h"

static struct zone {
    uint64_t first, end;
} * zones;
static uint32_t count, room, next_group;

void zones_forget(void)
{
    free(zones);
    zones = NULL;
    count = room = next_group = 0;
}

/* The first zone that ends after `block`. */
static uint32_t find(uint64_t block)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (zones[middle].end <= block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool zone_has(uint64_t first, uint64_t blocks)
{
    uint32_t n = find(first);

    return n < count && zones[n].first < first + blocks;
}

static long grow(void)
{
    uint32_t wanted = room ? 2 * room : 64;
    struct zone *more = realloc(zones, wanted * sizeof *more);

    if (!more)
        return -ENOMEM;
    zones = more;
    room = wanted;
    return 0;
}

long zone_add(uint64_t first, uint64_t blocks)
{
    uint32_t n = find(first);

    if (zone_has(first, blocks))
        return -EUCLEAN;
    if (n > 0 && zones[n - 1].end == first) {
        zones[n - 1].end += blocks;
        if (n < count && zones[n].first == first + blocks) {
            zones[n - 1].end = zones[n].end;
            memmove(&zones[n], &zones[n + 1], (--count - n) * sizeof *zones);
        }
        return 0;
    }
    if (n < count && zones[n].first == first + blocks) {
        zones[n].first = first;
        return 0;
    }
    if (count == room && grow() < 0)
        return -ENOMEM;
    memmove(&zones[n + 1], &zones[n], (count++ - n) * sizeof *zones);
    zones[n] = (struct zone){first, first + blocks};
    return 0;
}

static bool is_power_of(uint32_t n, uint32_t base)
{
    while (n > 1 && n % base == 0)
        n /= base;
    return n == 1;
}

static bool has_super(uint32_t group)
{
    if (group <= 1 && !(volume.compatible & COMPAT_SPARSE_SUPER2))
        return true;
    if (volume.compatible & COMPAT_SPARSE_SUPER2)
        return group == 0 ||
               (group && (group == volume.backup_groups[0] || group == volume.backup_groups[1]));
    return !(volume.ro_compatible & RO_SPARSE_SUPER) || is_power_of(group, 3) ||
           is_power_of(group, 5) || is_power_of(group, 7);
}

uint32_t zone_group_base(uint32_t group)
{
    uint32_t descriptors = (volume.groups + volume.groups_per_block - 1) / volume.groups_per_block;

    return has_super(group) ? 1 + descriptors + volume.reserved_descriptors : 0;
}

static long add_group(uint32_t number)
{
    uint64_t start = volume.first_data_block + (uint64_t)number * volume.blocks_per_group;
    uint32_t base = zone_group_base(number);
    struct group g;
    long result = group_get(number, &g);

    if (result)
        return result;
    if (base && start + base > volume.blocks)
        return -EUCLEAN;
    if (base)
        result = zone_add(start, base);
    if (result == 0)
        result = zone_add(group_block_bitmap(&g), 1);
    if (result == 0)
        result = zone_add(group_inode_bitmap(&g), 1);
    if (result == 0)
        result = zone_add(group_inode_table(&g), volume.inode_table_blocks);
    return result;
}

long zones_load(void)
{
    while (next_group < volume.groups) {
        long result = add_group(next_group);

        if (result)
            return result;
        next_group++;
    }
    return 0;
}
