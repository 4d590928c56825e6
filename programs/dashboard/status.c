/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/dashboard/dashboard.h"
#include "programs/service/json.h"
#include "programs/service/links.h"
#include "programs/service/recoveries.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define LOG_MOST 49152 /* bytes of it in one answer */

static struct rows rows;
static struct recoveries recoveries;

/* null: neither fs/proc nor fs/dev says it just now */
static void write_services(FILE *out)
{
    bool is_read = rows_read(&rows);

    fputs(is_read ? "[" : "null", out);
    for (unsigned i = 0; is_read && i < rows.count; i++) {
        fputs(i ? ",\n " : "", out);
        row_json(out, rows.row[i].value);
    }
    fputs(is_read ? "]" : "", out);
    rows_free(&rows);
}

static void write_events(FILE *out, uint64_t from)
{
    bool is_read = recoveries_read(&recoveries), is_first = true;

    fputs(is_read ? "[" : "null", out);
    for (unsigned i = 0; is_read && i < recoveries.count; i++) {
        if (recoveries.of[i].number < from)
            continue;
        fputs(is_first ? "" : ",\n ", out);
        recovery_json(out, &recoveries.of[i]);
        is_first = false;
    }
    fputs(is_read ? "]" : "", out);
    recoveries_free(&recoveries);
}

/* The log's bytes from a position in it, or from the first after it that are kept; with a NUL. NULL: there
 * are none. *end: the position after them. */
static char *read_log(uint64_t from, size_t *length, uint64_t *end)
{
    char *text = malloc(LOG_MOST + 1);
    int fd = open(LOG_DEVICE, O_RDONLY);
    ssize_t n = 1;

    *length = 0;
    if (text && fd >= 0 && lseek(fd, (off_t)from, SEEK_SET) == (off_t)from)
        while (*length < LOG_MOST && (n = read(fd, text + *length, LOG_MOST - *length)) > 0)
            *length += (size_t)n;
    *end = fd >= 0 && *length ? (uint64_t)lseek(fd, 0, SEEK_CUR) : from;
    if (fd >= 0)
        close(fd);
    if (text && *length) {
        text[*length] = 0;
        return text;
    }
    free(text);
    return NULL;
}

/* Its whole lines; the position after the last of them. */
static uint64_t write_log(FILE *out, uint64_t from)
{
    size_t length;
    uint64_t end;
    char *text = read_log(from, &length, &end), *last = text ? memrchr(text, '\n', length) : NULL;
    char *rest, *line;
    bool is_first = true;

    fputs("[", out);
    if (last) {
        end -= (uint64_t)(text + length - last - 1);
        *last = 0;
        for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            fputs(is_first ? "" : ",\n ", out);
            json_text(out, line);
            is_first = false;
        }
    }
    fputs("]", out);
    free(text);
    return last ? end : from;
}

bool status_write(FILE *out, const char *query, const struct identity *who)
{
    long long events = http_number(query, "events", 0), log = http_number(query, "log", 0),
              rates = http_number(query, "rates", 0);
    uint64_t next;

    if (events < 0 || log < 0 || rates < 0)
        return false;
    fprintf(out, "{\"boot\": \"%016llx\", \"now_ms\": %llu,\n\"services\": ",
            (unsigned long long)who->started, (unsigned long long)now_ms());
    write_services(out);
    fputs(",\n\"events\": ", out);
    write_events(out, (uint64_t)events);
    fputs(",\n\"log\": ", out);
    next = write_log(out, (uint64_t)log);
    fprintf(out, ",\n\"log_next\": %llu, \"rates\": ", (unsigned long long)next);
    next = samples_write(out, (uint64_t)rates);
    fprintf(out, ",\n\"rates_next\": %llu}\n", (unsigned long long)next);
    return true;
}

bool tree_write(FILE *out)
{
    bool is_read = rows_read(&rows);

    if (is_read) {
        links_make(&rows);
        links_json(out, &rows, -1);
    }
    rows_free(&rows);
    return is_read;
}

bool has_service(const char *name)
{
    bool is_there = rows_read(&rows) && rows_find(&rows, name);

    rows_free(&rows);
    return is_there;
}
