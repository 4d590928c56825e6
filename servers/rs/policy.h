/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of recovery: budget, backoff, the heartbeat, shares of the processor.
 * Pure logic, without a kernel call or a clock of its own, so that unit tests cover it. Times are
 * in ns since boot.
 */
#ifndef RS_POLICY_H
#define RS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/kernel.h"
#include "abi/proto/rs.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

/* ---- budget and backoff ---- */

struct policy_limits {
    uint32_t budget; /* failures allowed in the window */
    uint64_t window;
    uint32_t free; /* the first so many failures in the window restart at once */
    uint64_t first, most; /* then after first, 2 first, 4 first ... at most `most` */
};

/* Whatever its manifest says, so many failures in a second are enough: what follows them waits for
 * that long. A death and a fresh copy cost others 0.15 ms: so a crash loop never has 5 % of a
 * processor (tests/system/test_crash_loop.py). */
#define POLICY_CROWD 20
#define POLICY_CROWD_DELAY (10 * MS)

struct policy {
    struct policy_limits limits;
    uint64_t *failure; /* ring of limits.budget + 1 times, oldest at (end - count) */
    uint32_t room, count, end;
};

enum policy_reason {
    REASON_BUDGET,
    REASON_FUTILE, /* futile_failure() */
    REASON_LADDER, /* it has come to its end */
};

struct policy_verdict {
    bool give_up;
    enum policy_reason why;
    uint64_t delay; /* 0: at once */
    uint32_t failures; /* in the window, with this one */
};

/* Entries that the ring needs. */
static inline uint32_t policy_room(const struct policy_limits *limits)
{
    return limits->budget + 1;
}
/* Counts a failure. */
struct policy_verdict policy_failure(struct policy *policy, uint64_t now);
/* How many are in the window. */
uint32_t policy_failures(const struct policy *policy, uint64_t now);
/* As though it had never failed: somebody took care of it. */
void policy_forgive(struct policy *policy);
/*
 * How long a service that fails `life` after each start lasts until it is given up; ~0: for ever,
 * because the window forgets faster than it fails.
 */
uint64_t policy_lasts(const struct policy_limits *limits, uint64_t life);
/* The longest life that a service with this heartbeat can have without ever being of use. */
struct heartbeat;
uint64_t policy_useless_life(const struct heartbeat *heartbeat);

/* ---- failures with nothing of use between them ---- */

/*
 * A driver that does nothing right may live for long each time: a disk's until a request has waited
 * for 10 s. No window is long enough for a budget of those, and no budget is needed: if copy after
 * copy has lived that long and not one has done anything for its client, the next will not either.
 * The same of any service that does not get ready, copy after copy, and takes long each time.
 */
struct futile {
    uint64_t useful; /* as the client had counted at the last failure */
    uint64_t last; /* clock: that failure */
    uint32_t lives; /* one after the other, that were long and of no use */
    uint64_t spent; /* ns, in these */
};
#define FUTILE_LIFE SECOND /* who fails sooner uses up the budget */
#define FUTILE_APART (60 * SECOND) /* what is farther apart has nothing to do with each other */
#define FUTILE_LIVES 5
#define FUTILE_TIME (60 * SECOND) /* or two that are so long that a third would not end by then */

/* Counts a failure of one that was ready for `lived` ns, or was not when its start had taken as
 * long. True: it is to be given up. */
bool futile_failure(struct futile *f, uint64_t now, uint64_t lived, uint64_t useful);

/* ---- looks: what RS sees of a service, at least twice a period ---- */

/*
 * A look that comes late counts nothing: whoever kept RS from looking, a loaded host above all,
 * kept the service from running, too. So what follows counts the time that the machine really had.
 */
struct look {
    uint64_t now; /* clock */
    uint64_t elapsed; /* since the last look; 0: this one came late, or too soon */
    uint64_t used; /* of it, the service's CPU time */
    uint64_t
        vain; /* what a driver's client has spent meanwhile on looks of no use; not of looks_next() */
};
struct looks {
    uint64_t at; /* the last one */
    uint64_t cpu; /* slot_status.cpu_ns then */
};

void looks_begin(struct looks *looks, uint64_t now, uint64_t cpu_ns);
/* period: between one and the next, ns. */
struct look looks_next(struct looks *looks, uint64_t now, uint64_t cpu_ns, uint64_t period);

/* ---- heartbeat ---- */

struct pulse {
    uint64_t receives; /* at the last look */
    uint64_t
        busy; /* ns since it was last seen alive in which it had the CPU and did not come back */
    uint64_t silent; /* ns since then in which it waited, or had little of the CPU */
    bool given; /* it has had some of the CPU since then */
};

