/* SPDX-License-Identifier: BSD-2-Clause */
/* devices: what is on the PCI bus, as text for people, or as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/service/json.h"
#include "programs/service/service.h"

/* The columns of DEVICES_FILE, in order; the last takes the rest of the line. */
enum column { ADDRESS, ID, CODE, DRIVER, STATE, CLASS, COLUMNS };
static const char *const keys[COLUMNS] = {"address", "id",    "class_code",
                                          "driver",  "state", "class"};

static bool split(char *line, char *value[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        value[i] = line;
        if (i + 1 == COLUMNS)
            break;
        line += strcspn(line, " ");
        if (*line == 0)
            return false;
        *line++ = 0;
    }
    return true;
}

static void print_json(char *const value[COLUMNS], bool first)
{
    printf("%s{", first ? "" : ",\n ");
    for (int i = 0; i < COLUMNS; i++) {
        printf("%s\"%s\": ", i ? ", " : "", keys[i]);
        if (i == DRIVER && strcmp(value[i], "-") == 0)
            printf("null");
        else
            json_text(stdout, value[i]);
    }
    putchar('}');
}

static void print_line(char *const value[COLUMNS], bool first)
{
    const char *state = value[STATE];

    if (strcmp(state, "no-driver") == 0)
        state = "no driver";
    else if (strcmp(state, "unneeded") == 0)
        state = "needs none";
    if (first)
        printf("%-8s %-9s %-12s %-10s %s\n", "ADDRESS", "ID", "DRIVER", "STATE", "DEVICE");
    printf("%-8s %-9s %-12s %-10s %s\n", value[ADDRESS], value[ID], value[DRIVER], state,
           value[CLASS]);
}

int list_devices(const char *name, bool json)
{
    char *text = read_file(DEVICES_FILE), *rest, *line, *value[COLUMNS];
    bool first = true;

    if (!text)
        return EXIT_ERROR;
    if (json)
        putchar('[');
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (!split(line, value) ||
            (name && strcmp(value[DRIVER], name) != 0 && strcmp(value[ADDRESS], name) != 0))
            continue;
        (json ? print_json : print_line)(value, first);
        first = false;
    }
    if (json)
        puts("]");
    free(text);
    if (!first || !name)
        return EXIT_OK;
    fprintf(stderr, "service: devices %s: there is no such device, and no driver of one\n", name);
    return EXIT_ERROR;
}
