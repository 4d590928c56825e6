/* SPDX-License-Identifier: BSD-2-Clause */
/* The file protocol of sound devices (abi/proto/file.h), programs that wait, and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/fs/device.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/audio/audio.h"

enum { WAITERS = ENDPOINT_SLOTS /* as many as there may be programs */, PIECE = 4096 };
#define LOOK_NS 100000000ull /* while somebody waits: is there a driver? */

enum waiter_kind { WAIT_OPEN, WAIT_WRITE, WAIT_COMMAND, WAIT_DRAIN, WAIT_CLOSE };

static struct waiter {
    enum waiter_kind kind;
    struct message request; /* as it came */
    uint64_t done; /* write: bytes that are taken */
} waiters[WAITERS]; /* the first `count` are used, in the order in which they came */
static unsigned count;
static uint32_t open_flags;
static bool is_polled, poll_ready; /* VFS wants to hear of it; there is something to be heard */

/* ---- programs that wait ---- */

static long wait_for(enum waiter_kind kind, const struct message *m)
{
    if (count == WAITERS)
        return -EAGAIN;
    waiters[count++] = (struct waiter){.kind = kind, .request = *m};
    return SERVICE_NO_REPLY;
}

static void drop(unsigned i)
{
    memmove(&waiters[i], &waiters[i + 1], (count - i - 1) * sizeof waiters[0]);
    count--;
}

static bool may_not_block(const struct message *m)
{
    const struct file_transfer_request *r = message_words(m);

    return (r->flags & O_NONBLOCK) || dsp_is_nonblocking();
}

/* Into the ring, as much as there is room for. 1: that was all of it; 0: not yet; -errno. */
static long put(struct waiter *w)
{
    static uint8_t bytes[PIECE];
    uint64_t address, length;

    for (;;) {
        uint32_t room = stream_room(), n = room < PIECE ? room : PIECE;
        long error = device_piece(&w->request, w->done, &address, &length);

        if (error < 0 || length == 0)
            return error < 0 ? error : 1;
        if (room == 0)
            return 0;
        n = length < n ? (uint32_t)length : n;
        if (copy_from(message_caller(&w->request), address, bytes, n) < 0)
            return -EFAULT;
        stream_put(bytes, n);
        w->done += n;
    }
}

/* Each of these: true when the waiter was answered. */
static bool serve_write(struct waiter *w)
{
    long result = stream_is_ready() ? put(w) : 0;

    if (result == 0 && !may_not_block(&w->request))
        return false;
    if (w->done || result == 1)
        result = (long)w->done;
    else if (result == 0)
        result = -EAGAIN;
    device_answer(&w->request, result);
    return true;
}

static bool serve_open(struct waiter *w)
{
    struct message m = w->request;
    const struct file_open_request *asked = message_words(&w->request);
    struct file_open_reply *reply = message_words(&m);
    bool busy = stream_is_busy(message_caller(&m)), waits = !stream_is_drained();
    long result = -EBUSY;

    if (!busy && stream_kept()->node == 0 && waits && !(asked->flags & O_NONBLOCK))
        return false; /* what was closed is not played to its end */
    if (!busy && (stream_kept()->node || !waits))
        result = stream_open(message_caller(&m), &reply->node);
    if (result == 0)
        open_flags = (uint32_t)asked->flags;
    device_back_later(&m, result);
    return true;
}

static bool serve_command(struct waiter *w)
{
    if (!stream_is_ready())
        return false;
    device_answer(&w->request, dsp_finish(&w->request));
    return true;
}

static bool serve_drain(struct waiter *w)
{
    if (!stream_is_drained())
        return false;
    device_answer(&w->request, 0);
    return true;
}

static void finish_close(struct waiter *w)
{
    const struct file_node_request *r = message_words(&w->request);

    if (stream_is_open(r->node))
        stream_close();
    device_back_later(&w->request, 0);
}

static bool serve_close(struct waiter *w)
{
    if (!stream_is_drained())
        return false;
    finish_close(w);
    return true;
}

static bool serve_waiters(void)
{
    static bool (*const serve[])(struct waiter *) = {[WAIT_OPEN] = serve_open,
                                                     [WAIT_WRITE] = serve_write,
                                                     [WAIT_COMMAND] = serve_command,
                                                     [WAIT_DRAIN] = serve_drain,
                                                     [WAIT_CLOSE] = serve_close};
    unsigned before = count;
    bool hold = false; /* an earlier write waits */

    for (unsigned i = 0; i < count && card.queue;) {
        struct waiter *w = &waiters[i];

        if (w->kind == WAIT_WRITE && hold) {
            i++;
        } else if (serve[w->kind](w)) {
            drop(i);
        } else {
            hold |= w->kind == WAIT_WRITE;
            i++;
        }
    }
    return count != before;
}

/* Nobody will come any more who could do it. */
static void fail_waiters(void)
{
    while (count) {
        struct waiter w = waiters[0];

        drop(0);
        if (w.kind == WAIT_OPEN)
            device_back_later(&w.request, -ENODEV);
        else if (w.kind == WAIT_CLOSE)
            finish_close(&w);
        else
            device_answer(&w.request, w.done ? (long)w.done : -EIO);
    }
}

