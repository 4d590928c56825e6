/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world around PM, on the host: the kernel with its rules of who is blocked on whom, who may be
 * answered, copied from, seized (kernel/ipc.c, kernel/seize.c), and programs with registers and
 * memory. PM runs whole, in a coroutine that ends where it receives. Whatever PM does that the
 * kernel would refuse without telling is a failure.
 */
#ifndef PM_WORLD_H
#define PM_WORLD_H

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "abi/proto/pm.h"
#include "abi/proto/rs.h"
#include "abi/proto/vfs.h"
#include "abi/proto/vm.h"
#include "lib/coro/coro.h"
#include "servers/pm/pm.h"
#include "tests/unit/world.h"

enum {
    PROGRAMS = 900,
    MEMORY = 0x8000,
    MEMORY_AT = 0x10000, /* where a program's memory begins */
    STACK_AT = MEMORY_AT + MEMORY - 0x100,
    STEP_CALLS_MAX = 60000, /* kernel calls between two receives: all threads end, say */
    FIRST_SLOT = 60,
    FPU_BYTES = 832,
};
#define EP_VFS endpoint_make(1, 1)
#define EP_PM endpoint_make(2, 1)
#define EP_VM endpoint_make(3, 1)
#define EP_RS endpoint_make(4, 1)
#define EP_DS endpoint_make(5, 1)
#define EP_OTHER endpoint_make(6, 1) /* some service */

/* Where a program is. Its code is one instruction, `syscall`, wherever it stands. */
#define CODE_AT 0x400000ull
#define HANDLER_AT 0x500000ull
#define RESTORER_AT 0x600000ull

enum call_kind { CALL_NONE, CALL_LINUX, CALL_FAULT, CALL_SEIZED };

struct space {
    unsigned users;
    _Alignas(64) uint8_t bytes[MEMORY];
};
struct program {
    endpoint_t ep; /* 0: unused */
    char name[16];
    bool blocked, taken, message_kept; /* taken: `peer` has received it */
    enum call_kind kind;
    endpoint_t peer, forwarder, seized_from;
    struct message message; /* source: of its caller and who handed it on */
    struct message late; /* source: from, to; 0: none */
    uint64_t since; /* its place in the queue of `peer` */
    struct registers r;
    uint64_t fs_base, used_ns;
    bool has_fpu, known_to_vm, is_gone;
    uint8_t fpu[FPU_BYTES];
    struct space *space;
    /* for those who play the program and VFS */
    uint64_t data[4];
};

static struct program programs[PROGRAMS];
static struct program *top = programs; /* none is used from here on */
static unsigned generation = 1;
static uint64_t sequence = 1;
static struct message inbox, answered; /* what PM receives; what it has answered a server */
static endpoint_t answered_to;
static struct coro *pm;
static unsigned slots_used;

static long pm_calls(endpoint_t to, struct message *m); /* by the test: VM, RS */

#define for_programs(p)                                                                            \
    for (struct program *p = programs; p < top; p++)                                               \
        if (p->ep)

static inline struct program *program_of(endpoint_t ep)
{
    unsigned i = ep > 0 ? endpoint_slot(ep) - FIRST_SLOT : PROGRAMS;

    return i < PROGRAMS && programs[i].ep == ep ? &programs[i] : NULL;
}

static inline void count_call(void)
{
    count_call_of("PM", STEP_CALLS_MAX);
}

/* ---- messages ---- */

static inline uint64_t from_to(endpoint_t from, endpoint_t to)
{
    return (uint32_t)from | (uint64_t)(uint32_t)to << 32;
}

/* p becomes blocked on `to`, which has not received it. */
static void send(struct program *p, endpoint_t to, endpoint_t via, struct message m)
{
    m.source = from_to(p->ep, via);
    p->message = m;
    p->blocked = true;
    p->taken = false;
    p->peer = to;
    p->forwarder = via;
    p->since = sequence++;
    trace("sends", p->ep, to, &m);
}

static bool blocked_on(const struct program *p, endpoint_t server)
{
    return p->blocked && p->taken && p->peer == server;
}

static long keep_late(struct program *p, endpoint_t server, endpoint_t to, const struct message *m)
{
    if (p->seized_from != server)
        return -ENOTREADY;
    p->seized_from = 0;
    p->late = *m;
    p->late.source = from_to(server, to);
    return 0;
}

/* As the kernel does for `server`. */
static long reply_to(endpoint_t server, endpoint_t to, const struct message *m)
{
    struct program *p = program_of(to);
    long result = (long)m->type;

    if (!p)
        return -EDEADSRCDST;
    if (!blocked_on(p, server))
        return keep_late(p, server, 0, m);
    trace("answers", server, to, m);
    p->seized_from = 0;
    p->late.source = 0;
    p->blocked = false;
    if (p->kind == CALL_LINUX)
        p->r.rax = (uint64_t)(result == -EDEADSRCDST || result == -ENOTREADY ? -EIO : result);
    check(p->kind != CALL_FAULT || !result, "a fault's answer is an error");
    p->kind = CALL_NONE;
    return 0;
}

