/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/pointer.h"

#include "lib/undo/undo.h"

enum { FIELD_MAX = 65536, CHUNK = 64 /* words */ };
#define LEAST 0x1000u /* what is below has never been a pointer */

undo_unlogged static bool is_there(const struct pointer_memory *m, uint64_t at)
{
    char byte;

    return m->peek((const void *)at, &byte, 1);
}

/* Is it what the access was made by? */
undo_unlogged static bool was_used(uint64_t suspect, uint64_t fault)
{
    return fault && fault >= suspect && fault - suspect < FIELD_MAX;
}

/* What it was before one bit of it flipped, as far as that is certain. A block of the heap is; NULL, or an
 * address of the program, only when the access was made by it: numbers look like these, too. */
undo_unlogged static bool find_right(const struct pointer_memory *m, uint64_t suspect,
                                     uint64_t fault, uint64_t *right)
{
    unsigned found = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = suspect ^ 1ull << bit;
        bool is_known = value == 0 || (value >= m->program && value < m->program_end);

        if (is_known ? was_used(suspect, fault) : m->is_block(value)) {
            *right = value;
            found++;
        }
    }
    return found == 1;
}

/* All words that are `wrong` become `right`, or are only counted. */
undo_unlogged static unsigned replace(const struct pointer_memory *m, uint64_t wrong,
                                      uint64_t right, bool really)
{
    uint64_t words[CHUNK];
    unsigned count = 0;

    for (unsigned i = 0; i < m->ranges; i++)
        for (uint64_t at = m->range[i].begin; at < m->range[i].end; at += sizeof words) {
            uint64_t left = (m->range[i].end - at) / sizeof *words;
            uint64_t n = left < CHUNK ? left : CHUNK;

            if (!m->peek((const void *)at, words, n * sizeof *words))
                continue;
            for (uint64_t k = 0; k < n; k++)
                if (words[k] == wrong &&
                    (!really || m->poke((void *)(at + k * sizeof *words), &right, sizeof right)))
                    count++;
        }
    return count;
}

/* (A number that is 1 << n is not rare: NULL is put right only where there is but one.) */
undo_unlogged unsigned pointer_mend(const struct pointer_memory *m, uint64_t suspect,
                                    uint64_t fault)
{
    uint64_t right = 0;
    unsigned count;

    if (suspect < LEAST || is_there(m, suspect) || !find_right(m, suspect, fault, &right))
        return 0;
    count = replace(m, suspect, right, false);
    if (count == 0 || (right == 0 && count > 1))
        return 0;
    return replace(m, suspect, right, true);
}
