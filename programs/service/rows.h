/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of SERVICES_FILE, and who is looked for in them. */
#ifndef SERVICE_ROWS_H
#define SERVICE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* In order; the last takes the rest of the line. */
enum column {
    NAME,
    PID,
    STATE,
    UPTIME,
    RESTARTS,
    DEFECT,
    DETAIL,
    MEAN,
    MAX,
    CPU,
    MEMORY,
    FAILED,
    RUNG,
    PLACE,
    MESSAGES,
    CLASS,
    PROGRAM,
    DESCRIPTION,
    COLUMNS
};

/* How they are called, by programs and by people. */
extern const struct row_column {
    const char *key, *label, *unit;
    bool is_text;
} row_columns[COLUMNS];

/* Cuts a line into its columns; false: it has too few. */
bool row_split(char *line, char *value[COLUMNS]);

struct rows {
    char *text; /* NULL: they could not be read; errno says why */
    unsigned count;
    struct row {
        char *value[COLUMNS];
    } row[128]; /* RS has room for 96 services */
};

/* Reads all; says nothing when that fails. rows_free() in any case. */
bool rows_read(struct rows *rows);
void rows_free(struct rows *rows);
struct row *rows_find(struct rows *rows, const char *name); /* NULL: there is none */
void row_json(FILE *out, char *const value[COLUMNS]); /* an object, its keys as in row_columns */
/* A detail for people: of a complaint its reason ("deadline"), else the number. */
const char *detail_in_words(const char *defect, const char *detail);
uint64_t row_number(const struct row *row, enum column column);

#endif
