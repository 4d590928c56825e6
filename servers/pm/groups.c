/* SPDX-License-Identifier: BSD-2-Clause */
/* Process ids, process groups, sessions. */
#include <sys/syscall.h>

#include "servers/pm/pm.h"

static long sys_getpid(struct message *m)
{
    const struct process *p = thread_asking(m)->process;

    undo_verify_word(&p->state);
    return p->pid;
}
static long sys_gettid(struct message *m)
{
    const struct thread *t = thread_asking(m);

    undo_verify_word(&t->endpoint);
    return t->tid;
}
static long sys_getpgrp(struct message *m)
{
    return thread_caller(m)->process->pgid;
}

static long sys_getppid(struct message *m)
{
    struct process *parent = thread_caller(m)->process->parent;

    return parent ? parent->pid : 0;
}

static struct process *named(struct message *m)
{
    int pid = (int32_t)m->w[0];

    return pid ? process_with_pid(pid) : thread_caller(m)->process;
}

static long sys_getpgid(struct message *m)
{
    struct process *p = named(m);

    return p ? p->pgid : -ESRCH;
}

static long sys_getsid(struct message *m)
{
    struct process *p = named(m);

    return p ? p->sid : -ESRCH;
}

static bool group_in_session(int pgid, int sid)
{
    for_processes (p)
        if (p->pgid == pgid && p->sid == sid)
            return true;
    return false;
}

static long sys_setpgid(struct message *m)
{
    struct process *self = thread_caller(m)->process, *p = named(m);
    int pgid = (int32_t)m->w[1];

    if (pgid < 0)
        return -EINVAL;
    if (!p || (p != self && p->parent != self))
        return -ESRCH;
    if (p != self && p->executed)
        return -EACCES;
    pgid = pgid ? pgid : p->pid;
    if (p->sid != self->sid || p->sid == p->pid ||
        (pgid != p->pid && !group_in_session(pgid, p->sid)))
        return -EPERM;
    p->pgid = pgid;
    return 0;
}

static long sys_setsid(struct message *m)
{
    struct process *self = thread_caller(m)->process;

    for_processes (p)
        if (p->pgid == self->pid)
            return -EPERM;
    self->pgid = self->sid = self->pid;
    self->foreground = 0;
    return self->pid;
}

static long pm_foreground(struct message *m)
{
    const struct pm_foreground_request *r = message_words(m);
    struct process *leader = process_with_pid((int32_t)r->session);

    if (thread_of(message_caller(m)))
        return -EPERM;
    if (!leader || leader->sid != leader->pid)
        return -ESRCH;
    if (r->group && !group_in_session((int32_t)r->group, leader->sid))
        return -EPERM;
    leader->foreground = (int32_t)r->group;
    return 0;
}

PM_TABLE(groups_calls, {SYS_getpid, sys_getpid}, {SYS_gettid, sys_gettid},
         {SYS_getppid, sys_getppid}, {SYS_getpgrp, sys_getpgrp}, {SYS_getpgid, sys_getpgid},
         {SYS_getsid, sys_getsid}, {SYS_setpgid, sys_setpgid}, {SYS_setsid, sys_setsid},
         {PM_FOREGROUND, pm_foreground})
