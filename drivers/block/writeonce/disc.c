/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/block/writeonce/disc.h"

#include <string.h>

uint32_t disc_fit(uint64_t size)
{
    uint64_t blocks = size > DISC_HEADER ? (size - DISC_HEADER) / DISC_BLOCK : 0,
             most = sizeof((struct disc *)0)->written * 8;

    return (uint32_t)(blocks < most ? blocks : most);
}

struct disc *disc_load(void *memory, uint64_t size)
{
    struct disc *disc = memory;
    uint32_t blocks = disc_fit(size);

    if (blocks == 0)
        return NULL;
    if (disc->magic != DISC_MAGIC || disc->blocks != blocks) {
        memset(memory, 0, DISC_HEADER);
        disc->blocks = blocks;
        __atomic_store_n(&disc->magic, DISC_MAGIC, __ATOMIC_RELEASE); /* last: it covers the rest */
    }
    return disc;
}

static uint8_t *block_at(const struct disc *disc, uint32_t block)
{
    return (uint8_t *)disc + DISC_HEADER + (uint64_t)block * DISC_BLOCK;
}

static bool is_written(const struct disc *disc, uint32_t block)
{
    return disc->written[block / 8] >> block % 8 & 1;
}

uint32_t disc_next(const struct disc *disc)
{
    uint32_t next = disc->blocks;

    while (next >= 16 && !disc->written[(next - 1) / 8])
        next = (next - 1) / 8 * 8;
    while (next && !is_written(disc, next - 1))
        next--;
    return next;
}

bool disc_mark(struct disc *disc, uint32_t block)
{
    if (block >= disc->blocks || is_written(disc, block)) {
        disc->refused++;
        return false;
    }
    disc->written[block / 8] |= (uint8_t)(1 << block % 8);
    return true;
}

/* The mark comes first: a block that was only begun is as good as written. */
bool disc_write(struct disc *disc, uint32_t block, const uint8_t bytes[DISC_BLOCK])
{
    if (!disc_mark(disc, block))
        return false;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(block_at(disc, block), bytes, DISC_BLOCK);
    return true;
}

const uint8_t *disc_read(const struct disc *disc, uint32_t block)
{
    return block_at(disc, block);
}
