/* SPDX-License-Identifier: BSD-2-Clause */
/* Who a process is: users and groups (credentials(7)). VFS is told of every change. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

#define SAME (~0u) /* -1: leave it */

static long changed(struct thread *t)
{
    struct credentials *c = &t->process->who;
    struct message m = message_of(
        VFS_CREDENTIALS, (struct vfs_credentials_request){.euid = c->euid,
                                                          .egid = c->egid,
                                                          .ruid = c->ruid,
                                                          .rgid = c->rgid,
                                                          .has_groups = c->group_count > 0});

    /* VFS replies */
    return ipc_forward(t->endpoint, service_info()->vfs, &m) < 0 ? 0 : SERVICE_NO_REPLY;
}

static bool allowed(const struct credentials *c, uint32_t id, uint32_t a, uint32_t b, uint32_t d)
{
    return id == SAME || !c->euid || id == a || id == b || id == d;
}

static long sys_getuid(struct message *m)
{
    return thread_caller(m)->process->who.ruid;
}
static long sys_geteuid(struct message *m)
{
    return thread_caller(m)->process->who.euid;
}
static long sys_getgid(struct message *m)
{
    return thread_caller(m)->process->who.rgid;
}
static long sys_getegid(struct message *m)
{
    return thread_caller(m)->process->who.egid;
}

static long set_uids(struct thread *t, uint32_t real, uint32_t effective, uint32_t saved)
{
    struct credentials *c = &t->process->who, old = *c;

    if (!allowed(&old, real, old.ruid, old.euid, old.suid) ||
        !allowed(&old, effective, old.ruid, old.euid, old.suid) ||
        !allowed(&old, saved, old.ruid, old.euid, old.suid))
        return -EPERM;
    c->ruid = real == SAME ? c->ruid : real;
    c->euid = effective == SAME ? c->euid : effective;
    c->suid = saved == SAME ? c->suid : saved;
    memory_tell(t->process);
    return changed(t);
}

static long set_gids(struct thread *t, uint32_t real, uint32_t effective, uint32_t saved)
{
    struct credentials *c = &t->process->who, old = *c;

    if (!allowed(&old, real, old.rgid, old.egid, old.sgid) ||
        !allowed(&old, effective, old.rgid, old.egid, old.sgid) ||
        !allowed(&old, saved, old.rgid, old.egid, old.sgid))
        return -EPERM;
    c->rgid = real == SAME ? c->rgid : real;
    c->egid = effective == SAME ? c->egid : effective;
    c->sgid = saved == SAME ? c->sgid : saved;
    return changed(t);
}

static long sys_setresuid(struct message *m)
{
    return set_uids(thread_caller(m), (uint32_t)m->w[0], (uint32_t)m->w[1], (uint32_t)m->w[2]);
}

static long sys_setresgid(struct message *m)
{
    return set_gids(thread_caller(m), (uint32_t)m->w[0], (uint32_t)m->w[1], (uint32_t)m->w[2]);
}

static long sys_setuid(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t id = (uint32_t)m->w[0];

    return t->process->who.euid ? set_uids(t, SAME, id, SAME) : set_uids(t, id, id, id);
}

static long sys_setgid(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t id = (uint32_t)m->w[0];

    return t->process->who.euid ? set_gids(t, SAME, id, SAME) : set_gids(t, id, id, id);
}

/* The saved id follows the effective one when the real one is set or the effective one
 * leaves it. */
static long sys_setreuid(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t real = (uint32_t)m->w[0], effective = (uint32_t)m->w[1];
    bool follow = real != SAME || (effective != SAME && effective != t->process->who.ruid);
    uint32_t saved = effective != SAME ? effective : t->process->who.euid;

    return set_uids(t, real, effective, follow ? saved : SAME);
}

static long sys_setregid(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t real = (uint32_t)m->w[0], effective = (uint32_t)m->w[1];
    bool follow = real != SAME || (effective != SAME && effective != t->process->who.rgid);
    uint32_t saved = effective != SAME ? effective : t->process->who.egid;

    return set_gids(t, real, effective, follow ? saved : SAME);
}

