/* SPDX-License-Identifier: BSD-2-Clause */
/* The works that go on while bits of servers flip: each in a process of its own, one of a kind. */
#ifndef INJECT_FLIPS_H
#define INJECT_FLIPS_H

#include "campaign.h"

struct flip_work {
    const char *name;
    void (*run)(struct progress *p, const char *argument); /* never returns */
    const char *argument;
};
extern const struct flip_work flip_works[];
extern const unsigned flip_work_count;

uint64_t chance(uint64_t below); /* the same in each run */

/* ---- flips_files.c: files in a directory; ARGUMENT begins with /dev/: of that device at /mnt ---- */
void work_files(struct progress *p, const char *argument);

/* ---- flips_talk.c ---- */
void work_pipe(struct progress *p, const char *argument);
void work_stream(struct progress *p, const char *argument); /* TCP to ourselves */
void work_local(struct progress *p, const char *argument); /* a Unix socket, epoll, a lock */

/* ---- flips_process.c ---- */
void work_process(struct progress *p, const char *argument); /* fork, exec, wait, signals */
void work_memory(struct progress *p, const char *argument);
void work_proc(struct progress *p, const char *argument); /* what /proc tells */
void work_control(struct progress *p, const char *argument); /* a driver is killed and comes back */

#endif
