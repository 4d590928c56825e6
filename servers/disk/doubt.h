/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * May a disk's driver be believed when it says that a request cannot be done, or that a disk is not
 * there any more? Pure logic. It may be the driver that is ill. So a fresh one is asked before
 * anybody is told; what that one says, too, is believed, and for a while all else that is said.
 * Times in ns.
 */
#ifndef DISK_DOUBT_H
#define DISK_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

#define DOUBT_PATIENCE 5000000000ull /* for a fresh driver */
#define DOUBT_REST 60000000000ull /* after a doubt in vain: not everything is to cost a driver */

enum doubt_verdict { DOUBT_BELIEVE, DOUBT_WAIT, DOUBT_COMPLAIN };

struct doubt {
    uint32_t of; /* incarnation that was complained of; 0: none */
    uint64_t since; /* then */
    uint64_t rests_until;
};

/* This incarnation says it; `is_true`: so did one before it, or nobody else can be asked. */
enum doubt_verdict doubt_check(struct doubt *d, uint64_t now, uint32_t incarnation, bool is_true);
/* It was complained of long ago, and is still the one that is known. */
bool doubt_is_late(const struct doubt *d, uint64_t now, uint32_t incarnation);

#endif
