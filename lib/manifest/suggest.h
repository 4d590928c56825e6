/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody meant who misspelt a word. */
#ifndef MANIFEST_SUGGEST_H
#define MANIFEST_SUGGEST_H

#include <stddef.h>

/*
 * The nearest to `word` of `count` names: a letter left out, doubled, changed or exchanged with the
 * next, one of them in a short word and up to three in a long one; or the only name that begins
 * with it. The names are found through pointers, the first at `names`, the next `stride` bytes
 * behind; NULLs are skipped. NULL: none is near.
 */
const char *suggest_name(const char *word, const void *names, size_t count, size_t stride);

/* The same for who has the names elsewhere: begin with {.word = word}, and offer each. */
struct suggestion {
    const char *word;
    const char *name; /* the best so far; NULL: none */
    unsigned distance; /* its */
};
void suggest_offer(struct suggestion *s, const char *name);

#endif
