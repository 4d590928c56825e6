/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service policy NAME: what RS would do at the next failure, and at those after it, if they came one
 * after another from now on. It is worked out here by the functions by which RS does it, from the
 * manifest and from what RS has counted so far.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/service/json.h"
#include "programs/service/manifests.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"
#include "servers/rs/life.h"
#include "servers/rs/policy.h"

#define STEPS_MAX (MANIFEST_BUDGET_MAX + 1)

struct step { /* the failure number `failure` in the window */
    uint32_t failure;
    uint64_t delay_ms;
    enum { STEP_RESTART, STEP_ALTERNATE, STEP_GIVE_UP } what;
    enum rung rung; /* of the fresh copy, when the last one had not worked for a second */
    bool has_dependents; /* they are restarted, too */
    bool is_by_script; /* that is asked first */
};

static const char *const what_names[] = {"restart", "alternate", "give-up"};
static const char *const rung_names[] = {"adopt", "reset", "bus-reset"};

static const struct manifest *m;
static const struct row *row;
static struct rows rows;
static struct step steps[STEPS_MAX];
static unsigned step_count;

static enum rung rung_now(void)
{
    for (unsigned i = 0; i < RS_RUNGS; i++)
        if (strcmp(row->value[RUNG], rung_names[i]) == 0)
            return (enum rung)i;
    return RUNG_ADOPT;
}

/* Who could reset it from outside is pci. */
static enum rung rung_of(enum rung rung)
{
    return m->isa && rung == RUNG_BUS_RESET ? RUNG_RESET : rung;
}

static bool has_device(void)
{
    return m->isa || m->devices != 0;
}

static bool runs_alternate(void)
{
    return m->alternate[0] && strcmp(row->value[PROGRAM], m->alternate) == 0;
}

/* ---- who is restarted with it ---- */

/* By its strategy, or from the rung of its ladder on that has them. */
static enum manifest_strategy strategy(void)
{
    enum manifest_strategy s = manifest_strategy(m);

    return s == STRATEGY_ONE && manifest_has_rung(&m->ladder, m->ladder.count, LADDER_DEPENDENTS)
               ? STRATEGY_ALL
               : s;
}

static bool is_restarted(const struct row *other)
{
    const struct manifest *of = manifest_of(other->value[NAME]);

    return of &&
           manifest_restarts(row->value[NAME], m, strategy(), other->value[NAME], of, other > row);
}

static unsigned restarted_count(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < rows.count; i++)
        n += is_restarted(&rows.row[i]);
    return n;
}

/* ---- what comes ---- */

static bool is_reached(const struct ladder_place *place, enum manifest_rung rung)
{
    return ladder_reached(&m->ladder, place->at, rung);
}

/* As RS decides it (servers/rs/alternate.c). False: that is the last one. */
static bool work_out_step(struct step *s, const struct policy_verdict *v,
                          const struct ladder_place *place)
{
    bool is_over = v->give_up || is_reached(place, LADDER_GIVE_UP);
    bool has_other = m->alternate[0] && !runs_alternate();

    *s =
        (struct step){v->failures, v->delay / MS, STEP_RESTART, rung_of(place->rung), false, false};
    s->has_dependents =
        manifest_strategy(m) != STRATEGY_ONE || is_reached(place, LADDER_DEPENDENTS);
    s->is_by_script = m->policy[0] && ladder_asks_script(&m->ladder, place->at);
    if (!is_over && !(has_other && is_reached(place, LADDER_ALTERNATE)))
        return true;
    s->delay_ms = 0;
    s->what = has_other ? STEP_ALTERNATE : STEP_GIVE_UP;
    s->rung = RUNG_RESET;
    if (s->what == STEP_GIVE_UP)
        s->has_dependents = false;
    return false;
}

/* All failures up to the one that ends it, the earlier ones as though they were of this moment. */
static void work_out(void)
{
    static uint64_t times[STEPS_MAX];
    struct policy p = {.limits = {m->budget, m->budget_window_s * SECOND, m->backoff_free,
                                  m->backoff_first_ms * MS, m->backoff_max_ms * MS},
                       .failure = times};
    uint64_t so_far = row_number(row, FAILED);
    struct ladder_place place = {(uint32_t)row_number(row, PLACE), rung_now()};
    struct policy_verdict v;

    p.room = policy_room(&p.limits);
    for (uint64_t i = 0; i < so_far && i <= m->budget; i++)
        policy_failure(&p, SECOND);
    for (step_count = 0; step_count < STEPS_MAX;) {
        v = policy_failure(&p, SECOND);
        place = ladder_next(&m->ladder,
                            &(struct ladder_death){.place = place, .defect = DEFECT_EXCEPTION});
        if (!work_out_step(&steps[step_count++], &v, &place))
            return;
    }
}

/* ---- in words ---- */

