/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own interfaces, concept by concept; each is explained in the .c file of its name.
 * Everything here runs with interrupts off and with the kernel lock held (lock.h): there is no
 * other locking.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <errno.h>
#include <stdarg.h>

#include "kernel/arch.h"
#include "kernel/frame.h"
#include "kernel/slot.h"
#include "kernel/string.h"

/* ---- proc.c: slots ---- */
extern struct slot slots[ENDPOINT_SLOTS];
extern unsigned slots_top; /* one above the highest slot ever used */
/* The living process with that endpoint, or NULL. */
static inline struct slot *slot_find(endpoint_t endpoint)
{
    struct slot *s = &slots[endpoint_slot(endpoint)];

    return s->endpoint == endpoint && s->state != SLOT_FREE ? s : NULL;
}
/* The same, ENDPOINT_SELF allowed. */
static inline struct slot *slot_named(struct slot *self, uint64_t endpoint)
{
    return (endpoint_t)endpoint == ENDPOINT_SELF ? self : slot_find((endpoint_t)endpoint);
}
long slot_make(struct slot *creator, const struct slot_config *config); /* endpoint or -errno */
long call_slot_create(struct slot *s, const uint64_t *a);
long call_slot_destroy(struct slot *s, const uint64_t *a);
long call_slot_control(struct slot *s, const uint64_t *a);
long call_slot_status(struct slot *s, const uint64_t *a);
long call_registers_get(struct slot *s, const uint64_t *a);
long call_registers_set(struct slot *s, const uint64_t *a);

/* A kernel call that is not done yet: its caller makes it again, with the registers as they are
 * now, once interrupts and whoever is more urgent have had their turn. */
static inline long call_again(struct slot *s)
{
    s->registers.rip -= 2; /* the `syscall` */
    return (long)s->registers.rax; /* the call's number still */
}

/* ---- ipc.c ---- */
void ipc_call(struct slot *s);
void ipc_reply(struct slot *s);
void ipc_receive(struct slot *s);
void ipc_reply_receive(struct slot *s);
void ipc_forward(struct slot *s);
void ipc_late_answer(struct slot *s);
long call_notify(struct slot *s, const uint64_t *a);
void ipc_notify(struct slot *to, uint64_t bits); /* from the kernel: any bits */
void ipc_linux(struct slot *s, struct slot *to); /* s made a Linux call that goes to `to` */
/* s stops and calls handler with a message of the kernel; when handler is dead or 0: -EDEADSRCDST
 * and s is untouched. */
long ipc_fault(struct slot *s, endpoint_t handler, uint64_t type, const uint64_t words[4]);
/* enum slot_seized or -errno */
long ipc_seize(struct slot *s, struct slot *by, endpoint_t *server);
void ipc_timeout(struct slot *s); /* its deadline has passed */
/* s leaves every queue, and is found no more; who is blocked on it learns it. True: there are more of
 * those, so once more. */
bool ipc_dying(struct slot *s);
/* received by server and not yet answered */
bool ipc_blocked_on(const struct slot *s, const struct slot *server);
/* the same, or it was when s was seized */
bool ipc_in_hands_of(const struct slot *s, const struct slot *server);
/* `server` answers s, or hands it on, but does not have it: 0 when it was seized, else an error */
long ipc_keep_late(struct slot *s, const struct slot *server, endpoint_t to);

/* ---- sched.c ---- */
extern struct slot *current; /* who runs, or ran last */
/* What the fast path looks at, too. Times are TSC ticks. */
extern struct schedule {
    uint32_t ready; /* bit: the queue of that priority is not empty */
    uint64_t since; /* when `current` began to run (or the CPU to idle) */
    uint64_t turn; /* how long one is */
    uint64_t timer; /* when the timer goes off, ~0 never */
} schedule;
/* May the CPU go straight to `to`, which another has woken before it blocked? Nobody else is ready;
 * or only those who come after it, its turn is not over, and the timer will end it. */
static inline bool sched_straight(const struct slot *to, uint64_t now)
{
    return !schedule.ready || (!(schedule.ready & ((1u << to->priority) - 1)) &&
                               now < to->turn_end && schedule.timer <= to->turn_end);
}
/* What s, which runs, has used since last time. */
static inline void sched_charge(struct slot *s, uint64_t now)
{
    uint64_t used = now - schedule.since;

    schedule.since = now;
    s->cpu_ticks += used;
    s->payer->paid_ticks += used;
}
/* s answers `to`, or hands it on. If nobody has asked for that just now, what s has done was for
 * an earlier request. */
