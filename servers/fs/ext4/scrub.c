/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scrubbing of the cache: what is in it may lie there for long, and a bit that flips meanwhile would be
 * handed on, or written to the disk, as right. So of each block a code is kept, made when the hand comes
 * by after a change, and compared whenever it comes by again: a few blocks before a run of a request,
 * for a part of the time that has passed. What is asked for before its turn comes is handed on as it is.
 *
 * The code tells where a single bit has flipped, so it is put right, whether the disk has the block as it
 * is or not. A block is rows of eight words. `sum` is the exclusive or of all words: of a flip it has the
 * bit. `rows` is that of the rows, each rotated by its place: it has the row. `columns` are the parities of
 * the words whose number in their row has bit 0, 1, 2.
 */
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"

/* It takes this part of the time, if there is always something to do; a block of 4 kB costs some 600
 * instructions. */
#define SHARE 64
#define LEAST_MS 1 /* from one time to the next, when nothing is due */
/* Before one run, some 20 us; what is due beyond that is done before the next ones. */
#define BLOCKS_MOST 32
#define DUE_MOST_MS 512 /* of the time that has passed: after a pause 8 ms of looking are due */

#define ROW 8 /* words */
#define ROWS_MAX                                                                                   \
    64 /* as many as a word has bits; of larger blocks a flip is found, and its place is not */

static uint64_t due, last; /* of the TSC */
static uint32_t hand;

static uint32_t rows_of_block(void)
{
    return box->block_size / (ROW * sizeof(uint64_t));
}

static uint64_t sum_of(const uint64_t *word)
{
    uint64_t sum = 0;

    for (const uint64_t *end = word + rows_of_block() * ROW; word < end; word += ROW)
#pragma GCC unroll 8
        for (unsigned i = 0; i < ROW; i++)
            sum ^= word[i];
    return sum;
}

static uint64_t rotate(uint64_t word)
{
    return word << 1 | word >> 63;
}

static struct block_code code_of(const uint64_t *word)
{
    struct block_code code = {0};
    uint64_t column[ROW] = {0};

    for (const uint64_t *end = word + rows_of_block() * ROW; word < end; word += ROW) {
        code.rows = rotate(code.rows);
        for (unsigned i = 0; i < ROW; i++) {
            code.rows ^= word[i];
            column[i] ^= word[i];
        }
    }
    for (unsigned i = 0; i < ROW; i++) {
        code.sum ^= column[i];
        if (__builtin_parityll(column[i]))
            code.columns ^= i;
    }
    return code;
}

/* Puts a single bit right. False: it is more than that. */
static bool mend(uint64_t *word, const struct block_code *right)
{
    struct block_code is = code_of(word);
    uint64_t bit = is.sum ^ right->sum, turned = is.rows ^ right->rows;
    uint32_t rows = rows_of_block(), row;

    if (rows > ROWS_MAX || (bit & (bit - 1)) || turned == 0 || (turned & (turned - 1)))
        return false;
    row = (uint32_t)(__builtin_ctzll(bit) - __builtin_ctzll(turned) + (int)rows - 1) % 64;
    if (row >= rows)
        return false;
    word[row * ROW + (is.columns ^ right->columns)] ^= bit;
    return true;
}

static void compare(struct buffer *b)
{
    uint64_t *word = buffer_data(b);

    if (!b->has_code) {
        b->code = code_of(word);
        b->has_code = true;
        return;
    }
    if (sum_of(word) == b->code.sum)
        return;
    if (mend(word, &b->code)) {
        log_info("block %llu: mended, a bit of it had flipped", (unsigned long long)b->block);
        return;
    }
    log_info("block %llu: changed by itself", (unsigned long long)b->block);
    if (cache_may_go(b))
        cache_drop(b); /* it is read again */
    else
        b->has_code = false; /* more than a bit, and it is nowhere else */
}

bool cache_scrub_one(void)
{
    for (uint32_t tries = box->buffers; tries > 0; tries--) {
        struct buffer *b = &buffers[hand];

        hand = hand + 1 < box->buffers ? hand + 1 : 0;
        if (!(b->state & B_VALID) || (b->state & B_READING))
            continue;
        compare(b);
        return true;
    }
    return false;
}

/* What has passed is paid for in advance. */
void cache_scrub(void)
{
    const uint64_t ms = kernel_page()->tsc_hz / 1000;
    uint64_t now = __builtin_ia32_rdtsc(), owed, spent = 0;

    if (now < due || !box || op_active())
        return;
    if (last == 0 || now - last > DUE_MOST_MS * ms)
        last = last == 0 ? now : now - DUE_MOST_MS * ms;
    owed = (now - last) / SHARE;
    for (unsigned n = 0; spent < owed && n < BLOCKS_MOST && cache_scrub_one(); n++)
        spent = __builtin_ia32_rdtsc() - now;
    last = spent < owed ? last + spent * SHARE : now;
    due = spent < owed ? now : now + LEAST_MS * ms;
}
