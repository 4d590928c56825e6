/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2), ppoll(2). */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "servers/vfs/poll_set.h"

static unsigned begin(struct client *c, struct pollfd *fds, struct poll_item *items, unsigned count)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < 0)
            continue;
        items[i].file = fd_used(c, (uint32_t)fds[i].fd);
        items[i].events = (uint16_t)fds[i].events;
        items[i].counts = UINT32_MAX;
        if (items[i].file)
            file_get(items[i].file);
        else
            bad++, fds[i].revents = POLLNVAL;
    }
    return bad;
}

static long poll_do(struct client *c, uint64_t address, uint64_t count, bool forever,
                    uint64_t deadline)
{
    struct pollfd *fds;
    struct poll_item *items;
    unsigned bad;
    long result;

    if (count > VFS_FILES_MAX)
        return -EINVAL;
    fds = malloc((count + 1) * sizeof *fds);
    items = calloc(count + 1, sizeof *items);
    result = !fds || !items ? -ENOMEM : user_read(c, address, fds, count * sizeof *fds);
    if (result == 0) {
        bad = begin(c, fds, items, (unsigned)count);
        result = poll_wait(c, items, (unsigned)count, forever && !bad, bad ? 0 : deadline);
        for (unsigned i = 0; i < count; i++)
            if (items[i].file)
                fds[i].revents = (short)items[i].ready;
        poll_release(c, items, (unsigned)count);
        if (result >= 0)
            result =
                user_write(c, address, fds, count * sizeof *fds) ? -EFAULT : result + (long)bad;
    }
    free(items);
    free(fds);
    return result;
}

static long sys_poll(struct client *c, const uint64_t *w)
{
    int32_t timeout = (int32_t)w[2];

    return poll_do(c, w[0], (uint32_t)w[1],
                   timeout<0, timeout> 0 ? clock_now() + (uint64_t)timeout * 1000000u : 0);
}

static long sys_ppoll(struct client *c, const uint64_t *w)
{
    uint64_t deadline;
    long result = deadline_from(c, w[2], &deadline);

    if (result == 0)
        result = mask_begin(c, w[3], w[4]);
    return result ? result
                  : mask_end(c, w[3],
                             poll_do(c, w[0], (uint32_t)w[1], deadline == WAIT_FOREVER, deadline));
}

VFS_TABLE(poll_calls, {SYS_poll, sys_poll}, {SYS_ppoll, sys_ppoll})
