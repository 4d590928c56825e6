/* SPDX-License-Identifier: BSD-2-Clause */
/* store: what is in the data store, as text for people, or as JSON. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/service/json.h"
#include "programs/service/service.h"

/* The columns of STORE_DEVICE, in order; the last takes the rest of the line, and may be empty. */
enum column { KEY, OWNER, TYPE, LENGTH, VALUE, COLUMNS };
static const char *const names[COLUMNS] = {"key", "owner", "type", "length", "value"};

struct entry {
    char *value[COLUMNS];
};

static void split(char *line, struct entry *e)
{
    for (int i = 0; i < COLUMNS; i++) {
        e->value[i] = line;
        if (i + 1 == COLUMNS)
            break;
        line += strcspn(line, " ");
        if (*line)
            *line++ = 0;
    }
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->value[KEY], y->value[KEY]);

    return order ? order : strcmp(x->value[OWNER], y->value[OWNER]);
}

/* Numbers are numbers; a name that nobody has any more, and a snapshot's contents, are null. */
static void print_json(const struct entry *e, bool first)
{
    const char *type = e->value[TYPE];
    bool number = strcmp(type, "integer") == 0 || strcmp(type, "name") == 0;

    printf("%s{", first ? "" : ",\n ");
    for (int i = 0; i < COLUMNS; i++) {
        printf("%s\"%s\": ", i ? ", " : "", names[i]);
        if (i == LENGTH || (i == VALUE && number))
            fputs(e->value[i], stdout);
        else if ((i == OWNER && strcmp(e->value[i], "-") == 0) ||
                 (i == VALUE && strcmp(type, "snapshot") == 0))
            fputs("null", stdout);
        else
            json_text(stdout, e->value[i]);
    }
    putchar('}');
}

static void print_line(const struct entry *e, bool first)
{
    if (first)
        printf("%-24s %-12s %-8s %6s  %s\n", "KEY", "OWNER", "TYPE", "BYTES", "VALUE");
    printf("%-24s %-12s %-8s %6s%s%s\n", e->value[KEY], e->value[OWNER], e->value[TYPE],
           e->value[LENGTH], e->value[VALUE][0] ? "  " : "", e->value[VALUE]);
}

/* Those whose keys match, sorted; the caller frees them. NULL: no memory. */
static struct entry *entries_of(char *text, const char *pattern, size_t *count)
{
    size_t most = 1;
    struct entry *all;
    char *rest, *line;

    for (const char *c = text; *c; c++)
        most += *c == '\n';
    all = calloc(most, sizeof *all);
    for (line = strtok_r(text, "\n", &rest); all && line; line = strtok_r(NULL, "\n", &rest)) {
        split(line, &all[*count]);
        if (!pattern || fnmatch(pattern, all[*count].value[KEY], 0) == 0)
            ++*count;
    }
    if (all)
        qsort(all, *count, sizeof *all, by_key);
    return all;
}

int list_store(const char *pattern, bool json)
{
    char *text = read_file(STORE_DEVICE);
    size_t count = 0;
    struct entry *all = text ? entries_of(text, pattern, &count) : NULL;

    if (text && !all)
        fprintf(stderr, "service: store: no memory\n");
    if (all && json)
        putchar('[');
    for (size_t i = 0; i < count; i++)
        (json ? print_json : print_line)(&all[i], i == 0);
    if (all && json)
        puts("]");
    if (all && pattern && count == 0)
        fprintf(stderr, "service: store: no key matches %s\n", pattern);
    free(all);
    free(text);
    return all && (count || !pattern) ? EXIT_OK : EXIT_ERROR;
}