static inline void sched_bill(struct slot *s, const struct slot *to, uint64_t now)
{
    if (s->payer != s)
        return;
    s->payer = to->payer;
    sched_charge(s, now);
    s->payer = s;
}
/* From s to `to`. */
static inline __attribute__((always_inline)) void sched_switch(struct slot *s, struct slot *to,
                                                               uint64_t now)
{
    sched_charge(s, now);
    kernel_page.info.context_switches++;
    if (now >= to->turn_end)
        to->turn_end = now + schedule.turn;
    current = to;
}
void sched_start(void);
void sched_ready(struct slot *s); /* may run from now on (unless stopped) */
void sched_remove(struct slot *s); /* leaves the ready queue */
struct slot *sched_next(struct slot *s); /* who runs next; idles until there is somebody */
void sched_forget(struct slot *s); /* s is being destroyed */
void sched_timer(void);
uint64_t ticks_to_ns(uint64_t ticks); /* TSC ticks */
long call_clock_rate(struct slot *s, const uint64_t *a);

/* ---- clock.c ---- */
void clock_deadline(struct slot *s, uint64_t from_now); /* 0: none */
void clock_forget(struct slot *s, bool alarm_too);
void clock_timer(void); /* the timer has gone off: time-outs and alarms */
extern uint64_t clock_earliest; /* of all deadlines and alarms, ns, or when to look again */
long call_alarm(struct slot *s, const uint64_t *a);

/* ---- space.c ---- */
struct space *space_create(void);
void space_release(struct space *space); /* one user less; after the last one it is reaped */
/* Maps as many pages as `work` (struct arch_range) is for. Returns how many, or an error when not
 * one could be mapped. */
long space_map(struct space *to, uint64_t address, uint64_t pages, uint64_t flags,
               struct space *from, uint64_t source, long work);
long call_map(struct slot *s, const uint64_t *a);
long call_unmap(struct slot *s, const uint64_t *a);
long call_protect(struct slot *s, const uint64_t *a);
long call_clone(struct slot *s, const uint64_t *a);
long call_cow_break(struct slot *s, const uint64_t *a);
long call_reap(struct slot *s, const uint64_t *a);
long call_query(struct slot *s, const uint64_t *a);

/* ---- copy.c ---- */
/* Between s's memory and the kernel's; -EFAULT. */
long copy_kernel(const struct slot *s, uint64_t address, void *kernel, size_t length, bool out);
static inline long copy_in(const struct slot *s, void *to, uint64_t address, size_t length)
{
    return copy_kernel(s, address, to, length, false);
}
static inline long copy_out(const struct slot *s, uint64_t address, void *from, size_t length)
{
    return copy_kernel(s, address, from, length, true);
}
void call_copy(struct slot *s); /* COPY_FROM, COPY_TO, GRANT_FROM, GRANT_TO */
long call_grant_table(struct slot *s, const uint64_t *a);

/* ---- irq.c ---- */
long call_irq_bind(struct slot *s, const uint64_t *a);
long call_irq_ack(struct slot *s, const uint64_t *a);
/* s is dying: its interrupts stay masked until somebody binds them again */
void irq_release(struct slot *s);

/* ---- rights.c ---- */
static inline bool rights_call(const struct slot *s, const struct slot *to)
{
    return s->rights.may_call >> to->service_id & 1; /* slot_make() clears the bit of programs */
}
static inline bool rights_notify(const struct slot *s, const struct slot *to)
{
    return s->rights.may_notify >> to->service_id & 1;
}
long call_port_in(struct slot *s, const uint64_t *a);
long call_port_out(struct slot *s, const uint64_t *a);
long call_port_out_bytes(struct slot *s, const uint64_t *a);

/* ---- foreign.c ---- */
void foreign_call(struct slot *s);
long call_route(struct slot *s, const uint64_t *a);

/* ---- log.c ---- */
void kernel_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* what is in the trace ring, to the log; from now on the log goes to COM1, too */
void log_last_words(void);
long call_log(struct slot *s, const uint64_t *a);
extern char log_ring[LOG_RING_SIZE];
long call_panic(struct slot *s, const uint64_t *a);
/* %s %d %u %x %lx %lu %0Nx only */
int format_text(char *to, size_t room, const char *format, va_list arguments);

/* ---- trace.c ---- */
void trace_dump(void (*line)(const char *format, ...));
extern struct trace_event trace_ring[TRACE_RING_SIZE];
static inline __attribute__((always_inline)) void trace_at(uint64_t tsc, uint32_t kind,
                                                           endpoint_t from, endpoint_t to,
                                                           uint64_t type, uint64_t detail)
{
    struct trace_event *e = &trace_ring[kernel_page.info.trace_end++ % TRACE_RING_SIZE];

    *e = (struct trace_event){tsc, kind, from, to, (uint32_t)type, detail};
}
static inline void trace(uint32_t kind, endpoint_t from, endpoint_t to, uint64_t type,
                         uint64_t detail)
{
    trace_at(arch_tsc(), kind, from, to, type, detail);
}

/* ---- guard.c ---- */
long call_guard(struct slot *s, const uint64_t *a);
/* s has died, of an exception's vector or GUARD_*. True: it is the root task, and goes on. */
bool guard_enter(struct slot *s, uint64_t why);
void guard_time(struct slot *s); /* the same when it has run for too long */
uint64_t guard_left(const struct slot *s); /* TSC ticks that it may run; ~0: it may for ever */

/* ---- load.c ---- */
void load_root(void); /* RS, which comes with the kernel, with all rights */

#endif