static void print_when(const struct step *s, char *text, size_t room)
{
    char when[48];

    if (s->what == STEP_ALTERNATE)
        snprintf(when, sizeof when, "its alternate, %s", m->alternate);
    else if (s->what == STEP_GIVE_UP)
        snprintf(when, sizeof when, m->at_end == END_HOLD ? "given up, and held" : "given up");
    else if (s->delay_ms == 0)
        snprintf(when, sizeof when, "at once");
    else
        snprintf(when, sizeof when, "after %llu ms", (unsigned long long)s->delay_ms);
    snprintf(text, room, "%s%s", when, s->has_dependents && restarted_count() ? ", + others" : "");
}

static const char *device_word(const struct step *s)
{
    static const char *const words[] = {"taken over as it is", "reset by the fresh copy",
                                        "reset from outside before"};

    if (s->what == STEP_GIVE_UP)
        return "stopped: it reaches no memory any more";
    return words[s->rung];
}

static bool is_same(const struct step *a, const struct step *b)
{
    return a->what == b->what && a->delay_ms == b->delay_ms &&
           a->has_dependents == b->has_dependents && (!has_device() || a->rung == b->rung);
}

/* Those that are alike on one line. */
static void print_steps(void)
{
    printf("    %-9s %-24s%s\n", "FAILURE", "FRESH COPY", has_device() ? "ITS DEVICE" : "");
    for (unsigned i = 0, next; i < step_count; i = next) {
        char number[24], when[64];

        for (next = i + 1; next < step_count && is_same(&steps[i], &steps[next]); next++)
            ;
        if (next == i + 1)
            snprintf(number, sizeof number, "%u", steps[i].failure);
        else
            snprintf(number, sizeof number, "%u-%u", steps[i].failure, steps[next - 1].failure);
        print_when(&steps[i], when, sizeof when);
        printf("    %-9s ", number);
        if (has_device())
            printf("%-23s %s\n", when, device_word(&steps[i]));
        else
            printf("%s\n", when);
    }
}

static void print_device(void)
{
    if (!has_device())
        return;
    puts("\nThat of its device is so while copies die within a second of being ready, or\n"
         "before. After a copy that has worked for longer the fresh one takes the device\n"
         "over as it is; after a complaint, or when an IOMMU stopped the device, it\n"
         "resets it.");
}

static void print_at_end(void)
{
    switch (m->at_end) {
    case END_REBOOT:
        printf("Then the machine is restarted, in order");
        printf(m->end_uptime_s ? ", if it has run for %u s by then.\n" : ".\n", m->end_uptime_s);
        break;
    case END_POWEROFF:
        puts("Then the machine is switched off, in order.");
        break;
    case END_SCRIPT:
        printf("Then this script is run, with the reason:\n    %s%s%s\n", m->end_script,
               m->end_arguments[0] ? " " : "", m->end_arguments);
        break;
    default:
        break;
    }
}

static void print_end(void)
{
    const struct step *last = &steps[step_count - 1];

    putchar('\n');
    if (last->what == STEP_ALTERNATE)
        printf("The alternate has the same name, rights, device and ladder, and a budget of its\n"
               "own: %u failures in %u s. When that is used up, too, it is given up.\n",
               m->budget, m->budget_window_s);
    if (m->at_end == END_HOLD)
        printf("Given up, it is held for inspection, and all are told; 'service restart %s'\n"
               "starts it again.\n",
               row->value[NAME]);
    else
        printf("Given up, it stays down, and all are told; 'service up %s' starts it again.\n",
               row->value[NAME]);
    print_at_end();
}

static void print_dependents(void)
{
    if (restarted_count() == 0)
        return;
    if (manifest_strategy(m) == STRATEGY_ONE)
        puts("\nWhere there are others, these are restarted when the fresh copy is ready:");
    else
        puts("\nWhen the fresh copy is ready, these are restarted, too:");
    printf("   ");
    for (unsigned i = 0; i < rows.count; i++)
        if (is_restarted(&rows.row[i]))
            printf(" %s", rows.row[i].value[NAME]);
    putchar('\n');
}

static const struct step *first_by_script(void)
{
    for (unsigned i = 0; i < step_count; i++)
        if (steps[i].is_by_script)
            return &steps[i];
    return NULL;
}

static void print_script(void)
{
    const struct step *first = first_by_script();

    if (!first)
        return;
    if (first == steps)
        printf("A script decides first:\n    %s%s%s\n", m->policy,
               m->policy_arguments[0] ? " " : "", m->policy_arguments);
    else
        printf("From failure %u on a script decides first:\n    %s%s%s\n", first->failure,
               m->policy, m->policy_arguments[0] ? " " : "", m->policy_arguments);
    printf("It has %u ms; then it is ended, with all that it has started. It may restart\n"
           "at once or later, reset the device, or leave it down; no budget limits what it\n"
           "decides. Only if it fails, hangs, is missing or not executable, or nobody takes\n"
           "it to run within %llu ms, does the manifest decide:\n\n",
           m->deadline_ms, (unsigned long long)(LIFE_FETCH_PATIENCE / MS));
}

