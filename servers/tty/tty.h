/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal server: what its files share.
 *
 *     main.c      the file protocol; the loop
 *     terminal.c  terminals: from the driver's queue through the line discipline to whoever waits,
 *                 and back
 *     console.c   the terminals that a person sits at: screen and keyboard
 *     peer.c      the driver at the other end of a queue
 *     waiter.c    programs that wait: to read, to write, for the output to be gone
 *     control.c   ioctls, sessions, process groups
 *     vt.c        ioctls of consoles
 *     snapshot.c  what a successor finds in DS
 *     selftest.c  when a port's driver is asked to show that its device works
 *     line.c      the line discipline
 *     screen.c    what a screen shows; csi.c sequence.c glyph.c: what bytes do to it
 *     keymap.c    from keys to bytes
 *
 * The last three are pure logic, tested on the host.
 *
 * A handler only notes what a program wants; before each receive all terminals are served: what
 * came from the drivers goes in, whoever can be answered is answered. So there is one path,
 * whatever the event was.
 *
 * When tty dies: settings, session, foreground group and what was typed and not yet read come back
 * from DS; bytes on the way to and from the driver are in the queue, which stays; VFS sends the
 * waiting programs again. What the consoles show is in the screen's queue, and stays, too. Bytes that a read has taken are no longer in the snapshot when it is
 * answered: rather lost, when tty dies in between, than a command that runs twice.
 */
#ifndef TTY_TTY_H
#define TTY_TTY_H

#include <sys/ioctl.h>

#include "abi/char_queue.h"
#include "abi/screen_queue.h"
#include "abi/message.h"
#include "abi/proto/file.h"
#include "abi/proto/rs.h"
#include "abi/service.h"
#include "servers/tty/blanks.h"
#include "servers/tty/keymap.h"
#include "servers/tty/line.h"
#include "servers/tty/progress.h"
#include "servers/tty/screen.h"
#include "servers/tty/selftest.h"

#define SERIALS 4u /* terminals of serial ports */
#define SERIAL_DRIVER "uart" /* of the first; that of terminal n is called uart.n */
#define TERMINALS (SERIALS + SCREENS) /* then the virtual consoles */
#define WAITERS ENDPOINT_SLOTS /* whoever waits, nobody else is sent away for want of a place */
/* terminal n is node NODE_FIRST + n once it is open */
#define NODE_FIRST 0x100u
/* device numbers: major, minor */
enum {
    MAJOR_TERMINALS =
        4, /* 0: the console that is shown; 1-4 the consoles; 64 and up serial ports */
    MINOR_SERIAL = 64,
    MAJOR_OTHERS = 5,
    MINOR_CONTROLLING = 0,
    MINOR_CONSOLE = 1, /* the first serial port */
};

/* The driver at the other end of a queue. */
struct peer {
    struct service_queue where;
    struct queue_header *header; /* NULL: there is no queue yet */
    uint32_t incarnation; /* 0: none has been there yet */
    endpoint_t driver; /* its endpoint */
    uint32_t magic; /* of the queue */
    struct tty_progress progress; /* of what we want of it */
    bool fresh; /* this incarnation has moved nothing yet */
    bool kick; /* it waits for what we did */
};

struct terminal {
    struct line line;
    struct winsize size;
    int32_t session, group; /* that it controls; the foreground process group. 0: none */
    struct peer peer; /* of a serial port */
    struct char_queue *queue; /* NULL: no driver yet, or a console */
    struct screen *screen; /* of a console, when there is a screen; else NULL */
    uint32_t taken, written; /* our indices of the receive and of the transmit ring */
    uint32_t
        gone; /* of the transmit ring: up to there the driver had taken it when we last looked */
    struct selftest test; /* of a port whose device has one */
    struct blanks blanks; /* over what we have taken */
    uint64_t blamed_at; /* when the driver was complained of for what they showed; 0: it was not */
    bool restored; /* line and taken come from a predecessor */
    uint32_t polled; /* events that VFS wants to hear of */
    bool poll_ready; /* one has come, VFS will fetch it */
    bool hung; /* RS has given its driver up, or it was taken down: until there is another one */
};

/* What is known of the keyboard; kept with each console whose line it types into, so that keys are
 * taken and have their effect in the same moment. */
struct keyboard_kept {
    uint32_t version; /* the latest one counts */
    uint32_t taken; /* of the receive ring */
    uint32_t shown; /* the console that is on the screen */
    uint32_t incarnation; /* of the keyboard's driver, as last seen */
    struct keymap map;
    uint8_t pad[3];
};

/* A process, as PM tells. */
struct person {
    int32_t pid, session, group;
    uint32_t uid, stops; /* enum pm_stops */
};

