/* SPDX-License-Identifier: BSD-2-Clause */
/* The file protocol of printers (abi/proto/file.h), and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "abi/printer.h"
#include "lib/fs/device.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/lp/lp.h"

enum { MAJOR = 6, GROUP_LP = 7, WAITERS = ENDPOINT_SLOTS /* as many as there may be programs */ };
#define LOOK_NS 100000000ull /* while somebody waits: is there a driver? */

enum waiter_kind { WAIT_OPEN, WAIT_WRITE, WAIT_DRAIN, WAIT_STATUS };

static struct waiter {
    enum waiter_kind kind;
    struct port *port;
    struct message request; /* as it came */
    uint64_t done; /* write: bytes that are in the ring */
    uint32_t end; /* write: index of the ring behind them; drain: behind all that is there */
    uint32_t asked; /* status: number of the question */
} waiters[WAITERS]; /* the first `count` are used, in the order in which they came */
static unsigned count;

/* ---- programs that wait ---- */

static long wait_for(enum waiter_kind kind, struct port *p, const struct message *m)
{
    if (count == WAITERS)
        return -EAGAIN;
    waiters[count++] = (struct waiter){.kind = kind, .port = p, .request = *m, .end = p->written};
    return SERVICE_NO_REPLY;
}

static void drop(unsigned i)
{
    memmove(&waiters[i], &waiters[i + 1], (count - i - 1) * sizeof waiters[0]);
    count--;
}

static bool is_waited_for(const struct port *p, enum waiter_kind kind)
{
    for (unsigned i = 0; i < count; i++)
        if (waiters[i].port == p && waiters[i].kind == kind)
            return true;
    return false;
}

static bool may_not_block(const struct message *m)
{
    const struct file_transfer_request *r = message_words(m);

    return r->flags & O_NONBLOCK;
}

/* Into the ring, as much as there is room for. 1: that was all of it; 0: not yet; -errno. */
static long put(struct waiter *w)
{
    static uint8_t bytes[PORT_AHEAD];
    uint64_t address, length;

    for (;;) {
        uint32_t room = port_room(w->port), n;
        long error = device_piece(&w->request, w->done, &address, &length);

        if (error < 0 || length == 0)
            return error < 0 ? error : 1;
        if (room == 0)
            return 0;
        n = length < room ? (uint32_t)length : room;
        if (copy_from(message_caller(&w->request), address, bytes, n) < 0)
            return -EFAULT;
        port_put(w->port, bytes, n);
        w->done += n;
        w->end = w->port->written;
    }
}

/* Has the driver taken all that it waits for? */
static bool is_gone(const struct waiter *w)
{
    return (int32_t)(w->port->gone - w->end) >= 0;
}

/* Each of these: true when the waiter was answered. */
static bool serve_write(struct waiter *w)
{
    const struct file_transfer_request *r = message_words(&w->request);
    struct port *p = w->port;
    long result;

    if (p->node != r->node || p->failed) {
        device_answer(&w->request, -EIO);
        return true;
    }
    result = put(w);
    if (result >= 0 && !may_not_block(&w->request) && !(result == 1 && is_gone(w)))
        return false;
    if (result >= 0)
        result = w->done || result == 1 ? (long)w->done : -EAGAIN;
    else if (w->done)
        result = (long)w->done;
    device_answer(&w->request, result);
    return true;
}

static bool serve_drain(struct waiter *w)
{
    if (!w->port->failed && !is_gone(w))
        return false;
    device_answer(&w->request, w->port->failed ? -EIO : 0);
    return true;
}

static bool serve_status(struct waiter *w)
{
    const struct message *m = &w->request;
    const struct file_ioctl_request *r = message_words(m);
    int32_t status;

    if (!w->asked)
        w->asked = port_ask_status(w->port);
    if (!port_status(w->port, w->asked, &status))
        return false;
    device_answer(m, copy_to(message_caller(m), r->argument, &status, sizeof status) < 0 ? -EFAULT
                                                                                         : 0);
    return true;
}

/* A node that no other file ever had: after our death it is nobody's. */
static bool serve_open(struct waiter *w)
{
    struct port *p = w->port;
    struct message m = w->request;
    struct file_open_reply *reply = message_words(&m);

    if (p->node) {
        device_back_later(&m, -EBUSY);
        return true;
    }
    if (!port_has_driver(p))
        return false;
    p->node = clock_now();
    p->failed = false;
    p->done = 0;
    p->foreign = p->written - p->gone;
    reply->node = p->node;
    device_back_later(&m, 0);
    return true;
}

static bool serve_waiters(void)
{
    static bool (*const serve[])(struct waiter *) = {[WAIT_OPEN] = serve_open,
                                                     [WAIT_WRITE] = serve_write,
                                                     [WAIT_DRAIN] = serve_drain,
                                                     [WAIT_STATUS] = serve_status};
    unsigned before = count;
    bool held[PORTS] = {0}; /* an earlier write waits for it */

    for (unsigned i = 0; i < count;) {
        struct waiter *w = &waiters[i];
        bool *hold = &held[w->port - ports];

        if (w->kind == WAIT_WRITE && *hold) {
            i++;
        } else if (serve[w->kind](w)) {
            drop(i);
        } else {
            *hold |= w->kind == WAIT_WRITE;
            i++;
        }
    }
    return count != before;
}

