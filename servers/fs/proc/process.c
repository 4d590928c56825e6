/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/proc/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/vm.h"
#include "lib/fs/report.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

enum { LIST_BATCH = 64, RECENT = 32 };
#define RECENT_NS 2000000u

/* Programs with pids from `first` up: how many were filled in. */
static long programs_from(int first, struct pm_process *out, unsigned count)
{
    struct message m;
    long grant = grant_make(service_info()->pm, out, count * sizeof *out, GRANT_WRITE), result;

    if (grant < 0)
        return grant;
    m = message_of(PM_LIST, (struct pm_list_request){.first = (uint64_t)first,
                                                     .grant = (uint64_t)grant,
                                                     .count = count});
    result = ipc_call(service_info()->pm, &m);
    grant_revoke(grant);
    return result > (long)count ? (long)count : result;
}

static char state_letter(const struct rs_service *s)
{
    return s->state == RS_UP || s->state == RS_STARTING ? 'S' : 'Z';
}

static void from_service(const struct rs_service *s, struct process *out)
{
    *out = (struct process){
        .is_service = true, .resident_bytes = s->memory_bytes, .virtual_bytes = s->memory_bytes};
    out->p = (struct pm_process){.pid = (int32_t)s->pid,
                                 .threads = 1,
                                 .endpoint = s->endpoint,
                                 .state = (uint32_t)state_letter(s),
                                 .start_ns = s->started_ns,
                                 .user_ns = s->cpu_ns,
                                 .is_service = 1};
    memcpy(out->p.name, s->name, sizeof out->p.name);
}

static bool has_process(const struct rs_service *s)
{
    return s->pid != 0 && s->endpoint != 0 && (s->state == RS_UP || s->state == RS_STARTING);
}

static long find_service(int pid, struct process *out)
{
    static unsigned last; /* most often the same one is asked for again, or the next */
    static struct rs_service all[SERVICE_IDS];
    long n = services_from(last, all, 2);

    for (long i = 0; i < n; i++)
        if ((int)all[i].pid == pid && has_process(&all[i])) {
            last += (unsigned)i;
            from_service(&all[i], out);
            return 0;
        }
    n = services_from(0, all, SERVICE_IDS);
    for (long i = 0; i < n; i++)
        if ((int)all[i].pid == pid && has_process(&all[i])) {
            last = (unsigned)i;
            from_service(&all[i], out);
            return 0;
        }
    return -ESRCH;
}

static long find_now(int pid, struct process *out)
{
    if (pid > 1 && pid <= PID_SERVICE_MAX)
        return find_service(pid, out);
    *out = (struct process){0};
    if (programs_from(pid, &out->p, 1) != 1 || out->p.pid != pid)
        return -ESRCH;
    out->p.name[sizeof out->p.name - 1] = 0;
    return 0;
}

/* A path to a file of a process asks for the same process several times: it is remembered for a
 * moment. What the file says about a program is as it is now. */
long process_find(int pid, bool with_memory, struct process *out)
{
    static struct {
        struct process process;
        uint64_t found_ns;
    } recent[RECENT];
    struct message m;
    const struct vm_usage_reply *usage = message_words(&m);
    uint64_t now = clock_now();
    unsigned i = (unsigned)pid % RECENT;

    if (recent[i].process.p.pid != pid || now - recent[i].found_ns > RECENT_NS ||
        (with_memory && !recent[i].process.is_service)) {
        long result = find_now(pid, &recent[i].process);

        if (result < 0) {
            recent[i].process.p.pid = 0;
            return result;
        }
        recent[i].found_ns = now;
    }
    *out = recent[i].process;
    m = message_of(VM_USAGE, (struct vm_usage_request){.process = (uint64_t)out->p.endpoint});
    if (with_memory && !out->is_service && ipc_call(service_info()->vm, &m) >= 0) {
        out->virtual_bytes = usage->mapped;
        out->resident_bytes = usage->resident;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int process_list(int *pids, int room)
{
    static struct pm_process batch[LIST_BATCH];
    int count = 0, first = 1;
    static struct rs_service all[SERVICE_IDS];
    long n;

    while ((n = programs_from(first, batch, LIST_BATCH)) > 0) {
        for (long i = 0; i < n && count < room; i++)
            pids[count++] = batch[i].pid;
        if (batch[n - 1].pid < first) /* never backwards */
            break;
        first = batch[n - 1].pid + 1;
    }
    n = services_from(0, all, SERVICE_IDS);
    for (long i = 0; i < n && count < room; i++)
        if (has_process(&all[i]))
            pids[count++] = (int)all[i].pid;
    qsort(pids, (size_t)count, sizeof *pids, compare);
    return count;
}

int process_of(endpoint_t program, uint32_t *uid)
{
    struct message m =
        message_of(PM_CREDENTIALS, (struct pm_thread_request){.thread = (uint64_t)program});
    const struct pm_credentials_reply *who = message_words(&m);

    if (ipc_call(service_info()->pm, &m) < 0)
        return 0;
    if (uid)
        *uid = who->euid;
    return who->pid;
}
