/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounting and unmounting, a step at a time: whenever something has ended mount_step() goes on.
 * With a sound box the fresh server is ready as soon as it has read again what it keeps outside.
 */
#ifndef EXT4_MOUNTS_H
#define EXT4_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* parameters: "mount=3 device=8:1 [ro] [noatime]". may_adopt: RS does not want a clean slate. */
void mount_begin(const char *parameters, bool may_adopt);
void mount_step(void);
bool mount_is_ready(void);
long mount_error(void); /* -errno: it cannot be mounted */
bool mount_was_adopted(void);
uint64_t mount_device(void); /* its number */
bool mount_may_ask(uint32_t type); /* a request that needs no file system */
/* Everything on the disk, and marked clean: 0, -errno, or EXT4_MISS. */
long mount_end(void);

bool is_covered(uint64_t node); /* another file system is mounted there */
void changes_made(void); /* an operation is complete: commit it some time */

#endif
