/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/manifest/suggest.h"
#include "programs/service/check.h"
#include "programs/service/service.h"

static const char usage[] =
    "Usage: service COMMAND [NAME] [OPTIONS]\n"
    "See and control the system's services: servers and drivers.\n"
    "\n"
    "  list                     a line for each service\n"
    "  status [NAME]            all about one, or each\n"
    "  log [NAME]               what it, or all, have written to the log\n"
    "  devices [NAME]           what is on the PCI bus and who drives it: all, a driver's, or at "
    "an\n"
    "                           address as 00:02.0\n"
    "  check FILE...            is it a good manifest (NAME.svc), or policy script? All that is "
    "wrong is\n"
    "                           said with FILE:LINE\n"
    "  up NAME                  start it (again, when it is down or given up)\n"
    "  down NAME                stop it, until 'up'\n"
    "  restart NAME             replace it by a fresh copy\n"
    "  kill NAME...             end it as kill -9 would; policy replaces it. Several: one after "
    "the\n"
    "                           other\n"
    "  storm NAME US            test: kill it at random instants, US microseconds apart; 0: no "
    "more\n"
    "  fuse NAME STORES         test one that keeps its memory: it dies at one of so many stores "
    "of\n"
    "                           some of its steps; 0: no more\n"
    "\n"
    "  --json                   list, status, log, devices: for programs\n"
    "  --delay MS               restart: so many milliseconds from now\n"
    "  --every MS               kill: again and again, so many milliseconds apart, as long as this "
    "runs;\n"
    "                           several names in turn\n"
    "  --count N                kill: with --every, so many times\n"
    "  --reset                  restart: the fresh copy resets the device\n"
    "  --top DIR                check: of the source tree DIR, not of the system that runs\n"
    "  --policy-runner          run policy scripts as they are asked for (init starts this)\n"
    "  --help                   this\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage. Names are those of 'service list'.\n";

#define WORDS_MAX 100 /* RS has room for 96 services */

struct options {
    bool json, reset;
    const char *delay, *every, *count, *top;
    const char *word[WORDS_MAX]; /* command, name, number; or command, names */
    int words;
};

char *read_file(const char *path)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY);
    ssize_t n = -1;

    while (fd >= 0 && text && (n = read(fd, text + size, room - size - 1)) > 0) {
        size += (size_t)n;
        if (room - size < 2048) {
            char *more = realloc(text, room *= 2);

            if (!more)
                free(text);
            text = more;
        }
    }
    if (n < 0 || !text) {
        fprintf(stderr, "service: %s: %s\n", path, strerror(errno));
        free(text);
        text = NULL;
    } else
        text[size] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static int write_to(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY), error = 0;

    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    return error;
}

/* By fs/proc; when that is away for good, by fs/dev. Stale: fs/proc was replaced between the two
 * calls, and has not read the line. */
int control(const char *line)
{
    int error = write_to(CONTROL_FILE, line);

    for (int n = 0; error == ESTALE && n < 100; n++)
        error = write_to(CONTROL_FILE, line);
    return error == EIO || error == ENXIO || error == ENOENT || error == ESTALE
               ? write_to(CONTROL_DEVICE, line)
               : error;
}

static const char *reason(int error)
{
    static const struct {
        int error;
        const char *text;
    } reasons[] = {
        {ESRCH, "there is no such service"},
        {EALREADY, "nothing to do: it is so already"},
        {EPERM, "not permitted (only root may, and core services can't be replaced)"},
        {EACCES, "not permitted: only root may"},
        {ENOTRECOVERABLE,
         "it is given up, or has refused its device: 'service up' starts it again"},
        {ENODEV, "its device is not in this machine"},
        {ENOTSUP, "it does not keep its memory (its manifest has no 'returns rolled-back')"},
        {ENOEXEC, "its manifest or program is broken; see 'service log rs'"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].error == error)
            return reasons[i].text;
    return strerror(error);
}

/* 0, or an errno. */
static int send_order(const char *verb, const char *name, const char *argument)
{
    char line[128];

    if (snprintf(line, sizeof line, "%s %s %s\n", verb, name, argument ? argument : "") >=
        (int)sizeof line)
        return ESRCH;
    return control(line);
}

static int tell(const char *command, const char *name, int error)
{
    if (!error)
        return EXIT_OK;
    fprintf(stderr, "service: %s %s: %s\n", command, name, reason(error));
    return EXIT_ERROR;
}

static int run_order(const struct options *o)
{
    const char *verb = o->reset ? "reset" : o->word[0], *name = o->word[1];

    return tell(o->word[0], name, send_order(verb, name, o->delay ? o->delay : o->word[2]));
}

static void sleep_until(struct timespec *t, long ms)
{
    t->tv_nsec += ms % 1000 * 1000000;
    t->tv_sec += ms / 1000 + t->tv_nsec / 1000000000;
    t->tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, t, NULL) == EINTR) {
    }
}

static int kill_each(const struct options *o)
{
    int status = EXIT_OK;

    for (int i = 1; i < o->words; i++)
        if (tell("kill", o->word[i], send_order("kill", o->word[i], NULL)) != EXIT_OK)
            status = EXIT_ERROR;
    return status;
}

