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

static const char usage[] =
    "Usage: service COMMAND [NAME] [OPTIONS]\n"
    "See and control the system's services: servers and drivers.\n"
    "\n"
    "  list                     a line for each service\n"
    "  status [NAME]            all about one, or each\n"
    "  log [NAME]               what it, or all, have written to the log\n"
    "  corpse [NAME]            a line for each incarnation that died and is kept, or all about "
    "NAME's\n"
    "  devices [NAME]           what is on the PCI bus and who drives it: all, a driver's, or at "
    "an\n"
    "                           address as 00:02.0\n"
    "  store [PATTERN]          what is in the data store: all, or the keys that match ('net/*')\n"
    "  top                      all services on the screen, again each second; q ends it\n"
    "  tree [NAME]              who stands on whom: all, or whom one needs and who needs it\n"
    "  events [NAME]            deaths and returns, a line each; --follow: and those to come, "
    "with\n"
    "                           changes of state\n"
    "  wait NAME                until it is up; status 1: it will not be, or not in time\n"
    "  policy NAME              what would happen at its next failure, and those after it\n"
    "  check FILE...            is it a good manifest (NAME.svc), or policy script? All that is "
    "wrong is\n"
    "                           said with FILE:LINE\n"
    "  up NAME                  start it (again, when it is down or given up)\n"
    "  down NAME                stop it, until 'up'\n"
    "  restart NAME             replace it by a fresh copy\n"
    "  update NAME              give it another program, --image FILE or what /lib/bardo has now; "
    "if "
    "it\n"
    "                           fails within 10 s, the one before comes back. Of those that keep "
    "their\n"
    "                           memory one that fits it (on the host: make build/update/NAME)\n"
    "  kill NAME...             end it as kill -9 would; policy replaces it. Several: one after "
    "the\n"
    "                           other\n"
    "  hold NAME                when it dies, keep it for inspection in place of restarting it, "
    "until "
    "'up'\n"
    "                           or 'restart'\n"
    "  storm NAME US            test: kill it at random instants, US microseconds apart; 0: no "
    "more\n"
    "  fuse NAME STORES         test one that keeps its memory: it dies at one of so many stores "
    "of\n"
    "                           some of its steps; 0: no more\n"
    "\n"
    "  --json                   list, status, log, devices, store, corpse, tree, events, policy:\n"
    "                           for programs\n"
    "  --follow                 events: until it is ended\n"
    "  --timeout S              wait: so many seconds at most (0.5: half of one)\n"
    "  --core FILE              corpse NAME: write the latest as a core file, for gdb and\n"
    "                           build/services/NAME.debug on the host\n"
    "  --number N               corpse: the one with that number\n"
    "  --forget                 corpse: give back what is kept, of NAME or of all\n"
    "  --delay MS               restart: so many milliseconds from now\n"
    "  --every MS               kill: again and again, so many milliseconds apart, as long as this "
    "runs;\n"
    "                           several names in turn. top: so long from look to look (1000)\n"
    "  --count N                kill, top: with --every, so many times\n"
    "  --image FILE             update: the program, as the build makes it in build/services\n"
    "  --wait                   update: until it is clear that it stands\n"
    "  --reset                  restart: the fresh copy resets the device\n"
    "  --top DIR                check: of the source tree DIR, not of the system that runs\n"
    "  --policy-runner          run policy scripts as they are asked for (/etc/rc starts this)\n"
    "  --help                   this\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage. Names are those of 'service list'.\n";

/* Seconds, three places of decimals at most, as ms; -1: that is none. */
static long milliseconds(const char *text)
{
    size_t whole = strspn(text, "0123456789"), part = 0;
    long ms = atol(text) * 1000;

    if (whole == 0 || whole > 6 || (text[whole] && text[whole] != '.'))
        return -1;
    if (text[whole] == '.')
        part = strspn(text + whole + 1, "0123456789");
    if (text[whole] && (part == 0 || part > 3 || text[whole + 1 + part]))
        return -1;
    for (size_t i = 0, worth = 100; i < part; i++, worth /= 10)
        ms += (text[whole + 1 + i] - '0') * (long)worth;
    return ms;
}

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

/* What a value must be: behind an option, or as a command's number. */
struct value {
    const char *needs; /* in words; NULL: there is none */
    enum kind { TEXT, NUMBER, SECONDS } kind;
    unsigned long least, most; /* of a number */
    bool or_zero;
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

/* NULL: nothing is. */
static const char *wrong_with_number(const struct value *v, const char *text)
{
    unsigned long number = 0;

    if (!*text || text[strspn(text, "0123456789")])
        return "is none";
    for (; *text && number <= v->most; text++)
        number = number * 10 + (unsigned long)(*text - '0');
    if (number > v->most)
        return "is too large";
    return number >= v->least || (v->or_zero && number == 0) ? NULL : "is too small";
}

static const char *wrong_with_seconds(const char *text)
{
    if (milliseconds(text) >= 0)
        return NULL;
    return *text && text[strspn(text, "0123456789")] == 0 ? "is too large" : "is none";
}

static const char *wrong_with(const struct value *v, const char *text)
{
    if (v->kind == NUMBER)
        return wrong_with_number(v, text);
    if (v->kind == SECONDS)
        return wrong_with_seconds(text);
    return *text ? NULL : "is none";
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
    const char *wrong = text ? wrong_with(v, text) : "";

    if (!wrong)
        return 0;
    if (!text || !*text)
        fprintf(stderr, "service: %s needs %s\nTry 'service --help'.\n", of, v->needs);
    else
        fprintf(stderr, "service: %s needs %s: %s %s\nTry 'service --help'.\n", of, v->needs, text,
                wrong);
    return EXIT_USAGE;
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
    int words = c->allows & NEEDS_NUMBER ? 3 : 2;

    if ((c->allows & (NEEDS_NAME | NEEDS_FILE)) && o->words < 2)
        return misuse(c->allows & NEEDS_FILE ? "which file?" : "which service?", NULL);
    if (c->allows & MANY)
        words = WORDS_MAX;
    if ((c->allows & NO_NAME) && o->words > 1)
        return misuse("no name goes with", c->name);
    if (o->words > words)
        return misuse("one name at a time, not", o->word[words]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(c->name, numbers[i].command) == 0)
            return check_value(c->name, &numbers[i].value, o->word[2]);
    return 0;
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
    if (o->forget && (o->core || o->number))
        return misuse_option("--forget", "goes with a name, or with nothing");
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
        fputs(usage, stdout);
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
