/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of clients: what their calls point to. */
#include <string.h>
#include <time.h>

#include "abi/proto/pm.h"
#include "servers/vfs/vfs.h"

long user_read(struct client *c, uint64_t address, void *local, size_t length)
{
    return copy_from(c->endpoint, address, local, length) < 0 ? -EFAULT : 0;
}

long user_read_vault(struct client *c, uint64_t address, void *vault, size_t length)
{
    return copy_from_again(c->endpoint, address, vault, length) < 0 ? -EFAULT : 0;
}

long user_write(struct client *c, uint64_t address, const void *local, size_t length)
{
    return copy_to(c->endpoint, address, local, length) < 0 ? -EFAULT : 0;
}

/* In pieces that end with a page, so that nothing beyond the string's own pages is touched. */
long user_string(struct client *c, uint64_t address, char *text, size_t room)
{
    size_t done = 0;

    while (done < room) {
        size_t n = PAGE_SIZE - (address + done) % PAGE_SIZE;
        char *end;

        if (done == 0 && n > 256)
            n = 256; /* most are short */
        n = n < room - done ? n : room - done;
        if (user_read(c, address + done, text + done, n))
            return -EFAULT;
        end = memchr(text + done, 0, n);
        if (end)
            return end - text;
        done += n;
    }
    return -ENAMETOOLONG;
}

long deadline_from(struct client *c, uint64_t address, uint64_t *deadline)
{
    struct timespec t;

    *deadline = WAIT_FOREVER;
    if (!address)
        return 0;
    if (user_read(c, address, &t, sizeof t))
        return -EFAULT;
    if (t.tv_sec < 0 || (uint64_t)t.tv_nsec >= 1000000000u)
        return -EINVAL;
    if ((uint64_t)t.tv_sec < 1000000000u)
        *deadline = clock_now() + (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return 0;
}

long mask_begin(struct client *c, uint64_t address, uint64_t size)
{
    struct message m =
        message_of(PM_MASK, (struct pm_mask_request){.thread = (uint64_t)c->endpoint, .begins = 1});
    struct pm_mask_request *r = message_words(&m);

    if (!address)
        return 0;
    if (size != 8)
        return -EINVAL;
    return user_read(c, address, &r->mask, 8) ? -EFAULT : ipc_call(service_info()->pm, &m);
}

/* After -EINTR PM puts the mask back itself: once the handler has run. */
long mask_end(struct client *c, uint64_t address, long result)
{
    struct message m =
        message_of(PM_MASK, (struct pm_mask_request){.thread = (uint64_t)c->endpoint});

    if (address && result != -EINTR)
        ipc_call(service_info()->pm, &m);
    return result;
}

void signal_client(struct client *c, int signal)
{
    struct message m =
        message_of(PM_SIGNAL, (struct pm_signal_request){.signal = (uint64_t)signal,
                                                         .thread = (uint64_t)c->endpoint});

    ipc_call(service_info()->pm, &m);
}

long signal_with_result(struct client *c, int signal, long result)
{
    if (!c->cancelled)
        ipc_reply_result(c->endpoint, result);
    signal_client(c, signal);
    return c->cancelled ? result : SERVICE_NO_REPLY;
}
