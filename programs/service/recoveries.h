/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of RECOVERY_FILE: deaths, and what became of them. */
#ifndef SERVICE_RECOVERIES_H
#define SERVICE_RECOVERIES_H

#include <stdbool.h>
#include <stdint.h>

#define RECOVERIES_MAX 256 /* as many as RS keeps */

struct recovery {
    uint64_t number; /* they are counted from 1 */
    const char *name, *defect, *how; /* how "-": not yet */
    uint32_t detail, incarnation; /* incarnation: that of the fresh copy */
    uint32_t old_pid, new_pid;
    uint64_t died_ns, ready_ns; /* clock; 0: not yet */
};

struct recoveries { /* oldest first */
    char *text;
    unsigned count;
    struct recovery of[RECOVERIES_MAX];
};

/* Says nothing when that fails. recoveries_free() in any case. */
bool recoveries_read(struct recoveries *r);
void recoveries_free(struct recoveries *r);

#endif
