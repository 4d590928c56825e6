/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/orders.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"

static const struct order {
    const char *word;
    enum rs_control control;
    enum rs_defect defect;
} orders[] = {
    {"up", RS_CONTROL_UP, DEFECT_NONE},
    {"down", RS_CONTROL_DOWN, DEFECT_NONE},
    {"kill", RS_CONTROL_KILL, DEFECT_KILLED},
    {"storm", RS_CONTROL_STORM, DEFECT_KILLED},
    {"fuse", RS_CONTROL_FUSE, DEFECT_EXCEPTION},
    {"hold", RS_CONTROL_HOLD, DEFECT_NONE},
    {"forget", RS_CONTROL_FORGET, DEFECT_NONE},
    {"restart", RS_CONTROL_RESTART, DEFECT_UPDATE},
    {"reset", RS_CONTROL_RESTART, DEFECT_COMPLAINT}, /* the fresh incarnation resets the device */
};

static struct message about_us;
static bool is_late;

static long script_done(const char *number, const char *status)
{
    struct message m = {.type = RS_SCRIPT_DONE};

    if (!number || !status)
        return -EINVAL;
    m.w[0] = strtoul(number, NULL, 10);
    m.w[1] = strtoul(status, NULL, 10);
    return ipc_call(service_info()->rs, &m);
}

/* To end ourselves at once would leave who gave the order without an answer. */
static long give(const char *name, const struct message *m)
{
    struct message order = *m;

    if (m->w[2] != RS_CONTROL_UP && m->w[2] != RS_CONTROL_HOLD && m->w[2] != RS_CONTROL_FORGET &&
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

static long run_line(char *line)
{
    char *rest, *word = strtok_r(line, " \t", &rest), *name = strtok_r(NULL, " \t", &rest),
                *argument = strtok_r(NULL, " \t", &rest);
    struct message m = {.type = RS_CONTROL};

    if (!word)
        return 0;
    if (strcmp(word, "done") == 0)
        return script_done(name, argument);
    for (size_t i = 0; name && i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(word, orders[i].word) != 0)
            continue;
        if (strlen(name) >= SERVICE_NAME_MAX)
            return -ESRCH;
        pack_text(&m.w[0], name, SERVICE_NAME_MAX);
        m.w[2] = orders[i].control;
        m.w[3] = orders[i].defect;
        m.w[4] = argument ? strtoul(argument, NULL, 10) : 0;
        return give(name, &m);
    }
    return -EINVAL;
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
