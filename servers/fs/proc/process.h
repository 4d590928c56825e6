/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs: programs (PM knows them) and services (RS knows them), seen alike. Asked anew every
 * time: nothing is kept that could be stale. */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <stdbool.h>

#include "abi/proto/pm.h"
#include "abi/proto/rs.h"

struct process {
    struct pm_process p;
    bool is_service;
    uint64_t virtual_bytes, resident_bytes;
};

/* By pid: 0, or -ESRCH. Memory is filled in on request alone. */
long process_find(int pid, bool with_memory, struct process *out);

/* The pids of all, in order: how many (at most `room`). */
int process_list(int *pids, int room);

/* Pid of the program with that endpoint; 0 unknown. uid: its effective user, may be NULL. */
int process_of(endpoint_t program, uint32_t *uid);

#endif
