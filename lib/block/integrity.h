/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The format of a disk whose blocks are checked ("integrity"): for the disk server, blockguard(8)
 * and the tests. In blocks of 4 kB:
 *
 *     0                    header
 *     1 ...                data: what the disk server shows as the disk
 *     1 + data ...         notes: two places for each, side by side
 *     last                 the header again; of a pair's larger disk at its own end
 *
 * A note has the checksums of NOTE_ENTRIES blocks. It is written to its two places in turn, with a
 * growing generation: a power failure tears one of them at most, and nothing depends on that one
 * yet. Each entry has two sums, of the contents that the block gets and of those that it had when
 * all was flushed last; it is durable before the data is written. So after a power failure a block
 * is one or the other, and which is found by looking.
 *
 * A sum is crc32c over the disk's uuid, the block's number and its contents: what was written to a
 * wrong place is wrong there. 0 is the sum of a block that was never written: it reads as zeros.
 */
#ifndef BLOCK_INTEGRITY_H
#define BLOCK_INTEGRITY_H

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INTEGRITY_MAGIC "BardoInt"
#define INTEGRITY_VERSION 1u
#define INTEGRITY_BLOCK 4096u
#define INTEGRITY_MEMBERS 2u
#define NOTE_ENTRIES 510u

struct integrity_header {
    char magic[8];
    uint32_t version;
    uint32_t member, members; /* this one of a pair; 1: no mirror */
    uint32_t pad;
    uint8_t uuid[16]; /* the same on both of a pair */
    uint64_t blocks; /* of the disk, as far as it is used; of a pair: of the smaller one */
    uint64_t data; /* of these */
    uint32_t reserved, checksum; /* of all before it */
};

struct integrity_note {
    struct integrity_entry {
        uint32_t now, before;
    } entry[NOTE_ENTRIES];
    uint64_t generation;
    uint32_t reserved, checksum; /* of all before it, and the note's number */
};
_Static_assert(sizeof(struct integrity_note) == INTEGRITY_BLOCK, "a note is a block");

/* ---- crc32c ---- */

/* Eight bytes a step: a table for each. */
static inline uint32_t integrity_crc_by_table(uint32_t crc, const uint8_t *bytes, size_t length)
{
    static uint32_t table[8][256];

    for (uint32_t i = 0; table[0][255] == 0 && i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
        table[0][i] = value;
    }
    for (uint32_t i = 0; table[7][255] == 0 && i < 256; i++)
        for (int n = 1; n < 8; n++)
            table[n][i] = table[n - 1][i] >> 8 ^ table[0][table[n - 1][i] & 255];
    for (; length >= 8; length -= 8, bytes += 8) {
        uint64_t v;

        memcpy(&v, bytes, 8);
        v ^= crc;
        crc = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
              table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^ table[2][v >> 40 & 255] ^
              table[1][v >> 48 & 255] ^ table[0][v >> 56];
    }
    while (length--)
        crc = crc >> 8 ^ table[0][(crc ^ *bytes++) & 255];
    return crc;
}

/* With the instruction of SSE 4.2. */
static inline uint32_t integrity_crc_by_instruction(uint32_t crc, const uint8_t *bytes,
                                                    size_t length)
{
    uint64_t wide = crc;

    for (; length >= 64; length -= 64, bytes += 64)
        __asm__("crc32q (%1), %0; crc32q 8(%1), %0; crc32q 16(%1), %0; crc32q 24(%1), %0;"
                "crc32q 32(%1), %0; crc32q 40(%1), %0; crc32q 48(%1), %0; crc32q 56(%1), %0"
                : "+r"(wide)
                : "r"(bytes), "m"(*(const uint8_t(*)[64])bytes));
    for (; length >= 8; length -= 8, bytes += 8)
        __asm__("crc32q (%1), %0" : "+r"(wide) : "r"(bytes), "m"(*(const uint8_t(*)[8])bytes));
    return length ? integrity_crc_by_table((uint32_t)wide, bytes, length) : (uint32_t)wide;
}

/* A block, to memory that nobody else writes. By words: an emulator does string instructions
 * slowly, and a service has no vector registers. */
static inline void integrity_copy(void *to, const void *from)
{
    const uint64_t *f = from;
    uint64_t *t = to;

    for (unsigned n = 0; n < INTEGRITY_BLOCK / 8; n += 8, f += 8, t += 8) {
        uint64_t a = f[0], b = f[1], c = f[2], d = f[3];

        t[0] = a;
        t[1] = b;
        t[2] = c;
        t[3] = d;
        a = f[4];
        b = f[5];
        c = f[6];
        d = f[7];
        t[4] = a;
        t[5] = b;
        t[6] = c;
        t[7] = d;
    }
}

