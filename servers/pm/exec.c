/* SPDX-License-Identifier: BSD-2-Clause */
/* Exec is VFS's work; it tells us at the point of no return and when the program is ready
 * to run. */
#include <signal.h>
#include <string.h>

#include "servers/pm/pm.h"

static bool from_vfs(const struct message *m)
{
    return message_caller(m) == service_info()->vfs;
}

/* The point of no return: the others are ended first, so that none runs on in memory that is about
 * to go. Whoever calls exec goes on as the process itself, under its number. What is inherited
 * stays; what names places in the old memory is forgotten, above all handlers. */
static long pm_exec(struct message *m)
{
    const struct pm_exec_request *r = message_words(m);
    struct thread *t = thread_of((endpoint_t)r->thread);
    struct process *p;

    if (!from_vfs(m) || !t)
        return t ? -EPERM : -ESRCH;
    if (t->ending) /* another's exec has ended it */
        return -ESRCH;
    p = t->process;
    threads_end_others(t);
    t->in_exec = true;
    for_threads (other)
        if (other->process == p && other->tid == p->pid)
            other->tid = t->tid; /* until it has ended: no two have one number */
    t->tid = p->pid;
    t->clear_tid = 0;
    t->alt_size = 0;
    p->executed = true;
    p->exit_signal = SIGCHLD;
    for_processes (child)
        if (child->parent == p) /* what they chose was for the program before */
            child->exit_signal = SIGCHLD;
    for (uint64_t left = p->actions_set; left; left &= left - 1) {
        int signal = __builtin_ctzll(left) + 1;

        if (process_action(p, signal)->handler != (uint64_t)SIG_IGN)
            process_set_action(p, signal, (struct action){0});
    }
    if ((int32_t)r->uid >= 0)
        p->who.euid = (uint32_t)r->uid;
    if ((int32_t)r->gid >= 0)
        p->who.egid = (uint32_t)r->gid;
    p->who.suid = p->who.euid;
    p->who.sgid = p->who.egid;
    if ((int32_t)r->uid >= 0)
        memory_tell(p);
    return 0;
}

/* The parent of a vfork goes on when the child has a program of its own, or is gone. Signals that
 * have come in between have waited, since they could not interrupt. */
static long pm_exec_start(struct message *m)
{
    const struct pm_exec_start_request *start = message_words(m);
    struct thread *t = thread_of((endpoint_t)start->thread);
    struct registers r = {.rip = start->entry, .rsp = start->stack};
    char name[16];
    long error;

    if (!from_vfs(m) || !t)
        return t ? -EPERM : -ESRCH;
    error = grant_from(message_caller(m), start->grant, 0, name, sizeof name);
    if (error)
        return error;
    name[15] = 0;
    memcpy(t->process->name, name, sizeof name);
    slot_control(t->endpoint, SLOT_CONTROL_FRESH, 0);
    slot_control(t->endpoint, SLOT_CONTROL_NAME, (uint64_t)name);
    error = registers_set(t->endpoint, &r);
    t->in_exec = false;
    for_threads (parent)
        if (parent->waits == WAIT_VFORK && parent->on.vfork.child == t)
            deliver_and_resume(parent, t->process->pid);
    signals_check(t);
    return error;
}

PM_TABLE(exec_calls, {PM_EXEC, pm_exec}, {PM_EXEC_START, pm_exec_start})
