/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the journal lies, its super block, its tail. */
#include "servers/fs/ext4/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/zone.h"

enum {
    CHECKSUM_TYPE_CRC32C = 4,
    SMALLEST = 1024,
    KNOWN_FEATURES = JOURNAL_REVOKES | JOURNAL_64BIT | JOURNAL_CSUM_V3
};

struct journal journal;

/* ---- where ---- */

static struct piece {
    uint32_t first, count;
    uint64_t place;
} * pieces;
static uint32_t piece_count, mapped, zoned; /* mapped: blocks; zoned: pieces */
static struct journal_super super;

/* ---- the tail's way; see below ---- */
static enum { TAIL_STAYS, TAIL_FLUSH, TAIL_FLUSHING, TAIL_WRITE, TAIL_WRITING } tail;
static uint32_t new_tail, new_sequence;
static void (*told)(int error);

void journal_forget(void)
{
    free(pieces);
    pieces = NULL;
    piece_count = mapped = zoned = 0;
    tail = TAIL_STAYS;
    told = NULL;
}

static const struct piece *piece_of(uint32_t block)
{
    uint32_t low = 0, high = piece_count - 1;

    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;

        if (pieces[middle].first <= block)
            low = middle;
        else
            high = middle - 1;
    }
    return &pieces[low];
}

uint64_t journal_place(uint32_t block)
{
    const struct piece *p = piece_of(block);

    return p->place + (block - p->first);
}

uint32_t journal_next(uint32_t block, uint32_t count)
{
    block += count;
    return block < journal.end ? block : block - (journal.end - journal.first);
}

uint32_t journal_run(uint32_t block, uint32_t want)
{
    const struct piece *p = piece_of(block);
    uint32_t left = p->first + p->count - block;

    if (left > journal.end - block)
        left = journal.end - block;
    return left < want ? left : want;
}

/* The zones get the journal's blocks after it has been read. */
static long map_all(struct inode *i, uint32_t blocks)
{
    while (mapped < blocks) {
        struct extent_map map;
        struct piece *more;
        long result = extent_find(i, mapped, blocks - mapped, &map);

        if (result)
            return result;
        if (map.physical == 0 || map.unwritten)
            return -EUCLEAN;
        more = realloc(pieces, (piece_count + 1) * sizeof *more);
        if (!more)
            return -ENOMEM;
        pieces = more;
        pieces[piece_count++] = (struct piece){mapped, map.count, map.physical};
        mapped += map.count;
    }
    for (; zoned < piece_count; zoned++) {
        long result = zone_add(pieces[zoned].place, pieces[zoned].count);

        if (result)
            return result;
    }
    return 0;
}

/* ---- the super block ---- */

static uint32_t super_sum(const struct journal_super *s)
{
    struct journal_super copy = *s;

    copy.checksum = 0;
    return crc32c(~0u, &copy, sizeof copy);
}

static long refuse(char *why, size_t room, const char *text)
{
    snprintf(why, room, "%s", text);
    return -EUCLEAN;
}

/* Nothing of it is used before all of it is known to be possible: its numbers become places on the
 * disk. Features come first: with unknown ones the rest may mean something else. */
static long check(char *why, size_t room)
{
    uint32_t type = swap32(super.header.type), features;
    uint32_t start = swap32(super.start), end = swap32(super.maxlen);

    if (super.header.magic != swap32(JOURNAL_MAGIC) || type != JOURNAL_SUPER)
        return refuse(why, room, "its journal has no super block");
    features = swap32(super.feature_incompat);
    if (features & ~(uint32_t)KNOWN_FEATURES) {
        snprintf(why, room,
                 "its journal has features that are not known (%#x): have e2fsck replay it",
                 features & ~(uint32_t)KNOWN_FEATURES);
        return -EINVAL;
    }
    if (swap32(super.block_size) != volume.block_size || end > mapped || end < SMALLEST ||
        swap32(super.first) == 0 || swap32(super.first) >= 16 || start >= end ||
        (start && start < swap32(super.first)))
        return refuse(why, room, "the super block of its journal makes no sense");
    if ((features & JOURNAL_CSUM_V3) && swap32(super.checksum) != super_sum(&super))
        return refuse(why, room, "the checksum of its journal's super block is wrong");
    if (super.errno_value)
        log_info("the journal notes an error of its last user: run e2fsck");
    journal = (struct journal){.first = swap32(super.first),
                               .end = end,
                               .features = features,
                               .seed = crc32c(~0u, super.uuid, sizeof super.uuid),
                               .start = start,
                               .sequence = swap32(super.sequence)};
    memcpy(journal.uuid, super.uuid, sizeof journal.uuid);
    return 0;
}

long journal_load(char *why, size_t room)
{
    struct buffer *b;
    struct inode i;
    uint64_t blocks;
    long result = inode_get(EXT4_JOURNAL_INODE, &i);

    if (result == 0) {
        blocks = inode_size(&i) >> volume.block_shift;
        result =
            blocks < SMALLEST || blocks > UINT32_MAX ? -EUCLEAN : map_all(&i, (uint32_t)blocks);
    }
    if (result == 0)
        result = block_get(journal_place(0), KIND_DATA, 0, &b);
    if (result == EXT4_MISS || result == -EIO)
        return result;
    if (result)
        return refuse(why, room, "its journal cannot be found");
    memcpy(&super, buffer_data(b), sizeof super);
    return check(why, room);
}

