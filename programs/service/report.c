/* SPDX-License-Identifier: BSD-2-Clause */
/* list, status, log: as text for people, or as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/service/json.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

static void print_json(char *const value[COLUMNS], bool first)
{
    fputs(first ? "" : ",\n ", stdout);
    row_json(stdout, value);
}

static void print_line(char *const value[COLUMNS], bool first)
{
    if (first)
        printf("%-12s %5s %-9s %10s %8s %-10s %s\n", "NAME", "PID", "STATE", "UPTIME", "RESTARTS",
               "DEFECT", "DESCRIPTION");
    printf("%-12s %5s %-9s %8llu s %8s %-10s %s\n", value[NAME], value[PID], value[STATE],
           strtoull(value[UPTIME], NULL, 10) / 1000, value[RESTARTS], value[DEFECT],
           value[DESCRIPTION]);
}

static void print_block(char *const value[COLUMNS], bool first)
{
    if (!first)
        putchar('\n');
    for (int i = 0; i < COLUMNS; i++) {
        const char *text = value[i];

        if (i == DETAIL)
            text = detail_in_words(value[DEFECT], text);
        printf("%-18s%s%s\n", row_columns[i].label, text, row_columns[i].unit);
    }
}

static int report(const char *name, bool json,
                  void (*print)(char *const value[COLUMNS], bool first))
{
    char *text = read_file(SERVICES_FILE), *rest, *line, *value[COLUMNS];
    bool first = true;

    if (!text)
        return EXIT_ERROR;
    if (json)
        putchar('[');
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (!row_split(line, value) || (name && strcmp(value[NAME], name) != 0))
            continue;
        (json ? print_json : print)(value, first);
        first = false;
    }
    if (json)
        puts("]");
    free(text);
    if (!first || !name)
        return EXIT_OK;
    fprintf(stderr, "service: %s: there is no such service\n", name);
    return EXIT_ERROR;
}

int list_services(const char *name, bool json)
{
    return report(name, json, print_line);
}

int status_services(const char *name, bool json)
{
    return report(name, json, print_block);
}

/* A record of the log is about a service when it has written it, or RS has about it. */
static bool about(const char *line, const char *name)
{
    const char *end_of_time = strstr(line, "] ");
    size_t n = strlen(name);

    if (end_of_time)
        line = end_of_time + 2;
    if (!strncmp(line, "rs: ", 4) && !strncmp(line + 4, name, n) && line[4 + n] == ':')
        return true;
    return !strncmp(line, name, n) && line[n] == ':';
}

static void print_nothing(char *const value[COLUMNS], bool first)
{
    (void)value;
    (void)first;
}

bool has_service(const char *name)
{
    return report(name, false, print_nothing) == EXIT_OK;
}

/* Who is no service, and has lines there all the same, or none yet: policy scripts, the dashboard. */
static bool writes_log(const char *name)
{
    return strcmp(name, "policy") == 0 || strcmp(name, "dashboard") == 0;
}

int show_log(const char *name, bool json)
{
    bool first = true;
    char *text, *rest, *line;

    if (name && !writes_log(name) && !has_service(name))
        return EXIT_ERROR;
    text = file_text(LONG_LOG);
    if (!text)
        text = read_file(LOG_FILE);
    if (!text)
        return EXIT_ERROR;
    if (json)
        putchar('[');
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (name && !about(line, name))
            continue;
        if (json) {
            printf("%s", first ? "" : ",\n ");
            json_text(stdout, line);
        } else
            puts(line);
        first = false;
    }
    if (json)
        puts("]");
    free(text);
    return EXIT_OK;
}
