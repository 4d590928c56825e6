/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a driver take what is to be sent? One that comes back to its loop is alive for RS; that
 * nothing is sent any more only its client can see. Pure logic. What counts is how often we looked,
 * not how much time has passed: a machine that stood still proves nothing. Somebody at the other
 * end who does not read looks the same: so a fresh driver tries it twice, and then there is
 * patience until something has moved.
 */
#ifndef TTY_PROGRESS_H
#define TTY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define TTY_LOOK 50000000ull /* ns between two looks while there is something to send */
enum { TTY_STUCK_LOOKS = 5, TTY_STUCK_LAST = 200 };

struct tty_progress {
    uint32_t gone; /* as last seen */
    uint32_t stuck; /* looks since it moved */
    uint64_t look_at; /* clock; 0: nothing is expected */
};

/* `pending` bytes are to be sent, up to `gone` the driver has taken them. True: complain. */
bool tty_progress_check(struct tty_progress *p, uint32_t pending, uint32_t gone, uint64_t now);

#endif
