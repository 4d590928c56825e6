/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel calls as C functions, for services (any that has the right). See abi/kernel.h for what
 * each does and its errors. All return >= 0 or -errno; none touches errno.
 */
#ifndef RT_KERNEL_H
#define RT_KERNEL_H

#include <errno.h>
#include <stddef.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/undo/undo.h"

/* Without a message. A long call changes its arguments in the registers (abi/kernel.h); after an
 * error *b says how far it has come, where that is of interest. */
static inline long kernel_call_registers(long number, long a, long *b, long *c, long d, long e,
                                         long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result = number + KERNEL_CALL_BASE;

    __asm__ volatile(UNDO_SYSCALL
                     : "+a"(result), "+D"(a), "+S"(*b), "+d"(*c), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

static inline long kernel_call6(long number, long a, long b, long c, long d, long e, long f)
{
    return kernel_call_registers(number, a, &b, &c, d, e, f);
}

/* One that fills `length` bytes at `to` (which is among its arguments). */
static inline long kernel_read(long number, long a, long b, long c, long d, long e, void *to,
                               size_t length)
{
#ifdef UNDO
    return undo_read(number, a, b, c, d, e, to, length);
#else
    (void)to;
    (void)length;
    return kernel_call6(number, a, b, c, d, e, 0);
#endif
}

/* The same, with the second result (rdx). */
static inline long kernel_call6_second(long number, long a, long b, long c, long d, long e, long f,
                                       uint64_t *second)
{
    long result = kernel_call_registers(number, a, &b, &c, d, e, f);

    *second = (uint64_t)c;
    return result;
}

/*
 * With a message: m goes out and what comes back (source, type, words) is in m. Returns the status.
 * After an error m is undefined.
 */
static inline long kernel_message(long number, endpoint_t endpoint, struct message *m,
                                  uint64_t extra)
{
    register uint64_t r10 __asm__("r10") = m->w[1];
    register uint64_t r8 __asm__("r8") = m->w[2];
    register uint64_t r9 __asm__("r9") = m->w[3];
    register uint64_t r12 __asm__("r12") = m->w[4];
    register uint64_t r13 __asm__("r13") = m->w[5];
    register uint64_t r14 __asm__("r14") = extra;
    uint64_t rdi = (uint64_t)(int64_t)endpoint, rsi = m->type, rdx = m->w[0];
    long status = number + KERNEL_CALL_BASE;

    __asm__ volatile(UNDO_SYSCALL_MESSAGE
                     : "+a"(status), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r12), "+r"(r13), "+r"(r14)
                     :
                     : "rcx", "r11", "memory");
    *m = (struct message){rdi, rsi, {rdx, r10, r8, r9, r12, r13}};
    return status;
}

/* Call and wait; deadline in ns, 0 none. Returns the IPC error (< 0), else the reply's result; its
 * words are in m. */
static inline long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    long status = kernel_message(KERNEL_CALL, to, m, deadline);

#ifdef UNDO
    if (__builtin_expect(undo_write_grants != 0, 0))
        undo_granted(to);
#endif
    return status < 0 ? status : (long)m->type;
}
static inline long ipc_call(endpoint_t to, struct message *m)
{
    return ipc_call_deadline(to, m, 0);
}
/* Reply with a result and the words of m. */
static inline long ipc_reply(endpoint_t to, struct message *m, long result)
{
    m->type = (uint64_t)result;
    return kernel_message(KERNEL_REPLY, to, m, 0);
}
/* Reply with a result alone. */
static inline long ipc_reply_result(endpoint_t to, long result)
{
    struct message m = {.type = (uint64_t)result};

    return kernel_message(KERNEL_REPLY, to, &m, 0);
}
/* The same when the step is done (lib/undo): the caller stays blocked until then. */
static inline void ipc_reply_at_end(endpoint_t to, struct message *m, long result)
{
    m->type = (uint64_t)result;
#ifdef UNDO
    undo_later(KERNEL_CALL_BASE + KERNEL_REPLY, (uint64_t)(int64_t)to, m, 0);
#else
    kernel_message(KERNEL_REPLY, to, m, 0);
#endif
}
static inline long ipc_receive(endpoint_t from, struct message *m, uint64_t timeout)
{
    return kernel_message(KERNEL_RECEIVE, from, m, timeout);
}
static inline long ipc_reply_receive(endpoint_t to, struct message *m, uint64_t timeout)
{
    return kernel_message(KERNEL_REPLY_RECEIVE, to, m, timeout);
}
static inline long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m)
{
    return kernel_message(KERNEL_FORWARD, caller, m, (uint64_t)(int64_t)to);
}
static inline void ipc_forward_at_end(endpoint_t caller, endpoint_t to, struct message *m)
{
#ifdef UNDO
    undo_later(KERNEL_CALL_BASE + KERNEL_FORWARD, (uint64_t)(int64_t)caller, m,
               (uint64_t)(int64_t)to);
#else
    ipc_forward(caller, to, m);
#endif
}
/* 0: m->source is from whom, its upper half to whom it was handed on. */
static inline long ipc_late_answer(endpoint_t caller, struct message *m)
{
    return kernel_message(KERNEL_LATE_ANSWER, caller, m, 0);
}
static inline long ipc_notify(endpoint_t to, uint64_t bits)
{
    return kernel_call6(KERNEL_NOTIFY, to, (long)bits, 0, 0, 0, 0);
}

