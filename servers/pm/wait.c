/* SPDX-License-Identifier: BSD-2-Clause */
/* wait4 and waitid. A parent that waits is looked at again whenever one of its children has
 * changed. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "servers/pm/pm.h"

static bool wanted(const struct process *child, const struct thread *t)
{
    int64_t pid = t->on.child.pid;

    if (pid == -1)
        return true;
    if (pid > 0)
        return child->pid == pid;
    return child->pgid == (pid == 0 ? t->process->pgid : (int)-pid);
}

/* What there is to say of a child, as wait4 codes it; -1 nothing. */
static int news(struct process *child, int options, bool is_waitid)
{
    if (child->state == PROCESS_ZOMBIE && (!is_waitid || (options & WEXITED)))
        return child->exit_status;
    if (child->report_stop && (options & WUNTRACED))
        return 0x7f | child->stop_signal << 8;
    if (child->report_continue && (options & WCONTINUED))
        return 0xffff;
    return -1;
}

static void report_usage(struct thread *t, const struct process *child)
{
    uint64_t usage[RUSAGE_WORDS] = {0};

    usage_write(usage_sum(usage_of(child), child->children), usage);
    write_user(t, t->on.child.usage, usage, sizeof usage);
}

static void report_info(struct thread *t, const struct process *child, int status)
{
    siginfo_t info = {.si_signo = SIGCHLD};

    info.si_pid = child->pid;
    info.si_uid = child->who.ruid;
    if (status == 0xffff)
        info.si_code = CLD_CONTINUED, info.si_status = SIGCONT;
    else if ((status & 0xff) == 0x7f)
        info.si_code = CLD_STOPPED, info.si_status = status >> 8;
    else if (status & 0x7f)
        info.si_code = status & 0x80 ? CLD_DUMPED : CLD_KILLED, info.si_status = status & 0x7f;
    else
        info.si_code = CLD_EXITED, info.si_status = status >> 8;
    write_user(t, t->on.child.info, &info, sizeof info);
}

/* >0 pid, 0 nothing yet, -ECHILD */
static long look(struct thread *t)
{
    int options = t->on.child.options;
    bool any = false;

    for_children (child, t->process) {
        int status, pid;

        process_verify(child);
        if (!wanted(child, t))
            continue;
        pid = child->pid;
        any = true;
        status = news(child, options, t->on.child.is_waitid);
        if (status < 0)
            continue;
        if (t->on.child.status)
            write_user(t, t->on.child.status, &status, sizeof status);
        if (t->on.child.usage)
            report_usage(t, child);
        if (t->on.child.info)
            report_info(t, child, status);
        if (options & WNOWAIT)
            return pid;
        if (child->state == PROCESS_ZOMBIE && status == child->exit_status)
            process_reap(child);
        child->report_stop = child->report_continue = false;
        return pid;
    }
    return any ? 0 : -ECHILD;
}

void wait_check(struct process *parent)
{
    for_threads_of (t, parent) {
        thread_verify(t);
        if (t->waits == WAIT_CHILD) {
            long result = look(t);

            if (result)
                resume(t, result > 0 && t->on.child.is_waitid ? 0 : result);
        }
    }
}

static long wait_begin(struct thread *t)
{
    long result = look(t);

    if (result)
        return result > 0 && t->on.child.is_waitid ? 0 : result;
    if (t->on.child.options & WNOHANG) {
        siginfo_t none = {0};

        if (t->on.child.info)
            write_user(t, t->on.child.info, &none, sizeof none);
        return 0;
    }
    t->waits = WAIT_CHILD;
    return SERVICE_NO_REPLY;
}

static long sys_wait4(struct message *m)
{
    struct thread *t = thread_caller(m);

    /* (an int: the upper half may be its sign) */
    if ((uint32_t)m->w[2] & ~(uint32_t)(WNOHANG | WUNTRACED | WCONTINUED | 0xe0000000u))
        return -EINVAL;
    memset(&t->on, 0, sizeof t->on);
    t->on.child.pid = (int32_t)m->w[0];
    t->on.child.status = m->w[1];
    t->on.child.options = (int)m->w[2];
    t->on.child.usage = m->w[3];
    return wait_begin(t);
}

static long sys_waitid(struct message *m)
{
    struct thread *t = thread_caller(m);

    if (m->w[0] > P_PGID || !(m->w[3] & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    memset(&t->on, 0, sizeof t->on);
    t->on.child.pid = -1;
    if (m->w[0] != P_ALL)
        t->on.child.pid = (m->w[0] == P_PID ? 1 : -1) * (int64_t)(int32_t)m->w[1];
    t->on.child.info = m->w[2];
    t->on.child.options = (int)m->w[3];
    t->on.child.usage = m->w[4];
    t->on.child.is_waitid = true;
    return wait_begin(t);
}

PM_TABLE(wait_calls, {SYS_wait4, sys_wait4}, {SYS_waitid, sys_waitid})