/* Again and again, in turn. One that is not up just now has not come back yet: its turn is passed
 * over. */
static int run_kill(const struct options *o)
{
    long every = o->every ? atol(o->every) : 0, count = o->count ? atol(o->count) : 0;
    struct timespec next;
    int turn = 0;

    if (!o->every)
        return kill_each(o);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long n = 0; count == 0 || n < count;) {
        const char *name = o->word[1 + turn++ % (o->words - 1)];
        int error = send_order("kill", name, NULL);

        if (error && error != EALREADY)
            return tell("kill", name, error);
        n += !error;
        if (count == 0 || n < count)
            sleep_until(&next, every);
    }
    return EXIT_OK;
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
static int run_check(const struct options *o)
{
    return check_files(o->word + 1, o->words - 1, o->top);
}

enum allowed {
    NEEDS_NAME = 1,
    REPORTS = 2,
    DELAYS = 4,
    REPEATS = 8,
    NEEDS_NUMBER = 16,
    MANY = 32,
    CHECKS = 64
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
    {"up", run_order, NEEDS_NAME},
    {"down", run_order, NEEDS_NAME},
    {"restart", run_order, NEEDS_NAME | DELAYS},
    {"kill", run_kill, NEEDS_NAME | REPEATS | MANY},
    {"storm", run_order, NEEDS_NAME | NEEDS_NUMBER},
    {"fuse", run_order, NEEDS_NAME | NEEDS_NUMBER},
    {"check", run_check, NEEDS_NAME | MANY | CHECKS},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static const char *const options[] = {"--json",  "--delay", "--every", "--count",
                                      "--reset", "--top",   "--help",  "--policy-runner"};
#define OPTIONS (sizeof options / sizeof *options)

static const struct command *command_of(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(word, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

bool command_exists(const char *word)
{
    return command_of(word) != NULL;
}

bool command_needs_name(const char *word)
{
    const struct command *c = command_of(word);

    return c && (c->allows & NEEDS_NAME) && !(c->allows & CHECKS);
}

const char *command_suggested(const char *word)
{
    return suggest_name(word, &commands[0].name, COMMANDS, sizeof *commands);
}

bool option_exists(const char *word)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(word, options[i]) == 0)
            return true;
    return false;
}

const char *option_suggested(const char *word)
{
    return suggest_name(word, options, OPTIONS, sizeof *options);
}

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

static bool number(const char *text)
{
    return *text && strlen(text) <= 8 && text[strspn(text, "0123456789")] == 0;
}

/* 0, or the exit status for a wrong command line. */
static int parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];

        if (strcmp(a, "--json") == 0)
            o->json = true;
        else if (strcmp(a, "--every") == 0) {
            o->every = argv[++i];
            if (i >= argc || !number(o->every) || atol(o->every) == 0)
                return misuse("--every needs a number of milliseconds", NULL);
        } else if (strcmp(a, "--count") == 0) {
            o->count = argv[++i];
            if (i >= argc || !number(o->count) || atol(o->count) == 0)
                return misuse("--count needs a number", NULL);
        } else if (strcmp(a, "--reset") == 0)
            o->reset = true;
        else if (strcmp(a, "--top") == 0) {
            o->top = argv[++i];
            if (i >= argc)
                return misuse("--top needs a folder", NULL);
        } else if (strcmp(a, "--delay") == 0) {
            o->delay = argv[++i];
            if (i >= argc || !number(o->delay))
                return misuse("--delay needs a number of milliseconds", NULL);
        } else if (a[0] == '-')
            return unknown("unknown option", a, option_suggested(a));
        else if (o->words == WORDS_MAX)
            return misuse("too many names, from", a);
        else
            o->word[o->words++] = a;
    }
    return 0;
}

/* What goes with the command, and how many names. 0, or the exit status. */
static int check_words(const struct command *c, const struct options *o)
{
    int words = 2;

    if ((c->allows & NEEDS_NAME) && o->words < 2)
        return misuse(c->allows & CHECKS ? "which file?" : "which service?", NULL);
    if (c->allows & NEEDS_NUMBER)
        words = 3;
    if (c->allows & MANY)
        words = WORDS_MAX;
    if (o->words > words)
        return misuse("one name at a time, not", o->word[words]);
    if ((c->allows & NEEDS_NUMBER) && (o->words < 3 || !number(o->word[2])))
        return misuse("a number is needed after the name, by", c->name);
    if (o->json && !(c->allows & REPORTS))
        return misuse("--json does not go with", c->name);
    if ((o->delay || o->reset) && !(c->allows & DELAYS))
        return misuse("--delay and --reset do not go with", c->name);
    if (o->top && !(c->allows & CHECKS))
        return misuse("--top does not go with", c->name);
    if ((o->every && !(c->allows & REPEATS)) || (o->count && !o->every))
        return misuse("--every, and --count with it, go with kill alone", NULL);
    return 0;
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
    wrong = parse(&o, argc, argv);
    if (wrong)
        return wrong;
    if (o.words == 0)
        return misuse("what?", NULL);
    c = command_of(o.word[0]);
    if (!c)
        return unknown("unknown command", o.word[0], command_suggested(o.word[0]));
    wrong = check_words(c, &o);
    return wrong ? wrong : c->run(&o);
}