static long forward_to(endpoint_t server, endpoint_t caller, endpoint_t to, const struct message *m)
{
    struct program *p = program_of(caller);

    if (!p)
        return -EDEADSRCDST;
    if (!blocked_on(p, server))
        return keep_late(p, server, to, m);
    send(p, to, server, *m);
    p->message_kept = true;
    return 0;
}

static struct program *first_for(endpoint_t server)
{
    struct program *first = NULL;

    for_programs (p)
        if (p->blocked && !p->taken && p->peer == server && (!first || p->since < first->since))
            first = p;
    return first;
}

/* PM gets this message; what it does with it is done when this returns. */
static void pm_give(struct message m)
{
    check(inbox.type == 0, "PM has not received");
    inbox = m;
    step_calls = 0;
    check(!coro_resume(pm), "PM has ended");
}

/* What is there for PM, in the kernel's order; false: nothing. */
static bool pm_step(void)
{
    struct program *p = first_for(EP_PM);

    if (notified_bits) {
        struct message m = {.type = MESSAGE_NOTIFY, .w = {notified_bits}};

        notified_bits = 0;
        pm_give(m);
        return true;
    }
    if (!p)
        return false;
    p->taken = true;
    pm_give(p->message);
    return true;
}

/* A server calls PM, which always answers a server at once. */
static long server_calls(endpoint_t server, struct message *m)
{
    m->source = (uint32_t)server;
    trace("calls PM", server, 0, m);
    answered_to = 0;
    pm_give(*m);
    check(answered_to == server, "a server was not answered");
    *m = answered;
    return (long)m->type;
}

static inline long server_names(endpoint_t server, uint64_t type, endpoint_t thread)
{
    struct message m = message_of(type, (struct pm_thread_request){.thread = (uint64_t)thread});

    return server_calls(server, &m);
}

static inline long server_signals(endpoint_t server, int64_t target, int signal)
{
    struct message m = message_of(
        PM_SIGNAL, (struct pm_signal_request){.target = target, .signal = (uint64_t)signal});

    return server_calls(server, &m);
}

static inline long server_signals_one(endpoint_t server, endpoint_t thread, int signal)
{
    struct message m =
        message_of(PM_SIGNAL, (struct pm_signal_request){.signal = (uint64_t)signal,
                                                         .thread = (uint64_t)thread});

    return server_calls(server, &m);
}

/* ---- the calls of PM ---- */

long ipc_reply(endpoint_t to, struct message *m, long result)
{
    struct message out = *m;

    count_call();
    out.type = (uint64_t)result;
    if (to > 0 && endpoint_slot(to) < FIRST_SLOT) {
        answered = out;
        answered_to = to;
        return 0;
    }
    return reply_to(EP_PM, to, &out);
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    fail_msg("PM notifies nobody");
    return 0;
}

long ipc_reply_receive(endpoint_t to, struct message *m, uint64_t timeout)
{
    if (to)
        ipc_reply(to, m, (long)m->type);
    coro_yield();
    *m = inbox;
    inbox.type = 0;
    return 0;
}

long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m)
{
    count_call();
    check(to == EP_VFS, "PM hands somebody to another than VFS");
    return forward_to(EP_PM, caller, to, m);
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    count_call();
    return pm_calls(to, m);
}

long ipc_late_answer(endpoint_t caller, struct message *m)
{
    struct program *p = program_of(caller);
    long result = -ENOENT;

    count_call();
    if (!p)
        return -EDEADSRCDST;
    if (!blocked_on(p, EP_PM))
        return -ENOTREADY;
    if (p->late.source) {
        *m = p->late;
        result = 0;
    }
    p->seized_from = 0;
    p->late.source = 0;
    return result;
}

static void *memory_of(endpoint_t who, uint64_t at, size_t length)
{
    struct program *p = program_of(who);

    return p && at >= MEMORY_AT && length <= MEMORY && at - MEMORY_AT <= MEMORY - length
               ? p->space->bytes + (at - MEMORY_AT)
               : NULL;
}

long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length)
{
    void *at = memory_of(who, remote, length);

    count_call();
    if (at)
        memcpy(local, at, length);
    if (at)
        return 0;
    return program_of(who) ? -EFAULT : -EDEADSRCDST;
}

long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length)
{
    void *at = memory_of(who, remote, length);

    count_call();
    touch(local, length);
    if (at)
        memcpy(at, local, length);
    if (at)
        return 0;
    return program_of(who) ? -EFAULT : -EDEADSRCDST;
}

/* What servers have lent to PM: number and contents are the test's. */
static uint8_t lent_to_pm[4096];

long grant_from(endpoint_t who, uint64_t index, size_t offset, void *local, size_t length)
{
    if (index != 1 || offset + length > sizeof lent_to_pm)
        return -EPERM;
    memcpy(local, lent_to_pm + offset, length);
    return 0;
}

long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length)
{
    touch(local, length);
    if (index != 1 || offset + length > sizeof lent_to_pm)
        return -EPERM;
    memcpy(lent_to_pm + offset, local, length);
    return 0;
}

#endif
