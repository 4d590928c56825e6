/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux system calls. The kernel knows which class a number belongs to (one byte each, made from
 * abi/syscalls.tbl) and which server serves that class; the call becomes a message to it. What the
 * numbers mean it does not know, but for arch_prctl, which is about the processor.
 */
#include "kernel/kernel.h"

static const uint8_t route_of[] = {
#include "syscall_routes.h"
};
static endpoint_t servers[ROUTES];

void foreign_call(struct slot *s)
{
    struct registers *r = &s->registers;
    uint64_t n = r->rax;
    unsigned route = n < sizeof route_of ? route_of[n] : ROUTE_NONE;
    struct slot *to;

    if (route == ROUTE_NONE || !(s->rights.routes >> route & 1)) {
        if (route == ROUTE_NONE) {
            kernel_page.info.unknown_calls++;
            kernel_page.info.last_unknown_call = n;
        }
        r->rax = (uint64_t)-ENOSYS;
        return;
    }
    if (route == ROUTE_KERNEL) {
        r->rax = (uint64_t)arch_prctl(s, r->rdi, r->rsi);
        return;
    }
    to = slot_find(route == ROUTE_GUARDIAN ? s->guardian : servers[route]);
    if (to && to != s)
        ipc_linux(s, to);
    else if (route != ROUTE_GUARDIAN || !guard_enter(s, GUARD_END))
        r->rax = (uint64_t)-EIO; /* the server is dead, and RS is about to say so */
}

long call_route(struct slot *s, const uint64_t *a)
{
    (void)s;
    if (a[0] != ROUTE_VM && a[0] != ROUTE_PM && a[0] != ROUTE_VFS)
        return -EINVAL;
    if (!slot_find((endpoint_t)a[1]))
        return -EDEADSRCDST;
    servers[a[0]] = (endpoint_t)a[1];
    return 0;
}
