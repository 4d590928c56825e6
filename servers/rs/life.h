/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service's way through its lives: where it is, what it waits for, and what comes next. It is a
 * function of the state and of what has happened; it has no effects, reads no clock and knows no
 * table, so that tests can walk every path (tests/unit/test_life.c). recover.c does what it says.
 *
 *     down --starts--> starting --ready--> up --ended--> (ended)
 *     (ended)  as wanted: down; refuses its device: refused; to be looked at: held; else by its
 *              policy: restart at once, or after a backoff, or when a script has decided; or given up,
 *              and then perhaps held, or the system is ended
 */
#ifndef RS_LIFE_H
#define RS_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/proto/rs.h"
#include "servers/rs/ladder.h"
#include "servers/rs/policy.h"

enum life_wait { /* what LIFE_TIME is awaited for */
                 WAIT_NOTHING,
                 WAIT_BACKOFF, /* start then */
                 WAIT_RESTART, /* it runs; replace it then */
                 WAIT_DEVICE, /* start when the device's work is done, or then */
                 WAIT_STOP, /* told to shut down; ended then */
                 WAIT_SCRIPT, /* the policy script decides; by manifest then */
                 WAIT_POWER, /* given up: a script ends the system in order; ended then */
                 WAIT_END, /* given up: a script of its own is run; not awaited any more then */
                 WAIT_CALL, /* it goes on when the call that it was in has ended; look then */
};

#define LIFE_UNCHANGED (~0ull)

struct life {
    enum rs_state state;
    enum life_wait wait;
    /* Out: LIFE_TIME is due so many ns after this step; 0: it is not; LIFE_UNCHANGED: as before. */
    uint64_t patience;
    struct ladder_place place; /* for the next incarnation, or at which this one was started */
    enum rung asked_rung; /* somebody has asked that the next incarnation start on this at least */
    bool wanted_down; /* its next end is no failure */
    bool as_dependent; /* it was restarted because another was: its own dependents are not */
    bool has_been_ready; /* some incarnation has: the device is one that it can drive */
};

enum life_event_type {
    LIFE_STARTS, /* its device, if any, has work to do first, or not: `busy` */
    LIFE_DEVICE_DONE,
    LIFE_DEVICE_FOUND,
    LIFE_OTHER_PROGRAM, /* the next incarnation runs another one: rung */
    LIFE_SPAWNED,
    LIFE_SPAWN_FAILED, /* verdict */
    LIFE_READY,
    LIFE_CALLING, /* it is still in a call: delay, until to look again */
    LIFE_ENDED, /* defect, reached_ready, lived, was_silent, in_request, refuses, as_dependent */
    LIFE_SCRIPT_ASKED,
    LIFE_SCRIPT_FAILED,
    LIFE_SCRIPT_AGAINST, /* it has decided that there is no restart */
    LIFE_DECIDED, /* verdict, defect; holds: it is kept for inspection whatever policy says */
    LIFE_TIME, /* its time has come: script_left */
    LIFE_ASKED_UP, /* rung */
    LIFE_ASKED_DOWN, /* delay: how long it has for that */
    LIFE_ASKED_RESTART, /* rung, resets, delay */
    LIFE_ASKED_HOLD, /* of one that is dead and would be replaced later */
};

struct life_event {
    enum life_event_type type;
    /* what is so, whatever has happened */
    bool is_essential; /* nobody can replace it */
    bool keeps_memory; /* it goes on where it was */
    bool restarts; /* its manifest does not say that it is not to be restarted */
    bool going_down; /* the system */
    const struct manifest_ladder *ladder; /* NULL: the default */
    enum manifest_end at_end; /* what becomes of it if it is given up now */
    /* what belongs to some of the types */
    bool busy, refuses, reached_ready, was_silent, in_request, as_dependent, holds;
    bool resets; /* the fresh copy is to reset its device, if there is one */
    enum rs_defect defect;
    uint32_t detail; /* for the log and the record alone */
    enum rung rung;
    uint64_t lived, delay; /* ns */
    uint64_t script_left; /* ns until the deadline of a script that runs; 0: none does */
    struct policy_verdict verdict;
};

enum life_effect {
    LIFE_DO_NOTHING,
    LIFE_DO_START, /* its device first; LIFE_STARTS follows */
    LIFE_DO_SPAWN, /* LIFE_SPAWNED or LIFE_SPAWN_FAILED follows */
    LIFE_DO_INTEGRATE, /* tell those who use it */
    LIFE_DO_SUCCEED, /* LIFE_CALLING follows when it can't at once */
    LIFE_DO_LOOK, /* the same */
    LIFE_DO_REPLACE, /* end the incarnation, count; LIFE_SCRIPT_ASKED or LIFE_DECIDED follows */
    LIFE_DO_RESTART, /* LIFE_ENDED follows */
    LIFE_DO_BACK_OFF,
    LIFE_DO_POSTPONE, /* somebody has decided, for later: no script does any more */
    LIFE_DO_AWAIT_SCRIPT,
    LIFE_DO_BY_MANIFEST, /* LIFE_DECIDED follows */
    LIFE_DO_TELL, /* it to shut down */
    LIFE_DO_STOP,
    LIFE_DO_STOP_WANTED, /* the same, as users asked for it */
    LIFE_DO_STOP_LAST, /* and the system goes on going down */
    LIFE_DO_GIVE_UP, /* it is down, or held */
    LIFE_DO_POWER, /* the system ends, at once */
    LIFE_DO_END_LATE, /* its script is not awaited any more */
    LIFE_DO_REFUSE,
    LIFE_DO_HOLD,
    LIFE_DO_PANIC,
    LIFE_EFFECTS
};

#define LIFE_DEVICE_PATIENCE SECOND /* for pci to do a device's work */
#define LIFE_FETCH_PATIENCE (500 * MS) /* for the policy runner to fetch a script */
#define LIFE_END_PATIENCE (5 * SECOND) /* the same for what follows when it is given up */
#define LIFE_SPAWN_AGAIN (100 * MS) /* at least, when a process could not be made */

void life_begin(struct life *life, enum rs_state state);

static inline bool life_runs(const struct life *life)
{
    return life->state == RS_UP || life->state == RS_STARTING;
}

/*
 * What to do now: an enum life_effect. Or, to what users ask: -EALREADY, -ENOTRECOVERABLE (only
 * `up` gives it a fresh start), -ENXIO (to hold: it is down); then nothing has changed.
 */
long life_next(struct life *life, const struct life_event *event);

#endif
