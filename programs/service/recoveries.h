/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of RECOVERY_FILE: deaths, and what became of them. */
#ifndef SERVICE_RECOVERIES_H
#define SERVICE_RECOVERIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RECOVERIES_MAX 256 /* as many as RS keeps */
/* detected, policy, stopped, spawned, ready, published, reintegrated (enum rs_step, abi/proto/rs.h) */
enum { RECOVERY_READY = 4, RECOVERY_STEPS = 7 };

struct recovery {
    uint64_t number; /* they are counted from 1 */
    const char *name, *defect, *how; /* how "-": not yet */
    uint32_t detail, incarnation; /* incarnation: that of the fresh copy */
    uint32_t old_pid, new_pid;
    uint64_t step_ns[RECOVERY_STEPS]; /* clock; 0: not yet */
    uint64_t died_ns, ready_ns; /* two of them */
};

struct recoveries { /* oldest first */
    char *text;
    unsigned count;
    struct recovery of[RECOVERIES_MAX];
};

/* Says nothing when that fails. recoveries_free() in any case. */
bool recoveries_read(struct recoveries *r);
void recoveries_free(struct recoveries *r);
void recovery_json(FILE *out, const struct recovery *r); /* an object */

#endif
