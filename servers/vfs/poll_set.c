/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/poll_set.h"

#include <poll.h>

uint32_t file_poll(struct file *f, uint32_t events, bool tell)
{
    if (!f->operations->poll)
        return events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
    return f->operations->poll(f, events, tell) & (events | POLLERR | POLLHUP);
}

/* One round: how many are ready. The first that is ends the need to be told about the others. */
static unsigned look(struct poll_item *items, unsigned count, bool tell)
{
    unsigned ready = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!items[i].file)
            continue;
        items[i].ready = file_poll(items[i].file, items[i].events, tell && !ready);
        ready += (items[i].ready & items[i].counts) != 0;
    }
    return ready;
}

static void enter(struct client *c, struct poll_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (items[i].file)
            wait_enter(&items[i].waiter, c, &items[i].file->pollers);
}

static void leave(struct poll_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (items[i].file)
            wait_leave(&items[i].waiter);
}

long poll_wait(struct client *c, struct poll_item *items, unsigned count, bool forever,
               uint64_t deadline)
{
    bool at_once = !forever && deadline <= clock_now();
    long result = 0;

    for (;;) {
        unsigned ready;

        c->woken = false;
        if (!at_once)
            enter(c, items, count);
        ready = look(items, count, !at_once);
        if (!ready && !at_once)
            result = wait_sleep(c, forever ? WAIT_FOREVER : deadline);
        if (!at_once)
            leave(items, count);
        if (ready)
            return ready;
        if (at_once || result == -ETIMEDOUT)
            return 0;
        if (result)
            return result;
    }
}

void poll_release(struct client *c, struct poll_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (items[i].file)
            file_put(c, items[i].file);
}