/* ns without a sign of life, while it has the CPU: then it is slow, then stuck. 0: it has none. */
struct heartbeat {
    uint64_t low, high;
};

enum pulse_verdict { PULSE_ALIVE, PULSE_WAIT, PULSE_SLOW, PULSE_STUCK };

/* So many times as long while it waits for somebody, or was given little of the CPU. */
#define PULSE_PATIENCE 10

void pulse_begin(struct pulse *pulse);
enum pulse_verdict pulse_check(struct pulse *pulse, const struct slot_status *status,
                               const struct look *look, const struct heartbeat *heartbeat);

/* A start: so long computing, or so long waiting; START_CALLS times that for another service. */
#define START_BUSY SECOND
#define START_SILENT (2 * SECOND)
#define START_CALLS 5
/* A start has taken too long. `silent_least` by its heartbeat: PULSE_PATIENCE times the high mark. */
bool pulse_start_over(struct pulse *pulse, const struct slot_status *status,
                      const struct look *look, uint64_t silent_least);

/* ---- shares of the CPU ---- */

/*
 * A service with a share may use more of the CPU than that as long as nobody else wants it, or as
 * it is of use: else who has used up what its share has brought in runs at the lowest priority
 * until it has paid. The burst that it may take at once is what its share brings in SHARE_BURST.
 */
struct share {
    int64_t credit; /* ns of CPU */
    bool low; /* it runs at the lowest priority */
    uint64_t useful; /* queue_header.useful at the last look */
    uint64_t useless; /* ns of CPU in which its client saw nothing of use, see share_check() */
    uint64_t vain; /* ns of its client's CPU that nothing came of, counted as `useless` is */
    uint64_t over; /* successive ns above its share */
};

#define SHARE_DRIVER 500u /* permille, where the manifest has no `cpu` line */
#define SHARE_CLIENT 400u /* of those whom a driver can keep busy */
#define SHARE_SERVER                                                                               \
    500u /* of the other servers, but the essential ones, which work for programs */
#define SHARE_TOGETHER 500u /* of all together who are of no use, with what servers do for them */
#define SHARE_MOST 900u /* of all together but the essential servers, of use or not */
#define SHARE_SPARED 20u /* who pays less is not held back when all have more than that */

/* What is at most kept from programs by one who is of no use. `cpu`: as its manifest says, or 0.
 * 0: no limit. */
uint32_t share_permille(uint32_t cpu, bool is_driver, bool is_client, bool is_essential);

#define SHARE_BURST (100 * MS)
#define SHARE_START                                                                                \
    (250 * MS) /* of CPU, for a start: devices are waited for, others wait for them */
#define SHARE_USELESS (300 * MS) /* a storm */
#define SHARE_OVER (2 * SECOND) /* a defect when the manifest has a `cpu` line */

void share_begin(struct share *share, uint64_t useful);
/* The start is over: what is left of SHARE_START is taken back, or a driver that becomes ill soon
 * after it would have the processor to itself for half a second. */
void share_ready(struct share *share, uint32_t permille);
/*
 * Counts a look. Who is of use is not held to its share, but when that is strict: those who wait
 * for what comes through it would wait for everybody else's programs, too. What it uses while
 * `useful` stands still adds up; a quarter of its share is free, so that a little work now and
 * then, the timer of a chip that watches its link, never comes to a storm.
 *
 * What its client has spent in vain on looking at its queue is its own. That is never of use, so it is
 * held to its share when it is more than that quarter, whatever else came of it.
 */
void share_check(struct share *share, const struct look *look, uint32_t permille, uint64_t useful,
                 bool is_strict);
/* What is left of a, 0 at least. */
static inline uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? 0 : a - b;
}
/* Too much of it was of no use for too long. */
bool share_is_storm(const struct share *share);

/* ---- floods of interrupts ---- */

/*
 * An MSI is never masked: a device that raises them without end costs the system its time, whatever
 * its driver does, asleep, waiting for somebody, or so quick that its share does not show it. So
 * they are counted, beside what came of them.
 */
struct flood {
    uint64_t interrupts, useful; /* at the last look */
    uint64_t lasts; /* successive ns of it */
};

#define FLOOD_RATE 5000u /* interrupts a second that need be of no use */
#define FLOOD_EACH 4u /* more for each thing of use: a frame's coming, going, its successor's */
#define FLOOD_LASTS (300 * MS) /* then it is a storm */

void flood_begin(struct flood *flood, uint64_t interrupts, uint64_t useful);
/* Counts a look; true: there is one. `useful`: of what its client has counted; or ~0, nobody does. */
bool flood_check(struct flood *flood, const struct look *look, uint64_t interrupts,
                 uint64_t useful);

#endif
