/* SPDX-License-Identifier: BSD-2-Clause */
/* What VM must know of a program (whose it is, its limits), and killing when VM is short of memory.
 */
#include <signal.h>
#include <sys/resource.h>

#include "servers/pm/pm.h"

void memory_tell(struct process *p)
{
    struct message m = message_of(
        VM_RULES, (struct vm_rules_request){.is_root = p->who.euid == 0,
                                            .address_limit = p->limits[RLIMIT_AS].soft,
                                            .data_limit = p->limits[RLIMIT_DATA].soft,
                                            .stack_limit = p->limits[RLIMIT_STACK].soft});
    struct vm_rules_request *r = message_words(&m);

    for_threads (t)
        if (t->process == p)
            r->thread = (uint64_t)t->endpoint;
    if (r->thread)
        ipc_call(service_info()->vm, &m);
}

void vm_forget(endpoint_t ep)
{
    struct message m = message_of(VM_EXIT, (struct vm_exit_request){.thread = (uint64_t)ep});

    ipc_call(service_info()->vm, &m);
}

/* NOTIFY_BIT_MEMORY. init is spared: without it the system ends. */
void memory_short(void)
{
    struct message m = {.type = VM_VICTIM};
    const struct vm_victim_reply *victim = message_words(&m);
    long error = ipc_call(service_info()->vm, &m);
    struct thread *t = error < 0 ? NULL : thread_of((endpoint_t)victim->thread);
    struct process *p = t ? t->process : NULL;

    if (!p || p->pid == INIT_PID || p->state != PROCESS_ALIVE)
        return;
    log_always("out of memory: %s (pid %d, uid %u) has %lu kB, more than the others, and is killed",
               p->name, p->pid, p->who.euid, victim->bytes >> 10);
    signal_process(p, SIGKILL, 0);
}