static long write_three(struct message *m, uint32_t a, uint32_t b, uint32_t c)
{
    struct thread *t = thread_caller(m);

    return write_user(t, m->w[0], &a, 4) < 0 || write_user(t, m->w[1], &b, 4) < 0 ||
                   write_user(t, m->w[2], &c, 4) < 0
               ? -EFAULT
               : 0;
}

static long sys_getresuid(struct message *m)
{
    struct credentials *c = &thread_caller(m)->process->who;

    return write_three(m, c->ruid, c->euid, c->suid);
}

static long sys_getresgid(struct message *m)
{
    struct credentials *c = &thread_caller(m)->process->who;

    return write_three(m, c->rgid, c->egid, c->sgid);
}

static long sys_getgroups(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct credentials *c = &t->process->who;

    if (!m->w[0])
        return c->group_count;
    if ((int32_t)m->w[0] < (int32_t)c->group_count)
        return -EINVAL;
    return c->group_count && write_user(t, m->w[1], c->groups, c->group_count * 4) < 0
               ? -EFAULT
               : (long)c->group_count;
}

static long sys_setgroups(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t groups[GROUPS];

    if (t->process->who.euid)
        return -EPERM;
    if (m->w[0] > GROUPS)
        return -EINVAL;
    if (m->w[0] && read_user(t, m->w[1], groups, m->w[0] * 4) < 0)
        return -EFAULT;
    memcpy(t->process->who.groups, groups, m->w[0] * 4);
    t->process->who.group_count = (uint32_t)m->w[0];
    return changed(t);
}

static long pm_groups(struct message *m)
{
    const struct pm_groups_request r = *(const struct pm_groups_request *)message_words(m);
    struct pm_groups_reply *reply = message_words(m);
    struct thread *t = thread_of((endpoint_t)r.thread);
    const struct credentials *c;

    if (thread_of(message_caller(m)) || !t)
        return t ? -EPERM : -ESRCH;
    c = &t->process->who;
    for (unsigned n = 0; n < sizeof reply->group / sizeof *reply->group; n++)
        reply->group[n] = r.first + n < c->group_count ? c->groups[r.first + n] : 0;
    return c->group_count;
}

static bool is_taken(const struct thread *t, int signal)
{
    return !(t->mask & bit_of(signal)) && !action_ignores(t->process, signal);
}

static uint32_t stops_of(const struct thread *t)
{
    return (is_taken(t, SIGTTIN) ? PM_STOPS_AT_TTIN : 0) |
           (is_taken(t, SIGTTOU) ? PM_STOPS_AT_TTOU : 0) |
           (group_is_orphaned(processes, t->process->pgid) ? PM_IS_ORPHANED : 0);
}

static long pm_credentials(struct message *m)
{
    const struct pm_thread_request *r = message_words(m);
    struct pm_credentials_reply *reply = message_words(m);
    struct thread *t = thread_of((endpoint_t)r->thread);
    struct process *p;

    if (thread_of(message_caller(m)) || !t)
        return t ? -EPERM : -ESRCH;
    p = t->process;
    message_halves(&reply->euid, p->who.euid, p->who.egid);
    message_halves(&reply->uid, p->who.ruid, p->who.rgid);
    message_halves(&reply->pid, (uint32_t)p->pid, (uint32_t)(p->parent ? p->parent->pid : 0));
    message_halves(&reply->pgid, (uint32_t)p->pgid, (uint32_t)p->sid);
    message_halves(&reply->stops, stops_of(t), 0);
    return 0;
}

PM_TABLE(credentials_calls, {SYS_getuid, sys_getuid}, {SYS_geteuid, sys_geteuid},
         {SYS_getgid, sys_getgid}, {SYS_getegid, sys_getegid}, {SYS_setuid, sys_setuid},
         {SYS_setgid, sys_setgid}, {SYS_setreuid, sys_setreuid}, {SYS_setregid, sys_setregid},
         {SYS_setresuid, sys_setresuid}, {SYS_setresgid, sys_setresgid},
         {SYS_getresuid, sys_getresuid}, {SYS_getresgid, sys_getresgid},
         {SYS_getgroups, sys_getgroups}, {SYS_setgroups, sys_setgroups},
         {PM_CREDENTIALS, pm_credentials}, {PM_SESSION, pm_credentials}, {PM_GROUPS, pm_groups})
