/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc shows of memory. */
#include <stdio.h>
#include <sys/mman.h>

#include "lib/service/service.h"
#include "servers/vm/vm.h"

long vm_usage(struct message *m)
{
    const struct vm_usage_request *r = message_words(m);
    struct vm_usage_reply *reply = message_words(m);
    endpoint_t ep = (endpoint_t)r->process;
    struct space *s = space_of(ep);
    struct slot_status status;
    long error = slot_status(ep, &status);

    if (error)
        return -ESRCH;
    reply->resident = status.pages * PAGE_SIZE;
    reply->mapped = s && !s->service ? regions_bytes(s->regions) : reply->resident;
    return 0;
}

static const char *name_of(const struct region *r)
{
    if (r->flags & REGION_STACK)
        return "[stack]";
    return r->flags & REGION_HEAP ? "[heap]" : "";
}

long vm_maps(struct message *m)
{
    const struct vm_maps_request *request = message_words(m);
    struct space *s = space_of((endpoint_t)request->process);
    uint64_t done = 0;

    if (!s)
        return -ESRCH;
    for (uint32_t i = 0; i < s->regions->count; i++) {
        const struct region *r = &s->regions->r[i];
        uint32_t may = r->protection & VM_PROTECTION_VAULT ? 0 : r->protection;
        char line[128];
        int n =
            snprintf(line, sizeof line, "%08lx-%08lx %c%c%c%c 00000000 00:00 0          %s\n",
                     r->start, r->end, may & PROT_READ ? 'r' : '-', may & PROT_WRITE ? 'w' : '-',
                     may & PROT_EXEC ? 'x' : '-', r->flags & REGION_SHARED ? 's' : 'p', name_of(r));
        long error;

        if (done + (uint64_t)n > request->room)
            break;
        error = grant_to(message_caller(m), request->grant, done, line, (size_t)n);
        if (error)
            return error;
        done += (uint64_t)n;
    }
    return (long)done;
}