static inline long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length)
{
    return kernel_read(KERNEL_COPY_FROM, who, (long)remote, (long)local, (long)length, 0, local,
                       length);
}
/* The same of much, from one that stays blocked in its call to us until this step is done: when the
 * step is repeated it is copied once more. `local` is not logged: see undo_range(). */
static inline long copy_from_again(endpoint_t who, uint64_t remote, void *local, size_t length)
{
#ifdef UNDO
    return undo_again(KERNEL_COPY_FROM, who, (long)remote, (long)local, (long)length);
#else
    return kernel_call6(KERNEL_COPY_FROM, who, (long)remote, (long)local, (long)length, 0, 0);
#endif
}
static inline long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length)
{
    return kernel_call6(KERNEL_COPY_TO, who, (long)remote, (long)local, (long)length, 0, 0);
}
static inline long grant_table(struct grant *table, size_t count)
{
    return kernel_call6(KERNEL_GRANT_TABLE, (long)table, (long)count, 0, 0, 0, 0);
}
static inline long grant_from(endpoint_t who, uint64_t index, size_t offset, void *local,
                              size_t length)
{
    return kernel_read(KERNEL_GRANT_FROM, who, (long)index, (long)offset, (long)local, (long)length,
                       local, length);
}
static inline long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local,
                            size_t length)
{
    return kernel_call6(KERNEL_GRANT_TO, who, (long)index, (long)offset, (long)local, (long)length,
                        0);
}

static inline long clock_alarm(uint64_t when)
{
    return kernel_call6(KERNEL_ALARM, (long)when, 0, 0, 0, 0, 0);
}
static inline long kernel_clock_rate(uint64_t tsc_hz)
{
    return kernel_call6(KERNEL_CLOCK_RATE, (long)tsc_hz, 0, 0, 0, 0, 0);
}
static inline long kernel_log(const char *text, size_t length, bool aloud)
{
    return kernel_call6(KERNEL_LOG, (long)text, (long)length, aloud, 0, 0, 0);
}

