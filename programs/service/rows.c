/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/rows.h"

#include <stdlib.h>
#include <string.h>

#include "programs/service/service.h"

#define ROWS_MAX (sizeof((struct rows *)NULL)->row / sizeof(struct row))

bool row_split(char *line, char *value[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        value[i] = line;
        if (i == DESCRIPTION)
            break;
        line += strcspn(line, " ");
        if (*line == 0 && i + 1 < DESCRIPTION)
            return false;
        if (*line)
            *line++ = 0;
    }
    return true;
}

bool rows_read(struct rows *rows)
{
    char *rest, *line;

    rows->count = 0;
    rows->text = file_text(SERVICES_FILE);
    if (!rows->text)
        return false;
    for (line = strtok_r(rows->text, "\n", &rest); line && rows->count < ROWS_MAX;
         line = strtok_r(NULL, "\n", &rest))
        if (row_split(line, rows->row[rows->count].value))
            rows->count++;
    return rows->count > 0;
}

void rows_free(struct rows *rows)
{
    free(rows->text);
    rows->text = NULL;
}

struct row *rows_find(struct rows *rows, const char *name)
{
    for (unsigned i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].value[NAME], name) == 0)
            return &rows->row[i];
    return NULL;
}

uint64_t row_number(const struct row *row, enum column column)
{
    return strtoull(row->value[column], NULL, 10);
}
