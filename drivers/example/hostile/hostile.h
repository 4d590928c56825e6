/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service that wants the system dead: what its files share. Not in the ordinary image.
 *
 *     main.c    the parameters, and the attacks that last as long as it lives
 *     random.c  what is chosen by chance
 *     kernel.c  senseless kernel calls and requests, floods, rings that lie
 *     names.c   other services' names, snapshots, values and good name
 *     rights.c  what a driver's, VM's and PM's rights to kernel calls can be used for
 *     device.c  a card's registers
 *     files.c   a file server, and a device's, that lies to VFS and to programs
 *     terminal.c a driver of characters that is ill
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
void breathe_for(uint64_t ns); /* the same, and leaves the processor to others so long */
/* How long to go on, in ns: seconds=N of the parameters, or so many. */
uint64_t attack_seconds(uint64_t otherwise);
/* Something that it must not get, and has got: a line in the log, each kind once. */
void got(const char *what, long result);

/* ---- random.c ---- */
#define SCRATCH_BYTES 8192
extern uint64_t
    scratch[2 * SCRATCH_BYTES /
            8]; /* what may be overwritten, the second half from what begins in the first */
void random_start(void); /* by the seed of the parameters, and the incarnation */
uint64_t bits(void); /* 64 of them */
uint64_t some_endpoint(void); /* of a slot that is in use, or was; or of nobody */
uint64_t some_number(void); /* an edge, an address, an endpoint, anything */

/* ---- names.c ---- */
void attack_publish(void);
void attack_snapshots(void);
void attack_values(void);
void attack_complain(void);

/* ---- kernel.c ---- */

struct net_queue;
void claim_to_drive(struct net_queue *q); /* as a network driver that is ready */
void attack_kernel(void);
void attack_flood(void);
void attack_rings(void);
void attack_queue(void);

/* ---- rights.c ---- */
void attack_ports(void);
void attack_space(void);
void attack_slots(void);

/* ---- device.c ---- */
void attack_device(void);

/* ---- files.c ---- */
void attack_files(void);

/* ---- terminal.c ---- */
void attack_counts(void);
void attack_nobody(void);

#endif
