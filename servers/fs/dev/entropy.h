/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of /dev/random and /dev/urandom come from: a pool of this server's own
 * (lib/random/pool.h). It begins with 32 bytes of PM's, so a fresh copy of the server is worth what
 * its predecessor was. Devices that give randomness are asked at once and then every minute, and so
 * is a fresh driver; what they give goes into this pool, and from it into PM's. Nothing waits for
 * them.
 */
#ifndef DEV_ENTROPY_H
#define DEV_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the first bytes. */
void entropy_begin(void);
/* Of every notification. */
void entropy_notified(uint64_t bits);

void entropy_take(void *out, size_t length);
/* From a program, so it may be anything. */
void entropy_add(const void *bytes, size_t length);

#endif
