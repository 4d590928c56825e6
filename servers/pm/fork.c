/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New processes and threads. The child's slot begins as though blocked in a system call to us; it
 * is handed to VFS, which copies the descriptors and lets it go with the result 0. vfork is a fork
 * whose parent waits. Much memory is copied in parts; until that is done there is the child's slot,
 * and nobody knows of a child.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

static endpoint_t slot_new(const char name[16], endpoint_t twin, endpoint_t space)
{
    struct slot_config config = {
        .guardian = service_info()->self,
        .pager = service_info()->vm,
        .space_of = space,
        .registers_of = twin,
        .service_id = SERVICE_ID_PROGRAM,
        .priority = PROGRAM_PRIORITY,
        .flags = SLOT_CALLING,
        .rights.routes = 1u << ROUTE_GUARDIAN | 1u << ROUTE_VM | 1u << ROUTE_PM | 1u << ROUTE_VFS |
                         1u << ROUTE_KERNEL,
    };

    memcpy(config.name, name, sizeof config.name);
    return slot_create(&config);
}

static long vm(uint64_t type, endpoint_t parent, endpoint_t child)
{
    struct message m = message_of(
        type, (struct vm_fork_request){.parent = (uint64_t)parent, .child = (uint64_t)child});
    const struct message forget =
        message_of(VM_EXIT, (struct vm_exit_request){.thread = (uint64_t)child});

    undo_else(service_info()->vm, &forget);
    return ipc_call(service_info()->vm, &m);
}

static long to_vfs(struct thread *child, struct thread *parent, uint64_t flags)
{
    struct message m =
        message_of(VFS_FORK, (struct vfs_fork_request){.parent = (uint64_t)parent->endpoint,
                                                       .pid = (uint64_t)child->process->pid,
                                                       .shares_files = flags & CLONE_FILES ? 1 : 0,
                                                       .shares_place = flags & CLONE_FS ? 1 : 0});

    return ipc_forward(child->endpoint, service_info()->vfs, &m);
}

static long set_stack_and_tls(endpoint_t ep, uint64_t flags, uint64_t stack, uint64_t tls)
{
    struct registers r;
    long error = 0;

    if (stack) {
        error = registers_get(ep, &r);
        r.rsp = stack;
        if (!error)
            error = registers_set(ep, &r);
    }
    if (!error && (flags & CLONE_SETTLS))
        error = slot_control(ep, SLOT_CONTROL_FS_BASE, tls);
    return error;
}

static long forget(struct process *p, struct thread *t, endpoint_t ep, long error)
{
    if (t) {
        p->threads--;
        thread_free(t);
    }
    if (p && !p->threads)
        process_free(p);
    if (ep > 0) {
        vm_forget(ep);
        slot_gone(ep);
    }
    return error;
}

/* Linux's rules which flags go together. */
static bool flags_good(uint64_t f)
{
    if ((f & CLONE_THREAD) && !((f & CLONE_SIGHAND) && (f & CLONE_VM)))
        return false;
    return !(f & (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWIPC |
                  CLONE_NEWUTS));
}

static bool is_thread(const struct clone *c)
{
    return c->flags & CLONE_THREAD;
}

/* The child has its space. */
static long child_new(struct thread *parent, const struct clone *c, endpoint_t ep,
                      struct thread **child)
{
    struct process *p = is_thread(c) ? parent->process : process_new(parent->process),
                   *own = is_thread(c) ? NULL : p;
    int tid = 0;
    long error;

    if (p)
        tid = is_thread(c) ? pid_new() : p->pid;
    *child = tid ? thread_new(p, ep, tid) : NULL;
    if (!*child)
        return forget(own, NULL, ep, -EAGAIN);
    (*child)->mask = parent->mask;
    if (own) {
        limits_watch_cpu(p);
        p->exit_signal = (c->flags & CSIGNAL) <= SIGNALS ? (int)(c->flags & CSIGNAL) : 0;
    }
    error = set_stack_and_tls(ep, c->flags, c->stack, c->tls);
    if (error)
        return forget(p, *child, ep, error);
    return tid;
}

