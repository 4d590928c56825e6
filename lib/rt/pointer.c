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

/* What it was before one bit of it flipped, if there is just one way. NULL, and an address of the program,
 * only where it is known that the access was made by it: numbers look like these, too. */
undo_unlogged static bool find_right(const struct pointer_memory *m, uint64_t wrong,
                                     bool is_register, uint64_t *right)
{
    unsigned found = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = wrong ^ 1ull << bit;
        bool is_known = value == 0 || (value >= m->program && value < m->program_end);

        if (is_known ? !is_register : m->is_block(value)) {
            *right = value;
            found++;
        }
    }
    return found == 1;
}

struct search {
    uint64_t near;
    bool is_register;
    uint64_t wrong, right; /* of the first that is found; 0, 0: none is yet */
    unsigned count; /* of words that are so */
    bool is_unclear; /* there is another that is as likely */
};

undo_unlogged static void find(const struct pointer_memory *m, struct search *s, uint64_t at,
                               uint64_t word)
{
    uint64_t right = 0;

    (void)at;
    if (word < LEAST || word > s->near || s->near - word >= FIELD_MAX)
        return;
    if (word == s->wrong)
        s->count++;
    else if (!is_there(m, word) && find_right(m, word, s->is_register, &right)) {
        s->is_unclear |= s->wrong != 0;
        s->wrong = word;
        s->right = right;
        s->count = 1;
    }
}

/* Of all words there are: `with` is done for each. */
undo_unlogged static void look_through(const struct pointer_memory *m, struct search *s,
                                       void (*with)(const struct pointer_memory *, struct search *,
                                                    uint64_t at, uint64_t word))
{
    uint64_t words[CHUNK];

    for (unsigned i = 0; i < m->ranges; i++)
        for (uint64_t at = m->range[i].begin; at < m->range[i].end; at += sizeof words) {
            uint64_t left = (m->range[i].end - at) / sizeof *words;
            uint64_t n = left < CHUNK ? left : CHUNK;

            if (!m->peek((const void *)at, words, n * sizeof *words))
                continue;
            for (uint64_t k = 0; k < n; k++)
                with(m, s, at + k * sizeof *words, words[k]);
        }
}

undo_unlogged static void put_right(const struct pointer_memory *m, struct search *s, uint64_t at,
                                    uint64_t word)
{
    if (word == s->wrong && m->poke((void *)at, &s->right, sizeof s->right))
        s->count++;
}

/* (A number that is 1 << n is not rare: NULL is put right only where there is but one.) */
undo_unlogged unsigned pointer_mend(const struct pointer_memory *m, uint64_t near, bool is_register)
{
    struct search s = {.near = near, .is_register = is_register};

    look_through(m, &s, find);
    if (s.count == 0 || s.is_unclear || (s.right == 0 && s.count > 1))
        return 0;
    s.count = 0;
    look_through(m, &s, put_right);
    return s.count;
}
