/* SPDX-License-Identifier: BSD-2-Clause */
/* What PM and VFS ask for: fork, exec, exit. Only they do: the kernel gives nobody else's manifest
 * the right to call us so. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "lib/service/service.h"
#include "servers/vm/vm.h"

static bool from_pm(const struct message *m)
{
    return message_caller(m) == service_info()->pm;
}

static bool from_vfs(const struct message *m)
{
    return message_caller(m) == service_info()->vfs;
}

/* What others can do in parts only: they call again. */
static long part_done(long result)
{
    return result == WORK_GOES_ON ? -EINPROGRESS : result;
}

/* What has been cloned of a region is a region of the child's; the next piece is added to it. A
 * stack, which is small, stays one: it grows. */
static long clone_region(endpoint_t child, struct space *to, const struct region *r, uint64_t until)
{
    struct region piece = *r;
    uint64_t at = r->start > to->cloned ? r->start : to->cloned;
    long error = 0;

    piece.start = at;
    do
        error =
            memory_clone_part(to->twin, child, &at, r->end, r->flags & REGION_SHARED ? 0 : MAP_COW);
    while (!error && at < r->end && (clock_now() < until || (r->flags & REGION_STACK)));
    piece.end = to->cloned = at;
    return error ? error : region_add(to->regions, piece);
}

static long clone_some(endpoint_t child, struct space *from, struct space *to)
{
    uint64_t until = step_end();
    const struct region *r;
    long error = 0;

    while (!error && clock_now() < until && (r = region_after(from->regions, to->cloned)))
        error = clone_region(child, to, r, until);
    if (error)
        return error;
    if (region_after(from->regions, to->cloned))
        return -EINPROGRESS;
    to->twin = 0;
    to->brk = from->brk;
    return 0;
}

static long fork_go_on(endpoint_t parent, endpoint_t child, struct space *to)
{
    struct space *from = space_of(parent);
    long result = from ? clone_some(child, from, to) : -ESRCH;

    if (result && result != -EINPROGRESS)
        space_leave(child);
    return result;
}

/* A large space is cloned over several calls of PM; the child's `twin` says that it is one of
 * those, and has what it needs of the parent. What the page tables take is asked for first: running
 * short halfway costs more than not to begin. */
long vm_fork(struct message *m)
{
    const struct vm_fork_request *r = message_words(m);
    endpoint_t parent = (endpoint_t)r->parent, child = (endpoint_t)r->child;
    struct space *from = space_of(parent), *to = space_of(child);
    struct slot_status status;

    if (!from_pm(m))
        return -EPERM;
    if (to && to->twin == parent && parent)
        return fork_go_on(parent, child, to);
    /* its tables are about a 256th of what they map */
    if (from && slot_status(parent, &status) == 0 &&
        !memory_for(from, 16 + status.pages / 256, MEMORY_TABLES)) {
        memory_relieve(from);
        return -ENOMEM;
    }
    to = space_new(child);
    if (!to)
        return -ENOMEM;
    to->root = !from || from->root;
    if (!from)
        return 0; /* the first program: an empty space */
    to->address_limit = from->address_limit;
    to->data_limit = from->data_limit;
    to->stack_limit = from->stack_limit;
    to->brk_start = from->brk_start;
    to->hint = from->hint;
    to->twin = parent;
    return fork_go_on(parent, child, to);
}

long vm_share_space(struct message *m)
{
    const struct vm_fork_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->parent);

    if (!from_pm(m) || !s)
        return s ? -EPERM : -ESRCH;
    return space_join((endpoint_t)r->child, s);
}

long vm_exit(struct message *m)
{
    const struct vm_exit_request *r = message_words(m);

    if (!from_pm(m))
        return -EPERM;
    work_forget((endpoint_t)r->thread);
    space_leave((endpoint_t)r->thread); /* its pages go with its slot */
    return 0;
}

long vm_exec(struct message *m)
{
    const struct vm_exec_request *r = message_words(m);
    endpoint_t ep = (endpoint_t)r->process;
    struct space *s = space_of(ep);
    uint64_t size = page_up(r->stack), until = step_end();

    if (!from_vfs(m))
        return -EPERM;
    if (!s)
        return -ESRCH;
    if (!size || size > VM_STACK_LIMIT)
        return -EINVAL;
    if (s->users > 1) { /* the child of vfork: it leaves its parent's space, whose pages stay */
        return -EBUSY;
    }
    for (; s->regions->count; s->regions->count--) {
        const struct region *last = &s->regions->r[s->regions->count - 1];

        if (clock_now() >= until || !pages_gone(ep, last->start, last->end, until))
            return -EINPROGRESS;
    }
    s->hint = s->brk_start = s->brk = 0;
    return region_add(s->regions, (struct region){VM_STACK_TOP - size, VM_STACK_TOP,
                                                  PROT_READ | PROT_WRITE, REGION_STACK});
}

long vm_map(struct message *m)
{
    const struct vm_map_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->process);

    if (!from_vfs(m) || !s)
        return s ? -EPERM : -ESRCH;
    return part_done(map_region((endpoint_t)r->process, s, r->address, r->length,
                                (uint32_t)r->protection, r->flags));
}

long vm_map_from(struct message *m)
{
    const struct vm_map_request *r = message_words(m);
    endpoint_t ep = (endpoint_t)r->process;
    struct space *s = space_of(ep);
    uint32_t protection = (uint32_t)r->protection;
    uint64_t length = page_up(r->length);
    long at, error;

    if (!from_vfs(m) || !s)
        return s ? -EPERM : -ESRCH;
    at = map_region(ep, s, r->address, length, protection, r->flags & ~(uint32_t)MAP_SHARED);
    if (at < 0)
        return part_done(at);
    error = memory_map(ep, (uint64_t)at, length / PAGE_SIZE,
                       map_flags(protection) | MAP_SHARE | MAP_COW, r->server, r->from);
    if (error) {
        while (unmap_range(ep, s, (uint64_t)at, (uint64_t)at + length) == WORK_GOES_ON)
            ;
        return error;
    }
    return at;
}

long vm_brk_start(struct message *m)
{
    const struct vm_brk_start_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->process);

    if (!from_vfs(m) || !s)
        return s ? -EPERM : -ESRCH;
    s->brk_start = s->brk = page_up(r->heap);
    return 0;
}

long vm_protect(struct message *m)
{
    const struct vm_map_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->process);
    uint64_t length = page_up(r->length);
    int error;

    if (!from_vfs(m) || !s)
        return s ? -EPERM : -ESRCH;
    if (!range_good(r->address, length))
        return -EINVAL;
    error =
        region_protect(s->regions, r->address, r->address + length, (uint32_t)r->protection & 7);
    return error ? error
                 : memory_protect((endpoint_t)r->process, r->address, length / PAGE_SIZE,
                                  map_flags((uint32_t)r->protection));
}

long vm_unmap(struct message *m)
{
    const struct vm_map_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->process);
    uint64_t length = page_up(r->length);

    if (!from_vfs(m) || !s)
        return s ? -EPERM : -ESRCH;
    if (!range_good(r->address, length))
        return -EINVAL;
    return part_done(unmap_range((endpoint_t)r->process, s, r->address, r->address + length));
}
