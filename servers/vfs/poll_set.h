/* SPDX-License-Identifier: BSD-2-Clause */
/* What poll(2) and select(2) have in common: waiting for several open files at once. */
#ifndef VFS_POLL_SET_H
#define VFS_POLL_SET_H

#include "servers/vfs/vfs.h"

struct poll_item {
    struct file *file; /* referenced; NULL: nothing to wait for */
    uint32_t events, ready; /* POLL* */
    uint32_t counts; /* of those that are ready: what ends the wait */
    struct waiter waiter;
};

/* Ready now, of `events` and POLLERR, POLLHUP. tell: wake f->pollers when one of them comes. */
uint32_t file_poll(struct file *f, uint32_t events, bool tell);

/* Until an item has something ready, or the deadline (already passed: look once and return): how
 * many are ready, or -EINTR. */
long poll_wait(struct client *c, struct poll_item *items, unsigned count, bool forever,
               uint64_t deadline);
/* Give the files back. */
void poll_release(struct client *c, struct poll_item *items, unsigned count);

#endif
