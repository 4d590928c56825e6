/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two that play by changes in the data store alone: each waits until all that the other has changed in its
 * turn has been told to it, and then has its own. There is no other way on, and nobody looks twice: one
 * change that is lost, and the game stands still. In the manifests:
 *
 *     parameters peer=pong turns=500 serves      (peer=ping turns=500 of the other)
 *
 * A turn sets three values to the turn's number, and a fourth in even turns, which is taken back in odd
 * ones. A fifth, which the other's pattern does not match, changes each time, too. As each turn's changes
 * have been seen before the next, each is told exactly once.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/message.h"
#include "lib/rt/error.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

enum { BALLS = 4, LAST = BALLS - 1 /* comes and goes */ };

static char peer[SERVICE_NAME_MAX];
static unsigned turns, turn; /* that the other is to have, or has */
static unsigned seen; /* a bit for each change of that turn */
static unsigned changes;

static const char *parameter(const char *name)
{
    const char *p = strstr(service_info()->parameters, name);

    return p ? p + strlen(name) : NULL;
}

static void key_of(char key[DS_KEY_MAX], const char *of, const char *what, unsigned ball)
{
    snprintf(key, DS_KEY_MAX, "%s/%s%u", of, what, ball);
}

static void change(unsigned n)
{
    char key[DS_KEY_MAX];
    long result = 0;

    for (unsigned ball = 0; ball < BALLS; ball++) {
        key_of(key, service_info()->name, "ball", ball);
        result |= ball == LAST && n % 2 ? service_unset(key) : service_set_integer(key, n);
        key_of(key, service_info()->name, "wall", ball);
        result |= service_set_integer(key, n);
    }
    if (result != 0)
        panic("turn %u cannot be set", n);
}

/* The change is one of the turn that is waited for, and is told for the first time. */
static bool is_expected(const char *key, unsigned ball)
{
    struct ds_value value = {.type = DS_GONE};
    char right[DS_KEY_MAX];
    bool is_there;

    key_of(right, peer, "ball", ball);
    is_there = service_get(key, &value) == 0;
    if (ball >= BALLS || strcmp(key, right) != 0 || seen & 1u << ball)
        return false;
    if (ball == LAST && turn % 2)
        return !is_there;
    return is_there && value.type == DS_INTEGER && value.integer == turn;
}

static void take(const char *key)
{
    unsigned ball = (unsigned)(key[strlen(key) - 1] - '0');

    changes++;
    if (!is_expected(key, ball))
        panic("turn %u: %s is told, which has not changed so", turn, key);
    seen |= 1u << ball;
}

static void notified(uint64_t bits)
{
    char key[DS_KEY_MAX];
    endpoint_t ep;

    (void)bits;

    while (turn < turns && service_event(key, &ep)) {
        take(key);
        if (seen != (1u << BALLS) - 1)
            continue;
        seen = 0;
        turn++;
        if (!parameter("serves"))
            change(turn - 1);
        else if (turn < turns)
            change(turn);
        if (turn == turns)
            log_info("%u turns, %u changes", turns, changes);
    }
}

int main(void)
{
    char pattern[DS_KEY_MAX];
    long result;

    snprintf(peer, sizeof peer, "%.*s", (int)strcspn(parameter("peer="), " "), parameter("peer="));
    turns = (unsigned)strtoul(parameter("turns="), NULL, 10);
    snprintf(pattern, sizeof pattern, "%s/b*l?", peer);
    result = service_subscribe(pattern);
    if (result < 0)
        panic("cannot subscribe to %s: %s", pattern, error_name(result));
    service_ready(RS_READY_FRESH);
    if (parameter("serves"))
        change(0);
    service_run(&(struct service_table){.notified = notified});
}
