/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/disk/partition.h"

#include <stdbool.h>
#include <string.h>

enum {
    MBR_TABLE = 446,
    MBR_ENTRIES = 4,
    FIRST_LOGICAL = 5,
    TYPE_EXTENDED = 0x05,
    TYPE_EXTENDED_LBA = 0x0f,
    TYPE_EXTENDED_LINUX = 0x85,
    TYPE_GPT = 0xee,
    GPT_HEADER_BLOCK = 1,
    GPT_ENTRY_MIN = 128,
    GPT_ENTRIES_MAX = 1024, /* that are looked at */
};

struct mbr_entry {
    uint8_t active, chs_first[3], type, chs_last[3];
    uint32_t first, sectors;
} __attribute__((packed));

struct gpt_header {
    char signature[8];
    uint32_t revision, size, checksum, reserved;
    uint64_t own, other, first_usable, last_usable;
    uint8_t guid[16];
    uint64_t entries_block;
    uint32_t entries, entry_size, entries_checksum;
} __attribute__((packed));

struct gpt_entry {
    uint8_t type[16], guid[16];
    uint64_t first, last;
} __attribute__((packed));

/* A disk, as it counts itself: in blocks. */
struct disk {
    sector_reader read;
    void *context;
    uint64_t blocks;
    uint32_t scale; /* sectors of 512 bytes in a block */
};

/* The first 512 bytes of a block. */
static long read_block(const struct disk *d, uint64_t block, uint8_t *sector)
{
    return d->read(d->context, block * d->scale, sector);
}

static bool has_signature(const uint8_t *sector)
{
    return sector[510] == 0x55 && sector[511] == 0xaa;
}

static struct mbr_entry entry_of(const uint8_t *sector, unsigned n)
{
    struct mbr_entry e;

    memcpy(&e, sector + MBR_TABLE + n * sizeof e, sizeof e);
    return e;
}

static bool is_extended(uint8_t type)
{
    return type == TYPE_EXTENDED || type == TYPE_EXTENDED_LBA || type == TYPE_EXTENDED_LINUX;
}

static void put(struct partition *p, uint64_t first, uint64_t count, const struct disk *d)
{
    if (count && first && first < d->blocks && count <= d->blocks - first)
        *p = (struct partition){first * d->scale, count * d->scale};
}

/* A chain of blocks, each with one logical partition and the place of the next. */
static long read_logical(const struct disk *d, uint64_t base, struct partition *table,
                         unsigned *beyond)
{
    uint64_t at = base;

    for (unsigned n = FIRST_LOGICAL; n <= PARTITIONS_MAX; n++) {
        uint8_t sector[512];
        struct mbr_entry own, next;
        long error = at < d->blocks ? read_block(d, at, sector) : 0;

        if (error || at >= d->blocks || !has_signature(sector))
            return error;
        own = entry_of(sector, 0);
        next = entry_of(sector, 1);
        if (own.type)
            put(&table[n - 1], at + own.first, own.sectors, d);
        if (!is_extended(next.type) || next.first == 0)
            return 0;
        at = base + next.first;
    }
    *beyond = 1;
    return 0;
}

static uint32_t crc32(const uint8_t *bytes, uint32_t length)
{
    uint32_t crc = ~0u;

    while (length--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static bool header_is_right(uint8_t *sector, uint64_t own)
{
    struct gpt_header h, blank;

    memcpy(&h, sector, sizeof h);
    if (memcmp(h.signature, "EFI PART", 8) != 0 || h.size < sizeof h || h.size > 512 ||
        h.own != own || h.entry_size < GPT_ENTRY_MIN || h.entry_size % GPT_ENTRY_MIN ||
        h.entry_size > 512)
        return false;
    blank = h;
    blank.checksum = 0;
    memcpy(sector, &blank, sizeof blank);
    return crc32(sector, h.size) == h.checksum;
}

static bool is_used(const struct gpt_entry *e)
{
    static const uint8_t unused[16];

    return memcmp(e->type, unused, sizeof unused) != 0 && e->last >= e->first;
}

static long read_entries(const struct disk *d, const struct gpt_header *h, struct partition *table,
                         unsigned *beyond)
{
    uint32_t count = h->entries < GPT_ENTRIES_MAX ? h->entries : GPT_ENTRIES_MAX;
    uint64_t held = 0; /* the sector in memory; 0 is none of the table's */
    uint8_t sector[512];

    for (uint32_t n = 0; n < count; n++) {
        uint64_t byte = (uint64_t)n * h->entry_size,
                 at = h->entries_block * d->scale + byte / 512; /* without gaps, across blocks */
        struct gpt_entry e;
        long error = 0;

        if (h->entries_block == 0 || h->entries_block >= d->blocks || at >= d->blocks * d->scale)
            return 0;
        if (at != held)
            error = d->read(d->context, at, sector);
        if (error)
            return error;
        held = at;
        memcpy(&e, sector + byte % 512, sizeof e);
        if (is_used(&e) && n >= PARTITIONS_MAX)
            ++*beyond;
        else if (is_used(&e))
            put(&table[n], e.first, e.last - e.first + 1, d);
    }
    return 0;
}

static long read_gpt(const struct disk *d, struct partition *table, unsigned *beyond)
{
    const uint64_t places[] = {GPT_HEADER_BLOCK, d->blocks - 1};
    struct gpt_header h;
    uint8_t sector[512];
    bool found = false;

    for (unsigned i = 0; i < 2 && !found; i++) {
        long error = read_block(d, places[i], sector);

        if (error)
            return error;
        memcpy(&h, sector, sizeof h);
        found = header_is_right(sector, places[i]);
    }
    return found ? read_entries(d, &h, table, beyond) : 0;
}

long partitions_read(sector_reader read, void *context, uint64_t sectors, uint32_t block,
                     struct partition table[PARTITIONS_MAX], unsigned *beyond)
{
    uint32_t scale = block > 512 ? block / 512 : 1;
    const struct disk d = {read, context, sectors / scale, scale};
    uint8_t sector[512];
    long error = d.blocks > 1 ? read_block(&d, 0, sector) : 0;
    uint64_t extended = 0;

    memset(table, 0, PARTITIONS_MAX * sizeof *table);
    *beyond = 0;
    if (error || d.blocks <= 1 || !has_signature(sector))
        return error;
    for (unsigned n = 0; n < MBR_ENTRIES; n++) {
        struct mbr_entry e = entry_of(sector, n);

        if (e.type == TYPE_GPT) {
            memset(table, 0, PARTITIONS_MAX * sizeof *table);
            return read_gpt(&d, table, beyond);
        }
        if (e.type && (e.active & 0x7f) == 0)
            put(&table[n], e.first, e.sectors, &d);
        if (is_extended(e.type) && !extended)
            extended = e.first;
    }
    return extended ? read_logical(&d, extended, table, beyond) : 0;
}
