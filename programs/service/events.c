/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service events: deaths, returns and changes of state, a line each. Of deaths RS keeps records, so
 * none is missed while fewer than 256 follow one another between two looks; states are looked at
 * ten times a second, and one that was shorter may not be seen.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "programs/service/json.h"
#include "programs/service/recoveries.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define LOOK_US 100000
#define STATES_MAX 128

static struct recoveries recoveries;
static struct rows rows;
static struct state {
    char name[16], state[16];
} states[STATES_MAX];
static unsigned state_count;
static const char *only; /* of that service; NULL: of all */
static bool as_json;
static uint64_t next_number; /* of the first death that has not been told */
static bool told_back[RECOVERIES_MAX]; /* by number: its return has been told, too */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- an event ---- */

static void begin(uint64_t ns, const char *name, const char *event)
{
    if (as_json) {
        printf("{\"time_ns\": %llu, \"service\": ", (unsigned long long)ns);
        json_text(stdout, name);
        printf(", \"event\": \"%s\"", event);
    } else
        printf("%5llu.%06llu  %-12s %-9s", (unsigned long long)(ns / 1000000000u),
               (unsigned long long)(ns / 1000 % 1000000), name, event);
}

static void end(void)
{
    puts(as_json ? "}" : "");
}

static void tell_death(const struct recovery *r)
{
    char detail[16];

    snprintf(detail, sizeof detail, "%u", r->detail);
    begin(r->died_ns, r->name, "died");
    printf(as_json ? ", \"number\": %llu, \"defect\": \"%s\", \"detail\": %s, \"pid\": %u"
                   : " number %llu: %s %s, pid %u",
           (unsigned long long)r->number, r->defect,
           as_json ? detail : detail_in_words(r->defect, detail), r->old_pid);
    end();
}

static void tell_return(const struct recovery *r)
{
    uint64_t took = r->ready_ns > r->died_ns ? r->ready_ns - r->died_ns : 0;

    begin(r->ready_ns, r->name, "back");
    printf(as_json ? ", \"number\": %llu, \"how\": \"%s\", \"after_us\": %llu.%llu, "
                     "\"incarnation\": %u, \"pid\": %u"
                   : " number %llu: %s after %llu.%llu us, incarnation %u, pid %u",
           (unsigned long long)r->number, r->how, (unsigned long long)(took / 1000),
           (unsigned long long)(took / 100 % 10), r->incarnation, r->new_pid);
    end();
}

static void tell_lost(uint64_t count)
{
    begin(now_ns(), "-", "lost");
    printf(as_json ? ", \"count\": %llu" : " %llu deaths that nobody has a record of any more",
           (unsigned long long)count);
    end();
}

/* ---- what has come ---- */

static bool is_wanted(const char *name)
{
    return !only || strcmp(name, only) == 0;
}

static void look_at_deaths(void)
{
    uint64_t oldest = recoveries.count ? recoveries.of[0].number : next_number;

    if (next_number != 0 && oldest > next_number)
        tell_lost(oldest - next_number);
    for (unsigned i = 0; i < recoveries.count; i++) {
        const struct recovery *r = &recoveries.of[i];
        bool *is_back = &told_back[r->number % RECOVERIES_MAX];

        if (r->number >= next_number) {
            *is_back = false;
            next_number = r->number + 1;
            if (is_wanted(r->name))
                tell_death(r);
        }
        if (*is_back || r->ready_ns == 0)
            continue;
        *is_back = true;
        if (is_wanted(r->name))
            tell_return(r);
    }
}

static struct state *state_of(const char *name)
{
    for (unsigned i = 0; i < state_count; i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    if (state_count == STATES_MAX)
        return NULL;
    snprintf(states[state_count].name, sizeof states[state_count].name, "%s", name);
    return &states[state_count++];
}

/* That it starts, or is up after a death, is told with its return. */
static bool is_news(const char *before, const char *after)
{
    static const char *const quiet[] = {"starting", "backoff", "policy", ""};

    if (strcmp(before, after) == 0 || before[0] == 0 || strcmp(after, "starting") == 0)
        return false;
    if (strcmp(after, "up") != 0)
        return true;
    for (unsigned i = 0; i < sizeof quiet / sizeof *quiet; i++)
        if (strcmp(before, quiet[i]) == 0)
            return false;
    return true;
}

static void look_at_states(bool is_first)
{
    for (unsigned i = 0; i < rows.count; i++) {
        char *const *value = rows.row[i].value;
        struct state *s = state_of(value[NAME]);

        if (!s)
            return;
        if (!is_first && is_news(s->state, value[STATE]) && is_wanted(value[NAME])) {
            begin(now_ns(), value[NAME], value[STATE]);
            end();
        }
        snprintf(s->state, sizeof s->state, "%s", value[STATE]);
    }
}

static bool is_known(const char *name)
{
    return !name || rows_find(&rows, name);
}

int follow_events(const char *name, bool follow, bool json)
{
    only = name;
    as_json = json;
    for (bool is_first = true;; is_first = false) {
        bool is_read = rows_read(&rows);

        if (is_first && !is_read) {
            fprintf(stderr, "service: " SERVICES_FILE " cannot be read\n");
            return EXIT_ERROR;
        }
        if (is_first && !is_known(name)) {
            fprintf(stderr, "service: events %s: there is no such service\n", name);
            return EXIT_ERROR;
        }
        if (recoveries_read(&recoveries)) /* else fs/proc is being replaced */
            look_at_deaths();
        if (is_read && follow)
            look_at_states(is_first);
        recoveries_free(&recoveries);
        rows_free(&rows);
        if (fflush(stdout) != 0)
            return EXIT_ERROR;
        if (!follow)
            return EXIT_OK;
        usleep(LOOK_US);
    }
}
