/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that wait, in the order in which they came. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>

#include "lib/fs/device.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

enum { CHUNK = 4096, TENTH_NS = 100000000 };
/* What a program writes to a screen may cost hundreds of instructions a byte: so much of it at a time,
 * and then the turn is others'. */
enum { SCREEN_CHUNK = 256, TURN_NS = 1000000, PAUSE_NS = 500000 };

static struct waiter waiters[WAITERS]; /* the first `count` are used, each by another program */
static unsigned count;

long waiter_add(enum waiter_kind kind, struct terminal *t, const struct message *request,
                int32_t background)
{
    if (count == WAITERS)
        return -EAGAIN;
    waiters[count++] =
        (struct waiter){.kind = kind, .terminal = t, .request = *request, .background = background};
    return SERVICE_NO_REPLY;
}

static void drop(unsigned i)
{
    memmove(&waiters[i], &waiters[i + 1], (count - i - 1) * sizeof waiters[0]);
    count--;
}

bool waiter_cancel(endpoint_t program, uint64_t *done)
{
    for (unsigned i = 0; i < count; i++)
        if (message_caller(&waiters[i].request) == program) {
            *done = waiters[i].done;
            drop(i);
            return true;
        }
    return false;
}

bool waiters_want_room(const struct terminal *t)
{
    for (unsigned i = 0; i < count; i++)
        if (waiters[i].terminal == t && waiters[i].kind != WAIT_READ)
            return true;
    return t->polled & POLLOUT;
}

uint64_t waiters_deadline(void)
{
    uint64_t earliest = 0;

    for (unsigned i = 0; i < count; i++)
        if (waiters[i].deadline && (!earliest || waiters[i].deadline < earliest))
            earliest = waiters[i].deadline;
    return earliest;
}

static bool may_not_block(const struct message *m)
{
    const struct file_transfer_request *r = message_words(m);

    return r->flags & O_NONBLOCK;
}

/* ---- each returns true when the waiter has been answered ---- */

static bool finish(const struct waiter *w, long result)
{
    device_answer(&w->request, result);
    return true;
}

/* It waits in the background, also for its group to be stopped there. */
static bool is_behind(const struct waiter *w)
{
    const struct terminal *t = w->terminal;

    return w->background && t->group != w->background && t->session;
}

/* What the terminal has taken cannot be taken back, so the program is told of it, whatever comes
 * then. Between two turns it waits for the alarm: others come first. */
static bool serve_write(struct waiter *w)
{
    static uint8_t bytes[CHUNK];
    uint32_t most = w->terminal->screen ? SCREEN_CHUNK : CHUNK;
    uint64_t address, length, began = clock_now();
    long error;

    if (w->terminal->hung)
        return finish(w, w->done ? (long)w->done : -EIO);
    if (is_behind(w) || w->deadline > began)
        return false;
    w->deadline = 0;
    for (;;) {
        uint32_t n, taken;

        error = device_piece(&w->request, w->done, &address, &length);
        if (error < 0 || length == 0)
            break;
        if (terminal_room(w->terminal) == 0) {
            if (!may_not_block(&w->request))
                return false;
            error = -EAGAIN;
            break;
        }
        if (w->done && clock_now() - began > TURN_NS) {
            w->deadline = clock_now() + PAUSE_NS;
            return false;
        }
        n = length < most ? (uint32_t)length : most;
        error = copy_from(message_caller(&w->request), address, bytes, n);
        if (error < 0)
            break;
        taken = terminal_put(w->terminal, bytes, n);
        w->done += taken;
    }
    return finish(w, w->done ? (long)w->done : error);
}

/* Without ICANON: is it time to answer a read of `room` bytes? See termios(3),
 * "noncanonical mode". */
static bool raw_is_due(struct waiter *w, uint64_t room)
{
    const struct line *l = &w->terminal->line;
    uint64_t least = l->termios.character[VMIN],
             patience = (uint64_t)l->termios.character[VTIME] * TENTH_NS;
    uint32_t there = line_available(l);
    uint64_t enough = least < room ? least : room;

    if (there >= (least == 0 ? 1 : enough))
        return true;
    if (patience == 0)
        return least == 0;
    if (least == 0 || there != 0) { /* the time runs from the start, or anew from each byte */
        if (!w->deadline || (least != 0 && there != w->seen))
            w->deadline = clock_now() + patience;
        w->seen = there;
        return clock_now() >= w->deadline;
    }
    w->deadline = 0;
    return false;
}

static bool serve_read(struct waiter *w)
{
    struct terminal *t = w->terminal;
    static uint8_t bytes[CHUNK];
    uint64_t address, length;
    uint32_t n;
    bool due;

    if (device_piece(&w->request, 0, &address, &length) < 0)
        return finish(w, -EFAULT);
    if (length == 0)
        return finish(w, 0);
    if (t->hung)
        return finish(w, 0);
    if (is_behind(w))
        return false;
    due = t->line.termios.local & ICANON ? line_readable(&t->line) : raw_is_due(w, length);
    if (!due && may_not_block(&w->request) && line_available(&t->line) == 0)
        return finish(w, -EAGAIN);
    if (!due && !may_not_block(&w->request))
        return false;
    n = line_read(&t->line, bytes, length < sizeof bytes ? (uint32_t)length : sizeof bytes);
    if (n != 0 && copy_to(message_caller(&w->request), address, bytes, n) < 0)
        return finish(w, -EFAULT);
    terminal_save(t);
    return finish(w, n);
}

static bool serve_drain(struct waiter *w)
{
    if (w->terminal->hung)
        return finish(w, -EIO);
    if (is_behind(w) || terminal_pending(w->terminal) != 0)
        return false;
    return finish(w, control_apply(w->terminal, &w->request));
}

bool waiters_serve(void)
{
    static bool (*const serve[])(struct waiter *) = {
        [WAIT_READ] = serve_read, [WAIT_WRITE] = serve_write, [WAIT_DRAIN] = serve_drain};
    bool held[3][TERMINALS] = {0}; /* one who came earlier waits for the same */
    unsigned before = count;

    for (unsigned i = 0; i < count;) {
        struct waiter *w = &waiters[i];
        bool *hold = &held[w->kind][w->terminal - terminals];

        if (w->kind == WAIT_WRITE && *hold && !may_not_block(&w->request)) {
            i++;
        } else if (serve[w->kind](w)) {
            drop(i);
        } else {
            *hold |= !is_behind(w);
            i++;
        }
    }
    return count != before;
}

uint32_t terminal_ready(const struct terminal *t)
{
    const struct line *l = &t->line;
    uint32_t least = l->termios.character[VTIME] ? 1 : l->termios.character[VMIN], events = 0;

    if (t->hung)
        return POLLHUP | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    if (least == 0)
        least = 1;
    if (l->termios.local & ICANON ? line_readable(l) : line_available(l) >= least)
        events |= POLLIN | POLLRDNORM;
    if (terminal_room(t) != 0)
        events |= POLLOUT | POLLWRNORM;
    return events;
}
