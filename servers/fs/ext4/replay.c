/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a journal has that was not closed is put in place, as jbd2 does it: find the last complete
 * transaction, collect what was revoked, copy the rest. Run again from where it was whenever blocks
 * have to be read first; done twice it does the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/journal.h"

enum { AHEAD = 64, UUID_SIZE = 16 };

struct revoked {
    uint64_t block;
    uint32_t sequence;
};

enum pass { PASS_SCAN, PASS_REVOKE, PASS_COPY, PASS_DONE };

static struct {
    enum pass pass;
    bool is_begun;
    uint32_t at, sequence; /* where it is */
    uint32_t end; /* the first transaction that is not complete */
    struct revoked *revoked;
    uint32_t revokes, room, copied;
} now;

static bool has_sums(void)
{
    return journal.features & JOURNAL_CSUM_V3;
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* ---- what was revoked: sorted by block ---- */

static uint32_t place_of(uint64_t block)
{
    uint32_t low = 0, high = now.revokes;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (now.revoked[middle].block < block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static long revoke(uint64_t block, uint32_t sequence)
{
    uint32_t n = place_of(block);

    if (n < now.revokes && now.revoked[n].block == block) {
        if (is_before(now.revoked[n].sequence, sequence))
            now.revoked[n].sequence = sequence;
        return 0;
    }
    if (now.revokes == now.room) {
        uint32_t room = now.room ? 2 * now.room : 256;
        struct revoked *more = realloc(now.revoked, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        now.revoked = more;
        now.room = room;
    }
    memmove(&now.revoked[n + 1], &now.revoked[n], (now.revokes++ - n) * sizeof *now.revoked);
    now.revoked[n] = (struct revoked){block, sequence};
    return 0;
}

static bool is_revoked(uint64_t block, uint32_t sequence)
{
    uint32_t n = place_of(block);

    return n < now.revokes && now.revoked[n].block == block &&
           !is_before(now.revoked[n].sequence, sequence);
}

static long take_revokes(const uint8_t *block)
{
    size_t size = journal.features & JOURNAL_64BIT ? 8 : 4;
    size_t end = swap32(((const struct journal_revoke *)block)->bytes);

    if (end > volume.block_size)
        return -EUCLEAN;
    for (size_t at = sizeof(struct journal_revoke); at + size <= end; at += size) {
        uint64_t wide;
        uint32_t narrow;
        long result;

        memcpy(&narrow, block + at, 4);
        memcpy(&wide, block + at, size);
        result = revoke(size == 8 ? __builtin_bswap64(wide) : swap32(narrow), now.sequence);
        if (result)
            return result;
    }
    return 0;
}

/* ---- blocks of the journal ---- */

static long read_block(uint32_t at, uint8_t **out)
{
    struct buffer *b;
    long result;

    for (uint32_t n = 0; n < AHEAD; n++)
        block_ahead(journal_place(journal_next(at, n)), KIND_DATA);
    result = block_get(journal_place(at), KIND_DATA, 0, &b);
    if (result == 0)
        *out = buffer_data(b);
    return result;
}

static bool sum_is_right(const uint8_t *block, size_t at)
{
    uint32_t sum;

    memcpy(&sum, block + at, sizeof sum);
    return !has_sums() || swap32(sum) == journal_block_sum(block, at);
}

struct tag {
    uint64_t block;
    uint32_t flags, checksum;
};

static struct tag tag_at(const uint8_t *raw)
{
    struct journal_tag3 wide;
    struct journal_tag narrow = {0};
    struct tag t;

    if (has_sums()) {
        memcpy(&wide, raw, sizeof wide);
        return (struct tag){swap32(wide.block) | (uint64_t)swap32(wide.block_hi) << 32,
                            swap32(wide.flags), swap32(wide.checksum)};
    }
    memcpy(&narrow, raw, journal_tag_size());
    t = (struct tag){.block = swap32(narrow.block), .flags = __builtin_bswap16(narrow.flags)};
    if (journal.features & JOURNAL_64BIT)
        t.block |= (uint64_t)swap32(narrow.block_hi) << 32;
    return t;
}

/* The copy at `at` of the journal goes to its place. */
static long copy(const struct tag *t, uint32_t at)
{
    struct buffer *b;
    uint8_t *from;
    long result;

    if (is_revoked(t->block, now.sequence))
        return 0;
    if (t->block >= volume.blocks)
        return -EUCLEAN;
    result = read_block(at, &from);
    if (result)
        return result;
    if (has_sums() && t->checksum != journal_tag_sum(from, now.sequence))
        return -EUCLEAN;
    result = block_overwrite(t->block, &b);
    if (result)
        return result;
    memcpy(buffer_data(b), from, volume.block_size);
    if (t->flags & TAG_ESCAPED)
        *(uint32_t *)buffer_data(b) = swap32(JOURNAL_MAGIC);
    b->kind = KIND_DATA;
    b->changed = true;
    cache_changed(b);
    b->state = (b->state & B_WRITING) | B_VALID | B_DIRTY;
    write_dirtied(1);
    now.copied++;
    return 0;
}

/* A descriptor at now.at: how many blocks it speaks of. */
static long take_descriptor(const uint8_t *block)
{
    size_t size = journal_tag_size(), at = sizeof(struct journal_header);
    size_t end = volume.block_size - (has_sums() ? 4 : 0);
    uint32_t n = 0;

    while (at + size <= end) {
        struct tag t = tag_at(block + at);

        n++;
        if (now.pass == PASS_COPY) {
            long result = copy(&t, journal_next(now.at, n));

            if (result)
                return result;
        }
        at += size + (t.flags & TAG_SAME_UUID ? 0 : UUID_SIZE);
        if (t.flags & TAG_LAST)
            break;
    }
    return n;
}

/* One block of the log: 1 it goes on, 0 the log ends here. */
static long step(void)
{
    const struct journal_header *h;
    uint8_t *block;
    uint32_t skip = 1;
    long result = read_block(now.at, &block);

    if (result)
        return result;
    h = (void *)block;
    if (h->magic != swap32(JOURNAL_MAGIC) || swap32(h->sequence) != now.sequence)
        return 0;
    switch (swap32(h->type)) {
    case JOURNAL_DESCRIPTOR:
        if (!sum_is_right(block, volume.block_size - 4))
            return 0;
        result = take_descriptor(block);
        if (result < 0)
            return result;
        skip += (uint32_t)result;
        break;
    case JOURNAL_COMMIT:
        if (!sum_is_right(block, offsetof(struct journal_commit, checksum)))
            return 0;
        now.sequence++;
        break;
    case JOURNAL_REVOKE:
        if (!sum_is_right(block, volume.block_size - 4))
            return 0;
        result = now.pass == PASS_REVOKE ? take_revokes(block) : 0;
        if (result < 0)
            return result;
        break;
    default:
        return 0;
    }
    now.at = journal_next(now.at, skip);
    return 1;
}

static bool has_ended(void)
{
    /* a log that goes round for ever is none */
    return now.pass == PASS_SCAN ? now.sequence - journal.sequence > journal.end
                                 : now.sequence == now.end;
}

/* Each pass goes from the start to the end that the first one has found. Where the log ends is no
 * error: a transaction that was being written has no record yet. What cannot be read is one: to
 * leave out a transaction and to go on would be worse than not to mount. */
long replay(char *why, size_t room)
{
    while (now.pass != PASS_DONE) {
        long result;

        if (!now.is_begun) {
            now.at = journal.start;
            now.sequence = journal.sequence;
            now.is_begun = true;
        }
        result = has_ended() ? 0 : step();
        if (result == EXT4_MISS)
            return result;
        if (result < 0) {
            snprintf(why, room, "its journal cannot be replayed (%s): run e2fsck",
                     error_name(result));
            return result;
        }
        if (result == 1)
            continue;
        if (now.pass == PASS_SCAN)
            now.end = now.sequence;
        now.pass++;
        now.is_begun = false;
    }
    log_info("the journal had %u transactions: %u blocks were put in place",
             now.end - journal.sequence, now.copied);
    /* whatever the journal still has is of the past */
    journal.sequence = now.end + 1;
    journal.start = 0;
    free(now.revoked);
    now = (typeof(now)){0};
    return 0;
}
