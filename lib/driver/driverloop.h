/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a driver, of whatever class: start, tell the client and RS, then sleep and serve. All
 * of the kernel's side is here (messages, interrupts, the alarm, the end); a class is a table of
 * functions that know a queue and a chip. Those of network, block and character drivers are in
 * netdriver.c, blockdriver.c and chardriver.c; a driver that is a class of its own has its table in
 * its main.c.
 *
 * A wake, from a notification to the next sleep:
 *
 *     begin      the chip is kept quiet, if that is worth it
 *     serve      turn after turn, until one moves nothing
 *     clear      and the interrupt's causes are taken back: what comes from here on raises it again
 *     serve      until nothing moves, for what came before that
 *     settle     the client is asked to notify; if it has posted meanwhile: serve again
 *     rest       the chip may interrupt
 *
 * and irq_ack() where enum driver_interrupts has it. After `turns` turns the notifications are
 * looked at in between, so that neither a client that goes on posting nor a chip that never comes
 * to its end keeps the driver from its shutdown.
 */
#ifndef DRIVER_DRIVERLOOP_H
#define DRIVER_DRIVERLOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/queue.h"
#include "abi/service.h"

/*
 * When an interrupt is acknowledged to the kernel, which keeps its line masked from its arrival
 * until then. (An MSI has no line, and is not masked by anybody: it is a notification whenever it
 * comes, one that comes during a wake brings the next. For MSIs alone either will do.)
 */
enum driver_interrupts {
    /*
     * It may be an edge, of which one that comes while the line is masked is lost. So after the
     * first turn, and then at least one more: what came before irq_ack() that one finds, or
     * settle(); what comes after it is an interrupt. (Not ahead of the first turn, which takes the
     * causes back: a line that is a level after all would raise the same once more.)
     */
    DRIVER_INTERRUPTS_EDGE,
    /*
     * It is a level, or an MSI that the chip itself holds back from begin() to rest(). At the very
     * end, so that what our own work brings does not interrupt it: sending a frame brings the
     * answer at once. A level is lost at no time: what has come since clear() keeps the line up,
     * and is raised by irq_ack(). An MSI is raised by the chip at rest(), or rest() says that it
     * is not.
     */
    DRIVER_INTERRUPTS_LEVEL,
};

/* What a turn has done: a set. */
enum driver_turn {
    DRIVER_MOVED = 1, /* something moved: another turn may find more */
    DRIVER_TELL = 2, /* the client is to be notified */
};

/* What a driver has begun with. */
struct driver_start {
    void *device; /* for the class's functions */
    struct queue_header *header;
    const char *class; /* "net": what the names of such drivers begin with in DS */
    const char *mismatch; /* why it was reset, for the log; or NULL */
    enum queue_driver_state state;
};

struct driver_wake {
    bool interrupted; /* else by a notification, the alarm, or by itself */
    /* for rest() */
    bool moved; /* something, in any turn */
    bool settled; /* false: the turns were over before; there is another wake at once */
    uint64_t alarm_ns; /* by rest(): wake us then at the latest, in ns from now; 0: no need */
};

/* NULL is allowed where it is said. None of them may wait. */
struct driver_class {
    enum driver_interrupts interrupts;
    unsigned turns; /* at most, of a wake; as many as the heartbeat has time for */
    /*
     * A turn before anybody knows of us, so that the client, which is woken then in any case, finds
     * something done. Not of a class that takes the client's words in the queue as they are: a
     * predecessor may have written there, and the client puts them right when it knows of us.
     */
    bool serves_first;
    /* Not NULL: a chip that says time and again that it has more, of which nothing is found, ends
     * the driver with these words, since a fresh copy looks at the chip anew. NULL: that is no
     * fault in this class (a disk may be busy for long), and RS sees who spins
     * (docs/policies.md). */
    const char *empty;

    /* Finds the device and adopts or resets it. `driver` as in driver_loop_run(). 0, or -errno: see
     * driver_start_failed(). */
    int (*open)(const void *driver, const struct service_info *info, struct driver_start *start);
    void (*started)(void *device); /* RS knows of us: interrupts may come; or NULL */
    void (*begin)(void *device, const struct driver_wake *wake); /* or NULL */
    unsigned (*serve)(void *device); /* a turn: set of enum driver_turn */
    /* NULL: begin() or each turn does it. DRIVER_TELL or 0. Of DRIVER_INTERRUPTS_LEVEL alone. */
    unsigned (*clear)(void *device);
    bool (*settle)(void *device); /* false: there is more to do; or NULL */
    /* After every wake. False: the chip has more and will not say so, look again; or NULL. */
    bool (*rest)(void *device, struct driver_wake *wake);
    void (*silence)(void *device); /* no interrupts any more: the driver ends; or NULL */
};

/*
 * By main() of a driver, once; never returns. `driver` is handed on to the class's open().
 * Every kernel call and every page touched before the client knows lengthens the recovery: what can
 * wait (the name in DS, log lines) comes some milliseconds later.
 */
void driver_loop_run(const struct driver_class *class, const void *driver)
    __attribute__((noreturn));

/* By any function of a class or a chip's half: another wake in `ns` from now, at the latest. */
void driver_wake_in(uint64_t ns);

#endif