void journal_fill_super(void *block, uint32_t start, uint32_t sequence)
{
    struct journal_super s = super;

    s.header.type = swap32(JOURNAL_SUPER);
    s.start = swap32(start);
    s.sequence = swap32(sequence);
    s.feature_incompat = swap32(journal.features);
    if (journal.features & JOURNAL_CSUM_V3) {
        s.checksum_type = CHECKSUM_TYPE_CRC32C;
        s.checksum = swap32(super_sum(&s));
    }
    memset(block, 0, volume.block_size);
    memcpy(block, &s, sizeof s);
}

/* ---- checksums and tags ---- */

uint32_t journal_block_sum(const void *block, size_t at)
{
    uint32_t zero = 0, sum = crc32c(journal.seed, block, at);

    sum = crc32c(sum, &zero, sizeof zero);
    return crc32c(sum, (const uint8_t *)block + at + 4, volume.block_size - at - 4);
}

uint32_t journal_tag_sum(const void *block, uint32_t sequence)
{
    uint32_t swapped = swap32(sequence);

    return crc32c(crc32c(journal.seed, &swapped, sizeof swapped), block, volume.block_size);
}

size_t journal_tag_size(void)
{
    if (journal.features & JOURNAL_CSUM_V3)
        return sizeof(struct journal_tag3);
    return sizeof(struct journal_tag) - (journal.features & JOURNAL_64BIT ? 0 : 4);
}

/* ---- the tail ---- */

uint32_t journal_room(void)
{
    const struct journal_state *j = &box->journal;
    uint32_t size = journal.end - journal.first;
    uint32_t used = (j->head + size - j->tail) % size;

    return size - used - 1;
}

uint32_t journal_live(void)
{
    return box->journal.sequence - box->journal.tail_sequence;
}

bool journal_is_quiet(void)
{
    return tail == TAIL_STAYS;
}

static void tail_ended(int error)
{
    if (error) {
        tail = TAIL_STAYS;
        journal_failed(error);
    } else if (tail == TAIL_FLUSHING) {
        tail = TAIL_WRITE;
        journal_step();
        return;
    } else {
        box->journal.tail = new_tail;
        box->journal.tail_sequence = new_sequence;
        tail = TAIL_STAYS;
    }
    if (told) {
        void (*done)(int) = told;

        told = NULL;
        done(error);
    }
}

/* The oldest transaction that has blocks which are not in place. Between two commits alone: a
 * block's copy in the commit under way is worth nothing yet. */
static uint32_t oldest(void)
{
    uint32_t found = box->journal.sequence;

    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].logged && (int32_t)((uint32_t)buffers[n].logged - found) < 0)
            found = (uint32_t)buffers[n].logged;
    return found;
}

static void look(void)
{
    struct journal_state *j = &box->journal;
    uint32_t size = journal.end - journal.first, room = journal_room();

    if (room > size - size / 4 && journal_live() < LIVE_MAX / 2)
        return;
    new_sequence = oldest();
    if (new_sequence == j->tail_sequence) {
        write_want(WRITE_ALL);
        return;
    }
    new_tail = new_sequence == j->sequence ? j->head : j->begin[new_sequence % LIVE_MAX];
    tail = TAIL_FLUSH;
}

/* The journal's super block is written from the last block of the stage, which no commit uses. */
static void *super_memory(void)
{
    return box_stage(STAGE_BLOCKS - 1);
}

void journal_step(void)
{
    if (box->has_error)
        return;
    if (tail == TAIL_STAYS && box->journal.phase == COMMIT_IDLE)
        look();
    if (tail == TAIL_FLUSH && io_flush(tail_ended))
        tail = TAIL_FLUSHING;
    if (tail == TAIL_WRITE) {
        journal_fill_super(super_memory(), new_tail, new_sequence);
        if (io_write_memory(super_memory(), journal_place(0), 1, true, tail_ended))
            tail = TAIL_WRITING;
    }
}

static bool write_tail(uint32_t start, void (*done)(int error))
{
    new_tail = start ? start : box->journal.head;
    new_sequence = box->journal.sequence;
    told = done;
    journal_fill_super(super_memory(), start, new_sequence);
    tail = TAIL_WRITING;
    if (io_write_memory(super_memory(), journal_place(0), 1, true, tail_ended))
        return true;
    tail = TAIL_STAYS;
    told = NULL;
    return false;
}

bool journal_close(void (*done)(int error))
{
    return write_tail(0, done);
}

bool journal_open(void (*done)(int error))
{
    return write_tail(box->journal.head, done);
}

void journal_failed(int error)
{
    if (box->has_error)
        return;
    box->has_error = 1;
    volume.read_only = true;
    log_always("the journal cannot be written (%s): nothing is changed from now on",
               error_name(error));
}
