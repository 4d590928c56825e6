/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel calls for servers that run whole on the host, in place of lib/rt/kernel.h (a test with
 * a line "// flags: -Itests/unit/host" finds this one first): functions that the test defines, so
 * that it decides what comes, what fails, and who dies.
 */
#ifndef HOST_KERNEL_H
#define HOST_KERNEL_H

#include <stddef.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/undo/undo.h"

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline);
long ipc_reply(endpoint_t to, struct message *m, long result);
long ipc_receive(endpoint_t from, struct message *m, uint64_t timeout);
long ipc_reply_receive(endpoint_t to, struct message *m, uint64_t timeout);
long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m);
void ipc_forward_at_end(endpoint_t caller, endpoint_t to, struct message *m);
long ipc_late_answer(endpoint_t caller, struct message *m);
long ipc_notify(endpoint_t to, uint64_t bits);
long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length);
long copy_from_again(endpoint_t who, uint64_t remote, void *local, size_t length);
long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length);
long grant_table(struct grant *table, size_t count);
long grant_from(endpoint_t who, uint64_t index, size_t offset, void *local, size_t length);
long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length);
long clock_alarm(uint64_t when);
long irq_ack(unsigned n);
long kernel_log(const char *text, size_t length, bool aloud);
long kernel_clock_rate(uint64_t tsc_hz);
const struct kernel_page *kernel_page(void);
uint64_t clock_tsc(void);
long port_in(unsigned port, unsigned width);
long port_out(unsigned port, unsigned width, uint32_t value);
const struct kernel_info *kernel_info(void);
uint64_t clock_now(void);
uint64_t realtime_now(void);
const struct service_info *service_info(void);

static inline uint64_t tsc_read(void)
{
    return clock_now();
}
static inline uint64_t clock_of(uint64_t tsc)
{
    return tsc;
}
static inline long ipc_call(endpoint_t to, struct message *m)
{
    return ipc_call_deadline(to, m, 0);
}
static inline long ipc_reply_result(endpoint_t to, long result)
{
    struct message m = {0};

    return ipc_reply(to, &m, result);
}

endpoint_t slot_create(const struct slot_config *config);
long slot_destroy(endpoint_t ep);
long slot_end(endpoint_t ep);
long slot_control(endpoint_t ep, enum slot_control what, uint64_t value);
long slot_seize(endpoint_t ep, uint64_t *server);
long slot_fpu_get(endpoint_t ep, void *state);
long slot_status(endpoint_t ep, struct slot_status *status);
long registers_get(endpoint_t ep, struct registers *r);
long registers_set(endpoint_t ep, const struct registers *r);
long kernel_route(enum route route, endpoint_t ep);
long memory_map(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags, endpoint_t source,
                uint64_t source_address);
long memory_unmap(endpoint_t ep, uint64_t address, uint64_t pages);
long memory_protect(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags);
long memory_clone_part(endpoint_t from, endpoint_t to, uint64_t *address, uint64_t end,
                       uint64_t flags);
long memory_protect_part(endpoint_t ep, uint64_t *address, uint64_t end, uint64_t flags);
long memory_unmap_part(endpoint_t ep, uint64_t *address, uint64_t end);
long memory_reap(void);
long memory_cow_break(endpoint_t ep, uint64_t address, uint64_t flags);
long memory_query(endpoint_t ep, uint64_t address, uint64_t *flags);

#endif
