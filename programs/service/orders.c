/* SPDX-License-Identifier: BSD-2-Clause */
/* What RS is told to do: a line each, through fs/proc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "programs/service/options.h"
#include "programs/service/service.h"

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
    return proc_is_away(error) ? write_to(CONTROL_DEVICE, line) : error;
}

static const char *reason(int error)
{
    static const struct {
        int error;
        const char *text;
    } reasons[] = {
        {ESRCH, "there is no such service"},
        {EALREADY, "nothing to do: it is so already"},
        {EPERM, "not permitted (only root may, and what the system cannot do without stays)"},
        {EACCES, "not permitted: only root may"},
        {ENOTRECOVERABLE,
         "it is given up, or has refused its device: 'service up' starts it again"},
        {ENODEV, "its device is not in this machine"},
        {ENXIO, "it does not run, and is not about to"},
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

int run_order(const struct options *o)
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
int run_kill(const struct options *o)
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
