/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a serial port carry what it is given, and hand over what has come? Neither silence nor a
 * wrong character tells: only a test of the device does (abi/char_queue.h). Here is when to ask for
 * one and what to make of the answer. Pure logic.
 *
 * It is asked for when nothing has moved for SELFTEST_QUIET, so it meets a character that comes
 * from outside as seldom as can be; every SELFTEST_EVERY while the other end is heard of, and at
 * growing distances, up to SELFTEST_REST, while it is not. A wrong answer is not believed before it
 * has come SELFTEST_FAILS times in a row. The transmitter may be held up by the other end: that is
 * believed longer. And a device that cannot be tested, or is held up, looks the same with every
 * driver: after SELFTEST_COMPLAINTS there is patience until a test ends well. But where one has ended
 * well, others can: a driver whose tests fail since then is of no use, nor is the next one that is
 * like it. There is a complaint of each, until RS gives it up and whoever waits is told.
 *
 * It is asked for, too, when what is to be sent has not moved for so long. If the other end does
 * not read, the device has not sent all that it was given, and there is no test: that is no fault,
 * however often. But who fails in the test of a device that has nothing to send, which it begins
 * with, is of no use, nor is who does it well and still sends nothing of what waits: there is a
 * complaint of each such driver, until RS gives it up.
 *
 * What never ends to be sent is no reason never to test: after SELFTEST_REST nothing more is given to
 * the driver, for SELFTEST_HOLD at most, until it has sent what it has and there is a rest for the
 * test. (Not while something comes in: that would be lost.)
 *
 * A driver that reads what is not there never comes to rest. So there are tests, too, while more
 * comes than a line can carry and the device never runs dry: no real one does that. (QEMU's may
 * when its reader is slow; nothing is lost by a test then.)
 */
#ifndef TTY_SELFTEST_H
#define TTY_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/char_queue.h"

/* ns */
#define SELFTEST_QUIET 50000000ull
#define SELFTEST_LOOK 50000000ull /* between two looks for an answer */
#define SELFTEST_RETRY 100000000ull
#define SELFTEST_FIRST 1000000000ull /* from a driver's start */
#define SELFTEST_EVERY 5000000000ull
#define SELFTEST_REST 60000000000ull
#define SELFTEST_HOLD 10000000000ull /* a full ring takes 2.8 s at 115200 baud */
/* Bytes a second that no line brings: 115200 baud (drivers/char/uart) are 11520. */
#define SELFTEST_FLOOD 14400u
enum {
    SELFTEST_BYTES = 5, /* those of a test: 0.43 ms at 115200 baud */
    SELFTEST_BLANKS = 3, /* so many places that the driver did not write are no chance */
    SELFTEST_BEYOND = 6, /* nor are so many that nobody was to send */
    SELFTEST_FAILS = 3,
    SELFTEST_BUSY_FAILS = 8,
    SELFTEST_LOOKS = 5, /* without an answer */
    SELFTEST_COMPLAINTS = 2,
};

enum selftest_answer {
    SELFTEST_NONE, /* not yet */
    SELFTEST_GOOD,
    SELFTEST_BUSY,
    SELFTEST_WRONG, /* other bytes, or too few of them, or such as never came */
    SELFTEST_LOST, /* none have come back */
    SELFTEST_LATE, /* no answer */
    SELFTEST_UNSENT, /* the device is ready, and carries the test; what waits to be sent still does */
};

enum selftest_step { SELFTEST_NOTHING, SELFTEST_ASK, SELFTEST_COMPLAIN };

struct selftest {
    uint32_t number; /* of the last test */
    uint32_t from; /* index in the transmit ring of its first byte */
    bool is_out; /* it has been asked for and is not answered */
    bool was_heard; /* since the last test */
    bool is_stuck; /* something waited to be sent when it was asked for */
    bool was_good; /* some test has ended well, with whatever driver */
    uint32_t heard, sent; /* as last seen */
    uint32_t asked_sent; /* when it was asked for */
    uint32_t looks, fails, busy, complaints; /* in a row */
    enum selftest_answer answer; /* the last; the reason to complain */
    bool is_flood; /* in the second before this one */
    uint32_t window_heard, window_dry; /* at the begin of this second */
    uint64_t window_at; /* clock: its begin */
    uint64_t moved_at, heard_at, last; /* clock: when something has moved, come in; a test was */
    uint64_t held_at; /* clock: since when nothing more is given to the driver; 0: it is */
    uint64_t rest; /* ns from one test to the next */
    uint64_t look_at; /* clock: when to look again; 0: nothing is expected */
};

struct selftest_view {
    uint64_t now; /* clock */
    uint32_t heard, sent; /* bytes, free-running */
    uint32_t dry; /* of the queue */
    bool has_sent; /* nothing waits to be sent */
    bool has_taken; /* nor to be taken in */
    enum selftest_answer answer; /* selftest_judge() */
};

/* A fresh driver is at work. */
void selftest_begin(struct selftest *s, uint64_t now);
/* What to do now. Asked: selftest_fill() and notify the driver, or selftest_give_up(). */
enum selftest_step selftest_look(struct selftest *s, const struct selftest_view *v);
/* The driver was not there to be asked. */
void selftest_give_up(struct selftest *s, uint64_t now);

/* Puts the test with the next number into the queue, behind what is `written` to be sent; `asked`
 * comes last. */
void selftest_fill(struct selftest *s, struct char_queue *q, uint32_t written);
enum selftest_answer selftest_judge(const struct selftest *s, const struct char_test *t);

#endif
