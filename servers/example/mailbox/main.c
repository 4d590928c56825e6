/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mailbox: a character device. Each write is a letter, each letter is read once; who reads when
 * there is none waits, and who writes when there are too many. docs/writing-a-server.md tells why
 * each thing here is as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/sysmacros.h>

#include "lib/fs/device.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/example/mailbox/letters.h"

enum { MAJOR = 241, NODE = 1 /* there is one mailbox, however often it is open */, WAITERS = 32 };

static struct message waiting[WAITERS]; /* readers and writers, in the order in which they came */
static unsigned waiters;
static bool polled; /* VFS is to be told when something changes */
static bool poll_ready; /* it has been, and will ask */

static bool is_read(const struct message *m)
{
    return m->type == FILE_READ || m->type == FILE_READ_VECTOR;
}

static long try(const struct message *m)
{
    return is_read(m) ? letters_read(m) : letters_write(m);
}

static uint32_t events(void)
{
    return (letters_empty() ? 0u : POLLIN | POLLRDNORM) |
           (letters_full() ? 0u : POLLOUT | POLLWRNORM);
}

/* ---- programs that wait ---- */

static void forget(unsigned n)
{
    waiters--;
    for (; n < waiters; n++)
        waiting[n] = waiting[n + 1];
}

/* A letter has come or gone: whoever that lets go on. One who goes on may let another one, so from
 * the first again. */
static void wake(void)
{
    for (unsigned i = 0; i < waiters;) {
        struct message m = waiting[i];
        long result = try(&m);

        if (result == -EAGAIN) {
            i++;
            continue;
        }
        forget(i);
        device_answer(&m, result);
        i = 0;
    }
    if (polled && events()) {
        polled = false;
        poll_ready = true;
        ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
    }
}

/* Is somebody who came earlier waiting for the same thing? */
static bool must_queue(const struct message *m)
{
    for (unsigned i = 0; i < waiters; i++)
        if (is_read(&waiting[i]) == is_read(m))
            return true;
    return false;
}

/* ---- requests ---- */

static long do_transfer(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    long result = must_queue(m) ? -EAGAIN : try(m);

    if (result != -EAGAIN) {
        device_answer(m, result);
        wake();
        return SERVICE_NO_REPLY;
    }
    if (r->flags & O_NONBLOCK)
        return device_answer(m, -EAGAIN);
    if (waiters == WAITERS)
        return device_answer(m, -ENOMEM);
    waiting[waiters++] = *m;
    return SERVICE_NO_REPLY;
}

static long do_open(struct message *m)
{
    const struct file_open_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    long result = r->node == 0 ? 0 : -ENXIO; /* the minor */

    reply->node = NODE;
    return device_back(m, result);
}

static long do_close(struct message *m)
{
    return device_back(m, 0);
}

static long do_ioctl(struct message *m)
{
    return device_answer(m, -ENOTTY);
}

static long do_stat(struct message *m)
{
    return device_stat(m, makedev(MAJOR, 0), 0600, 0);
}

static long do_poll(struct message *m)
{
    const struct file_poll_request *r = message_words(m);
    uint32_t ready = events() & (uint32_t)r->events;

    if (!ready && r->tell == 1)
        polled = true;
    return ready;
}

static long do_poll_events(struct message *m)
{
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = 0;
    if (poll_ready)
        m->w[0] = NODE;
    poll_ready = false;
    return 0;
}

/* A signal, or the program's end: VFS takes it back. */
static long do_cancel(struct message *m)
{
    const struct file_program_request *r = message_words(m);
    struct file_cancel_reply *reply = message_words(m);

    for (unsigned i = 0; i < waiters; i++)
        if (message_caller(&waiting[i]) == (endpoint_t)r->program) {
            forget(i);
            reply->done = 0;
            return 1;
        }
    return 0;
}

int main(void)
{
    static const struct service_entry entries[] = {
        {FILE_OPEN, do_open},
        {FILE_CLOSE, do_close},
        {FILE_READ, do_transfer},
        {FILE_WRITE, do_transfer},
        {FILE_READ_VECTOR, do_transfer},
        {FILE_WRITE_VECTOR, do_transfer},
        {FILE_IOCTL, do_ioctl},
        {FILE_STAT, do_stat},
        {FILE_SYNC, device_no_sync},
        {FILE_TRUNCATE, device_no_change},
        {FILE_SET_ATTRIBUTES, device_no_change},
        {FILE_MAP, device_no_map},
        {FILE_POLL, do_poll},
        {FILE_POLL_EVENTS, do_poll_events},
        {FILE_CANCEL, do_cancel},
    };

    if (service_publish("chr/241") < 0)
        panic("chr/241 is published by somebody else");
    service_ready(RS_READY_FRESH);
    service_run(
        &(struct service_table){.entries = entries, .count = sizeof entries / sizeof *entries});
}
