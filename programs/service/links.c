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

/* (Whom that one may call against the order may not call it: RS takes the right away.) */
static void link_calls(const struct rows *rows, unsigned from, const struct manifest *caller,
                       const struct manifest_names *names)
{
    for (unsigned to = 0; to < rows->count; to++) {
        const struct manifest *m = manifest_of(rows->row[to].value[NAME]);

        if (!m || to == from || (names == &caller->calls && manifest_lists(&m->calls_up, caller)))
            continue;
        for (uint32_t n = 0; n < names->count; n++)
            if (manifest_names_it(names->name[n], rows->row[to].value[NAME], m->class))
                uses[from][to] |= LINK_CALLS;
    }
}

static int index_of(const struct rows *rows, const char *name)
{
    for (unsigned i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].value[NAME], name) == 0)
            return (int)i;
    return -1;
}

static void link_one(const struct rows *rows, unsigned i, const struct manifest *m)
{
    int client = m->queue_size ? index_of(rows, m->queue_client) : -1;

    link_calls(rows, i, m, &m->calls);
    link_calls(rows, i, m, &m->calls_up);
    if (client >= 0 && m->class >= CLASS_NET) /* from there on they are drivers */
        uses[client][i] |= LINK_QUEUE;
    else if (client >= 0)
        uses[i][client] |= LINK_QUEUE;
    for (uint32_t n = 0; n < m->dependents.count; n++) {
        int d = index_of(rows, m->dependents.name[n]);

        if (d >= 0)
            uses[d][i] |= LINK_RESTARTED;
    }
}

void links_make(const struct rows *rows)
{
    manifests_load(NULL);
    memset(uses, 0, sizeof uses);
    count = rows->count;
    for (unsigned i = 0; i < count; i++) {
        const struct manifest *m = manifest_of(rows->row[i].value[NAME]);

        if (m)
            link_one(rows, i, m);
    }
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