static void print_heartbeat(void)
{
    if (m->heartbeat_ms == 0)
        puts("\nNobody notices when it hangs: it has no heartbeat.");
    else
        printf(
            "\nIt is called slow when it has not come back to its loop for %u ms, and\nhas failed "
            "after %u ms; ten times that while it waits for somebody.\n",
            m->heartbeat_ms, m->heartbeat_high_ms);
}

static void print_counted(void)
{
    printf("\nCounted are failures of its own in the last %u s: just now %s; %u are allowed.\n"
           "A kill by a user (kill -9, service kill) and a restart on request are answered\n"
           "at once and do not count, but for a restart within a second of the last start.\n",
           m->budget_window_s, row->value[FAILED], m->budget);
}

static bool is_essential(void)
{
    return m->essential || strcmp(m->name, "rs") == 0;
}

static void print_goes_on(void)
{
    printf("It keeps its memory when it dies: the same process goes on. What it was doing\n"
           "is undone and done again, so that nobody notices, however often that is. A\n"
           "step that has ended it twice is given up: who asked for it gets EIO. ");
    if (strcmp(m->name, "rs") == 0)
        puts("There is\nno budget, and no fresh copy; after 100 deaths within one step the system "
             "stops.");
    else if (m->essential)
        puts("There is\nno budget, and no fresh copy; if it cannot go on, the system stops.");
    else
        puts("If it\ncannot go on, and after a complaint, there is a fresh copy, without that "
             "memory:\n");
}

static void print_text(void)
{
    printf("%s: %s%s%s; %s\n\n", row->value[NAME], row->value[STATE],
           runs_alternate() ? ", by its alternate, " : "",
           runs_alternate() ? row->value[PROGRAM] : "", row->value[DESCRIPTION]);
    if (m->rolled_back || is_essential())
        print_goes_on();
    if (is_essential())
        return;
    if (!m->restart) {
        printf("It stays down when it ends, as its manifest says ('restart no'); 'service up %s'\n"
               "starts it again.\n",
               row->value[NAME]);
        return;
    }
    if (m->policy[0])
        print_script();
    print_steps();
    if (m->standby)
        puts("\nThe next fresh copy is started already, and waits for its turn ('standby yes').");
    print_device();
    print_end();
    print_dependents();
    print_heartbeat();
    print_counted();
}

/* ---- for programs ---- */

static void print_json(void)
{
    printf("{\"name\": ");
    json_text(stdout, row->value[NAME]);
    printf(", \"state\": ");
    json_text(stdout, row->value[STATE]);
    printf(", \"keeps_memory\": %s, \"restarts\": %s, \"failures\": %s, \"budget\": %u, "
           "\"window_s\": %u",
           m->rolled_back || is_essential() ? "true" : "false", m->restart ? "true" : "false",
           row->value[FAILED], m->budget, m->budget_window_s);
    printf(", \"script\": ");
    if (m->policy[0])
        json_text(stdout, m->policy);
    else
        printf("null");
    printf(", \"deadline_ms\": %u, \"at_end\": \"%s\", \"strategy\": \"%s\", \"dependents\": [",
           m->deadline_ms, manifest_end_name(m->at_end),
           manifest_strategy_name(manifest_strategy(m)));
    for (unsigned i = 0, n = 0; i < rows.count; i++) {
        if (!is_restarted(&rows.row[i]))
            continue;
        printf(n++ ? ", " : "");
        json_text(stdout, rows.row[i].value[NAME]);
    }
    printf("], \"steps\": [");
    for (unsigned i = 0; i < step_count && m->restart && !is_essential(); i++)
        printf("%s{\"failure\": %u, \"what\": \"%s\", \"delay_ms\": %llu, \"device\": \"%s\", "
               "\"dependents\": %s, \"script\": %s}",
               i ? ",\n  " : "\n  ", steps[i].failure, what_names[steps[i].what],
               (unsigned long long)steps[i].delay_ms,
               has_device() ? rung_names[steps[i].rung] : "none",
               steps[i].has_dependents && restarted_count() ? "true" : "false",
               steps[i].is_by_script ? "true" : "false");
    puts("]}");
}

int foretell(const char *name, bool json)
{
    int status = EXIT_ERROR;

    manifests_load(NULL);
    if (!rows_read(&rows))
        fprintf(stderr, "service: " SERVICES_FILE " cannot be read\n");
    else if (!(row = rows_find(&rows, name)))
        fprintf(stderr, "service: policy %s: there is no such service\n", name);
    else if (!(m = manifest_of(name)))
        fprintf(stderr,
                "service: policy %s: its manifest in " MANIFESTS_FOLDER
                " is not there, or broken: 'service check' says how\n",
                name);
    else {
        work_out();
        (json ? print_json : print_text)();
        status = EXIT_OK;
    }
    rows_free(&rows);
    return status;
}
