/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/links.h"

#include <string.h>

#include "programs/service/json.h"
#include "programs/service/manifests.h"

#define NODES_MAX (sizeof((struct rows *)NULL)->row / sizeof(struct row))

const struct link_kind link_kinds[LINK_KINDS] = {
    {LINK_CALLS, "calls"}, {LINK_QUEUE, "queue"}, {LINK_RESTARTED, "restarted after"}};

static unsigned char uses[NODES_MAX][NODES_MAX]; /* [a][b]: a stands on b */
static unsigned count;

void links_make(const struct rows *rows)
{
    const struct manifest *m[NODES_MAX];

    manifests_load(NULL);
    count = rows->count;
    for (unsigned i = 0; i < count; i++)
        m[i] = manifest_of(rows->row[i].value[NAME]);
    memset(uses, 0, sizeof uses);
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            if (m[from] && m[to])
                uses[from][to] = (unsigned char)manifest_links(rows->row[from].value[NAME], m[from],
                                                               rows->row[to].value[NAME], m[to]);
}

unsigned char link_of(unsigned from, unsigned to)
{
    return uses[from][to];
}

unsigned links_to(unsigned to)
{
    unsigned n = 0;

    for (unsigned from = 0; from < count; from++)
        n += uses[from][to] != 0;
    return n;
}

static void write_links(FILE *out, const struct rows *rows, unsigned i, bool upwards)
{
    bool is_first = true;

    for (unsigned to = 0; to < rows->count; to++)
        for (unsigned k = 0; k < LINK_KINDS; k++) {
            if (!((upwards ? uses[to][i] : uses[i][to]) & link_kinds[k].bit))
                continue;
            fprintf(out, "%s{\"name\": \"%s\", \"how\": \"%s\"}", is_first ? "" : ", ",
                    rows->row[to].value[NAME], link_kinds[k].word);
            is_first = false;
        }
}

void links_json(FILE *out, const struct rows *rows, int only)
{
    bool is_first = true;

    putc('[', out);
    for (unsigned i = 0; i < rows->count; i++) {
        if (only >= 0 && (unsigned)only != i)
            continue;
        fprintf(out, "%s{\"name\": \"%s\", \"state\": \"%s\", \"stands_on\": [",
                is_first ? "" : ",\n ", rows->row[i].value[NAME], rows->row[i].value[STATE]);
        write_links(out, rows, i, false);
        fputs("], \"carries\": [", out);
        write_links(out, rows, i, true);
        fputs("]}", out);
        is_first = false;
    }
    fputs("]\n", out);
}
