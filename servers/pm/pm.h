/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process server: what its files share.
 *
 *     table.c        processes and threads
 *     fork.c         fork, vfork, clone; the first program
 *     exec.c         what VFS asks for during exec
 *     exit.c         exit, death by signal; zombies
 *     orphan.c       process groups that nobody controls
 *     wait.c         wait4, waitid
 *     signal.c       actions, masks, kill
 *     deliver.c      interrupting a thread; default actions; stop and continue
 *     sigframe.c     the frame on the program's stack
 *     timer.c        sleeping, deadlines, interval timers: one alarm for all
 *     clock.c        what time it is
 *     calibrate.c    how fast the clock runs; rate.c: its arithmetic
 *     limit.c        limits of resources; what is kept for root
 *     memory.c       what VM must know; memory is short
 *     random.c       the pool of randomness
 *     futex.c  credentials.c  groups.c  info.c
 *
 * A thread that waits inside PM is blocked in its system call to PM: nothing is kept but what it
 * waits for. PM never waits for anybody but VM, DS and RS, which are below it.
 */
#ifndef PM_PM_H
#define PM_PM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi/proto/file.h"
#include "abi/proto/pm.h"
#include "abi/proto/vfs.h"
#include "abi/proto/vm.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/span.h"
#include "lib/service/service.h"

#define PROCESSES 512
#define THREADS 768
#define SIGNALS 64
#define GROUPS FILE_GROUPS_MAX
#define LIMITS 16 /* RLIM_NLIMITS */
#define INIT_ENDED 0x7e /* status of the machine then, as of a panic */
#define INIT_PID 1
#define PROGRAM_PRIORITY 10
#define RUSAGE_WORDS 18 /* Linux's struct rusage, without musl's reserve */

struct action { /* as the Linux call has it */
    uint64_t handler, flags, restorer, mask;
};

struct credentials {
    uint32_t ruid, euid, suid, rgid, egid, sgid;
    uint32_t group_count, groups[GROUPS];
};

struct limit { /* as struct rlimit */
    uint64_t soft, hard;
};

struct usage { /* CPU time in ns */
    uint64_t user, system; /* system: of servers, on its behalf */
};

enum process_state { PROCESS_UNUSED, PROCESS_ALIVE, PROCESS_ENDING, PROCESS_ZOMBIE };

/* What most of PM's steps use comes first, and is verified before (table.c). */
struct process {
    enum process_state state;
    int pid, pgid, sid;
    struct process *parent;
    int foreground; /* of a session's leader: the group in the foreground of its terminal; 0: it has none */
    unsigned threads; /* living */
    int exit_status; /* as wait4 reports it */
    int exit_signal; /* what the parent gets: SIGCHLD, or 0 */
    bool stopped, report_stop, report_continue, executed;
    int stop_signal;
    uint64_t pending; /* bit signal - 1, for any thread */
    uint64_t actions_set; /* likewise: all others are zero */
    struct credentials who;
    int sender[SIGNALS + 1]; /* pid of the last sender */
    uint64_t start_ns;
    struct usage ended, children; /* ended: of threads that have */
    uint64_t interval_next, interval_period; /* ITIMER_REAL; 0: off */
    /* When it was due, until its signal is taken (0: not); what had run by then, in ns */
    uint64_t interval_due, interval_run;
    struct limit limits[LIMITS];
    uint64_t cpu_check; /* when to look at RLIMIT_CPU; 0: never */
    uint64_t cpu_warned_ns; /* used when the last SIGXCPU went out; 0: none yet */
    char name[16];
    struct action actions[SIGNALS + 1]; /* the last: a child gets those that are set */
};

enum waits {
    WAIT_NONE,
    WAIT_SLEEP,
    WAIT_CHILD,
    WAIT_FUTEX,
    WAIT_SUSPEND,
    WAIT_SIGNAL,
    WAIT_STOPPED,
    WAIT_VFORK,
    WAIT_FORK, /* VM copies its space, in parts */
    WAIT_KILL /* in kill() itself */
};

struct clone { /* clone(2) */
    uint64_t flags, stack, parent_tid, child_tid, tls;
};

