/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits of the writable memory of a service flip: what tools/flips does to the servers. The device
 * 240:2 takes
 *
 *     flip NAME SEED DELAY [live]
 *                 DELAY ns from now, at whatever NAME is doing then, a bit of all that it may write
 *                 changes; which one follows from SEED. Of fs/ext4 its box, of RS
 *                 not the queues of others. live: of a word that is not 0, if there is one
 *     unflip      back, where nobody has written there since
 *
 * and a read tells `waiting`, or `flipped WHEN ERROR ADDRESS BIT SHARED BACK` (ns; the page is also
 * somebody else's; what became of `unflip`: 1 it was as the flip has left it).
 */
#ifndef INJECT_FLIP_H
#define INJECT_FLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/message.h"

#define FLIP_NODE 2

long flip_command(char *line); /* 0 or -errno */
int flip_state(char *text, size_t room);
uint64_t flip_due(void); /* clock when it is; 0: nothing is due */
void flip_now(void);

endpoint_t victim_find(const char *name); /* or -errno: inject.c */

#endif