static inline endpoint_t slot_create(const struct slot_config *config)
{
    return (endpoint_t)kernel_call6(KERNEL_SLOT_CREATE, (long)config, 0, 0, 0, 0, 0);
}
/* A part of the memory of those that are no more: 1 when there is some left, else 0, or an error. */
static inline long memory_reap(void)
{
    return kernel_call6(KERNEL_REAP, 0, 0, 0, 0, 0, 0);
}
/* Its memory is left to memory_reap(). */
static inline long slot_end(endpoint_t ep)
{
    return kernel_call6(KERNEL_SLOT_DESTROY, ep, 0, 0, 0, 0, 0);
}
/* It ends, too, but registers and memory stay, under the endpoint that is returned. */
static inline endpoint_t slot_keep(endpoint_t ep)
{
    return (endpoint_t)kernel_call6(KERNEL_SLOT_DESTROY, ep, SLOT_KEEP, 0, 0, 0, 0);
}
/* With its memory, unless that is much: some 3 ms of work. What is left goes with the next one. */
static inline long slot_destroy(endpoint_t ep)
{
    long result = slot_end(ep);

    for (unsigned part = 0; part < 64 && memory_reap() > 0; part++)
        ;
    return result;
}
static inline long slot_control(endpoint_t ep, enum slot_control what, uint64_t value)
{
    return kernel_call6(KERNEL_SLOT_CONTROL, ep, what, (long)value, 0, 0, 0);
}
/* Returns enum slot_seized; *server: whom it was blocked on. */
static inline long slot_seize(endpoint_t ep, uint64_t *server)
{
    return kernel_call6_second(KERNEL_SLOT_CONTROL, ep, SLOT_CONTROL_SEIZE, 0, 0, 0, 0, server);
}
/* Into `state`, FPU_STATE_BYTES of room: how many bytes; 0: it has none. */
static inline long slot_fpu_get(endpoint_t ep, void *state)
{
    long n;

    undo_range(state, FPU_STATE_BYTES);
    n = slot_control(ep, SLOT_CONTROL_FPU_GET, (uint64_t)state);
    undo_input_bytes(state, n > 0 ? (size_t)n : 0);
    return n;
}
static inline long slot_status(endpoint_t ep, struct slot_status *status)
{
    return kernel_read(KERNEL_SLOT_STATUS, ep, (long)status, 0, 0, 0, status, sizeof *status);
}
static inline long registers_get(endpoint_t ep, struct registers *r)
{
    return kernel_read(KERNEL_REGISTERS_GET, ep, (long)r, 0, 0, 0, r, sizeof *r);
}
static inline long registers_set(endpoint_t ep, const struct registers *r)
{
    return kernel_call6(KERNEL_REGISTERS_SET, ep, (long)r, 0, 0, 0, 0);
}
static inline long kernel_route(enum route route, endpoint_t ep)
{
    return kernel_call6(KERNEL_ROUTE, route, ep, 0, 0, 0, 0);
}

static inline long memory_unmap(endpoint_t ep, uint64_t address, uint64_t pages)
{
    return kernel_call6(KERNEL_UNMAP, ep, (long)address, (long)pages, 0, 0, 0);
}
/* Of our own memory. In a service that keeps its memory when the step is over: a step that is repeated
 * may read again what was there. So nothing else is mapped there in the same step. */
static inline void memory_unmap_own(uint64_t address, uint64_t pages)
{
#ifdef UNDO
    undo_later(KERNEL_CALL_BASE + KERNEL_UNMAP, (uint64_t)(int64_t)ENDPOINT_SELF,
               &(struct message){.type = address, .w = {pages}}, 0);
#else
    memory_unmap(ENDPOINT_SELF, address, pages);
#endif
}
/* A part, from *address on, which comes to `end` when that was all. */
static inline long memory_unmap_part(endpoint_t ep, uint64_t *address, uint64_t end)
{
    long at = (long)*address, left = (long)((end - *address) / PAGE_SIZE);
    long result = kernel_call_registers(KERNEL_UNMAP, ep, &at, &left, MAP_PART, 0, 0);

    *address = (uint64_t)at;
    return result;
}
/* All of it, or an error and nothing. */
static inline long memory_map(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags,
                              endpoint_t source, uint64_t source_address)
{
    long at, left, result;

    do {
        at = (long)address;
        left = (long)pages;
        result = kernel_call_registers(KERNEL_MAP, ep, &at, &left, (long)flags, source,
                                       (long)source_address);
        if (result < 0 && (uint64_t)at != address)
            memory_unmap(ep, address, ((uint64_t)at - address) / PAGE_SIZE);
    } while (result == -EAGAIN);
    return result;
}
static inline long memory_protect(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags)
{
    return kernel_call6(KERNEL_PROTECT, ep, (long)address, (long)pages, (long)flags, 0, 0);
}
static inline long memory_protect_part(endpoint_t ep, uint64_t *address, uint64_t end,
                                       uint64_t flags)
{
    long at = (long)*address, left = (long)((end - *address) / PAGE_SIZE);
    long result =
        kernel_call_registers(KERNEL_PROTECT, ep, &at, &left, (long)(flags | MAP_PART), 0, 0);

    *address = (uint64_t)at;
    return result;
}
static inline long memory_clone_part(endpoint_t from, endpoint_t to, uint64_t *address,
                                     uint64_t end, uint64_t flags)
{
    long second = to, at = (long)*address;
    long result =
        kernel_call_registers(KERNEL_CLONE, from, &second, &at,
                              (long)((end - *address) / PAGE_SIZE), (long)(flags | MAP_PART), 0);

    *address = (uint64_t)at;
    return result;
}
static inline long memory_cow_break(endpoint_t ep, uint64_t address, uint64_t flags)
{
    return kernel_call6(KERNEL_COW_BREAK, ep, (long)address, (long)flags, 0, 0, 0);
}
/* Physical address, or -EFAULT; *flags: map flags | references << 32. */
static inline long memory_query(endpoint_t ep, uint64_t address, uint64_t *flags)
{
    return kernel_call6_second(KERNEL_QUERY, ep, (long)address, 0, 0, 0, 0, flags);
}

