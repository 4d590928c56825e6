/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP wants to know of its surroundings: compiler, log, randomness. */
#ifndef NET_ARCH_CC_H
#define NET_ARCH_CC_H

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "lib/rt/log.h"

#define LWIP_PLATFORM_DIAG(message)                                                                \
    do {                                                                                           \
    } while (0)
/* Its own invariant is broken: what it would do next nobody knows. */
#define LWIP_PLATFORM_ASSERT(message) panic("lwIP: %s (%s:%d)", message, __FILE__, __LINE__)

#define LWIP_NO_CTYPE_H 1
#define LWIP_ERR_T int

/* musl's limits.h has a PAGE_SIZE, and so has abi/kernel.h. The values are musl's. */
#define LWIP_NO_LIMITS_H 1
#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#ifndef INT_MAX
#define INT_MAX 0x7fffffff
#endif

#define LWIP_RAND() random_next()
uint32_t random_next(void);

#endif
