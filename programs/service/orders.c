/* SPDX-License-Identifier: BSD-2-Clause */
/* What RS is told to do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "programs/service/options.h"
#include "programs/service/service.h"

static int tell(const char *command, const char *name, int error)
{
    if (!error)
        return EXIT_OK;
    fprintf(stderr, "service: %s %s: %s\n", command, name, order_reason(command, error));
    return EXIT_ERROR;
}

int run_order(const struct options *o)
{
    const char *verb = o->reset ? "reset" : o->word[0], *name = o->word[1];
    int error = order_send(verb, name, o->delay ? o->delay : o->word[2]);

    return tell(o->word[0], name, error);
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
        if (tell("kill", o->word[i], order_send("kill", o->word[i], NULL)) != EXIT_OK)
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
        int error = order_send("kill", name, NULL);

        if (error && error != EALREADY)
            return tell("kill", name, error);
        n += !error;
        if (count == 0 || n < count)
            sleep_until(&next, every);
    }
    return EXIT_OK;
}
