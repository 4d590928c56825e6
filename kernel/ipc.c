/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between processes. Whoever calls is blocked until it is answered, so its message stays
 * where it was made: in its saved registers (a call, a Linux system call), or in slot.message (a
 * fault, a forwarded call). It is moved once, into the registers of the receiver, when that
 * receives. Callers wait in the receiver's list in the order of arrival.
 *
 *     CALLING, in the list of `peer`      not yet received
 *     CALLING, in no list                 received: `peer` may answer, forward, copy from and to it
 *
 * How the answer gets to the caller depends on call_kind. Notifications are a word of bits; they go
 * before messages.
 */
#include "kernel/kernel.h"
#include "kernel/message.h"

#define TOLD_AT_ONCE 200 /* callers that learn of a death, of some 250 instructions each */

static bool waits_for(const struct slot *to, const struct slot *from)
{
    return (to->state == SLOT_RECEIVING ||
            (to->state == SLOT_RECEIVING_ONE && to->peer == from->endpoint));
}

static inline void copy_message(struct registers *to, uint64_t source, const struct registers *r)
{
    set_message(to, source, r->rsi, r->rdx, r->r10, r->r8, r->r9, r->r12, r->r13);
}

/* `to` is (or was just found) receiving; it gets from's message. */
static void deliver(struct slot *from, struct slot *to)
{
    const struct registers *r = &from->registers;
    const uint64_t *m = from->message;
    uint64_t source = (uint32_t)from->endpoint | (uint64_t)(uint32_t)from->forwarder << 32;

    to->payer = from->payer;
    if (from->message_kept)
        set_message(&to->registers, source, m[0], m[1], m[2], m[3], m[4], m[5], m[6]);
    else if (from->call_kind == CALL_IPC)
        copy_message(&to->registers, source, r);
    else
        set_message(&to->registers, source, r->rax, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
}

static void wake(struct slot *s)
{
    if (s->deadline)
        clock_forget(s, false);
    sched_ready(s);
}

/* s becomes blocked in a call to `to`, its message in place. */
static void send(struct slot *s, struct slot *to)
{
    uint64_t type = s->call_kind == CALL_IPC ? s->registers.rsi : s->registers.rax;

    s->state = SLOT_CALLING_STATE;
    s->peer = to->endpoint;
    if (s->message_kept)
        type = s->message[0];
    trace(s->forwarder ? TRACE_FORWARD : TRACE_CALL, s->endpoint, to->endpoint, type, s->forwarder);
    if (waits_for(to, s)) {
        deliver(s, to);
        wake(to);
    } else
        list_insert(&s->link, &to->callers);
}

void ipc_call(struct slot *s)
{
    struct slot *to = slot_find((endpoint_t)s->registers.rdi);

    long error = 0;

    if (!to)
        error = -EDEADSRCDST;
    else if (to == s)
        error = -EINVAL;
    else if (!rights_call(s, to))
        error = -EPERM;
    if (error) {
        s->registers.rax = (uint64_t)error;
        return;
    }
    s->call_kind = CALL_IPC;
    s->message_kept = false;
    s->forwarder = 0;
    clock_deadline(s, s->registers.r14);
    send(s, to);
}

void ipc_linux(struct slot *s, struct slot *to)
{
    s->call_kind = CALL_LINUX;
    s->message_kept = false;
    s->forwarder = 0;
    send(s, to);
}

bool ipc_blocked_on(const struct slot *s, const struct slot *server)
{
    return s->state == SLOT_CALLING_STATE && s->peer == server->endpoint && list_empty(&s->link);
}

/* A fault could not be repaired: a copy fails, an instruction raises its exception. */
static void fault_failed(struct slot *s)
{
    uint64_t words[4] = {14, s->message[2], s->message[1], s->registers.rip};

    if (s->copying) {
        s->registers.rip += 2; /* past the `syscall` that would have been repeated */
        s->registers.rax = (uint64_t)-EFAULT;
        wake(s);
    } else if (s->message[0] != MESSAGE_PAGE_FAULT ||
               ipc_fault(s, s->guardian, MESSAGE_EXCEPTION, words) < 0)
        s->state =
            SLOT_FAULTED; /* nobody is there to care: it stays so until somebody destroys it */
}

/* s, blocked in a call, gets its answer. */
static void answer(struct slot *s, endpoint_t from, const struct registers *r)
{
    long result = (long)r->rsi;

    trace(TRACE_REPLY, from, s->endpoint, (uint64_t)result, 0);
    s->seized_from = s->late.from = 0;
    switch (s->call_kind) {
    case CALL_IPC:
        copy_message(&s->registers, (uint32_t)from, r);
        break;
    case CALL_LINUX:
        s->registers.rax =
            (uint64_t)(result == -EDEADSRCDST || result == -ENOTREADY ? -EIO : result);
        break;
    case CALL_FAULT:
        if (result < 0) {
            fault_failed(s);
            return;
        }
        break;
    default: /* seized while it ran: goes on as it was */
        break;
    }
    wake(s);
}

static long reply(struct slot *s, endpoint_t endpoint)
{
    struct slot *to = slot_find(endpoint);

    if (!to)
        return -EDEADSRCDST;
    if (!ipc_blocked_on(to, s))
        return ipc_keep_late(to, s, 0);
    sched_bill(s, to, arch_tsc());
    answer(to, s->endpoint, &s->registers);
    return 0;
}

void ipc_reply(struct slot *s)
{
    s->registers.rax = (uint64_t)reply(s, (endpoint_t)s->registers.rdi);
}

static struct slot *next_caller(struct slot *s, endpoint_t from)
{
    for (struct list *l = s->callers.next; l != &s->callers; l = l->next) {
        struct slot *caller = list_entry(l, struct slot, link);

        if (from == ENDPOINT_ANY || caller->endpoint == from)
            return caller;
    }
    return NULL;
}

/* What it did until now was for its payer, so that is charged first; from here on it pays itself.
 * Who waits for an answer of one alone is not disturbed by notifications, and has not come back to
 * its loop: RS takes `receives` for a sign of life. */
static void receive(struct slot *s, endpoint_t from)
{
    struct slot *caller;

    sched_charge(s, arch_tsc());
    s->payer = s; /* until somebody asks */
    if (from == ENDPOINT_ANY) {
        s->receives++;
        if (s->pending) {
            set_message(&s->registers, ENDPOINT_KERNEL, MESSAGE_NOTIFY, s->pending, 0, 0, 0, 0, 0);
            s->pending = 0;
            return;
        }
    }
    caller = next_caller(s, from);
    if (caller) {
        list_remove(&caller->link);
        deliver(caller, s);
        return;
    }
    if (from != ENDPOINT_ANY && !slot_find(from))
        s->registers.rax = (uint64_t)-EDEADSRCDST;
    else if (s->registers.r14 == RECEIVE_POLL)
        s->registers.rax = (uint64_t)-EAGAIN;
    else {
        s->state = from == ENDPOINT_ANY ? SLOT_RECEIVING : SLOT_RECEIVING_ONE;
        s->peer = from;
        clock_deadline(s, s->registers.r14);
    }
}

void ipc_receive(struct slot *s)
{
    receive(s, (endpoint_t)s->registers.rdi);
}

void ipc_reply_receive(struct slot *s)
{
    if (s->registers.rdi)
        reply(s, (endpoint_t)s->registers.rdi);
    receive(s, ENDPOINT_ANY);
}

void ipc_forward(struct slot *s)
{
    const struct registers *r = &s->registers;
    struct slot *caller = slot_find((endpoint_t)r->rdi), *to = slot_find((endpoint_t)r->r14);
    long result = 0;

    if (!caller || !to)
        result = -EDEADSRCDST;
    else if (!(s->rights.may_forward >> to->service_id & 1))
        result = -EPERM;
    else if (caller == to)
        result = -EINVAL;
    else if (!ipc_blocked_on(caller, s))
        result = ipc_keep_late(caller, s, to->endpoint);
    else {
        sched_bill(s, caller, arch_tsc());
        keep_message(caller->message, r);
        caller->message_kept = true;
        caller->forwarder = s->endpoint;
        send(caller, to);
    }
    s->registers.rax = (uint64_t)result;
}

void ipc_notify(struct slot *to, uint64_t bits)
{
    to->pending |= bits;
    if (to->state == SLOT_RECEIVING) {
        set_message(&to->registers, ENDPOINT_KERNEL, MESSAGE_NOTIFY, to->pending, 0, 0, 0, 0, 0);
        to->pending = 0;
        wake(to);
    }
}

long call_notify(struct slot *s, const uint64_t *a)
{
    struct slot *to = slot_named(s, a[0]);

    if (!to)
        return -EDEADSRCDST;
    if (to != s && !rights_notify(s, to))
        return -EPERM;
    if (a[1] & ~NOTIFY_USER_BITS)
        return -EINVAL;
    if ((a[1] & NOTIFY_ROOT_BITS) && s->service_id != SERVICE_ID_ROOT)
        return -EPERM;
    trace(TRACE_NOTIFY, s->endpoint, to->endpoint, a[1], 0);
    ipc_notify(to, a[1]);
    return 0;
}

long ipc_fault(struct slot *s, endpoint_t handler, uint64_t type, const uint64_t words[4])
{
    struct slot *to = slot_find(handler);

    if (!to || to == s)
        return -EDEADSRCDST;
    s->message[0] = type;
    for (unsigned i = 0; i < 6; i++)
        s->message[1 + i] = i < 4 ? words[i] : 0;
    s->message_kept = true;
    s->call_kind = CALL_FAULT;
    s->copying = false;
    s->forwarder = 0;
    send(s, to);
    return 0;
}

void ipc_timeout(struct slot *s)
{
    s->deadline = 0;
    s->special &= ~SPECIAL_DEADLINE;
    if (s->state == SLOT_CALLING_STATE)
        list_remove(&s->link);
    s->registers.rax = (uint64_t)-ETIMEDOUT;
    sched_ready(s);
}

/* c was blocked in a call to the dying `dead`. */
static void bounce(struct slot *c, endpoint_t dead)
{
    static const struct registers error = {.rsi = (uint64_t)-EDEADSRCDST};
    struct slot *back = c->forwarder ? slot_find(c->forwarder) : NULL;

    list_remove(&c->link);
    if (back && back->endpoint != dead) {
        for (unsigned i = 7; i-- > 2;) /* type and words 0..3 */
            c->message[i] = c->message[i - 2];
        c->message[0] = MESSAGE_BOUNCED;
        c->message[1] = (uint32_t)dead;
        c->forwarder = 0;
        send(c, back);
    } else if (c->call_kind == CALL_IPC) {
        c->registers.rax = (uint64_t)-EDEADSRCDST;
        wake(c);
    } else
        answer(c, dead, &error);
}

bool ipc_dying(struct slot *s)
{
    endpoint_t dead = s->endpoint;
    unsigned told = 0;

    if (s->state == SLOT_CALLING_STATE)
        list_remove(&s->link);
    clock_forget(s, true);
    s->state = SLOT_FREE; /* from here on slot_find() does not find it */
    for (unsigned i = 1; i < slots_top; i++) {
        struct slot *c = &slots[i];

        if (c->payer == s)
            c->payer = c;
        if (c->peer != dead || c->state == SLOT_FREE)
            continue;
        if (c->state == SLOT_CALLING_STATE && told++ == TOLD_AT_ONCE)
            return true;
        if (c->state == SLOT_CALLING_STATE)
            bounce(c, dead);
        else if (c->state == SLOT_RECEIVING_ONE) {
            c->registers.rax = (uint64_t)-EDEADSRCDST;
            wake(c);
        }
    }
    return false;
}
