/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service tree: who stands on whom, by the manifests. A service stands on whom it calls, on the
 * drivers of its queues (or, as a file server does, on the other end of its own), and on whom it is
 * restarted after. To whom it hands on its callers does not count: mostly that is the way back.
 */
#include <stdio.h>
#include <string.h>

#include "programs/service/manifests.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define NODES_MAX 128
#define INDENT_MAX 160

enum how { CALLS = 1, QUEUE = 2, RESTARTED = 4 };
static const struct {
    unsigned bit;
    const char *word;
} hows[] = {{CALLS, "calls"}, {QUEUE, "queue"}, {RESTARTED, "restarted after"}};
#define HOWS (sizeof hows / sizeof *hows)

static struct rows rows;
static unsigned char uses[NODES_MAX][NODES_MAX]; /* [a][b]: a stands on b: enum how */
static bool is_ground[NODES_MAX]; /* most stand on it: said once */
static bool is_away[NODES_MAX]; /* its device is not here */
static bool was_shown[NODES_MAX];
static bool is_upwards; /* who stands on it, not on whom it stands */

static const struct manifest *manifest_at_row(unsigned i)
{
    return manifest_of(rows.row[i].value[NAME]);
}

/* (Whom that one may call against the order may not call it: RS takes the right away.) */
static void link_calls(unsigned from, const struct manifest *caller,
                       const struct manifest_names *names)
{
    for (unsigned to = 0; to < rows.count; to++) {
        const struct manifest *m = manifest_at_row(to);

        if (!m || to == from || (names == &caller->calls && manifest_lists(&m->calls_up, caller)))
            continue;
        for (uint32_t n = 0; n < names->count; n++)
            if (manifest_names_it(names->name[n], rows.row[to].value[NAME], m->class))
                uses[from][to] |= CALLS;
    }
}

static int index_of(const char *name)
{
    for (unsigned i = 0; i < rows.count; i++)
        if (strcmp(rows.row[i].value[NAME], name) == 0)
            return (int)i;
    return -1;
}

static void link_all(void)
{
    for (unsigned i = 0; i < rows.count; i++) {
        const struct manifest *m = manifest_at_row(i);
        int client = m && m->queue_size ? index_of(m->queue_client) : -1;

        is_away[i] = strcmp(rows.row[i].value[STATE], "no-device") == 0;
        if (!m)
            continue;
        link_calls(i, m, &m->calls);
        link_calls(i, m, &m->calls_up);
        if (client >= 0 && m->class >= CLASS_NET) /* from there on they are drivers */
            uses[client][i] |= QUEUE;
        else if (client >= 0)
            uses[i][client] |= QUEUE;
        for (uint32_t n = 0; n < m->dependents.count; n++) {
            int d = index_of(m->dependents.name[n]);

            if (d >= 0)
                uses[d][i] |= RESTARTED;
        }
    }
}

static unsigned users_of(unsigned b)
{
    unsigned n = 0;

    for (unsigned a = 0; a < rows.count; a++)
        n += uses[a][b] != 0;
    return n;
}

static unsigned char link_between(unsigned from, unsigned to)
{
    return is_upwards ? uses[to][from] : uses[from][to];
}

static bool is_shown_below(unsigned from, unsigned to)
{
    return link_between(from, to) && !is_away[to] && (is_upwards || !is_ground[to]);
}

static void print_node(unsigned i, unsigned char how, const char *indent, const char *branch)
{
    const char *state = rows.row[i].value[STATE];
    int width = 36 - (int)strlen(indent) - (int)strlen(branch);
    bool is_first = true;

    printf("%s%s%-*s", indent, branch, width > 1 ? width : 1, rows.row[i].value[NAME]);
    printf(how ? " %-9s" : " %s", state);
    for (unsigned h = 0; h < HOWS; h++)
        if (how & hows[h].bit) {
            printf("%s %s", is_first ? "" : ",", hows[h].word);
            is_first = false;
        }
}

static void print_below(unsigned i, const char *indent)
{
    unsigned left = 0;

    for (unsigned to = 0; to < rows.count; to++)
        left += is_shown_below(i, to);
    if (left && was_shown[i])
        printf("%s", " (as above)");
    putchar('\n');
    if (was_shown[i])
        return;
    was_shown[i] = true;
    for (unsigned to = 0; to < rows.count; to++) {
        char deeper[INDENT_MAX];

        if (!is_shown_below(i, to))
            continue;
        left--;
        print_node(to, link_between(i, to), indent, left ? "|-- " : "`-- ");
        snprintf(deeper, sizeof deeper, "%s%s", indent, left ? "|   " : "    ");
        print_below(to, deeper);
    }
}

static void print_from(unsigned i)
{
    print_node(i, 0, "", "");
    print_below(i, "");
}

static void print_ground(void)
{
    bool is_first = true;

    for (unsigned i = 0; i < rows.count; i++) {
        is_ground[i] = users_of(i) * 2 > rows.count;
        if (is_ground[i])
            printf(is_first ? "Most stand on: %s" : " %s", rows.row[i].value[NAME]);
        is_first &= !is_ground[i];
    }
    puts(is_first ? "" : "\n");
}

/* First those on whom nobody stands; then who is in a ring, and has not come by that way. */
static void print_all(void)
{
    print_ground();
    for (unsigned i = 0; i < rows.count; i++)
        if (!is_away[i] && !is_ground[i] && users_of(i) == 0)
            print_from(i);
    for (unsigned i = 0; i < rows.count; i++)
        if (!is_away[i] && !is_ground[i] && !was_shown[i])
            print_from(i);
}

static void print_one(unsigned i)
{
    print_ground();
    is_ground[i] = false;
    printf("%s stands on:\n", rows.row[i].value[NAME]);
    print_from(i);
    memset(was_shown, 0, sizeof was_shown);
    is_upwards = true;
    printf("\nOn %s stand:\n", rows.row[i].value[NAME]);
    print_from(i);
}

static void print_links(unsigned i, bool upwards)
{
    bool is_first = true;

    is_upwards = upwards;
    for (unsigned to = 0; to < rows.count; to++)
        for (unsigned h = 0; h < HOWS; h++) {
            if (!(link_between(i, to) & hows[h].bit))
                continue;
            printf("%s{\"name\": \"%s\", \"how\": \"%s\"}", is_first ? "" : ", ",
                   rows.row[to].value[NAME], hows[h].word);
            is_first = false;
        }
}

static void print_tree_json(int only)
{
    bool is_first = true;

    putchar('[');
    for (unsigned i = 0; i < rows.count; i++) {
        if (only >= 0 && (unsigned)only != i)
            continue;
        printf("%s{\"name\": \"%s\", \"state\": \"%s\", \"stands_on\": [", is_first ? "" : ",\n ",
               rows.row[i].value[NAME], rows.row[i].value[STATE]);
        print_links(i, false);
        printf("], \"carries\": [");
        print_links(i, true);
        printf("]}");
        is_first = false;
    }
    puts("]");
}

int show_tree(const char *name, bool json)
{
    int only = -1, status = EXIT_OK;

    manifests_load(NULL);
    if (!rows_read(&rows)) {
        fprintf(stderr, "service: " SERVICES_FILE " cannot be read\n");
        status = EXIT_ERROR;
    } else if (name && (only = index_of(name)) < 0) {
        fprintf(stderr, "service: tree %s: there is no such service\n", name);
        status = EXIT_ERROR;
    } else {
        link_all();
        if (json)
            print_tree_json(only);
        else if (name)
            print_one((unsigned)only);
        else
            print_all();
    }
    rows_free(&rows);
    return status;
}
