/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/manifest/suggest.h"
#include "programs/service/check.h"
#include "programs/service/options.h"
#include "programs/service/service.h"
#include "programs/service/values.h"

static int run_list(const struct options *o)
{
    return list_services(o->word[1], o->json);
}

static int run_status(const struct options *o)
{
    return status_services(o->word[1], o->json);
}

static int run_log(const struct options *o)
{
    return show_log(o->word[1], o->json);
}

static int run_devices(const struct options *o)
{
    return list_devices(o->word[1], o->json);
}

static int run_store(const struct options *o)
{
    return list_store(o->word[1], o->json);
}

static int run_check(const struct options *o)
{
    return check_files(o->word + 1, o->words - 1, o->top);
}

static int run_corpse(const struct options *o)
{
    if (o->forget)
        return forget_corpses(o->word[1]);
    return o->core ? save_core(o->word[1], o->number, o->core)
                   : show_corpses(o->word[1], o->number, o->json);
}

static int run_top(const struct options *o)
{
    return show_top(o->every ? atol(o->every) : 0, o->count ? atol(o->count) : 0);
}

static int run_tree(const struct options *o)
{
    return show_tree(o->word[1], o->json);
}

static int run_events(const struct options *o)
{
    return follow_events(o->word[1], o->follow, o->json);
}

static int run_wait(const struct options *o)
{
    return wait_for_service(o->word[1], o->timeout ? milliseconds(o->timeout) : -1);
}

static int run_policy(const struct options *o)
{
    return foretell(o->word[1], o->json);
}

/* ---- the words that there are ---- */

enum allowed { /* of a command: names, and options that go with it */
               NEEDS_NAME = 1,
               NEEDS_NUMBER = 2, /* behind the name */
               NEEDS_FILE = 4,
               MANY = 8, /* names, or files */
               REPORTS = 16,
               DELAYS = 32,
               REPEATS = 64,
               CHECKS = 128,
               WAITS = 256,
               CORPSES = 512,
               FOLLOWS = 1024,
               NO_NAME = 2048,
               UPDATES = 4096,
};

static const struct command {
    const char *name;
    int (*run)(const struct options *o);
    unsigned allows; /* enum allowed */
} commands[] = {
    {"list", run_list, REPORTS},
    {"status", run_status, REPORTS},
    {"log", run_log, REPORTS},
    {"devices", run_devices, REPORTS},
    {"store", run_store, REPORTS},
    {"corpse", run_corpse, CORPSES | REPORTS},
    {"top", run_top, REPEATS | NO_NAME},
    {"tree", run_tree, REPORTS},
    {"events", run_events, REPORTS | FOLLOWS},
    {"wait", run_wait, NEEDS_NAME | WAITS},
    {"policy", run_policy, NEEDS_NAME | REPORTS},
    {"check", run_check, NEEDS_FILE | MANY | CHECKS},
    {"up", run_order, NEEDS_NAME},
    {"down", run_order, NEEDS_NAME},
    {"restart", run_order, NEEDS_NAME | DELAYS},
    {"hold", run_order, NEEDS_NAME},
    {"update", run_update, NEEDS_NAME | UPDATES},
    {"kill", run_kill, NEEDS_NAME | REPEATS | MANY},
    {"storm", run_order, NEEDS_NAME | NEEDS_NUMBER},
    {"fuse", run_order, NEEDS_NAME | NEEDS_NUMBER},
};
static const struct {
    const char *command;
    struct value value;
} numbers[] = {
    /* of those that need one */
    {"storm",
     {"0, or 50 to 60000000 microseconds", NUMBER, RS_STORM_MIN_US, RS_STORM_MAX_US, true}},
    {"fuse", {"a number of stores, 1024 at most", NUMBER, 0, RS_FUSE_MAX, false}},
};
_Static_assert(RS_STORM_MIN_US == 50 && RS_STORM_MAX_US == 60000000 && RS_FUSE_MAX == 1024 &&
                   RS_DELAY_MAX_MS == 86400000,
               "texts say so");
#define MANY_MAX 99999999
#define COMMANDS (sizeof commands / sizeof *commands)

static const struct value *number_of(const struct command *c)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(c->name, numbers[i].command) == 0)
            return &numbers[i].value;
    return NULL;
}

/* The command itself, and what goes with it. */
static int most_words(const struct command *c)
{
    if (c->allows & MANY)
        return WORDS_MAX;
    if (c->allows & NO_NAME)
        return 1;
    return c->allows & NEEDS_NUMBER ? 3 : 2;
}

static const char *which(const struct command *c)
{
    return c->allows & NEEDS_FILE ? "which file?" : "which service?";
}

