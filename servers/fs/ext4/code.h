/* SPDX-License-Identifier: BSD-2-Clause */
/* Codes of blocks' contents: code.c. */
#ifndef EXT4_CODE_H
#define EXT4_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_code {
    uint64_t sum, rows;
    uint32_t columns;
};

enum code_says {
    CODE_RIGHT,
    CODE_MENDED, /* a bit had flipped */
    CODE_CHANGED, /* more than that */
};

struct block_code code_of(const uint64_t *word, size_t bytes);
enum code_says code_compare(uint64_t *word, size_t bytes, const struct block_code *right);

#endif
