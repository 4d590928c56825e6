/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel calls that servers/net makes, for the host: tests/net_host/ comes before the tree in
 * the search path of its sources, and tests/net_host/host.c does what the calls say to it.
 */
#ifndef RT_KERNEL_H
#define RT_KERNEL_H

#include <stddef.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/undo/undo.h"

const struct service_info *service_info(void);
uint64_t clock_now(void);
/* The time-stamp counter is this clock. */
static inline uint64_t tsc_read(void)
{
    return clock_now();
}
static inline uint64_t clock_of(uint64_t tsc)
{
    return tsc;
}
long clock_alarm(uint64_t when);
long ipc_call(endpoint_t to, struct message *m);
long ipc_reply(endpoint_t to, struct message *m, long result);
long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m);
long ipc_notify(endpoint_t to, uint64_t bits);
long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length);
long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length);
long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length);

#endif