static const struct option {
    const char *name;
    size_t place; /* in struct options */
    unsigned allowed; /* by commands that allow that; 0: by itself, see main() */
    struct value value; /* that follows it, if any */
} options[] = {
    {"--json", offsetof(struct options, json), REPORTS, {NULL, TEXT, 0, 0, false}},
    {"--follow", offsetof(struct options, follow), FOLLOWS, {NULL, TEXT, 0, 0, false}},
    {"--reset", offsetof(struct options, reset), DELAYS, {NULL, TEXT, 0, 0, false}},
    {"--wait", offsetof(struct options, wait), UPDATES, {NULL, TEXT, 0, 0, false}},
    {"--image",
     offsetof(struct options, image),
     UPDATES,
     {"the name of a file", TEXT, 0, 0, false}},
    {"--delay",
     offsetof(struct options, delay),
     DELAYS,
     {"a number of milliseconds, 86400000 at most", NUMBER, 0, RS_DELAY_MAX_MS, false}},
    {"--every",
     offsetof(struct options, every),
     REPEATS,
     {"a number of ms from 1 to 99999999", NUMBER, 1, MANY_MAX, false}},
    {"--count",
     offsetof(struct options, count),
     REPEATS,
     {"a number from 1 to 99999999", NUMBER, 1, MANY_MAX, false}},
    {"--timeout",
     offsetof(struct options, timeout),
     WAITS,
     {"a number of seconds, 999999.999 at most", SECONDS, 0, 0, false}},
    {"--core", offsetof(struct options, core), CORPSES, {"the name of a file", TEXT, 0, 0, false}},
    {"--number",
     offsetof(struct options, number),
     CORPSES,
     {"one of the numbers that 'service corpse' lists", NUMBER, 1, MANY_MAX, false}},
    {"--forget", offsetof(struct options, forget), CORPSES, {NULL, TEXT, 0, 0, false}},
    {"--top", offsetof(struct options, top), CHECKS, {"a folder", TEXT, 0, 0, false}},
    {"--help", 0, 0, {NULL, TEXT, 0, 0, false}},
    {"--policy-runner", 0, 0, {NULL, TEXT, 0, 0, false}},
};
#define OPTIONS (sizeof options / sizeof *options)

static const struct command *command_of(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(word, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

static const struct option *option_of(const char *word)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(word, options[i].name) == 0)
            return &options[i];
    return NULL;
}

bool command_exists(const char *word)
{
    return command_of(word) != NULL;
}

bool command_needs_name(const char *word)
{
    const struct command *c = command_of(word);

    return c && (c->allows & NEEDS_NAME);
}

const char *command_suggested(const char *word)
{
    return suggest_name(word, &commands[0].name, COMMANDS, sizeof *commands);
}

bool option_exists(const char *word)
{
    return option_of(word) != NULL;
}

const char *option_suggested(const char *word)
{
    return suggest_name(word, &options[0].name, OPTIONS, sizeof *options);
}

/* ---- a call in a script ---- */

static char fault_text[256];

static const char *fault_of(const char *of, const char *what)
{
    snprintf(fault_text, sizeof fault_text, "%s %s", of, what);
    return fault_text;
}

/* Of the option at words[*i], which moves to its value, if it has one. */
static const char *option_fault(const struct command *c, const char *const *words, unsigned count,
                                unsigned *i)
{
    const struct option *option = option_of(words[*i]);
    char what[64];

    if (!option)
        return NULL; /* (it has been told) */
    if (!option->allowed)
        return fault_of(option->name, "stands by itself");
    if (!(c->allows & option->allowed)) {
        snprintf(what, sizeof what, "does not go with %s", c->name);
        return fault_of(option->name, what);
    }
    if (!option->value.needs)
        return NULL;
    if (++*i < count && !words[*i][0])
        return NULL;
    return value_fault(option->name, &option->value, *i < count ? words[*i] : NULL);
}

const char *call_fault(const char *const *words, unsigned count)
{
    const struct command *c = command_of(words[0]);
    const struct value *number = number_of(c);
    const char *fault = NULL, *last = NULL;
    int plain = 1;
    bool is_sure = true;

    for (unsigned i = 1; i < count && !fault; i++) {
        if (words[i][0] == '-')
            fault = option_fault(c, words, count, &i);
        else if (!words[i][0])
            is_sure = false;
        else {
            last = words[i];
            if (++plain > most_words(c))
                fault = fault_of(c->name, c->allows & NO_NAME ? "takes no name" : "takes one name");
        }
    }
    if (fault || !is_sure)
        return fault;
    if ((c->allows & (NEEDS_NAME | NEEDS_FILE)) && plain < 2) {
        snprintf(fault_text, sizeof fault_text, "%s: %s", c->name, which(c));
        return fault_text;
    }
    if (!number)
        return NULL;
    return value_fault(c->name, number, plain > 2 ? last : NULL);
}