/* ---- requests ---- */

static long do_open(struct message *m)
{
    const struct file_open_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    long result;

    if (r->node == MINOR_MIXER || r->node == NODE_MIXER) {
        reply->node = NODE_MIXER;
        return device_back(m, card.queue ? 0 : -ENODEV);
    }
    if (r->node != MINOR_DSP && !stream_is_open(r->node))
        return device_back(m, -ENXIO);
    result = card_ask_for_driver();
    if (result == 0 && (r->flags & O_ACCMODE) == O_RDONLY)
        result = -ENODEV; /* nothing is recorded */
    if (result == 0)
        result = wait_for(WAIT_OPEN, m);
    return result == SERVICE_NO_REPLY ? result : device_back(m, result);
}

/* It waits until all is played, unless nobody is there to wait. */
static long do_close(struct message *m)
{
    const struct file_node_request *r = message_words(m);

    if (!stream_is_open(r->node))
        return device_back(m, 0);
    is_polled = poll_ready = false;
    stream_flush();
    if (message_via(m) && !(open_flags & O_NONBLOCK) && !card.is_paused &&
        wait_for(WAIT_CLOSE, m) == SERVICE_NO_REPLY)
        return SERVICE_NO_REPLY;
    stream_close();
    return device_back(m, 0);
}

static long do_write(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);

    if (r->node == NODE_MIXER)
        return device_answer(m, -EINVAL);
    return device_answer(m, stream_is_open(r->node) ? wait_for(WAIT_WRITE, m) : -EIO);
}

static long do_ioctl(struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    enum dsp_wait wait;
    long result;

    if (r->node == NODE_MIXER)
        return device_answer(m, mixer_ioctl(message_caller(m), (uint32_t)r->request, r->argument));
    if (!stream_is_open(r->node))
        return device_answer(m, -EIO);
    result = dsp_ioctl(m, &wait);
    if (result == 0 && wait != DSP_DONE)
        result = wait_for(wait == DSP_WAITS_DRAIN ? WAIT_DRAIN : WAIT_COMMAND, m);
    return device_answer(m, result);
}

static long do_stat(struct message *m)
{
    const struct file_stat_request *r = message_words(m);
    uint64_t minor = r->node == NODE_MIXER ? MINOR_MIXER : MINOR_DSP;

    return device_stat(m, makedev(AUDIO_MAJOR, minor), 0660, GROUP_AUDIO);
}

static uint32_t events(void)
{
    bool ready = stream_is_ready() && stream_room() >= stream_fragment_bytes();

    return ready ? POLLOUT | POLLWRNORM : 0;
}

static long do_poll(struct message *m)
{
    const struct file_poll_request *r = message_words(m);
    uint32_t ready;

    if (r->node == NODE_MIXER)
        return 0;
    if (!stream_is_open(r->node))
        return POLLERR;
    card_look();
    ready = events() & (uint32_t)r->events;
    if (!ready && r->tell == 1)
        is_polled = true;
    return ready;
}

static long do_poll_events(struct message *m)
{
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = 0;
    if (poll_ready)
        m->w[0] = stream_kept()->node;
    poll_ready = false;
    return 0;
}

/* What is taken counts as written. */
static long do_cancel(struct message *m)
{
    const struct file_program_request *r = message_words(m);
    struct file_cancel_reply *reply = message_words(m);

    for (unsigned i = 0; i < count; i++)
        if (message_caller(&waiters[i].request) == (endpoint_t)r->program) {
            reply->done = (int64_t)waiters[i].done;
            drop(i);
            return 1;
        }
    return 0;
}

/* ---- the loop ---- */

static void tell_vfs(void)
{
    if (!is_polled || !events())
        return;
    is_polled = false;
    poll_ready = true;
    ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}

static uint64_t look_at; /* clock; 0: nobody waits */

static void serve(void)
{
    unsigned rounds = 0;
    uint64_t again;
    bool moved;

    do {
        card_look();
        moved = serve_waiters();
        tell_vfs();
        again = card_settle(count || is_polled);
    } while (moved || (again && ++rounds < ATTEND_ROUNDS));
    attend_again(again);
    if (!card_watch() && count == 0)
        look_at = 0;
    else if (!look_at)
        clock_alarm(look_at = clock_now() + LOOK_NS);
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        card_find();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        look_at = 0;
    if ((bits & (NOTIFY_BIT(NOTIFY_BIT_SERVICES) | NOTIFY_BIT(NOTIFY_BIT_ALARM))) && count &&
        card_ask_for_driver() < 0)
        fail_waiters();
}

int main(void)
{
    static const struct service_entry entries[] = {
        {FILE_OPEN, do_open},
        {FILE_CLOSE, do_close},
        {FILE_READ, device_no_sync},
        {FILE_WRITE, do_write},
        {FILE_READ_VECTOR, device_no_sync},
        {FILE_WRITE_VECTOR, do_write},
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

    mixer_begin();
    card_find();
    if (service_publish("chr/14") < 0)
        panic("chr/14 is published by somebody else");
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){.entries = entries,
                                        .count = sizeof entries / sizeof *entries,
                                        .notified = notified,
                                        .idle = serve});
}
