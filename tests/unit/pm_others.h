/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is around PM: VM and RS, which it calls; VFS, to which it hands programs; and programs that
 * make system calls and return from handlers. */
#ifndef PM_OTHERS_H
#define PM_OTHERS_H

#include "tests/unit/pm_slots.h"

#define main pm_main
#include "servers/pm/main.c"
#undef main

/* What a test may look at: what PM has asked RS for, and what VM names as the greediest. */
static MAYBE_UNUSED struct message rs_last;
static MAYBE_UNUSED unsigned rs_shutdowns, vm_failures;
static MAYBE_UNUSED bool vm_has_parts; /* no fork comes to its end */
static endpoint_t vm_victim;

/* ---- VM and RS ---- */

static long vm_fork(const struct vm_fork_request *r)
{
    struct program *parent = program_of((endpoint_t)r->parent),
                   *child = program_of((endpoint_t)r->child);

    check(child && !child->known_to_vm, "a fork into what is no fresh slot");
    check(!r->parent || (parent && parent->known_to_vm), "a fork of what VM does not know");
    if (vm_failures) {
        vm_failures--;
        return -ENOMEM;
    }
    if (vm_has_parts)
        return -EINPROGRESS;
    if (percent(4))
        return -ENOMEM;
    if (parent)
        memcpy(child->space->bytes, parent->space->bytes, MEMORY);
    child->known_to_vm = true;
    return 0;
}

static long vm_share(const struct vm_fork_request *r)
{
    struct program *parent = program_of((endpoint_t)r->parent),
                   *child = program_of((endpoint_t)r->child);

    check(parent && child && parent->space == child->space, "a space is shared that is not");
    child->known_to_vm = true;
    return 0;
}

static long vm_calls(struct message *m)
{
    const struct vm_exit_request *r = message_words(m); /* rules begin with the thread, too */
    struct vm_victim_reply *reply = message_words(m);
    struct program *p = program_of((endpoint_t)r->thread);

    switch (m->type) {
    case VM_FORK:
        return vm_fork(message_words(m));
    case VM_SHARE_SPACE:
        return vm_share(message_words(m));
    case VM_EXIT:
        check(p, "VM is told of the end of what has ended");
        p->known_to_vm = false;
        return 0;
    case VM_RULES:
        check(p && p->known_to_vm, "rules for what VM does not know");
        return 0;
    case VM_VICTIM:
        reply->thread = (uint64_t)vm_victim;
        reply->bytes = 1 << 20;
        return vm_victim ? 0 : -ENOENT;
    default:
        panic("PM asks VM for %lx", (unsigned long)m->type);
    }
}

static long pm_calls(endpoint_t to, struct message *m)
{
    if (to == EP_VM)
        return vm_calls(m);
    check(to == EP_RS, "PM calls somebody else");
    rs_last = *m;
    rs_shutdowns += m->type == RS_SHUTDOWN;
    return m->type == RS_KILL && percent(50) ? -ESRCH : 0;
}

/* ---- VFS: what PM hands to it; what programs want of it is the test's ---- */

static bool vfs_finishes = true; /* VFS takes calls back of which nothing is done */
static long vfs_cancel_result; /* otherwise: what it says */

static void vfs_handle(struct program *p)
{
    struct message out = {0};

    p->taken = true;
    switch (p->message.type) {
    case VFS_EXIT:
        p->data[3] = 0;
        check(server_names(EP_VFS, PM_EXIT_DONE, p->ep) == 0,
              "PM does not know of the end of a thread that it has ended");
        return;
    case VFS_CANCEL:
        out = message_of(PM_CANCELLED, (struct pm_cancelled_request){.is_over = !vfs_finishes,
                                                                     .result = vfs_cancel_result});
        forward_to(EP_VFS, p->ep, EP_PM, &out);
        return;
    case VFS_FORK:
        check(((const struct vfs_fork_request *)message_words(&p->message))->pid != 0,
              "a fork without a pid");
        /* fall through */
    case VFS_CREDENTIALS:
    case VFS_FILE_LIMIT:
        reply_to(EP_VFS, p->ep, &out);
        return;
    default: /* a system call: it stays until the test answers it */
        return;
    }
}

static bool vfs_step(void)
{
    struct program *p = first_for(EP_VFS);

    if (p)
        vfs_handle(p);
    return p != NULL;
}

/* Until nobody has anything to do. */
static inline void world_settle(void)
{
    for (unsigned n = 0; pm_step() || vfs_step(); n++)
        check(n < 100000, "no end of messages");
}

static inline void time_pass(uint64_t ns)
{
    uint64_t until = now + ns;

    while (alarm_at && alarm_at <= until) {
        now = alarm_at > now ? alarm_at : now;
        alarm_check();
        world_settle();
    }
    now = until > now ? until : now;
}

static inline void vfs_answers(struct program *p, long result)
{
    check(blocked_on(p, EP_VFS), "VFS has no call of it");
    reply_to(EP_VFS, p->ep, &(struct message){.type = (uint64_t)result});
    world_settle();
}

/* ---- programs ---- */

