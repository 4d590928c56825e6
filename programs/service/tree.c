/* SPDX-License-Identifier: BSD-2-Clause */
/* service tree: who stands on whom (links.h), for people. */
#include <stdio.h>
#include <string.h>

#include "programs/service/links.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define NODES_MAX 128
#define INDENT_MAX 160

static struct rows rows;
static bool is_ground[NODES_MAX]; /* most stand on it: said once */
static bool is_away[NODES_MAX]; /* its device is not here */
static bool was_shown[NODES_MAX];
static bool is_upwards; /* who stands on it, not on whom it stands */

static int index_of(const char *name)
{
    for (unsigned i = 0; i < rows.count; i++)
        if (strcmp(rows.row[i].value[NAME], name) == 0)
            return (int)i;
    return -1;
}

static unsigned char link_between(unsigned from, unsigned to)
{
    return is_upwards ? link_of(to, from) : link_of(from, to);
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
    for (unsigned h = 0; h < LINK_KINDS; h++)
        if (how & link_kinds[h].bit) {
            printf("%s %s", is_first ? "" : ",", link_kinds[h].word);
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
        is_ground[i] = links_to(i) * 2 > rows.count;
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
        if (!is_away[i] && !is_ground[i] && links_to(i) == 0)
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

int show_tree(const char *name, bool json)
{
    int only = -1, status = EXIT_OK;

    if (!rows_read(&rows)) {
        fprintf(stderr, "service: " SERVICES_FILE " cannot be read\n");
        status = EXIT_ERROR;
    } else if (name && (only = index_of(name)) < 0) {
        fprintf(stderr, "service: tree %s: there is no such service\n", name);
        status = EXIT_ERROR;
    } else {
        links_make(&rows);
        for (unsigned i = 0; i < rows.count; i++)
            is_away[i] = strcmp(rows.row[i].value[STATE], "no-device") == 0;
        if (json)
            links_json(stdout, &rows, only);
        else if (name)
            print_one((unsigned)only);
        else
            print_all();
    }
    rows_free(&rows);
    return status;
}
