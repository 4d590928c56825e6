/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "programs/service/recoveries.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"
#include "programs/service/top.h"

#define TIMES 8 /* of recoveries, in a sparkline */

struct line {
    char name[16], state[16], defect[16];
    unsigned pid, restarts;
    uint64_t cpu_ms, messages, memory_kb, last_cpu_ms, last_messages;
    double cpu, rate; /* per cent; messages a second */
    char times[TIMES + 1];
};

static struct line lines[TOP_MAX], *order[TOP_MAX];
static unsigned line_count;
static struct rows rows;
static struct recoveries recoveries;
static uint64_t looked_ns;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct line *line_of(const char *name)
{
    for (unsigned i = 0; i < line_count; i++)
        if (strcmp(lines[i].name, name) == 0)
            return &lines[i];
    if (line_count == TOP_MAX)
        return NULL;
    snprintf(lines[line_count].name, sizeof lines[line_count].name, "%s", name);
    return &lines[line_count++];
}

/* A letter for how long it took: a higher one for ten times as long. VGAs have no smaller bars. */
static char letter_of(uint64_t ns)
{
    static const char letters[] = "_.:-=+*#";
    unsigned n = 0;

    for (uint64_t limit = 10000; n < sizeof letters - 2 && ns >= limit; limit *= 10) /* 10 us */
        n++;
    return letters[n];
}

static void take_times(void)
{
    for (unsigned i = 0; i < line_count; i++)
        lines[i].times[0] = 0;
    for (unsigned i = 0; i < recoveries.count; i++) {
        const struct recovery *r = &recoveries.of[i];
        struct line *l = r->ready_ns > r->died_ns ? line_of(r->name) : NULL;
        size_t n = l ? strlen(l->times) : 0;

        if (!l)
            continue;
        if (n == TIMES)
            memmove(l->times, l->times + 1, n--);
        l->times[n] = letter_of(r->ready_ns - r->died_ns);
        l->times[n + 1] = 0;
    }
}

static double rate(uint64_t before, uint64_t after, uint64_t ns)
{
    return ns && after > before ? (double)(after - before) * 1e9 / (double)ns : 0;
}

static void take_row(const struct row *row, uint64_t passed_ns)
{
    struct line *l = line_of(row->value[NAME]);
    unsigned pid = (unsigned)row_number(row, PID);

    if (!l)
        return;
    if (pid != l->pid) /* another incarnation, which counts from 0 */
        l->cpu_ms = l->messages = 0;
    l->last_cpu_ms = l->cpu_ms;
    l->last_messages = l->messages;
    l->pid = pid;
    snprintf(l->state, sizeof l->state, "%s", row->value[STATE]);
    snprintf(l->defect, sizeof l->defect, "%s", row->value[DEFECT]);
    l->restarts = (unsigned)row_number(row, RESTARTS);
    l->memory_kb = row_number(row, MEMORY);
    l->cpu_ms = row_number(row, CPU);
    l->messages = row_number(row, MESSAGES);
    l->cpu = rate(l->last_cpu_ms, l->cpu_ms, passed_ns) / 10;
    l->rate = rate(l->last_messages, l->messages, passed_ns);
}

bool top_look(void)
{
    uint64_t now = now_ns();
    bool is_read = rows_read(&rows);

    for (unsigned i = 0; is_read && i < rows.count; i++)
        take_row(&rows.row[i], looked_ns ? now - looked_ns : now);
    if (is_read)
        looked_ns = now;
    rows_free(&rows);
    if (recoveries_read(&recoveries))
        take_times();
    recoveries_free(&recoveries);
    return is_read;
}

/* ---- order ---- */

static char sort_key;

static int by_number(double a, double b) /* the highest first */
{
    return (a < b) - (a > b);
}