/* Nobody will come any more who could do it. */
static void fail_waiters(const struct port *p)
{
    for (unsigned i = 0; i < count;) {
        struct message m = waiters[i].request;
        bool opens = waiters[i].kind == WAIT_OPEN;

        if (waiters[i].port != p) {
            i++;
            continue;
        }
        drop(i);
        if (opens)
            device_back_later(&m, -ENXIO);
        else
            device_answer(&m, -EIO);
    }
}

static void ask_for_drivers(void)
{
    for (struct port *p = ports; p < ports + PORTS; p++) {
        bool writes = is_waited_for(p, WAIT_WRITE);

        if (!writes && !is_waited_for(p, WAIT_OPEN) && !is_waited_for(p, WAIT_DRAIN) &&
            !is_waited_for(p, WAIT_STATUS))
            continue;
        if (port_ask_for_driver(p, writes) == -ENXIO)
            fail_waiters(p);
    }
}

/* ---- requests ---- */

static struct port *port_of(uint64_t node)
{
    for (struct port *p = ports; p < ports + PORTS; p++)
        if (node && p->node == node)
            return p;
    return NULL;
}

static long do_open(struct message *m)
{
    const struct file_open_request *r = message_words(m);
    bool was_open = r->again;
    struct port *p = r->node < PORTS ? &ports[r->node] : NULL;
    long result;

    if (was_open) /* what the one before us knew to be lost we do not know */
        return device_back(m, -EIO);
    result = p ? port_ask_for_driver(p, is_waited_for(p, WAIT_WRITE)) : -ENXIO;

    if (result == -EAGAIN && !(r->flags & O_NONBLOCK))
        result = 0;
    if (result == 0)
        result = wait_for(WAIT_OPEN, p, m);
    return result == SERVICE_NO_REPLY ? result : device_back(m, result);
}

static long do_close(struct message *m)
{
    const struct file_node_request *r = message_words(m);
    struct port *p = port_of(r->node);

    if (p) {
        p->node = 0;
        p->polled = p->poll_ready = false;
    }
    return device_back(m, 0);
}

static long do_write(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    struct port *p = port_of(r->node);

    return device_answer(m, p ? wait_for(WAIT_WRITE, p, m) : -EIO);
}

static long do_ioctl(struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    struct port *p = port_of(r->node);

    if (!p)
        return device_answer(m, -EIO);
    if (r->request == PRINTER_GET_STATUS)
        return device_answer(m, wait_for(WAIT_STATUS, p, m));
    if (r->request == PRINTER_DRAIN)
        return device_answer(m, wait_for(WAIT_DRAIN, p, m));
    if (r->request != PRINTER_GET_DONE)
        return device_answer(m, -ENOTTY);
    port_look(p, is_waited_for(p, WAIT_WRITE));
    return device_answer(
        m, copy_to(message_caller(m), r->argument, &p->done, sizeof p->done) < 0 ? -EFAULT : 0);
}

static long do_stat(struct message *m)
{
    const struct file_stat_request *r = message_words(m);
    const struct port *p = port_of(r->node);

    return device_stat(m, makedev(MAJOR, p ? (unsigned)(p - ports) : 0), 0660, GROUP_LP);
}

static uint32_t events_of(const struct port *p)
{
    if (p->failed)
        return POLLERR | POLLOUT | POLLWRNORM;
    return port_room(p) ? POLLOUT | POLLWRNORM : 0;
}

static long do_poll(struct message *m)
{
    const struct file_poll_request *r = message_words(m);
    struct port *p = port_of(r->node);
    uint32_t ready;

    if (!p)
        return POLLERR;
    port_look(p, false);
    ready = events_of(p) & ((uint32_t)r->events | POLLERR);
    if (!ready && r->tell == 1)
        p->polled = true;
    return ready;
}

static long do_poll_events(struct message *m)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = 0;
    for (struct port *p = ports; p < ports + PORTS && n < MESSAGE_WORDS; p++)
        if (p->poll_ready) {
            p->poll_ready = false;
            m->w[n++] = p->node;
        }
    return 0;
}

/* What is in the ring already is printed, and counts as written. */
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

static void tell_vfs(struct port *p)
{
    if (!p->polled || !events_of(p))
        return;
    p->polled = false;
    p->poll_ready = true;
    ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}

static uint64_t look_at; /* clock; 0: nobody waits */

static void serve(void)
{
    unsigned rounds = 0;
    uint64_t again;
    bool moved;

    do {
        again = 0;
        for (struct port *p = ports; p < ports + PORTS; p++)
            port_look(p, is_waited_for(p, WAIT_WRITE));
        moved = serve_waiters();
        for (struct port *p = ports; p < ports + PORTS; p++) {
            tell_vfs(p);
            again |= port_settle(p, is_waited_for(p, WAIT_WRITE) || is_waited_for(p, WAIT_DRAIN) ||
                                        p->polled);
        }
    } while (moved || (again && ++rounds < ATTEND_ROUNDS));
    attend_again(again);
    if (count == 0)
        look_at = 0;
    else if (!look_at)
        clock_alarm(look_at = clock_now() + LOOK_NS);
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        ports_find();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        look_at = 0;
    if (bits & (NOTIFY_BIT(NOTIFY_BIT_SERVICES) | NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        ask_for_drivers();
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

    ports_find();
    if (service_publish("chr/6") < 0)
        panic("chr/6 is published by somebody else");
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){.entries = entries,
                                        .count = sizeof entries / sizeof *entries,
                                        .notified = notified,
                                        .idle = serve});
}
