/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal server: what its files share.
 *
 *     main.c      the file protocol; the loop
 *     terminal.c  terminals: from the driver's queue through the line discipline to whoever waits,
 * and back waiter.c    programs that wait: to read, to write, for the output to be gone control.c
 * ioctls, sessions, process groups line.c      the line discipline (pure logic, tested on the host)
 *
 * A handler only notes what a program wants; before each receive all terminals are served: what
 * came from the drivers goes in, whoever can be answered is answered. So there is one path,
 * whatever the event was.
 *
 * When tty dies: settings, session, foreground group and what was typed and not yet read come back
 * from DS; bytes on the way to and from the driver are in the queue, which stays; VFS sends the
 * waiting programs again. Bytes that a read has taken are no longer in the snapshot when it is
 * answered: rather lost, when tty dies in between, than a command that runs twice.
 */
#ifndef TTY_TTY_H
#define TTY_TTY_H

#include <sys/ioctl.h>

#include "abi/char_queue.h"
#include "abi/message.h"
#include "abi/proto/file.h"
#include "abi/service.h"
#include "servers/tty/line.h"
#include "servers/tty/progress.h"

#define TERMINALS 4
#define SERIAL_DRIVER "uart" /* of the first; that of terminal n is called uart.n */
#define WAITERS 64
/* terminal n is node NODE_FIRST + n once it is open; below are minors of device files */
#define NODE_FIRST 0x100u
#define NODE_CONTROLLING 0u /* 5:0 */
#define NODE_CONSOLE 1u /* 5:1, terminal 0 */
#define NODE_SERIAL 64u /* 4:64 + n */

struct terminal {
    struct line line;
    struct winsize size;
    int32_t session, group; /* that it controls; the foreground process group. 0: none */
    struct service_queue where;
    struct char_queue *queue; /* NULL: no driver yet */
    uint32_t taken, written; /* our indices of the receive and of the transmit ring */
    uint32_t
        gone; /* of the transmit ring: up to there the driver had taken it when we last looked */
    uint32_t incarnation; /* of the driver, and */
    endpoint_t driver; /* its endpoint */
    struct tty_progress progress; /* of our output */
    bool restored; /* line and taken come from a predecessor */
    bool fresh; /* this incarnation has moved nothing yet */
    bool kick; /* the driver waits for what we did */
    uint32_t polled; /* events that VFS wants to hear of */
    bool poll_ready; /* one has come, VFS will fetch it */
};

/* A process, as PM tells. */
struct person {
    int32_t pid, session, group;
    uint32_t uid;
};

enum waiter_kind { WAIT_READ, WAIT_WRITE, WAIT_DRAIN };

struct waiter {
    enum waiter_kind kind;
    struct terminal *terminal;
    struct message request; /* as it came */
    uint64_t done; /* write: bytes that have been taken */
    uint64_t deadline; /* read with VTIME; 0 none */
    uint32_t seen; /* read with VTIME: bytes there when the deadline was set */
    int32_t background; /* read: its process group, which must be in the foreground first; 0: any */
};

extern struct terminal terminals[TERMINALS];

/* ---- main.c ---- */
long answer(const struct message *request,
            long result); /* replies, or sends back to VFS; returns SERVICE_NO_REPLY */

/* ---- terminal.c ---- */
void terminals_begin(void); /* state from DS, queues from RS */
void terminals_find_queues(void);
void terminal_save(const struct terminal *t); /* what a successor must know has changed */
struct terminal *terminal_of(uint64_t node); /* NULL: no such */
/* Is there such a port? The first is taken for granted: it is the console, also before its driver is
 * up. */
bool terminal_exists(const struct terminal *t);
uint64_t terminal_node(const struct terminal *t);
void terminal_input(struct terminal *t); /* take in what the driver has received */
bool terminal_settle(struct terminal *t,
                     bool wants_room); /* before sleeping; false: there is more to do */
uint64_t terminal_watch(struct terminal *t); /* complains of a driver that does not send; when to
                                                look again, 0: not */
uint32_t terminal_room(const struct terminal *t); /* for output, bytes */
uint32_t terminal_pending(const struct terminal *t); /* output that the driver has not taken yet */
uint32_t terminal_put(struct terminal *t, const uint8_t *from,
                      uint32_t count); /* through the line discipline; returns how many it took */
void terminal_discard_input(struct terminal *t);

/* ---- waiter.c ---- */
long waiter_add(enum waiter_kind kind, struct terminal *t, const struct message *request,
                int32_t background); /* -EAGAIN: too many */
bool waiter_cancel(endpoint_t program, uint64_t *done);
bool waiters_serve(void); /* answer all that can be; true: some were */
bool waiters_want_room(
    const struct terminal *t); /* is there one that needs the driver to take output? */
uint64_t waiters_deadline(void); /* the earliest; 0 none */
uint32_t terminal_ready(const struct terminal *t); /* POLL* events */

/* ---- control.c ---- */
bool person_ask(endpoint_t program,
                struct person *who); /* false: PM does not know it (or is not there) */
void group_signal(int32_t group, int signal);
struct terminal *controlling_terminal(endpoint_t program); /* NULL: it has none */
void terminal_opened(
    struct terminal *t,
    endpoint_t program); /* by a session leader without a terminal: it gets this one */
int32_t reader_in_background(const struct terminal *t,
                             endpoint_t program); /* its group, 0: in the foreground */
long control(struct terminal *t, const struct message *request); /* an ioctl */
long control_apply(
    struct terminal *t,
    const struct message *request); /* one that has waited for the output to be gone */

#endif
