/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of threads and processes. Each thread is handed to VFS, which closes its files and calls
 * back; then its slot goes. The last one makes the process a zombie and tells the parent.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

static void clear_tid(struct thread *t)
{
    int zero = 0;

    if (!t->clear_tid || t->process->threads < 2)
        return;
    if (write_user(t, t->clear_tid, &zero, sizeof zero) == 0)
        futex_wake(t->process, t->clear_tid, 1, ~0u);
    t->clear_tid = 0;
}

static void to_vfs(struct thread *t)
{
    struct message m = {.type = VFS_EXIT};

    if (!service_info()->vfs || ipc_forward(t->endpoint, service_info()->vfs, &m) < 0)
        thread_gone(t);
}

/* The thread is blocked in a call to us, or was just seized. */
static void thread_end(struct thread *t)
{
    if (t->ending)
        return;
    wait_forget(t);
    clear_tid(t);
    t->ending = true;
    to_vfs(t);
}

static void thread_kill(struct thread *t)
{
    uint64_t server;

    if (t->ending)
        return;
    slot_seize(t->endpoint, &server); /* when it is blocked on us already, nothing changes */
    thread_end(t);
}

/* A zombie has a parent that does not know of it yet. */
static void parent_tell(struct process *p)
{
    struct process *parent = p->parent;
    bool unwanted = p->exit_signal == SIGCHLD &&
                    (process_action(parent, SIGCHLD)->handler == (uint64_t)SIG_IGN ||
                     (parent->actions[SIGCHLD].flags & SA_NOCLDWAIT));

    if (unwanted)
        process_reap(p); /* nobody gets it: who waits waits for the last, and gets -ECHILD */
    wait_check(parent); /* first: who waits gets the child and not an EINTR */
    if (p->exit_signal)
        signal_process(parent, p->exit_signal, p->pid);
}

static void hang_up(int pgid)
{
    static const int signals[] = {SIGHUP, SIGCONT};

    for (int i = 0; i < 2; i++)
        for_processes (p)
            if (p->pgid == pgid)
                signal_process(p, signals[i], 0);
}

/* init gets the signal that it expects, not the one that somebody has chosen for somebody else; of
 * those that have ended already, too, since it may wait for signals only. */
static void adopt_children(struct process *dead)
{
    struct process *init = process_with_pid(INIT_PID);

    for_children (p, dead) {
        p->parent = init == dead ? NULL : init;
        p->exit_signal = SIGCHLD;
        if (group_is_stuck(processes, p, dead))
            hang_up(p->pgid);
        if (p->state == PROCESS_ZOMBIE && p->parent)
            parent_tell(p);
    }
}

enum { MEMORY_SHORT_PAGES = 1024 }; /* it may be the reason then */

static void init_ended(const struct process *init)
{
    uint64_t left = undo_input(kernel_info()->frames_free);
    char memory[60] = "";
    struct message stop = message_of(
        RS_SHUTDOWN, (struct rs_shutdown_request){.power = POWER_OFF, .status = INIT_ENDED});

    if (left < MEMORY_SHORT_PAGES)
        snprintf(memory, sizeof memory, " (too little memory: %u kB are free)",
                 (unsigned)(left * 4));
    log_always("init has ended (status %x): the system stops%s", (unsigned)init->exit_status,
               memory);
    ipc_call(service_info()->rs, &stop);
}

static void become_zombie(struct process *p)
{
    p->state = PROCESS_ZOMBIE;
    if (p->sid == p->pid && p->foreground > 0)
        hang_up(p->foreground);
    adopt_children(p);
    if (p->parent &&
        group_is_stuck(processes, p, p->parent)) /* p's parent was there for the others, too */
        hang_up(p->pgid);
    if (p->pid == INIT_PID)
        init_ended(p);
    else if (p->parent)
        parent_tell(p);
    else
        process_free(p);
}

void process_reap(struct process *p)
{
    if (p->parent)
        p->parent->children = usage_sum(p->parent->children, usage_sum(p->ended, p->children));
    process_free(p);
}

void thread_gone(struct thread *t)
{
    struct process *p = t->process;
    struct slot_status status;

    if (slot_status(t->endpoint, &status) == 0)
        p->ended = usage_sum(p->ended, usage_in(&status));
    vm_forget(t->endpoint);
    slot_gone(t->endpoint);
    for_threads (parent)
        if (parent->waits == WAIT_VFORK && parent->on.vfork.child == t)
            deliver_and_resume(parent, p->pid);
    thread_free(t);
    if (--p->threads == 0)
        become_zombie(p);
    else
        signals_pass_on(p); /* what was for this one */
}

void process_end(struct process *p, int status)
{
    if (p->state != PROCESS_ALIVE)
        return;
    p->state = PROCESS_ENDING;
    p->exit_status = status;
    p->interval_next = p->interval_due = p->cpu_check = 0;
    for_threads_of (t, p)
        thread_kill(t);
    timer_set();
}

void threads_end_others(struct thread *survivor)
{
    for_threads_of (t, survivor->process)
        if (t != survivor)
            thread_kill(t);
}

static long sys_exit(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct process *p = t->process;
    int status = (int)(m->w[0] & 0xff) << 8;

    if (p->threads > 1)
        thread_end(t);
    else
        process_end(p, status);
    return SERVICE_NO_REPLY;
}

static long sys_exit_group(struct message *m)
{
    process_end(thread_caller(m)->process, (int)(m->w[0] & 0xff) << 8);
    return SERVICE_NO_REPLY;
}

static long pm_exit_done(struct message *m)
{
    const struct pm_thread_request *r = message_words(m);
    struct thread *t = thread_of((endpoint_t)r->thread);

    if (message_caller(m) != service_info()->vfs)
        return -EPERM;
    if (!t || !t->ending)
        return -ESRCH;
    thread_gone(t);
    return 0;
}

/* A server has it that keeps it; or it runs, since that server has answered it where it should have
 * given it back. */
static long pm_take_back(struct message *m)
{
    const struct pm_thread_request *r = message_words(m);
    struct thread *t = thread_of((endpoint_t)r->thread);
    uint64_t server;

    if (message_caller(m) != service_info()->vfs)
        return -EPERM;
    if (!t || !t->ending)
        return -ESRCH;
    slot_seize(t->endpoint, &server);
    wait_forget(t);
    to_vfs(t);
    return 0;
}

PM_TABLE(exit_calls, {SYS_exit, sys_exit}, {SYS_exit_group, sys_exit_group},
         {PM_EXIT_DONE, pm_exit_done}, {PM_TAKE_BACK, pm_take_back})