static long clone_finish(struct thread *parent, const struct clone *c, endpoint_t ep)
{
    struct thread *child;
    long tid = child_new(parent, c, ep, &child), error;
    int id = (int)tid;

    if (tid < 0)
        return tid;
    if (c->flags & CLONE_PARENT_SETTID)
        write_user(parent, c->parent_tid, &id, sizeof id);
    if (c->flags & CLONE_CHILD_SETTID)
        write_user(child, c->child_tid, &id, sizeof id);
    if (c->flags & CLONE_CHILD_CLEARTID)
        child->clear_tid = c->child_tid;
    error = to_vfs(child, parent, c->flags);
    if (error)
        return forget(child->process, child, child->endpoint, -EAGAIN);
    if ((c->flags & CLONE_VFORK) && !is_thread(c)) {
        parent->waits = WAIT_VFORK;
        parent->on.vfork.child = child;
        return SERVICE_NO_REPLY;
    }
    return tid;
}

static long clone_do(struct thread *parent, const struct clone *c)
{
    bool shares = is_thread(c) || ((c->flags & CLONE_VM) && !(c->flags & CLONE_VFORK));
    endpoint_t ep;
    long error;

    if (parent->ending)
        return SERVICE_NO_REPLY; /* a server has set it free that had it to give back: it is dead */
    if (!limits_allow_thread(parent->process, !is_thread(c)))
        return -EAGAIN;
    ep = slot_new(parent->process->name, parent->endpoint, shares ? parent->endpoint : 0);
    if (ep < 0)
        return ep;
    error = vm(shares ? VM_SHARE_SPACE : VM_FORK, parent->endpoint, ep);
    if (error == -EINPROGRESS) {
        parent->on.fork.wanted = *c;
        parent->on.fork.child = ep;
        fork_waits(parent);
        return SERVICE_NO_REPLY;
    }
    return error ? forget(NULL, NULL, ep, error) : clone_finish(parent, c, ep);
}

void fork_go_on(struct thread *parent)
{
    struct clone wanted = parent->on.fork.wanted;
    endpoint_t ep = parent->on.fork.child;
    long result = vm(VM_FORK, parent->endpoint, ep);

    if (result == -EINPROGRESS)
        return;
    fork_waits_no_more(parent);
    if (!result && !limits_allow_thread(parent->process, true)) /* others have begun meanwhile */
        result = -EAGAIN;
    result = result ? forget(NULL, NULL, ep, result) : clone_finish(parent, &wanted, ep);
    if (result != SERVICE_NO_REPLY)
        deliver_and_resume(parent, result);
}

void fork_give_up(struct thread *parent)
{
    fork_waits_no_more(parent);
    forget(NULL, NULL, parent->on.fork.child, 0);
}

static long sys_fork(struct message *m)
{
    return clone_do(thread_caller(m), &(struct clone){.flags = SIGCHLD});
}

static long sys_vfork(struct message *m)
{
    return clone_do(thread_caller(m), &(struct clone){.flags = SIGCHLD | CLONE_VFORK});
}

static long sys_clone(struct message *m)
{
    struct clone c = {m->w[0], m->w[1], m->w[2], m->w[3], m->w[4]};

    if (!flags_good(c.flags))
        return -EINVAL;
    return clone_do(thread_caller(m), &c);
}

/* From VFS: the first program, empty, to be filled by exec. */
static long pm_init(struct message *m)
{
    static const char name[16] = "init";
    struct process *p;
    struct thread *t;
    endpoint_t ep;
    struct pm_init_reply *reply = message_words(m);
    struct message hand = message_of(VFS_FORK, (struct vfs_fork_request){.pid = INIT_PID});

    if (message_caller(m) != service_info()->vfs)
        return -EPERM;
    if (process_with_pid(INIT_PID))
        return -EEXIST;
    p = process_new(NULL);
    ep = p ? slot_new(name, 0, 0) : -EAGAIN;
    if (ep < 0)
        return ep;
    memcpy(p->name, name, sizeof p->name);
    t = thread_new(p, ep, INIT_PID);
    if (!t || vm(VM_FORK, 0, ep) < 0)
        return -ENOMEM;
    ipc_forward(ep, service_info()->vfs, &hand);
    reply->thread = (uint64_t)ep;
    reply->pid = INIT_PID;
    return 0;
}

PM_TABLE(fork_calls, {SYS_fork, sys_fork}, {SYS_vfork, sys_vfork}, {SYS_clone, sys_clone},
         {PM_INIT, pm_init})
