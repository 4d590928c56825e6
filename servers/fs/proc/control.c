/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/proc/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"
#include "servers/fs/proc/process.h"

enum { COMMAND_MAX = 256, WAITING_MAX = 4 };

static const struct command {
    const char *word;
    enum rs_control control;
    enum rs_defect defect;
} commands[] = {
    {"up", RS_CONTROL_UP, DEFECT_NONE},
    {"down", RS_CONTROL_DOWN, DEFECT_NONE},
    {"kill", RS_CONTROL_KILL, DEFECT_KILLED},
    {"restart", RS_CONTROL_RESTART, DEFECT_UPDATE},
    {"reset", RS_CONTROL_RESTART, DEFECT_COMPLAINT}, /* the fresh incarnation resets the device */
};

static long script_done(const char *number, const char *status)
{
    struct message m = {.type = RS_SCRIPT_DONE};

    if (!number || !status)
        return -EINVAL;
    m.w[0] = strtoul(number, NULL, 10);
    m.w[1] = strtoul(status, NULL, 10);
    return ipc_call(service_info()->rs, &m);
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
    for (size_t i = 0; name && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) != 0)
            continue;
        if (strlen(name) >= SERVICE_NAME_MAX)
            return -ESRCH;
        pack_text(&m.w[0], name, SERVICE_NAME_MAX);
        m.w[2] = commands[i].control;
        m.w[3] = commands[i].defect;
        m.w[4] = argument ? strtoul(argument, NULL, 10) : 0;
        return ipc_call(service_info()->rs, &m);
    }
    return -EINVAL;
}

long control_write(struct fs_transfer *t)
{
    char text[COMMAND_MAX + 1], *rest, *line;
    uint32_t uid = UINT32_MAX;
    long result;

    if (t->length > COMMAND_MAX)
        return -EINVAL;
    if (process_of(t->program, &uid) == 0 || uid != 0)
        return -EPERM;
    result = copy_from(t->program, t->address, text, t->length);
    text[t->length] = 0;
    for (line = strtok_r(text, "\n", &rest); line && result >= 0;
         line = strtok_r(NULL, "\n", &rest))
        result = run_line(line);
    return result < 0 ? result : (long)t->length;
}

/* ---- scripts ---- */

static struct message waiting[WAITING_MAX];
static unsigned waiting_count;

/* The next script's line: its length; 0: there is none. */
static long next_script(char *line, size_t room)
{
    struct rs_script s = {0};
    long grant = grant_make(service_info()->rs, &s, sizeof s, GRANT_WRITE), result;
    struct message m = {.type = RS_SCRIPT, .w = {(uint64_t)grant}};
    int n;

    if (grant < 0)
        return grant;
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    s.path[sizeof s.path - 1] = s.component[sizeof s.component - 1] =
        s.parameters[sizeof s.parameters - 1] = 0;
    n = snprintf(line, room, "%u %s %s %u %u %s\n", s.number, s.path, s.component, s.defect,
                 s.failures, s.parameters);
    return n < (int)room ? n : (long)room - 1;
}

long scripts_read(struct fs_transfer *t)
{
    char line[512];
    long n = next_script(line, sizeof line), result;

    if (n == 0 && (t->flags & O_NONBLOCK))
        return -EAGAIN;
    if (n == 0) {
        if (waiting_count == WAITING_MAX)
            return -EBUSY;
        waiting[waiting_count++] = *t->request;
        return FS_LATER;
    }
    if (n < 0)
        return n;
    if ((uint64_t)n > t->length)
        n = (long)t->length;
    result = copy_to(t->program, t->address, line, (size_t)n);
    return result < 0 ? result : n;
}

void scripts_notified(void)
{
    struct message ready[WAITING_MAX];
    unsigned count = waiting_count;

    memcpy(ready, waiting, count * sizeof ready[0]);
    waiting_count = 0;
    for (unsigned i = 0; i < count; i++) /* those that find none wait again */
        fs_retry(&ready[i]);
}

long scripts_cancel(endpoint_t program)
{
    for (unsigned i = 0; i < waiting_count; i++) {
        if (message_caller(&waiting[i]) == program) {
            waiting[i] = waiting[--waiting_count];
            return 1;
        }
    }
    return 0;
}