#define WAITS 0x7ffffffffffffff /* the call has not come back */

/* The program, which runs, makes a system call, to whoever has it. Nobody receives it yet. */
static void call_begin(struct program *p, endpoint_t to, long number, const uint64_t a[6])
{
    check(!p->blocked, "a program makes a call that is in one");
    p->r.rax = (uint64_t)number;
    p->r.rdi = a[0], p->r.rsi = a[1], p->r.rdx = a[2], p->r.r10 = a[3], p->r.r8 = a[4],
    p->r.r9 = a[5];
    p->r.rip += 2;
    p->kind = CALL_LINUX;
    p->message_kept = false;
    send(p, to, 0,
         (struct message){.type = (uint64_t)number, .w = {a[0], a[1], a[2], a[3], a[4], a[5]}});
}

/* The instruction at rip, `syscall`, with the registers as they are: a call that is made again. */
static inline void call_again(struct program *p, endpoint_t to)
{
    const struct registers *r = &p->r;
    uint64_t a[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

    call_begin(p, to, (long)r->rax, a);
}

static inline long result_of(const struct program *p)
{
    return p->blocked ? WAITS : (long)p->r.rax;
}

static inline long sys6(struct program *p, endpoint_t to, long number, const uint64_t a[6])
{
    endpoint_t ep = p->ep;

    if (p->r.rip == CODE_AT + 2) /* the call before has come back */
        p->r.rip = CODE_AT;
    call_begin(p, to, number, a);
    world_settle();
    return p->ep == ep ? result_of(p) : WAITS;
}
#define sys(p, number, ...) sys6(p, EP_PM, number, (uint64_t[6]){__VA_ARGS__})
#define sys_vfs(p, number, ...) sys6(p, EP_VFS, number, (uint64_t[6]){__VA_ARGS__})
#define sys_vm(p, number, ...) sys6(p, EP_VM, number, (uint64_t[6]){__VA_ARGS__})

static inline void *at(struct program *p, uint64_t address)
{
    void *m = memory_of(p->ep, address, 1);

    check(m, "an address that is not there");
    return m;
}

static inline void program_faults(struct program *p, unsigned vector, uint64_t address)
{
    check(!p->blocked, "who is blocked has no exceptions");
    p->kind = CALL_FAULT;
    send(p, EP_PM, 0,
         (struct message){.type = MESSAGE_EXCEPTION, .w = {vector, 4, address, p->r.rip}});
    p->message_kept = true;
    world_settle();
}

static inline struct process *process_of(const struct program *p)
{
    struct thread *t = thread_of(p->ep);

    check(t, "PM does not know this program");
    return t->process;
}

/* The program with this pid (tid), NULL: none. */
static inline struct program *program_with(long tid)
{
    struct thread *t = tid > 0 ? thread_with_tid((int)tid) : NULL;

    return t ? program_of(t->endpoint) : NULL;
}

static inline long server_execs(endpoint_t server, endpoint_t thread, int64_t uid)
{
    struct message m = message_of(
        PM_EXEC, (struct pm_exec_request){.thread = (uint64_t)thread, .uid = uid, .gid = -1});

    return server_calls(server, &m);
}

/* As VFS does it: the point of no return, then the new program. */
static inline void exec_begin(struct program *p)
{
    if (!p->blocked)
        sys_vfs(p, SYS_execve);
    check(server_execs(EP_VFS, p->ep, -1) == 0, "PM refuses an exec");
}

static inline struct message exec_start(const struct program *p)
{
    return message_of(PM_EXEC_START, (struct pm_exec_start_request){.thread = (uint64_t)p->ep,
                                                                    .entry = CODE_AT,
                                                                    .stack = STACK_AT,
                                                                    .grant = 1});
}

static inline void exec_end(struct program *p, const char *name)
{
    struct message m = exec_start(p);

    memset(lent_to_pm, 0, 16);
    strcpy((char *)lent_to_pm, name);
    check(server_calls(EP_VFS, &m) == 0, "PM does not start what was executed");
    reply_to(EP_VFS, p->ep, &(struct message){0});
    world_settle();
}

/* PM begins, and init is there. */
static void pm_begin(void *nothing)
{
    pm_main();
}

static struct program *world_begin(void)
{
    struct message m = {.type = PM_INIT};
    const struct pm_init_reply *first = message_words(&m);
    struct program *init;
    int ended;

    info =
        (struct service_info){.self = EP_PM, .vfs = EP_VFS, .vm = EP_VM, .rs = EP_RS, .ds = EP_DS};
    shown = (struct kernel_page){.tsc_hz = 1000000000,
                                 .info = {.frames_total = 65536, .frames_free = 32768}};
    pm = coro_start(pm_begin, NULL, &ended);
    check(!ended, "PM has ended");
    check(server_calls(EP_VFS, &m) == 0, "PM makes no init");
    init = program_of((endpoint_t)first->thread);
    check(init && first->pid == INIT_PID, "no init");
    init->taken = true; /* VFS has received its VFS_FORK */
    exec_begin(init);
    exec_end(init, "init");
    return init;
}

#endif
