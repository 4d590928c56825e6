/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seizing: PM takes a program that a signal is for, whatever it does. A server that has it in a
 * system call goes on as if nothing had happened: it copies, and answers or hands it on; that is
 * kept in slot.late for whoever has the program now.
 */
#include "kernel/kernel.h"
#include "kernel/message.h"

/* Afterwards it is as though `by` had received a call of it. A server that has it in hand is noted:
 * it may still copy, and answer. A call that waits to be received has not begun, and is just gone
 * from the list; but what was handed on and not received is kept as an answer of who did so: part
 * of the work is done, and must not be lost. Nor when `by` seizes once more what it has seized and
 * handed on: what the server before that has answered, or will, nobody has asked for yet. */
long ipc_seize(struct slot *s, struct slot *by, endpoint_t *server)
{
    bool is_owed = s->forwarder == by->endpoint && (s->late.from || s->seized_from);
    long how = SEIZED_RUNNING;

    *server = 0;
    if (s == by || s->state == SLOT_RECEIVING || s->state == SLOT_RECEIVING_ONE ||
        (s->state == SLOT_CALLING_STATE && s->call_kind == CALL_IPC))
        return -EINVAL;
    if (!is_owed)
        s->late.from = s->seized_from = 0;
    if (s->state == SLOT_CALLING_STATE) {
        if (s->call_kind == CALL_LINUX)
            how = SEIZED_SYSCALL;
        else if (s->call_kind == CALL_FAULT)
            how = SEIZED_FAULT;
        *server = s->peer;
        if (how == SEIZED_SYSCALL && !is_owed && s->peer != by->endpoint && list_empty(&s->link))
            s->seized_from = s->peer;
        else if (how == SEIZED_SYSCALL && !is_owed && s->message_kept) { /* not yet received */
            s->late.from = s->forwarder;
            s->late.to = s->peer;
            memcpy(s->late.message, s->message, sizeof s->message);
        }
        list_remove(&s->link);
    } else
        sched_remove(s);
    if (how != SEIZED_SYSCALL)
        s->call_kind = CALL_SEIZED;
    s->stopped = false;
    s->state = SLOT_CALLING_STATE;
    s->peer = by->endpoint;
    s->forwarder = 0;
    return how;
}

bool ipc_in_hands_of(const struct slot *s, const struct slot *server)
{
    return ipc_blocked_on(s, server) || s->seized_from == server->endpoint;
}

long ipc_keep_late(struct slot *s, const struct slot *server, endpoint_t to)
{
    if (s->seized_from != server->endpoint)
        return -ENOTREADY;
    s->seized_from = 0;
    s->late.from = server->endpoint;
    s->late.to = to;
    keep_message(s->late.message, &server->registers);
    return 0;
}

void ipc_late_answer(struct slot *s)
{
    struct slot *of = slot_find((endpoint_t)s->registers.rdi);
    const uint64_t *m = of ? of->late.message : NULL;

    if (!of)
        s->registers.rax = (uint64_t)-EDEADSRCDST;
    else if (!ipc_blocked_on(of, s))
        s->registers.rax = (uint64_t)-ENOTREADY;
    else if (!of->late.from)
        s->registers.rax = (uint64_t)-ENOENT;
    else
        set_message(&s->registers, (uint32_t)of->late.from | (uint64_t)(uint32_t)of->late.to << 32,
                    m[0], m[1], m[2], m[3], m[4], m[5], m[6]);
    if (of && ipc_blocked_on(of, s))
        of->seized_from = of->late.from = 0;
}
