/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and threads. A thread is found by its slot. */
#include <string.h>

#include "servers/pm/pm.h"

struct process processes[PROCESSES];
struct thread threads[THREADS];
static uint16_t thread_by_slot[ENDPOINT_SLOTS]; /* index + 1 */

struct thread *thread_of(endpoint_t ep)
{
    unsigned i = ep > 0 ? thread_by_slot[endpoint_slot(ep)] : 0;

    return i && threads[i - 1].process && threads[i - 1].endpoint == ep ? &threads[i - 1] : NULL;
}

struct thread *thread_caller(const struct message *m)
{
    struct thread *t = thread_of(message_caller(m));

    if (!t)
        undo_refuse(
            "a call that programs alone make is refused"); /* of a slot that a service has made */
    return t;
}

struct thread *thread_with_tid(int tid)
{
    for_threads (t)
        if (t->tid == tid)
            return t;
    return NULL;
}

struct process *process_with_pid(int pid)
{
    for_processes (p)
        if (p->pid == pid)
            return p;
    return NULL;
}

/* A number is taken as long as anything is called so: process, thread, group or session. */
static bool pid_taken(int pid)
{
    for_processes (p)
        if (p->pid == pid || p->pgid == pid || p->sid == pid)
            return true;
    return thread_with_tid(pid) != NULL;
}

int pid_new(void)
{
    static int last = PID_PROGRAM_MIN - 1;

    for (int n = PID_PROGRAM_MIN; n <= PID_MAX; n++) {
        last = last < PID_MAX ? last + 1 : PID_PROGRAM_MIN;
        if (!pid_taken(last))
            return last;
    }
    return 0;
}

/* A child begins as a copy, so that what is added to a process is inherited unless it is listed
 * here: what has happened to the parent itself, its times and timers, and what is owed to who waits
 * for it. */
struct process *process_new(struct process *parent)
{
    for (struct process *p = processes; p < processes + PROCESSES; p++) {
        int pid;

        if (p->state != PROCESS_UNUSED)
            continue;
        pid = parent ? pid_new() : INIT_PID;
        if (!pid)
            return NULL;
        if (parent)
            *p = *parent;
        else
            *p = (struct process){.pgid = INIT_PID, .sid = INIT_PID};
        if (!parent)
            limits_default(p->limits);
        p->pid = pid;
        p->parent = parent;
        p->state = PROCESS_ALIVE;
        p->pending = 0;
        p->foreground = 0;
        p->threads = 0;
        p->stopped = p->report_stop = p->report_continue = p->executed = false;
        p->cpu_check = p->cpu_warned_ns = 0;
        p->ended = p->children = (struct usage){0};
        p->interval_next = p->interval_period = p->interval_due = 0;
        p->start_ns = clock_now();
        return p;
    }
    return NULL;
}

struct thread *thread_new(struct process *p, endpoint_t ep, int tid)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (!threads[i].process) {
            threads[i] = (struct thread){.process = p, .endpoint = ep, .tid = tid};
            thread_by_slot[endpoint_slot(ep)] = (uint16_t)(i + 1);
            p->threads++;
            return &threads[i];
        }
    return NULL;
}
