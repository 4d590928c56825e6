/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/orders.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"

enum number { NO_NUMBER, MAY_HAVE, NEEDS };

static const struct order {
    const char *word;
    enum rs_control control;
    bool resets; /* the fresh copy its device */
    enum number number; /* behind the name */
} orders[] = {
    {"up", RS_CONTROL_UP, false, NO_NUMBER},
    {"down", RS_CONTROL_DOWN, false, NO_NUMBER},
    {"kill", RS_CONTROL_KILL, false, NO_NUMBER},
    {"storm", RS_CONTROL_STORM, false, NEEDS},
    {"fuse", RS_CONTROL_FUSE, false, NEEDS},
    {"hold", RS_CONTROL_HOLD, false, NO_NUMBER},
    {"forget", RS_CONTROL_FORGET, false, NO_NUMBER},
    {"restart", RS_CONTROL_RESTART, false, MAY_HAVE},
    {"reset", RS_CONTROL_RESTART, true, MAY_HAVE},
    {"update", RS_CONTROL_UPDATE, false, NEEDS},
    {"updated", RS_CONTROL_UPDATED, false, NO_NUMBER},
};

static struct message about_us;
static bool is_late;

/* False: it is not a number, and nothing but one. */
static bool take_number(const char *word, uint64_t *number)
{
    char *end;

    if (*word < '0' || *word > '9') /* no sign, which strtoul() would take */
        return false;
    errno = 0;
    *number = strtoul(word, &end, 10);
    return *end == 0 && errno == 0;
}

static long script_done(const char *number, const char *status)
{
    struct message m = {.type = RS_SCRIPT_DONE};
    struct rs_script_done_request *r = message_words(&m);

    if (!number || !status || !take_number(number, &r->number) || !take_number(status, &r->status))
        return -EINVAL;
    return ipc_call(service_info()->rs, &m);
}

/* To end ourselves at once would leave who gave the order without an answer. */
static long give(const char *name, const struct message *m)
{
    struct message order = *m;
    const struct rs_control_request *r = message_words(m);

    if (r->control != RS_CONTROL_UP && r->control != RS_CONTROL_HOLD &&
        r->control != RS_CONTROL_FORGET && r->control != RS_CONTROL_UPDATED &&
        strcmp(name, service_info()->name) == 0) {
        about_us = *m;
        is_late = true;
        return 0;
    }
    return ipc_call(service_info()->rs, &order);
}

void orders_late(void)
{
    struct message order = about_us;

    if (!is_late)
        return;
    is_late = false;
    ipc_call(service_info()->rs, &order);
}

static const struct order *order_of(const char *word)
{
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strcmp(word, orders[i].word) == 0)
            return &orders[i];
    return NULL;
}

static long run_line(char *line)
{
    char *rest, *word = strtok_r(line, " \t", &rest), *name = strtok_r(NULL, " \t", &rest),
                *argument = strtok_r(NULL, " \t", &rest);
    struct message m = {.type = RS_CONTROL};
    struct rs_control_request *r = message_words(&m);
    const struct order *order;

    if (!word)
        return 0;
    if (strtok_r(NULL, " \t", &rest))
        return -EINVAL;
    if (strcmp(word, "done") == 0)
        return script_done(name, argument);
    order = order_of(word);
    if (!order || !name || (argument && order->number == NO_NUMBER) ||
        (!argument && order->number == NEEDS))
        return -EINVAL;
    if (argument && !take_number(argument, &r->argument))
        return -EINVAL;
    if (strlen(name) >= SERVICE_NAME_MAX)
        return -ESRCH;
    pack_text(r->name, name, SERVICE_NAME_MAX);
    r->control = order->control;
    r->resets = order->resets;
    return give(name, &m);
}

long orders_run(char *text)
{
    char *rest;
    long result = 0;

    for (char *line = strtok_r(text, "\n", &rest); line && result >= 0;
         line = strtok_r(NULL, "\n", &rest))
        result = run_line(line);
    return result < 0 ? result : 0;
}