static int compare(const void *one, const void *other)
{
    const struct line *a = *(struct line *const *)one, *b = *(struct line *const *)other;
    int result = 0;

    switch (sort_key) {
    case 's':
        result = strcmp(a->state, b->state);
        break;
    case 'p':
        result = by_number(b->pid, a->pid);
        break;
    case 'r':
        result = by_number(a->restarts, b->restarts);
        break;
    case 'd':
        result = strcmp(a->defect, b->defect);
        break;
    case 'c':
        result = by_number(a->cpu, b->cpu);
        break;
    case 'm':
        result = by_number((double)a->memory_kb, (double)b->memory_kb);
        break;
    case 'x':
        result = by_number(a->rate, b->rate);
        break;
    default:
        break;
    }
    return result ? result : strcmp(a->name, b->name);
}

void top_sort_by(struct top *top, char key)
{
    if (strchr("nsprdcmx", key) && key)
        top->key = key;
}

static bool is_idle(const struct line *l)
{
    static const char *const idle[] = {"no-device", "down", "refused"};

    for (unsigned i = 0; i < sizeof idle / sizeof *idle; i++)
        if (strcmp(l->state, idle[i]) == 0)
            return l->restarts == 0;
    return false;
}

void top_prepare(struct top *top, unsigned room)
{
    top->count = 0;
    for (unsigned i = 0; i < line_count; i++)
        if (top->has_all || !is_idle(&lines[i]))
            order[top->count++] = &lines[i];
    sort_key = top->key;
    qsort(order, top->count, sizeof *order, compare);
    if (top->first + room > top->count)
        top->first = top->count > room ? top->count - room : 0;
}

/* ---- text ---- */

static unsigned in_state(const char *state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < line_count; i++)
        n += strcmp(lines[i].state, state) == 0;
    return n;
}

void top_summary(char *text, size_t room)
{
    unsigned long long s = looked_ns / 1000000000u;
    unsigned trouble = in_state("backoff") + in_state("policy") + in_state("starting"),
             restarts = 0;
    double cpu = 0;

    for (unsigned i = 0; i < line_count; i++) {
        cpu += lines[i].cpu;
        restarts += lines[i].restarts;
    }
    snprintf(text, room,
             "%llu:%02llu:%02llu  %u services: %u up, %u slow, %u coming, %u given up  restarts %u"
             "  cpu %.0f%%",
             s / 3600, s / 60 % 60, s % 60, line_count, in_state("up"), in_state("slow"), trouble,
             in_state("given-up"), restarts, cpu);
}

void top_header(const struct top *top, char *text, size_t room)
{
    static const struct {
        char key;
        const char *name;
        int width; /* < 0: to the left */
    } columns[] = {{'n', "NAME", -12},   {'s', "STATE", -9},   {'p', "PID", 5},
                   {'r', "RESTARTS", 8}, {'d', "DEFECT", -10}, {0, "TIMES", -TIMES},
                   {'c', "CPU%", 5},     {'m', "MEMORY", 7},   {'x', "MSG/S", 7}};
    size_t n = 0;

    for (unsigned i = 0; i < sizeof columns / sizeof *columns && n < room; i++) {
        char name[16];

        snprintf(name, sizeof name, "%s%s", columns[i].key == top->key ? "*" : "", columns[i].name);
        n += (size_t)snprintf(text + n, room - n, i ? " %*.*s" : "%*.*s", columns[i].width,
                              abs(columns[i].width), name);
    }
}

static const char *state_word(const struct line *l)
{
    return l->state[0] ? l->state : "-";
}

void top_line(unsigned n, char *text, size_t room)
{
    const struct line *l = order[n];
    char memory[24];

    if (l->memory_kb >= 10000)
        snprintf(memory, sizeof memory, "%lluM", (unsigned long long)l->memory_kb / 1024);
    else
        snprintf(memory, sizeof memory, "%lluK", (unsigned long long)l->memory_kb);
    snprintf(text, room, "%-12.12s %-9.9s %5u %8u %-10.10s %-*s %5.1f %7s %7.0f", l->name,
             state_word(l), l->pid, l->restarts, strcmp(l->defect, "none") == 0 ? "-" : l->defect,
             TIMES, l->times, l->cpu, memory, l->rate);
}