struct thread {
    struct process *process; /* NULL: unused */
    endpoint_t endpoint;
    int tid;
    uint64_t mask, pending, saved_mask;
    bool mask_saved; /* saved_mask comes back after the handler (sigsuspend, ppoll) */
    bool cancelling; /* VFS is taking its call back */
    bool in_exec; /* between PM_EXEC and PM_EXEC_START */
    bool ending; /* VFS is closing its files */
    enum waits waits;
    uint64_t deadline; /* of what it waits for; 0 none */
    uint64_t clear_tid, alt_stack, alt_size;
    uint64_t exception_address, exception_code;
    union {
        struct {
            int64_t pid;
            int options;
            uint64_t status, usage, info;
            bool is_waitid;
        } child;
        struct { /* also of WAIT_STOPPED */
            uint64_t remaining; /* where to say how much is left; 0: nowhere */
            uint64_t until; /* stopped: it was asleep, until then; 0: it was not */
            long result; /* stopped: what it goes on with */
        } sleep;
        struct {
            uint64_t address;
            uint32_t bits;
            struct process *space;
        } futex;
        struct {
            uint64_t set, info;
        } signal;
        struct {
            struct thread *child;
        } vfork;
        struct {
            struct clone wanted;
            endpoint_t child; /* a slot, and not yet a thread */
        } fork;
    } on;
};

/* ---- table.c ---- */
extern struct process processes[PROCESSES];
extern struct thread threads[THREADS];
struct thread *thread_of(endpoint_t ep); /* NULL: none of ours */
/* The program that called; never NULL: only programs are routed here. It is as it was left, and its process, too. */
struct thread *thread_caller(const struct message *m);
/* The same for a call that reads but one word of it: who calls verifies that. */
struct thread *thread_asking(const struct message *m);
struct thread *thread_with_tid(int tid);
struct process *process_with_pid(int pid); /* also zombies */
/* Before it is used, of what is not the caller's: what most steps use of it; all of the thread; one action. */
void process_verify(const struct process *p);
void thread_verify(const struct thread *t);
const struct action *process_action(const struct process *p, int signal);
void process_set_action(struct process *p, int signal, struct action a);
struct process *process_new(struct process *parent); /* pid given, attributes inherited; NULL */
struct thread *thread_new(struct process *p, endpoint_t ep, int tid);
int pid_new(void); /* 0: none left */
void process_free(struct process *p);
void thread_free(struct thread *t);

/* Where the first of those begin that are unused up to the table's end: most of it. */
extern struct table_ends {
    uint32_t processes, threads;
} table_ends;

static inline const struct table_ends *table_ends_verified(void)
{
    _Static_assert(sizeof table_ends == sizeof(uint64_t), "a word");
    undo_verify_word(&table_ends);
    return &table_ends;
}

