/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a disk's driver still get anywhere? Pure logic, without a kernel call or a clock of its own
 * (watch.c has both). A driver that comes back to its loop is alive for RS; whether requests end
 * only its client can see:
 *
 *     deaf    nothing ends any more, and the driver does not even answer what it need not ask its
 *             device for
 *     stuck   it does, but nothing else ends, for much longer than anything of that kind took so far
 *
 * So a disk that has never been quick, or has once been slow, is waited for (until the deadline of
 * each request, watch.c). What counts is how often we looked, not how much time has passed between:
 * a machine that stood still proves nothing. Times in ns.
 */
#ifndef DISK_STALL_H
#define DISK_STALL_H

#include <stdbool.h>
#include <stdint.h>

#define STALL_LOOK 100000000ull /* between two looks while requests are under way */
enum {
    STALL_PROBE_LOOKS = 2, /* in which nothing ended: ask the driver */
    STALL_DEAF_LOOKS = 3, /* without an answer */
    STALL_STUCK_LOOKS = 10, /* and so many times as long as the slowest took: */
    STALL_SLOWER = 4,
};

enum stall_verdict { STALL_FINE, STALL_PROBE, STALL_IS_DEAF, STALL_IS_STUCK };
enum stall_kind { STALL_TRANSFER, STALL_FLUSH, STALL_KINDS };

struct stall_view {
    uint64_t now;
    uint32_t ended; /* requests to the disk: how many, runs freely */
    uint32_t incarnation;
    bool is_open[STALL_KINDS]; /* one of that kind is under way */
    bool is_asked; /* and so is a question to the driver */
};

struct stall {
    uint64_t at; /* the last look */
    uint32_t ended, incarnation; /* then */
    unsigned looks, deaf; /* since something ended; since the driver was asked */
    bool complained; /* of this stall: more is for the deadline */
    uint64_t slowest[STALL_KINDS]; /* of late; 0: none has ended yet */
};

void stall_learn(struct stall *s, enum stall_kind kind, uint64_t took);
enum stall_verdict stall_check(struct stall *s, const struct stall_view *v);

#endif
