/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/rows.h"

#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/defect.h"
#include "programs/service/json.h"
#include "programs/service/service.h"

const struct row_column row_columns[COLUMNS] = {
    [NAME] = {"name", "name", "", true},
    [PID] = {"pid", "pid", "", false},
    [STATE] = {"state", "state", "", true},
    [UPTIME] = {"uptime_ms", "uptime", " ms", false},
    [RESTARTS] = {"restarts", "restarts", "", false},
    [DEFECT] = {"last_defect", "last defect", "", true},
    [DETAIL] = {"last_detail", "its detail", "", false},
    [MEAN] = {"recovery_mean_us", "mean recovery", " us", false},
    [MAX] = {"recovery_max_us", "longest recovery", " us", false},
    [CPU] = {"cpu_ms", "cpu time", " ms", false},
    [MEMORY] = {"memory_kb", "memory mapped", " kB", false},
    [FAILED] = {"failures", "failures", " that count now", false},
    [RUNG] = {"rung", "started with", "", true},
    [PLACE] = {"ladder_place", "rungs climbed", "", false},
    [MESSAGES] = {"messages", "messages", "", false},
    [CLASS] = {"class", "class", "", true},
    [PROGRAM] = {"program", "program", "", true},
    [DESCRIPTION] = {"description", "description", "", true},
};

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

const char *detail_in_words(const char *defect, const char *detail)
{
    const char *why = NULL;

    if (strcmp(defect, defect_name(DEFECT_COMPLAINT)) == 0)
        why = complaint_name((uint32_t)strtoul(detail, NULL, 10));
    return why ? why : detail;
}

uint64_t row_number(const struct row *row, enum column column)
{
    return strtoull(row->value[column], NULL, 10);
}

void row_json(FILE *out, char *const value[COLUMNS])
{
    putc('{', out);
    for (int i = 0; i < COLUMNS; i++) {
        fprintf(out, "%s\"%s\": ", i ? ", " : "", row_columns[i].key);
        if (row_columns[i].is_text)
            json_text(out, value[i]);
        else
            fputs(value[i], out);
    }
    putc('}', out);
}
