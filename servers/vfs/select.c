/* SPDX-License-Identifier: BSD-2-Clause */
/* select(2), pselect(2). */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "servers/vfs/poll_set.h"

enum { READ, WRITE, EXCEPT, SETS, WORD_BITS = 64, WORDS = VFS_FILES_MAX / WORD_BITS };
enum { LONG_SECONDS = 1000000000 }; /* a time-out of so many is none */

static const uint32_t wanted[SETS] = {POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI};
static const uint32_t means[SETS] = {POLLIN | POLLRDNORM | POLLHUP | POLLERR,
                                     POLLOUT | POLLWRNORM | POLLERR, POLLPRI};

struct sets {
    uint64_t bits[SETS][WORDS];
};

static bool has(const uint64_t *bits, unsigned fd)
{
    return bits[fd / WORD_BITS] >> fd % WORD_BITS & 1;
}

static long fetch(struct client *c, struct sets *s, const uint64_t *addresses, size_t bytes)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < SETS; i++)
        if (addresses[i] && user_read(c, addresses[i], s->bits[i], bytes))
            return -EFAULT;
    return 0;
}

static long store(struct client *c, const struct sets *s, const uint64_t *addresses, size_t bytes)
{
    for (int i = 0; i < SETS; i++)
        if (addresses[i] && user_write(c, addresses[i], s->bits[i], bytes))
            return -EFAULT;
    return 0;
}

static long begin(struct client *c, const struct sets *s, struct poll_item *items, unsigned count)
{
    for (unsigned fd = 0; fd < count; fd++) {
        for (int i = 0; i < SETS; i++)
            if (has(s->bits[i], fd)) {
                items[fd].events |= wanted[i];
                items[fd].counts |= means[i];
            }
        if (!items[fd].events)
            continue;
        items[fd].file = fd_file(c, fd);
        if (!items[fd].file)
            return -EBADF;
        file_get(items[fd].file);
    }
    return 0;
}

static long fill(struct sets *s, const struct poll_item *items, unsigned count)
{
    long n = 0;

    for (unsigned fd = 0; fd < count; fd++)
        for (int i = 0; i < SETS; i++) {
            if (!has(s->bits[i], fd))
                continue;
            if (items[fd].ready & means[i])
                n++;
            else
                s->bits[i][fd / WORD_BITS] &= ~(1ull << fd % WORD_BITS);
        }
    return n;
}

static long select_do(struct client *c, unsigned count, const uint64_t *addresses,
                      uint64_t deadline)
{
    struct poll_item *items;
    struct sets s;
    size_t bytes;
    long result;

    if (count > INT32_MAX)
        return -EINVAL;
    if (count > VFS_FILES_MAX) /* there are no more */
        count = VFS_FILES_MAX;
    bytes = (count + WORD_BITS - 1) / WORD_BITS * 8;
    result = fetch(c, &s, addresses, bytes);
    if (result)
        return result;
    items = calloc(count + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    result = begin(c, &s, items, count);
    if (result == 0)
        result = poll_wait(c, items, count, deadline == WAIT_FOREVER, deadline);
    if (result >= 0) {
        long n = fill(&s, items, count);

        result = store(c, &s, addresses, bytes);
        result = result ? result : n;
    }
    poll_release(c, items, count);
    free(items);
    return result;
}

/* Linux writes back how much of the time was left. */
static long sys_select(struct client *c, const uint64_t *w)
{
    struct timeval t;
    uint64_t deadline = WAIT_FOREVER;
    long result;

    if (w[4]) {
        if (user_read(c, w[4], &t, sizeof t))
            return -EFAULT;
        if (t.tv_sec < 0 || t.tv_usec < 0)
            return -EINVAL;
        if (t.tv_sec < LONG_SECONDS && t.tv_usec / 1000000 < LONG_SECONDS)
            deadline = clock_now() + (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
    }
    result = select_do(c, (uint32_t)w[0], w + 1, deadline);
    if (deadline != WAIT_FOREVER) {
        uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;

        t = (struct timeval){(time_t)(left / 1000000000u),
                             (suseconds_t)(left % 1000000000u / 1000u)};
        user_write(c, w[4], &t, sizeof t);
    }
    return result;
}

static long sys_pselect(struct client *c, const uint64_t *w)
{
    uint64_t deadline, mask[2] = {0}; /* its address and size */
    long result = deadline_from(c, w[4], &deadline);

    if (result == 0 && w[5])
        result = user_read(c, w[5], mask, sizeof mask);
    if (result == 0)
        result = mask_begin(c, mask[0], mask[1]);
    return result ? result : mask_end(c, mask[0], select_do(c, (uint32_t)w[0], w + 1, deadline));
}

VFS_TABLE(select_calls, {SYS_select, sys_select}, {SYS_pselect6, sys_pselect})