#define for_processes(p)                                                                           \
    for (struct process *p = processes, *p##_end = p + table_ends_verified()->processes;           \
         p < p##_end; p++)                                                                         \
        if (p->state != PROCESS_UNUSED)
#define for_threads(t)                                                                             \
    for (struct thread *t = threads, *t##_end = t + table_ends_verified()->threads; t < t##_end;   \
         t++)                                                                                      \
        if (t->process)
/* The same of one process, by what is as it was left. */
#define for_children(p, of)                                                                        \
    for_processes (p)                                                                              \
        if (process_is_child(p, of))
#define for_threads_of(t, of)                                                                      \
    for_threads (t)                                                                                \
        if (thread_is_of(t, of))

static inline bool process_is_child(const struct process *p, const struct process *of)
{
    undo_verify_word(&p->parent);
    return p->parent == of;
}

static inline bool thread_is_of(const struct thread *t, const struct process *of)
{
    undo_verify_word(&t->process);
    return t->process == of;
}

/* ---- parts.c ---- */
void slot_gone(endpoint_t ep); /* its memory is given back in parts */
void fork_waits(struct thread *parent); /* WAIT_FORK, until the last part */
void fork_waits_no_more(struct thread *parent);
uint64_t parts_next(void); /* when the next part is due; 0: there is none */
void parts_alarm(void);

/* ---- fork.c ---- */
void fork_go_on(struct thread *parent); /* the next part */
void fork_give_up(struct thread *parent);

/* ---- orphan.c ---- */
bool group_is_orphaned(const struct process *all, int pgid);
/* `keeper`, its parent, is that no more. Is its group orphaned by that, with one in it that has stopped? */
bool group_is_stuck(const struct process *all, const struct process *member,
                    const struct process *keeper);

/* ---- exit.c ---- */
void process_end(struct process *p, int status); /* all its threads; status as wait4 reports it */
void thread_gone(struct thread *t); /* VFS has closed its files, or is not there */
void process_reap(struct process *p); /* a zombie has been waited for */
void threads_end_others(struct thread *t); /* exec: t alone stays */

/* ---- wait.c ---- */
void wait_check(struct process *parent); /* a child of it has changed */

/* ---- deliver.c ---- */
void signal_process(struct process *p, int signal, int from); /* from: pid, 0 the system */
void signal_thread(struct thread *t, int signal, int from);
/* Something is pending that is not blocked and not ignored. (What is ignored is pending no more.) */
bool signal_due(struct thread *t);
void signals_check(struct thread *t); /* its mask has changed: one may be due */
/* Thread is blocked in a call to us. Take what is due, then let it go on. result: of the call;
 * -CALL_AGAIN: the call had not been carried out. */
void deliver_and_resume(struct thread *t, long result);
/* Who was to take what is pending for p does not: another that may be interrupted does. */
void signals_pass_on(struct process *p);
void signals_discard(struct process *p, uint64_t set); /* of the process and of each thread */
void resume(struct thread *t, long result); /* just a reply */
bool action_ignores(const struct process *p, int signal);

#define CALL_AGAIN 512 /* as inside Linux: repeat when a handler with SA_RESTART, or none, ran */
#define NOT_A_CALL 0x7fffffff /* result: it was not in a system call, no register changes */

/* ---- sigframe.c ---- */
/* -EFAULT */
int frame_push(struct thread *t, struct registers *r, int signal, const struct action *a);
/* of its alternate stack, when its stack pointer is sp: 0, SS_ONSTACK, SS_DISABLE */
uint32_t alternate_flags(const struct thread *t, uint64_t sp);
long sys_rt_sigreturn(struct message *m);

/* ---- futex.c ---- */
long futex_wake(struct process *space, uint64_t address, uint32_t count, uint32_t bits);

/* ---- calibrate.c ---- */
uint64_t calibrate_next(void); /* when the clock is to be looked at */
void calibrate(void); /* if it is time */

/* ---- limit.c ---- */
void limits_default(struct limit limits[LIMITS]); /* of the first program */
bool limits_allow_thread(const struct process *p, bool new_process); /* p may make one more */
void limits_watch_cpu(struct process *p); /* it is new, or has a new RLIMIT_CPU */
void limits_check_cpu(struct process *p); /* cpu_check has come */

/* ---- clock.c ---- */
/* of all its threads */
struct usage usage_of(const struct process *p);
uint64_t cpu_of_process(const struct process *p); /* ns, both */
struct usage usage_sum(struct usage a, struct usage b);
struct usage usage_in(const struct slot_status *status);
void usage_write(struct usage u, uint64_t to[4]); /* as struct rusage begins */

/* ---- memory.c ---- */
void memory_tell(struct process *p); /* its user or its limits have changed */
void memory_short(void);
void vm_forget(endpoint_t ep); /* that thread of a program is no more */

/* ---- timer.c ---- */
void timer_set(void); /* after any deadline has changed */
void sleep_again(struct thread *t, uint64_t until); /* where it was interrupted */
void sleep_tell_left(struct thread *t, uint64_t until); /* it is, by a handler */
void timer_alarm(void);
void timer_look(uint64_t when); /* there is to be an alarm by then; 0: not any more */
void refused_look(void);
void wait_forget(struct thread *t); /* it no longer waits */
/* A thread takes it: pending no more. */
void signal_taken(struct thread *t, int signal);

static inline uint64_t bit_of(int signal)
{
    return 1ull << (signal - 1);
}
static inline long read_user(struct thread *t, uint64_t address, void *to, size_t n)
{
    return address ? copy_from(t->endpoint, address, to, n) : -EFAULT;
}
static inline long write_user(struct thread *t, uint64_t address, const void *from, size_t n)
{
    return address ? copy_to(t->endpoint, address, from, n) : -EFAULT;
}

/* ---- the tables of system calls and requests ---- */
#define PM_CALLS(f)                                                                                \
    f(fork_calls) f(exec_calls) f(exit_calls) f(wait_calls) f(signal_calls) f(deliver_calls)       \
        f(timer_calls) f(clock_calls) f(limit_calls) f(futex_calls) f(credentials_calls)           \
            f(groups_calls) f(info_calls) f(random_calls) f(klog_calls)
#define PM_DECLARE(name) extern const struct service_entry name[];
PM_CALLS(PM_DECLARE)
#define PM_TABLE(name, ...) const struct service_entry name[] = {__VA_ARGS__, {0}};

#endif
