/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/recoveries.h"

#include <stdlib.h>
#include <string.h>

#include "programs/service/service.h"

/* The columns that are used, as in servers/fs/proc/bardo_files.c. */
enum { NUMBER, COMPONENT, DEFECT_OF, DETAIL_OF, INCARNATION, OLD_PID, NEW_PID, HOW, DETECTED };
enum { READY = DETECTED + 4, WORDS };

static uint64_t number(const char *word)
{
    return strtoull(word, NULL, 10);
}

static bool take(struct recovery *r, char *line)
{
    char *word[WORDS], *rest;
    int words = 0;

    for (char *w = strtok_r(line, " ", &rest); w && words < WORDS; w = strtok_r(NULL, " ", &rest))
        word[words++] = w;
    if (words < WORDS || word[NUMBER][0] == '#')
        return false;
    *r = (struct recovery){.number = number(word[NUMBER]),
                           .name = word[COMPONENT],
                           .defect = word[DEFECT_OF],
                           .how = word[HOW],
                           .detail = (uint32_t)number(word[DETAIL_OF]),
                           .incarnation = (uint32_t)number(word[INCARNATION]),
                           .old_pid = (uint32_t)number(word[OLD_PID]),
                           .new_pid = (uint32_t)number(word[NEW_PID]),
                           .died_ns = number(word[DETECTED]),
                           .ready_ns = number(word[READY])};
    return true;
}

bool recoveries_read(struct recoveries *r)
{
    char *rest, *line;

    r->count = 0;
    r->text = file_text(RECOVERY_FILE);
    if (!r->text)
        return false;
    for (line = strtok_r(r->text, "\n", &rest); line && r->count < RECOVERIES_MAX;
         line = strtok_r(NULL, "\n", &rest))
        if (take(&r->of[r->count], line))
            r->count++;
    return true;
}

void recoveries_free(struct recoveries *r)
{
    free(r->text);
    r->text = NULL;
}
