/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service that wants the system dead: what its files share. Not in the ordinary image.
 *
 *     main.c    the parameters, and the attacks that last as long as it lives
 *     kernel.c  senseless kernel calls and requests, floods, rings that lie
 *     names.c   other services' names, snapshots, values and good name
 */
#ifndef HOSTILE_HOSTILE_H
#define HOSTILE_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/endpoint.h"

/* The value of NAME= in the manifest's parameters; "" when it is not there. */
const char *parameter(const char *name);
/* Comes back to receive, as a healthy service does, and ends when RS says so. */
void breathe(void);
/* How long to go on, in ns: seconds=N of the parameters, or so many. */
uint64_t attack_seconds(uint64_t otherwise);

/* ---- names.c ---- */
void attack_publish(void);
void attack_snapshots(void);
void attack_values(void);
void attack_complain(void);

/* ---- kernel.c ---- */
void attack_kernel(void);
void attack_flood(void);
void attack_rings(void);
void attack_queue(void);

#endif
