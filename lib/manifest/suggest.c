/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/manifest/suggest.h"

#include <string.h>

#define LETTERS_MAX 24 /* longer words are not looked at */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits from a to b, exchanged neighbours counting as one ("optimal string alignment"). */
static unsigned edits(const char *a, const char *b)
{
    static unsigned row[3][LETTERS_MAX + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];
    size_t n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned *oldest = before;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = oldest;
    }
    return last[n];
}

void suggest_offer(struct suggestion *s, const char *name)
{
    size_t n = strlen(s->word), most = n < 4 ? 1 : n / 3;
    unsigned distance;

    if (n < 2 || n > LETTERS_MAX || strlen(name) > LETTERS_MAX)
        return;
    most = most > 3 ? 3 : most;
    distance = edits(s->word, name);
    if (n >= 3 && strncmp(s->word, name, n) == 0)
        distance = least(distance, 1);
    if (distance > most || (s->name && distance >= s->distance))
        return;
    s->name = name;
    s->distance = distance;
}

const char *suggest_name(const char *word, const void *names, size_t count, size_t stride)
{
    struct suggestion s = {.word = word};

    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);

        if (name)
            suggest_offer(&s, name);
    }
    return s.name;
}