static inline long irq_bind(endpoint_t ep, uint32_t line, unsigned n, uint32_t flags)
{
    return kernel_call6(KERNEL_IRQ_BIND, ep, line, n, flags, 0, 0);
}
static inline long irq_ack(unsigned n)
{
    return kernel_call6(KERNEL_IRQ_ACK, n, 0, 0, 0, 0, 0);
}
static inline long port_in(unsigned port, unsigned width)
{
    return kernel_call6(KERNEL_PORT_IN, port, width, 0, 0, 0, 0);
}
static inline long port_out(unsigned port, unsigned width, uint32_t value)
{
    return kernel_call6(KERNEL_PORT_OUT, port, width, value, 0, 0, 0);
}
static inline long port_out_bytes(unsigned port, const void *bytes, size_t count)
{
    return kernel_call6(KERNEL_PORT_OUT_BYTES, port, (long)bytes, (long)count, 0, 0, 0);
}
static inline long kernel_panic(int status)
{
    return kernel_call6(KERNEL_PANIC, status, 0, 0, 0, 0, 0);
}

/* What RS told this incarnation. */
static inline const struct service_info *service_info(void)
{
    return (const struct service_info *)SERVICE_INFO;
}

/* What the kernel shows everybody. */
static inline const struct kernel_page *kernel_page(void)
{
    return (const struct kernel_page *)KERNEL_PAGE;
}
/* As it is now; what may change, and decides anything, is an input (lib/undo). */
static inline const struct kernel_info *kernel_info(void)
{
    __asm__ volatile("" : : : "memory");
    return &kernel_page()->info;
}

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t clock_tsc(void)
{
    return undo_input(tsc_read());
}

/* (Each step of a server asks for the time, some twice: the library's division of 128 bits takes 60 instructions.) */
static inline uint64_t clock_ns(uint64_t ticks, uint64_t hz)
{
    const unsigned __int128 product = (unsigned __int128)ticks * 1000000000u;
    uint64_t ns = (uint64_t)product, high = (uint64_t)(product >> 64);

    if (__builtin_expect(high >= hz, 0)) /* more than 64 bits */
        return (uint64_t)(product / hz);
    __asm__("divq %2" : "+a"(ns), "+d"(high) : "r"(hz) : "cc");
    return ns;
}

/* What the clock was then. */
static inline uint64_t clock_of(uint64_t tsc)
{
    const struct kernel_page *k = kernel_page();

    return undo_input(clock_ns(tsc - k->tsc_boot, k->tsc_hz));
}

/* ns since boot, by the TSC: no call. */
static inline uint64_t clock_now(void)
{
    const struct kernel_page *k = kernel_page();
    uint64_t boot, hz, tsc;

    do {
        boot = k->tsc_boot;
        hz = k->tsc_hz;
        tsc = tsc_read();
    } while (k->tsc_boot != boot); /* another rate was set in between */
    return undo_input(clock_ns(tsc - boot, hz));
}

/* ns since 1970, as it was last set: the only place that says so. (As long as nobody has, it is the
 * time since boot.) */
static inline uint64_t realtime_now(void)
{
    int64_t offset = __atomic_load_n(&service_info()->realtime_offset, __ATOMIC_RELAXED);

    return clock_now() + undo_input((uint64_t)offset);
}

#endif
