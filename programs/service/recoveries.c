/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/recoveries.h"

#include <stdlib.h>
#include <string.h>

#include "programs/service/json.h"
#include "programs/service/service.h"

/* The columns that are used, as lib/fs/report.c writes them. */
enum { NUMBER, COMPONENT, DEFECT_OF, DETAIL_OF, INCARNATION, OLD_PID, NEW_PID, HOW, DETECTED };
enum { WORDS = DETECTED + RECOVERY_STEPS };

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
                           .new_pid = (uint32_t)number(word[NEW_PID])};
    for (int i = 0; i < RECOVERY_STEPS; i++)
        r->step_ns[i] = number(word[DETECTED + i]);
    r->died_ns = r->step_ns[0];
    r->ready_ns = r->step_ns[RECOVERY_READY];
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

void recovery_json(FILE *out, const struct recovery *r)
{
    fprintf(out, "{\"number\": %llu, \"service\": ", (unsigned long long)r->number);
    json_text(out, r->name);
    fputs(", \"defect\": ", out);
    json_text(out, r->defect);
    fputs(", \"how\": ", out);
    json_text(out, r->how);
    fprintf(
        out,
        ", \"detail\": %u, \"incarnation\": %u, \"old_pid\": %u, \"new_pid\": %u, \"steps_ns\": [",
        r->detail, r->incarnation, r->old_pid, r->new_pid);
    for (int i = 0; i < RECOVERY_STEPS; i++)
        fprintf(out, "%s%llu", i ? ", " : "", (unsigned long long)r->step_ns[i]);
    fputs("]}", out);
}
