/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path: `call` to a server that waits for it, and `reply_receive` to a caller that waits
 * for it (in a call, a Linux call or a page fault), when there is nothing else to do. The CPU goes
 * straight from the one to the other, past queues and timer, and the message is not copied: the way
 * out of the kernel loads it from where the way in has saved it, in the sender's registers
 * (arch_hand_over).
 *
 * What it takes for granted is tested first, all of it, before anything is changed; whatever does
 * not fit (a deadline, a pending notification, another caller, one that is stopped,
 * somebody better who is ready, any error) is left to the general path, ipc.c and sched.c, which
 * would do just the same to the state of both.
 */
#include "kernel/kernel.h"
#include "kernel/lock.h"

#pragma GCC optimize("omit-frame-pointer")

/* A slot's `condition` when it is in a system call, not stopped, and has no
 * deadline. */
#define PLAIN(state) (1u | (uint32_t)(state) << 8)

/* The slot of that number, by an address that the compiler computes once and keeps. */
static inline struct slot *slot_at(endpoint_t endpoint)
{
    struct slot *s = &slots[endpoint_slot(endpoint)];

    __asm__("" : "+r"(s));
    return s;
}

/* s blocks, and `to` runs. */
static inline __attribute__((always_inline)) void switch_to(struct slot *s, struct slot *to,
                                                            uint64_t now, uint32_t kind)
{
    to->state = SLOT_READY;
    trace_at(now, kind, s->endpoint, to->endpoint, s->registers.rsi, 0);
    if (kind == TRACE_CALL) {
        s->state = SLOT_CALLING_STATE;
        to->payer = s->payer;
        sched_switch(s, to, now);
    } else {
        s->state = SLOT_RECEIVING;
        sched_bill(s, to, now);
        sched_switch(s, to, now);
        s->payer = s;
    }
    kernel_leave();
}

void fast_call(struct slot *s)
{
    endpoint_t server = (endpoint_t)s->registers.rdi;
    struct slot *to = slot_at(server);
    uint64_t now;

    kernel_enter();
    now = arch_tsc();
    if (to->endpoint == server && to->condition == PLAIN(SLOT_RECEIVING) && !s->registers.r14 &&
        (s->fast >> KERNEL_CALL & 1) && rights_call(s, to) && sched_straight(to, now)) {
        s->peer = server;
        s->call_kind = CALL_IPC;
        s->message_kept = false;
        s->forwarder = 0;
        switch_to(s, to, now, TRACE_CALL);
        arch_hand_over(to, s);
    }
    kernel_leave();
}

/* `to` waits for our answer and for nobody else's, and then nobody is there for us to
 * receive from. */
static inline bool last_to_answer(const struct slot *s, const struct slot *to)
{
    return to->peer == s->endpoint && list_empty(&to->link) && !s->pending &&
           list_empty(&s->callers) && !s->registers.r14 && (s->fast >> KERNEL_REPLY_RECEIVE & 1);
}

void fast_reply_receive(struct slot *s)
{
    endpoint_t caller = (endpoint_t)s->registers.rdi;
    long result = (long)s->registers.rsi;
    struct slot *to = slot_at(caller);
    uint64_t now;

    kernel_enter();
    now = arch_tsc();
    if (to->call_kind == CALL_IPC) {
        if (to->endpoint == caller && to->condition == PLAIN(SLOT_CALLING_STATE) &&
            last_to_answer(s, to) && sched_straight(to, now)) {
            s->receives++;
            switch_to(s, to, now, TRACE_REPLY);
            arch_hand_over(to, s);
        }
    } else if (((to->call_kind == CALL_LINUX && result > -EDEADSRCDST) ||
                (to->call_kind == CALL_FAULT && result >= 0)) &&
               to->endpoint == caller && (to->condition | 1) == PLAIN(SLOT_CALLING_STATE) &&
               last_to_answer(s, to) && sched_straight(to, now)) {
        s->receives++;
        if (to->call_kind == CALL_LINUX)
            to->registers.rax = (uint64_t)result;
        switch_to(s, to, now, TRACE_REPLY);
        arch_enter_user(to);
    }
    kernel_leave();
}
