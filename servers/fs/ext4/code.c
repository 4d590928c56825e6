/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of a block's contents to find a bit that has flipped since.
 * It tells where a single bit has flipped, so it is put right, whether the disk has the block as it
 * is or not. A block is rows of eight words. `sum` is the exclusive or of all words: of a flip it has the
 * bit. `rows` is that of the rows, each rotated by its place: it has the row. `columns` are the parities of
 * the words whose number in their row has bit 0, 1, 2.
 */
#include "servers/fs/ext4/code.h"

#define ROW 8 /* words */
#define ROWS_MAX                                                                                   \
    64 /* as many as a word has bits; of larger blocks a flip is found, and its place is not */

static uint32_t rows_of(size_t bytes)
{
    return (uint32_t)(bytes / (ROW * sizeof(uint64_t)));
}

static uint64_t sum_of(const uint64_t *word, size_t bytes)
{
    uint64_t sum = 0;

    for (const uint64_t *end = word + rows_of(bytes) * ROW; word < end; word += 2 * ROW)
#pragma GCC unroll 16
        for (unsigned i = 0; i < 2 * ROW; i++) /* (a block has an even number of rows) */
            sum ^= word[i];
    return sum;
}

static uint64_t rotate(uint64_t word)
{
    return word << 1 | word >> 63;
}

struct block_code code_of(const uint64_t *word, size_t bytes)
{
    struct block_code code = {0};
    uint64_t column[ROW] = {0}, rows = 0;

    for (const uint64_t *end = word + rows_of(bytes) * ROW; word < end; word += ROW) {
        rows = rotate(rows);
#pragma GCC unroll 8
        for (unsigned i = 0; i < ROW; i++) { /* all in registers: two instructions a word */
            rows ^= word[i];
            column[i] ^= word[i];
        }
    }
    code.rows = rows;
#pragma GCC unroll 8
    for (unsigned i = 0; i < ROW; i++) {
        code.sum ^= column[i];
        if (__builtin_parityll(column[i]))
            code.columns ^= i;
    }
    return code;
}

/* Puts a single bit right. False: it is more than that. */
static bool mend(uint64_t *word, size_t bytes, const struct block_code *right)
{
    struct block_code is = code_of(word, bytes);
    uint64_t bit = is.sum ^ right->sum, turned = is.rows ^ right->rows;
    uint32_t rows = rows_of(bytes), row;

    if (rows > ROWS_MAX || (bit & (bit - 1)) || turned == 0 || (turned & (turned - 1)))
        return false;
    row = (uint32_t)(__builtin_ctzll(bit) - __builtin_ctzll(turned) + (int)rows - 1) % 64;
    if (row >= rows)
        return false;
    word[row * ROW + (is.columns ^ right->columns)] ^= bit;
    return true;
}

enum code_says code_compare(uint64_t *word, size_t bytes, const struct block_code *right)
{
    if (sum_of(word, bytes) == right->sum)
        return CODE_RIGHT;
    return mend(word, bytes, right) ? CODE_MENDED : CODE_CHANGED;
}
