/* SPDX-License-Identifier: BSD-2-Clause */
/* The file protocol of terminals (abi/proto/file.h), and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "lib/fs/device.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

enum { GROUP_TTY = 5 };

/* ---- requests ---- */

static struct terminal *device(uint64_t rdev, endpoint_t program)
{
    uint64_t n = minor(rdev);

    if (major(rdev) == MAJOR_OTHERS && n == MINOR_CONTROLLING)
        return controlling_terminal(program);
    if (major(rdev) == MAJOR_OTHERS)
        return n == MINOR_CONSOLE ? &terminals[0] : NULL;
    if (n == 0)
        return console_shown();
    if (n <= SCREENS)
        return console_at((uint32_t)n - 1);
    return n >= MINOR_SERIAL && n < MINOR_SERIAL + SERIALS ? &terminals[n - MINOR_SERIAL] : NULL;
}

static uint64_t device_number(const struct terminal *t)
{
    uint64_t n = (uint64_t)(t - terminals);

    return makedev(MAJOR_TERMINALS, n < SERIALS ? MINOR_SERIAL + n : n - SERIALS + 1);
}

static long do_open(struct message *m)
{
    const struct file_open_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    struct terminal *t = device(r->rdev, message_caller(m));

    if (!t || !terminal_exists(t) || t->hung)
        return device_back(m, -ENXIO);
    if (major(r->rdev) == MAJOR_TERMINALS && !(r->flags & O_NOCTTY))
        terminal_opened(t, message_caller(m));
    reply->node = terminal_node(t);
    return device_back(m, 0);
}

static long do_close(struct message *m)
{
    return device_back(m, 0);
}

static long do_read(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    struct terminal *t = terminal_of(r->node);
    long background = t ? background_of(t, message_caller(m), SIGTTIN) : -ENXIO;

    return background < 0 ? device_answer(m, background)
                          : control_wait(WAIT_READ, t, m, (int32_t)background, SIGTTIN);
}

static long do_write(struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    struct terminal *t = terminal_of(r->node);
    long background = t ? 0 : -ENXIO;

    if (t && (t->line.termios.local & TOSTOP))
        background = background_of(t, message_caller(m), SIGTTOU);
    return background < 0 ? device_answer(m, background)
                          : control_wait(WAIT_WRITE, t, m, (int32_t)background, SIGTTOU);
}

static long do_ioctl(struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    struct terminal *t = terminal_of(r->node);

    return device_answer(m, t ? control(t, m) : -ENXIO);
}

static long do_stat(struct message *m)
{
    const struct file_stat_request *r = message_words(m);
    const struct terminal *t = terminal_of(r->node);

    return t ? device_stat(m, device_number(t), 0620, GROUP_TTY) : device_answer(m, -ENXIO);
}

static long do_poll(struct message *m)
{
    const struct file_poll_request *r = message_words(m);
    struct terminal *t = terminal_of(r->node);
    uint32_t ready;

    if (!t)
        return -ENXIO;
    terminal_input(t);
    consoles_serve();
    ready = terminal_ready(t) & ((uint32_t)r->events | POLLHUP);
    if (!ready && r->tell == 1)
        t->polled |= (uint32_t)r->events;
    return ready;
}

static long do_poll_events(struct message *m)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m->w[i] = 0;
    for (unsigned i = 0; i < TERMINALS && n < MESSAGE_WORDS; i++)
        if (terminals[i].poll_ready) {
            terminals[i].poll_ready = false;
            m->w[n++] = terminal_node(&terminals[i]);
        }
    return 0;
}

static long do_cancel(struct message *m)
{
    const struct file_program_request *r = message_words(m);
    struct file_cancel_reply *reply = message_words(m);
    uint64_t done = 0;
    bool waited = waiter_cancel((endpoint_t)r->program, &done);

    reply->done = (int64_t)done;
    return waited;
}

/* ---- the loop ---- */

static void tell_vfs(struct terminal *t)
{
    if (!(t->polled & terminal_ready(t)))
        return;
    t->polled = 0;
    t->poll_ready = true;
    ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
}

/* Of two points in time; 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Before every receive: whatever has happened, everybody gets what there is for him. (A driver could go on
 * without end, and who waits for us is served, too.) */
static void serve(void)
{
    static uint64_t alarm;
    uint64_t deadline, again;
    unsigned rounds = 0;
    bool moved;

    do {
        again = 0;
        for (unsigned i = 0; i < TERMINALS; i++)
            terminal_input(&terminals[i]);
        consoles_serve();
        moved = waiters_serve(); /* what one of them has done may let another go on */
        for (unsigned i = 0; i < TERMINALS; i++) {
            tell_vfs(&terminals[i]);
            again |= terminal_settle(&terminals[i], waiters_want_room(&terminals[i]));
        }
        again |= consoles_settle();
    } while (moved || (again && ++rounds < ATTEND_ROUNDS));
    attend_again(again);
    deadline = earlier(waiters_deadline(), consoles_watch());
    for (unsigned i = 0; i < TERMINALS; i++)
        deadline = earlier(deadline, terminal_watch(&terminals[i]));
    if (deadline != alarm)
        clock_alarm(alarm = deadline);
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES)) {
        terminals_find_queues();
        terminals_hang_up();
    }
}

int main(void)
{
    static const struct service_entry entries[] = {
        {FILE_OPEN, do_open},
        {FILE_CLOSE, do_close},
        {FILE_READ, do_read},
        {FILE_WRITE, do_write},
        {FILE_READ_VECTOR, do_read},
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

    terminals_begin();
    if (service_publish("chr/4") < 0 || service_publish("chr/5") < 0)
        panic("chr/4 or chr/5 is published by somebody else");
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){.entries = entries,
                                        .count = sizeof entries / sizeof *entries,
                                        .notified = notified,
                                        .idle = serve});
}
