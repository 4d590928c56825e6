/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of recovery: budget, backoff, the ladder adopt - reset - bus reset, the heartbeat.
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

struct policy {
    struct policy_limits limits;
    uint64_t *failure; /* ring of limits.budget + 1 times, oldest at (end - count) */
    uint32_t room, count, end;
};

struct policy_verdict {
    bool give_up;
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
/* As though it had never failed: somebody took care of it. */
void policy_forgive(struct policy *policy);

/* ---- the ladder ---- */

enum rung { RUNG_ADOPT, RUNG_RESET, RUNG_BUS_RESET };
#define LADDER_SOON SECOND

struct ladder_death {
    enum rung rung; /* that this incarnation was started on */
    enum rs_defect defect;
    bool reached_ready;
    uint64_t lived; /* since it was ready */
};

/*
 * The rung for the next incarnation. A kill by a user, or a restart on request, says nothing about
 * the device; any other death soon after the start does, and a complaint always.
 */
enum rung ladder_next(const struct ladder_death *death);

/* ---- heartbeat ---- */

struct pulse {
    uint64_t receives; /* at the last look */
    uint64_t alive; /* clock when it was last seen alive */
    uint64_t cpu_alive; /* its CPU time then */
};

enum pulse_verdict { PULSE_ALIVE, PULSE_WAIT, PULSE_STUCK };

#define PULSE_PERIODS 2 /* without a sign of life, busy */
/* the same while it waits for somebody, or was given little of the CPU */
#define PULSE_PATIENCE 20

void pulse_begin(struct pulse *pulse, uint64_t now);
/* period in ns. */
enum pulse_verdict pulse_check(struct pulse *pulse, const struct slot_status *status, uint64_t now,
                               uint64_t period);

/* ---- CPU budget ---- */

#define OVER_PERIODS 20 /* successive periods over budget that are a defect */
#define OVER_PERIOD (100 * MS)

struct over {
    uint64_t seen; /* slot_status.over_budget at the last look */
    uint64_t looked; /* clock */
    uint32_t successive;
};

void over_begin(struct over *over, uint64_t now);
/* True: over budget in OVER_PERIODS successive periods. */
bool over_check(struct over *over, uint64_t over_budget, uint64_t now);

#endif
