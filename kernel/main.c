/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways into the kernel: start, kernel calls, exceptions, interrupts. The way out is always
 * sched_next(). */
#include "kernel/kernel.h"
#include "kernel/lock.h"

#define VECTOR_PAGE_FAULT 14

typedef long (*call_handler)(struct slot *s, const uint64_t *a);

/* Calls that move a message, or may block: they set the registers themselves. */
static void (*const message_calls[KERNEL_CALLS])(struct slot *) = {
    [KERNEL_CALL] = ipc_call,        [KERNEL_REPLY] = ipc_reply,
    [KERNEL_RECEIVE] = ipc_receive,  [KERNEL_REPLY_RECEIVE] = ipc_reply_receive,
    [KERNEL_FORWARD] = ipc_forward,  [KERNEL_LATE_ANSWER] = ipc_late_answer,
    [KERNEL_COPY_FROM] = call_copy,  [KERNEL_COPY_TO] = call_copy,
    [KERNEL_GRANT_FROM] = call_copy, [KERNEL_GRANT_TO] = call_copy,
};

static long call_null(struct slot *s, const uint64_t *a)
{
    (void)s;
    (void)a;
    return 0;
}

static const call_handler calls[KERNEL_CALLS] = {
    [KERNEL_NULL] = call_null,
    [KERNEL_NOTIFY] = call_notify,
    [KERNEL_GRANT_TABLE] = call_grant_table,
    [KERNEL_ALARM] = call_alarm,
    [KERNEL_CLOCK_RATE] = call_clock_rate,
    [KERNEL_LOG] = call_log,
    [KERNEL_SLOT_CREATE] = call_slot_create,
    [KERNEL_SLOT_DESTROY] = call_slot_destroy,
    [KERNEL_SLOT_CONTROL] = call_slot_control,
    [KERNEL_SLOT_STATUS] = call_slot_status,
    [KERNEL_REGISTERS_GET] = call_registers_get,
    [KERNEL_REGISTERS_SET] = call_registers_set,
    [KERNEL_ROUTE] = call_route,
    [KERNEL_MAP] = call_map,
    [KERNEL_UNMAP] = call_unmap,
    [KERNEL_PROTECT] = call_protect,
    [KERNEL_CLONE] = call_clone,
    [KERNEL_COW_BREAK] = call_cow_break,
    [KERNEL_QUERY] = call_query,
    [KERNEL_IRQ_BIND] = call_irq_bind,
    [KERNEL_IRQ_ACK] = call_irq_ack,
    [KERNEL_PORT_IN] = call_port_in,
    [KERNEL_PORT_OUT] = call_port_out,
    [KERNEL_PORT_OUT_BYTES] = call_port_out_bytes,
    [KERNEL_PANIC] = call_panic,
    [KERNEL_GUARD] = call_guard,
    [KERNEL_REAP] = call_reap,
};

static void kernel_call(struct slot *s, uint64_t n)
{
    struct registers *r = &s->registers;

    if (n >= KERNEL_CALLS)
        r->rax = (uint64_t)-ENOSYS;
    else if (!(s->rights.calls >> n & 1))
        r->rax = (uint64_t)-EPERM;
    else if (message_calls[n])
        message_calls[n](s);
    else {
        const uint64_t a[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

        r->rax = (uint64_t)calls[n](s, a);
    }
}

/* The way out. */
static struct slot *leave(struct slot *s)
{
    struct slot *next = sched_next(s);

    kernel_leave();
    return next;
}

struct slot *kernel_syscall(struct slot *s)
{
    kernel_enter();
    if (s->registers.rax >= KERNEL_CALL_BASE)
        kernel_call(s, s->registers.rax - KERNEL_CALL_BASE);
    else
        foreign_call(s);
    return leave(s);
}

/* To the pager, if it may be repaired; else to the guardian. */
static void fault(struct slot *s, unsigned vector, uint64_t error, uint64_t address)
{
    if (vector == VECTOR_PAGE_FAULT && address < USER_END && s->pager) {
        const uint64_t words[4] = {address, error, s->registers.rip, (uint32_t)s->endpoint};

        if (ipc_fault(s, s->pager, MESSAGE_PAGE_FAULT, words) == 0)
            return;
    }
    trace(TRACE_EXCEPTION, s->endpoint, s->guardian, vector, address);
    if (ipc_fault(s, s->guardian, MESSAGE_EXCEPTION,
                  (const uint64_t[4]){vector, error, address, s->registers.rip}) == 0 ||
        guard_enter(s, vector))
        return;
    if (s->service_id == SERVICE_ID_ROOT)
        kernel_panic("the root task died: exception %u (error %lx) at %lx, address %lx", vector,
                     error, s->registers.rip, address);
    s->state = SLOT_FAULTED;
}

struct slot *kernel_exception(struct slot *s, unsigned vector, uint64_t error, uint64_t address)
{
    kernel_enter();
    fault(s, vector, error, address);
    return leave(s);
}

struct slot *kernel_user_interrupt(struct slot *s)
{
    kernel_enter();
    guard_time(s);
    return leave(s);
}

void kernel_timer(void)
{
    kernel_enter();
    sched_timer();
    clock_timer();
    kernel_leave();
}

void kernel_main(void)
{
    struct slot *first;

    arch_start();
    frame_start();
    arch_devices_start();
    kernel_enter();
    sched_start();
    kernel_log("Bardo: %lu MB of memory, %lu MB free\n", kernel_page.info.frames_total >> 8,
               kernel_page.info.frames_free >> 8);
    load_root();
    first = sched_next(NULL);
    kernel_leave();
    arch_enter_user(first);
}
