/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "abi/proto/vfs.h"
#include "abi/proto/vm.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"
#include "servers/fs/proc/files.h"

/* Times are in ticks of 10 ms, as Linux's USER_HZ says. */
static unsigned long long ticks(uint64_t ns)
{
    return ns / 10000000u;
}

void write_stat(struct text *t, const struct process *p)
{
    text_add(t, "%d (%s) %c %d %d %d %d -1 0 0 0 0 0 ", p->p.pid, p->p.name, (char)p->p.state,
             p->p.ppid, p->p.pgid, p->p.sid, p->p.tty);
    text_add(t, "%llu %llu 0 0 20 0 %d 0 %llu %llu %llu ", ticks(p->p.user_ns),
             ticks(p->p.system_ns), p->p.threads, ticks(p->p.start_ns),
             (unsigned long long)p->virtual_bytes,
             (unsigned long long)p->resident_bytes / PAGE_SIZE);
    text_add(t, "18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

static const char *state_name(uint32_t state)
{
    switch (state) {
    case 'R':
        return "R (running)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "S (sleeping)";
    }
}

void write_status(struct text *t, const struct process *p)
{
    text_add(t, "Name:\t%s\nState:\t%s\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", p->p.name,
             state_name(p->p.state), p->p.pid, p->p.pid, p->p.ppid);
    text_add(t, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\n", p->p.uid, p->p.uid, p->p.uid,
             p->p.uid, p->p.gid, p->p.gid, p->p.gid, p->p.gid);
    text_add(t, "VmSize:\t%8llu kB\nVmRSS:\t%8llu kB\nThreads:\t%d\n",
             (unsigned long long)p->virtual_bytes / 1024,
             (unsigned long long)p->resident_bytes / 1024, p->p.threads);
}

void write_statm(struct text *t, const struct process *p)
{
    text_add(t, "%llu %llu 0 0 0 %llu 0\n", (unsigned long long)p->virtual_bytes / PAGE_SIZE,
             (unsigned long long)p->resident_bytes / PAGE_SIZE,
             (unsigned long long)p->resident_bytes / PAGE_SIZE);
}

/* Services have none: ps then shows their name in brackets. */
void write_cmdline(struct text *t, const struct process *p)
{
    if (!p->is_service && p->p.state != 'Z')
        text_add_bytes(t, p->p.name, strlen(p->p.name) + 1);
}

void write_comm(struct text *t, const struct process *p)
{
    text_add(t, "%s\n", p->p.name);
}

void write_maps(struct text *t, const struct process *p)
{
    static char buffer[16384];
    long grant = grant_make(service_info()->vm, buffer, sizeof buffer, GRANT_WRITE), n;
    struct message m =
        message_of(VM_MAPS, (struct vm_maps_request){.process = (uint64_t)p->p.endpoint,
                                                     .grant = (uint64_t)grant,
                                                     .room = sizeof buffer});

    if (grant < 0)
        return;
    n = ipc_call(service_info()->vm, &m);
    grant_revoke(grant);
    if (n > 0)
        text_add_bytes(t, buffer, (size_t)n < sizeof buffer ? (size_t)n : sizeof buffer);
}

void write_nothing(struct text *t, const struct process *p)
{
    (void)t;
    (void)p;
}

void write_mounts(struct text *t, const struct process *p)
{
    static char buffer[4096];
    long grant = grant_make(service_info()->vfs, buffer, sizeof buffer, GRANT_WRITE), n;
    struct message m = message_of(
        VFS_MOUNTS, (struct vfs_mounts_request){.grant = (uint64_t)grant, .room = sizeof buffer});

    (void)p;
    if (grant < 0)
        return;
    n = ipc_call(service_info()->vfs, &m);
    grant_revoke(grant);
    if (n > 0)
        text_add_bytes(t, buffer, (size_t)n < sizeof buffer ? (size_t)n : sizeof buffer);
}
