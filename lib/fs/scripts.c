/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "abi/proto/script.h"
#include "lib/rt/kernel.h"

enum { WAITING_MAX = 4 };

static struct message waiting[WAITING_MAX];
static unsigned waiting_count;

/* The next script's line: its length; 0: there is none. */
static long next_script(char *line, size_t room)
{
    struct rs_script s = {0};
    long grant = grant_make(service_info()->rs, &s, sizeof s, GRANT_WRITE), result;
    struct message m = message_of(RS_SCRIPT, (struct rs_grant_request){.grant = (uint64_t)grant});
    int n;

    if (grant < 0)
        return grant;
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    s.path[sizeof s.path - 1] = s.component[sizeof s.component - 1] =
        s.parameters[sizeof s.parameters - 1] = 0;
    n = snprintf(line, room, "%u %u %s %s %u %u %s\n", s.number, s.deadline_ms, s.path, s.component,
                 s.defect, s.failures, s.parameters);
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