/* Which is faster here? An emulator may do the instruction bit by bit. */
static inline bool integrity_instruction_is_faster(void)
{
    static const uint8_t zeros[1024];
    uint64_t best[2] = {~0ull, ~0ull};
    volatile uint32_t sink = 0;
    unsigned a, b, c = 0, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 20 & 1))
        return false;
    for (int round = 0; round < 8; round++) {
        uint64_t start = __builtin_ia32_rdtsc(), middle, end;

        sink += integrity_crc_by_table(1, zeros, sizeof zeros);
        middle = __builtin_ia32_rdtsc();
        sink += integrity_crc_by_instruction(1, zeros, sizeof zeros);
        end = __builtin_ia32_rdtsc();
        best[0] = middle - start < best[0] ? middle - start : best[0];
        best[1] = end - middle < best[1] ? end - middle : best[1];
    }
    return best[1] < best[0];
}

static inline uint32_t integrity_crc(uint32_t crc, const void *data, size_t length)
{
    static int instruction; /* 0: not known yet */

    if (instruction == 0)
        instruction = integrity_instruction_is_faster() ? 1 : -1;
    return instruction > 0 ? integrity_crc_by_instruction(crc, data, length)
                           : integrity_crc_by_table(crc, data, length);
}

/* ---- sums ---- */

static inline uint32_t integrity_header_sum(const struct integrity_header *h)
{
    return integrity_crc(~0u, h, offsetof(struct integrity_header, checksum));
}

static inline uint32_t integrity_sum(const struct integrity_header *h, uint64_t block,
                                     const void *data)
{
    uint32_t crc = integrity_crc(~0u, h->uuid, sizeof h->uuid);

    crc = integrity_crc(crc, &block, sizeof block);
    crc = integrity_crc(crc, data, INTEGRITY_BLOCK);
    return crc ? crc : 1;
}

/* Numbers of notes are far from those of blocks: neither is taken for the other. */
static inline uint32_t integrity_note_sum(const struct integrity_header *h, uint64_t number,
                                          const struct integrity_note *n)
{
    uint64_t place = ~number;
    uint32_t crc = integrity_crc(~0u, h->uuid, sizeof h->uuid);

    crc = integrity_crc(crc, &place, sizeof place);
    return integrity_crc(crc, n, offsetof(struct integrity_note, checksum));
}

static inline bool integrity_note_is_right(const struct integrity_header *h, uint64_t number,
                                           const struct integrity_note *n)
{
    return n->generation && n->checksum == integrity_note_sum(h, number, n);
}

/* ---- the layout ---- */

static inline uint64_t integrity_notes(const struct integrity_header *h)
{
    return (h->data + NOTE_ENTRIES - 1) / NOTE_ENTRIES;
}

/* The block of the disk with data block `block`. */
static inline uint64_t integrity_data_at(uint64_t block)
{
    return 1 + block;
}

static inline uint64_t integrity_note_at(const struct integrity_header *h, uint64_t number,
                                         uint64_t generation)
{
    return 1 + h->data + 2 * number + generation % 2;
}

/* A header for that many blocks; data: 0: too small a disk. */
static inline void integrity_header_make(struct integrity_header *h, const uint8_t uuid[16],
                                         uint32_t member, uint32_t members, uint64_t blocks)
{
    *h = (struct integrity_header){
        .version = INTEGRITY_VERSION, .member = member, .members = members, .blocks = blocks};
    memcpy(h->magic, INTEGRITY_MAGIC, sizeof h->magic);
    memcpy(h->uuid, uuid, sizeof h->uuid);
    h->data = blocks > 4 ? (blocks - 2) * NOTE_ENTRIES / (NOTE_ENTRIES + 2) : 0;
    while (h->data && 2 + h->data + 2 * integrity_notes(h) > blocks)
        h->data--;
    h->checksum = integrity_header_sum(h);
}

/* Is this the header of a disk of so many blocks? */
static inline bool integrity_header_is_right(const struct integrity_header *h, uint64_t blocks)
{
    return memcmp(h->magic, INTEGRITY_MAGIC, sizeof h->magic) == 0 &&
           h->version == INTEGRITY_VERSION && h->checksum == integrity_header_sum(h) &&
           h->members >= 1 && h->members <= INTEGRITY_MEMBERS && h->member < h->members &&
           h->blocks <= blocks && h->data && h->data < h->blocks &&
           2 + h->data + 2 * integrity_notes(h) <= h->blocks;
}

/* A note of blocks that were never written. */
static inline void integrity_note_make(const struct integrity_header *h, uint64_t number,
                                       struct integrity_note *n)
{
    memset(n, 0, sizeof *n);
    n->generation = 1;
    n->checksum = integrity_note_sum(h, number, n);
}

#endif
