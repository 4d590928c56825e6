/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders to RS: a line each, through fs/proc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

const char *order_reason(const char *verb, int error)
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

    if (error == EALREADY && strcmp(verb, "kill") == 0)
        return "it does not run";
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].error == error)
            return reasons[i].text;
    return strerror(error);
}

int order_send(const char *verb, const char *name, const char *argument)
{
    char line[128];

    if (name[strcspn(name, " \t\n")]) /* it would be several words, or lines: other orders */
        return ESRCH;
    if (snprintf(line, sizeof line, "%s %s %s\n", verb, name, argument ? argument : "") >=
        (int)sizeof line)
        return ESRCH;
    return control(line);
}