enum waiter_kind { WAIT_READ, WAIT_WRITE, WAIT_DRAIN };

struct waiter {
    enum waiter_kind kind;
    struct terminal *terminal;
    struct message request; /* as it came */
    uint64_t done; /* write: bytes that have been taken */
    uint64_t deadline; /* read with VTIME; 0 none */
    uint32_t seen; /* read with VTIME: bytes there when the deadline was set */
    int32_t background; /* its process group, which must be in the foreground first; 0: any */
};

extern struct terminal terminals[TERMINALS];

/* ---- peer.c ---- */
void peer_take(struct peer *p, const struct service_queue *where, uint32_t magic);
void peer_claim(struct peer *p); /* once the indices are right */
/* A fresh driver is there: what only we write is to be put right once more, and claimed. */
bool peer_is_new(struct peer *p);
void peer_moved(struct peer *p); /* something of use has come from it */
void peer_bad(struct peer *p, enum rs_complaint why); /* it broke the rules: RS replaces it */
bool peer_tell(struct peer *p); /* at once; false: it is not there */
uint64_t peer_watch(struct peer *p, uint32_t pending, uint32_t gone); /* complains of a driver that
                                       does not do what is `pending`; when to look again, 0: not */
/* Tells it what we did. Not 0: there is another one, or `more`: attend_again(). */
uint64_t peer_settle(struct peer *p, bool more);

/* ---- terminal.c ---- */
void terminals_begin(void); /* state from DS, queues from RS */
void terminals_find_queues(void);
/* Which drivers will not be back? Whoever has such a terminal is hung up on. */
void terminals_hang_up(void);
struct terminal *terminal_of(uint64_t node); /* NULL: no such */
/* Is there such a port, or a screen? The first port is taken for granted: it is the console, also
 * before its driver is up. */
bool terminal_exists(const struct terminal *t);
uint64_t terminal_node(const struct terminal *t);
void terminal_input(struct terminal *t); /* take in what the driver has received */
void terminal_type(struct terminal *t, uint8_t c); /* a byte for the line discipline */
uint64_t terminal_settle(struct terminal *t,
                         bool wants_room); /* before sleeping; false: there is more to do */
uint64_t terminal_watch(struct terminal *t); /* when to look again at its driver, 0: not */
uint32_t terminal_room(const struct terminal *t); /* for output, bytes */
uint32_t terminal_pending(const struct terminal *t); /* output that the driver has not taken yet */
uint32_t terminal_put(struct terminal *t, const uint8_t *from,
                      uint32_t count); /* through the line discipline; returns how many it took */
void terminal_discard_input(struct terminal *t);

/* ---- console.c ---- */
struct terminal *console_at(uint32_t n); /* 0..SCREENS-1 */
struct terminal *console_shown(void);
void console_show(uint32_t n); /* puts it on the screen; nothing happens when there is none such */
void console_write(struct terminal *t, const uint8_t *bytes, uint32_t count);
void consoles_take_screen(const struct service_queue *where);
void consoles_take_keyboard(const struct service_queue *where);
void consoles_serve(void); /* what has been typed, and what the drivers have done */
uint64_t consoles_settle(void);
uint64_t consoles_watch(void);
struct keyboard_kept consoles_keep(void); /* of this moment, for a snapshot */
void consoles_take_over(const struct keyboard_kept *kept);

/* ---- vt.c ---- */
long vt_control(const struct message *request); /* an ioctl of consoles */

/* ---- snapshot.c ---- */
void terminal_save(const struct terminal *t); /* what a successor must know has changed */
void keyboard_save(void); /* the same, where no line is concerned */
void snapshots_restore(void);

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
bool process_signal(int32_t target, int signal); /* target < 0: a group; false: there is nobody */
void terminal_give(struct terminal *t, int32_t session, int32_t group); /* 0: to nobody */
struct terminal *controlling_terminal(endpoint_t program); /* NULL: it has none */
void terminal_opened(
    struct terminal *t,
    endpoint_t program); /* by a session leader without a terminal: it gets this one */
/* Job control: may the program read (SIGTTIN), or write or change something (SIGTTOU)? 0: it may; its
 * group, that is to be stopped until it is in the foreground; -EIO: it cannot be stopped. */
long background_of(const struct terminal *t, endpoint_t program, int signal);
/* Let it wait; and stop that group, if any. */
long control_wait(enum waiter_kind kind, struct terminal *t, const struct message *m,
                  int32_t background, int signal);
long control(struct terminal *t, const struct message *request); /* an ioctl */
long control_apply(
    struct terminal *t,
    const struct message *request); /* one that has waited for the output to be gone */

#endif
