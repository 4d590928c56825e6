/* SPDX-License-Identifier: BSD-2-Clause */
/* For directed tests of PM's signals: a program's handlers, what it looks like in one, and that each
 * test is in a PM of its own. */
#ifndef PM_SIGNALS_H
#define PM_SIGNALS_H

#include "tests/unit/pm_others.h"

#define CLONE_VM_ 0x100
#define CLONE_SIGHAND_ 0x800
#define CLONE_THREAD_ 0x10000

/* Places in a program's memory. */
enum {
    AT_ACTION = MEMORY_AT,
    AT_OLD = MEMORY_AT + 0x40,
    AT_SET = MEMORY_AT + 0x80,
    AT_TIME = MEMORY_AT + 0xc0,
    AT_INFO = MEMORY_AT + 0x100,
    AT_STATUS = MEMORY_AT + 0x200,
    AT_STACK_T = MEMORY_AT + 0x240,
    AT_WORD = MEMORY_AT + 0x280,
    AT_ALTERNATE = MEMORY_AT + 0x1000,
    ALTERNATE_SIZE = 0x2000,
};
#define SA_RESTORER 0x04000000

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            panic("%s:%d: not so: %s", __FILE__, __LINE__, #condition);                            \
    } while (0)
#define must_be(value, expected)                                                                   \
    do {                                                                                           \
        long is_ = (long)(value), must_be_ = (long)(expected);                                     \
                                                                                                   \
        if (is_ != must_be_)                                                                       \
            panic("%s:%d: %s is %ld (%lx) and not %s, %ld (%lx)", __FILE__, __LINE__, #value, is_, \
                  (unsigned long)is_, #expected, must_be_, (unsigned long)must_be_);               \
    } while (0)

static struct program *one, *two; /* programs with a parent that is not init; two is one's child */

static inline uint64_t bits(int a, int b)
{
    return (a ? bit_of(a) : 0) | (b ? bit_of(b) : 0);
}

static inline void act_at(struct program *p, int signal, uint64_t handler, uint64_t flags,
                          uint64_t mask)
{
    struct action a = {handler, flags | SA_RESTORER, RESTORER_AT, mask};

    memcpy(at(p, AT_ACTION), &a, sizeof a);
    must_be(sys(p, SYS_rt_sigaction, (uint64_t)signal, AT_ACTION, 0, 8), 0);
}

static inline uint64_t handler_of(int signal)
{
    return HANDLER_AT + (uint64_t)signal * 0x100;
}

/* Signal has a handler of its own. */
static inline void act(struct program *p, int signal, uint64_t flags, uint64_t mask)
{
    act_at(p, signal, handler_of(signal), flags, mask);
}

static inline void mask_change(struct program *p, int how, uint64_t set)
{
    memcpy(at(p, AT_SET), &set, sizeof set);
    sys(p, SYS_rt_sigprocmask, (uint64_t)how, AT_SET, 0, 8);
}

static inline uint64_t mask_of(struct program *p)
{
    return thread_of(p->ep)->mask;
}

static inline long kill_it(struct program *from, struct program *to, int signal)
{
    return sys(from, SYS_kill, (uint64_t)process_of(to)->pid, (uint64_t)signal);
}

/* From a service, so that no program has to run for it. */
static inline void signal_it(struct program *to, int signal)
{
    must_be(server_signals(EP_OTHER, process_of(to)->pid, signal), 0);
    world_settle();
}

static inline void signal_thread_of(struct program *to, int signal)
{
    must_be(server_signals_one(EP_OTHER, to->ep, signal), 0);
    world_settle();
}

/* Is p at the beginning of the handler of this signal, with all that the ABI says? */
static inline bool in_handler(struct program *p, int signal)
{
    uint64_t back;

    if (p->blocked || p->r.rip != handler_of(signal) || p->r.rdi != (uint64_t)signal)
        return false;
    must_be(p->r.rsp % 16, 8);
    memcpy(&back, at(p, p->r.rsp), sizeof back);
    must_be(back, RESTORER_AT);
    must_be(p->r.rax, 0);
    must_be(((siginfo_t *)at(p, p->r.rsi))->si_signo, signal);
    return true;
}

/* The handler returns. */
static inline void handler_return(struct program *p)
{
    p->r.rsp += 8;
    p->r.rip = RESTORER_AT;
    p->used_ns += 1000; /* it has run */
    sys(p, SYS_rt_sigreturn);
}

/* p stands before the call that it was in, and would make it again. */
static inline bool at_call_again(struct program *p, long number)
{
    return !p->blocked && p->r.rip == CODE_AT && p->r.rax == (uint64_t)number;
}

static inline bool is_dead(const struct program *p, endpoint_t ep)
{
    return p->ep != ep;
}

/* What the parent is told by wait4(). */
static inline long wait_for(struct program *parent, long pid, int options, int *status)
{
    long result = sys(parent, SYS_wait4, (uint64_t)pid, AT_STATUS, (uint64_t)options);

    memcpy(status, at(parent, AT_STATUS), sizeof *status);
    return result;
}

static inline struct program *thread_begin(struct program *p)
{
    long tid = sys(p, SYS_clone, CLONE_VM_ | CLONE_SIGHAND_ | CLONE_THREAD_, p->r.rsp - 0x2000);
    struct program *t = program_with(tid);

    must(t && process_of(t) == process_of(p));
    t->r.rip = CODE_AT;
    return t;
}

static inline struct program *child_of(struct program *p)
{
    struct program *child = program_with(sys(p, SYS_fork));

    must(child && !child->blocked && child->r.rax == 0);
    child->r.rip = p->r.rip = CODE_AT;
    return child;
}

static void test_begin(void)
{
    struct program *init;

    calm = true;
    init = world_begin();
    one = child_of(init);
    two = child_of(one);
    mask_change(one, SIG_BLOCK, 0);
}

#endif