/* ---- the words that were given ---- */

static int misuse(const char *what, const char *word)
{
    fprintf(stderr, "service: %s%s%s\nTry 'service --help'.\n", what, word ? " " : "",
            word ? word : "");
    return EXIT_USAGE;
}

static int unknown(const char *what, const char *word, const char *near)
{
    if (!near)
        return misuse(what, word);
    fprintf(stderr, "service: %s %s (did you mean '%s'?)\nTry 'service --help'.\n", what, word,
            near);
    return EXIT_USAGE;
}

static int misuse_option(const char *option, const char *what)
{
    fprintf(stderr, "service: %s %s\nTry 'service --help'.\n", option, what);
    return EXIT_USAGE;
}

/* 0: it is as it must be; text NULL: it was not given. */
static int check_value(const char *of, const struct value *v, const char *text)
{
    const char *fault = value_fault(of, v, text);

    return fault ? misuse(fault, NULL) : 0;
}

static const char **value_of(struct options *o, const struct option *option)
{
    return (const char **)((char *)o + option->place);
}

/* Takes the option at argv[*i], and what belongs to it. 0, or the exit status. */
static int take_option(struct options *o, char **argv, int *i)
{
    const struct option *option = option_of(argv[*i]);

    if (!option)
        return unknown("unknown option", argv[*i], option_suggested(argv[*i]));
    if (!option->allowed)
        return misuse_option(option->name, "stands by itself");
    if (*value_of(o, option))
        return misuse_option(option->name, "is given twice");
    *value_of(o, option) = option->name;
    if (!option->value.needs)
        return 0;
    *value_of(o, option) = argv[++*i];
    return check_value(option->name, &option->value, argv[*i]);
}

/* 0, or the exit status for a wrong command line. */
static int parse(struct options *o, char **argv)
{
    for (int i = 1; argv[i]; i++) {
        int wrong = 0;

        if (argv[i][0] == '-' && argv[i][1])
            wrong = take_option(o, argv, &i);
        else if (!argv[i][0])
            wrong = misuse("a name is empty", NULL);
        else if (o->words == WORDS_MAX)
            wrong = misuse("too many names, from", argv[i]);
        else
            o->word[o->words++] = argv[i];
        if (wrong)
            return wrong;
    }
    return 0;
}

/* How many names and numbers go with the command. 0, or the exit status. */
static int check_words(const struct command *c, const struct options *o)
{
    const struct value *number = number_of(c);
    int words = most_words(c);

    if ((c->allows & (NEEDS_NAME | NEEDS_FILE)) && o->words < 2)
        return misuse(which(c), NULL);
    if ((c->allows & NO_NAME) && o->words > 1)
        return misuse("no name goes with", c->name);
    if (o->words > words)
        return misuse("one name at a time, not", o->word[words]);
    return number ? check_value(c->name, number, o->word[2]) : 0;
}

static int check_options(const struct command *c, struct options *o)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].allowed && *value_of(o, &options[i]) && !(c->allows & options[i].allowed)) {
            char what[64];

            snprintf(what, sizeof what, "does not go with %s", c->name);
            return misuse_option(options[i].name, what);
        }
    if (o->core && o->words < 2)
        return misuse_option("--core", "goes with a name");
    if (o->forget && (o->core || o->number || o->json))
        return misuse_option("--forget", "goes with a name, or with nothing");
    if (o->core && o->json)
        return misuse_option("--json", "does not go with --core");
    return o->count && !o->every ? misuse_option("--count", "goes with --every") : 0;
}

/* What could not be written, to a full disk for one, is no success. */
static int run_and_flush(const struct command *c, const struct options *o)
{
    int status = c->run(o);

    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("service: not all could be written\n", stderr);
    return EXIT_ERROR;
}

int main(int argc, char **argv)
{
    const struct command *c;
    struct options o = {0};
    int wrong;

    if (argc == 2 && strcmp(argv[1], "--policy-runner") == 0)
        return run_policies();
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        show_help();
        return EXIT_OK;
    }
    wrong = parse(&o, argv);
    if (wrong)
        return wrong;
    if (o.words == 0)
        return misuse("a command is missing", NULL);
    c = command_of(o.word[0]);
    if (!c)
        return unknown("unknown command", o.word[0], command_suggested(o.word[0]));
    wrong = check_words(c, &o);
    if (!wrong)
        wrong = check_options(c, &o);
    return wrong ? wrong : run_and_flush(c, &o);
}
