/* SPDX-License-Identifier: BSD-2-Clause */
/* What VM must know of a program (whose it is, its limits), and killing when VM is short of memory.
 */
#include <signal.h>
#include <sys/resource.h>

#include "servers/pm/pm.h"

void memory_tell(struct process *p)
{
    struct message m = {.type = VM_RULES,
                        .w = {0, p->who.euid == 0, p->limits[RLIMIT_AS].soft,
                              p->limits[RLIMIT_DATA].soft, p->limits[RLIMIT_STACK].soft}};

    for_threads (t)
        if (t->process == p)
            m.w[0] = (uint64_t)t->endpoint;
    if (m.w[0])
        ipc_call(service_info()->vm, &m);
}

/* NOTIFY_BIT_MEMORY. init is spared: without it the system ends. */
void memory_short(void)
{
    struct message m = {.type = VM_VICTIM};
    struct thread *t = ipc_call(service_info()->vm, &m) < 0 ? NULL : thread_of((endpoint_t)m.w[0]);
    struct process *p = t ? t->process : NULL;

    if (!p || p->pid == INIT_PID || p->state != PROCESS_ALIVE)
        return;
    log_always("out of memory: %s (pid %d, uid %u) has %lu kB, more than the others, and is killed",
               p->name, p->pid, p->who.euid, m.w[1] >> 10);
    signal_process(p, SIGKILL, 0);
}
