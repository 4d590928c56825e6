/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and threads. A thread is found by its slot. */
#include <string.h>

#include "servers/pm/pm.h"

struct process processes[PROCESSES];
struct thread threads[THREADS];
_Alignas(uint64_t) struct table_ends table_ends;
static _Alignas(uint64_t) uint16_t thread_by_slot[ENDPOINT_SLOTS]; /* index + 1 */

/* Of what a flipped bit would have found, or not. */
#define VERIFIED_OF_SLOTS (sizeof(uint64_t) / sizeof *thread_by_slot)

_Static_assert(offsetof(struct process, who.group_count) % sizeof(uint64_t) == 0 &&
                   offsetof(struct thread, clear_tid) % sizeof(uint64_t) == 0 &&
                   offsetof(struct thread, endpoint) % sizeof(uint64_t) == 0 &&
                   offsetof(struct thread, mask_saved) % sizeof(uint64_t) == 0,
               "words are verified");

static struct thread *thread_in(endpoint_t ep)
{
    unsigned i = thread_by_slot[endpoint_slot(ep)];

    return i && i <= THREADS && threads[i - 1].process && threads[i - 1].endpoint == ep
               ? &threads[i - 1]
               : NULL;
}

struct thread *thread_of(endpoint_t ep)
{
    struct thread *t = ep > 0 ? thread_in(ep) : NULL;

    if (t)
        undo_verify_word(&t->process);
    else if (ep > 0) {
        unsigned slot = endpoint_slot(ep);

        undo_verify_word(&thread_by_slot[slot - slot % VERIFIED_OF_SLOTS]);
        if (thread_by_slot[slot] && thread_by_slot[slot] <= THREADS)
            undo_verify(&threads[thread_by_slot[slot] - 1], offsetof(struct thread, mask));
        t = thread_in(ep);
    }
    return t;
}

struct thread *thread_asking(const struct message *m)
{
    struct thread *t = thread_of(message_caller(m));

    if (!t)
        undo_refuse(
            "a call that programs alone make is refused"); /* of a slot that a service has made */
    return t;
}

struct thread *thread_caller(const struct message *m)
{
    struct thread *t = thread_asking(m);

    undo_verify(t, offsetof(struct thread, clear_tid));
    process_verify(t->process);
    return t;
}

void thread_verify(const struct thread *t)
{
    undo_verify(t, sizeof *t);
}

const struct action *process_action(const struct process *p, int signal)
{
    undo_verify(&p->actions[signal], sizeof p->actions[signal]);
    return &p->actions[signal];
}

void process_set_action(struct process *p, int signal, struct action a)
{
    p->actions[signal] = a;
    if (a.handler || a.flags || a.restorer || a.mask)
        p->actions_set |= bit_of(signal);
    else
        p->actions_set &= ~bit_of(signal);
}

/* The rest are zero in both, as most are: `stale` are those of who was there before. */
static void inherit(struct process *child, const struct process *parent)
{
    const uint64_t stale = child->actions_set;

    memcpy(child, parent, offsetof(struct process, actions));
    for (uint64_t left = stale | parent->actions_set; left; left &= left - 1) {
        int signal = __builtin_ctzll(left) + 1;

        child->actions[signal] = *process_action(parent, signal);
    }
}

void process_verify(const struct process *p)
{
    undo_verify(p, offsetof(struct process, who.group_count));
}

struct thread *thread_with_tid(int tid)
{
    for_threads (t)
        if (t->tid == tid) {
            thread_verify(t);
            return t;
        }
    return NULL;
}

struct process *process_with_pid(int pid)
{
    for_processes (p)
        if (p->pid == pid) {
            process_verify(p);
            return p;
        }
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
            inherit(p, parent);
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
        if (p >= processes + table_ends.processes)
            table_ends.processes = (uint32_t)(p - processes) + 1;
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
            if (i >= table_ends.threads)
                table_ends.threads = i + 1;
            return &threads[i];
        }
    return NULL;
}

void process_free(struct process *p)
{
    p->state = PROCESS_UNUSED;
    while (table_ends.processes > 0 && processes[table_ends.processes - 1].state == PROCESS_UNUSED)
        table_ends.processes--;
}

void thread_free(struct thread *t)
{
    t->process = NULL;
    while (table_ends.threads > 0 && !threads[table_ends.threads - 1].process)
        table_ends.threads--;
}
