/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying between address spaces, through the direct map, with page tables walked in software: no
 * address-space switch, and no fault in the kernel. All pages of the other side are looked up
 * before the first byte moves; when one is missing there, the caller is blocked for that one's
 * pager and the whole kernel call is repeated. Of a long copy a part is done so, and then the call
 * is made again for the rest.
 */
#include "kernel/kernel.h"

#define PART 0x18000 /* bytes that one call copies */

/* Pointer to the byte at address in that space, if the access is allowed; else NULL. */
static uint8_t *resolve(const struct slot *s, uint64_t address, bool write)
{
    uint64_t *entry = address < USER_END ? arch_entry(s->space->root, address, false) : NULL, flags;

    if (!entry || !*entry)
        return NULL;
    flags = arch_entry_flags(*entry);
    if (!(flags & MAP_READ) || (write && !(flags & MAP_WRITE)) || (flags & MAP_PHYSICAL))
        return NULL;
    return (uint8_t *)direct(arch_entry_frame(*entry)) + (address & (PAGE_SIZE - 1));
}

static size_t to_page_end(uint64_t address, size_t length)
{
    size_t room = PAGE_SIZE - (address & (PAGE_SIZE - 1));

    return length < room ? length : room;
}

static bool range_good(uint64_t address, size_t length)
{
    return address < USER_END && length <= USER_END - address;
}

long copy_kernel(const struct slot *s, uint64_t address, void *kernel, size_t length, bool out)
{
    uint8_t *here = kernel;

    for (size_t n; length; address += n, here += n, length -= n) {
        uint8_t *there = resolve(s, address, out);

        if (!there)
            return -EFAULT;
        n = to_page_end(address, length);
        if (out)
            arch_copy(there, here, n);
        else
            arch_copy(here, there, n);
    }
    return 0;
}

struct transfer {
    struct slot *caller, *remote;
    uint64_t local, there; /* addresses */
    size_t length;
    bool out; /* from caller to remote */
};

/* First address of the other side that is not ready for the access; 0: all is. */
static uint64_t first_missing(const struct transfer *t)
{
    uint64_t address = t->there;

    for (size_t n, length = t->length; length; address += n, length -= n) {
        if (!resolve(t->remote, address, t->out))
            return address;
        n = to_page_end(address, length);
    }
    return 0;
}

static long move(struct transfer t)
{
    for (size_t n; t.length; t.local += n, t.there += n, t.length -= n) {
        uint8_t *here = resolve(t.caller, t.local, !t.out),
                *there = resolve(t.remote, t.there, t.out);

        if (!here || !there)
            return -EFAULT;
        n = to_page_end(t.there, to_page_end(t.local, t.length));
        if (t.out)
            arch_copy(there, here, n);
        else
            arch_copy(here, there, n);
    }
    return 0;
}

/* 0, -errno, or more: the caller is blocked and will make the call again. */
static long transfer(const struct transfer *t)
{
    uint64_t missing, words[4];

    missing = first_missing(t);
    if (!missing)
        return move(*t);
    if (!t->remote->pager || t->remote->pager == t->caller->endpoint || t->remote == t->caller)
        return -EFAULT;
    words[0] = missing;
    words[1] = FAULT_USER | (t->out ? FAULT_WRITE : 0);
    words[2] = t->caller->registers.rip;
    words[3] = (uint32_t)t->remote->endpoint;
    if (ipc_fault(t->caller, t->remote->pager, MESSAGE_PAGE_FAULT, words) < 0)
        return -EFAULT;
    t->caller->copying = true;
    return call_again(t->caller);
}

static long grant_find(struct transfer *t, uint64_t index, uint64_t offset)
{
    struct slot *owner = t->remote;
    struct grant grant;

    if (index >= owner->grants.count ||
        copy_in(owner, &grant, owner->grants.address + index * sizeof grant, sizeof grant) < 0)
        return -EPERM;
    if (grant.to != t->caller->endpoint || !(grant.flags & (t->out ? GRANT_WRITE : GRANT_READ)) ||
        offset > grant.length || t->length > grant.length - offset)
        return -EPERM;
    t->there = grant.address + offset;
    return 0;
}

/* What is left of a long copy lies in the caller's registers alone: addresses and length move on
 * there, and the call that is made again is like any other. So nothing is kept between two parts,
 * and who may copy what is looked at for each. The range is checked as a whole: one that ends
 * outside moves not even its first byte. */
void call_copy(struct slot *s)
{
    struct registers *r = &s->registers;
    uint64_t n = r->rax - KERNEL_CALL_BASE, *length = &r->r10;
    bool by_grant = n == KERNEL_GRANT_FROM || n == KERNEL_GRANT_TO;
    struct transfer t = {
        s, slot_find((endpoint_t)r->rdi), 0, 0, 0, n == KERNEL_COPY_TO || n == KERNEL_GRANT_TO};
    long result = -EDEADSRCDST;

    if (t.remote && by_grant) {
        t.local = r->r10;
        t.length = *(length = &r->r8);
        result = grant_find(&t, r->rsi, r->rdx);
    } else if (t.remote) {
        t.there = r->rsi;
        t.local = r->rdx;
        t.length = r->r10;
        result = t.remote == s || (s->rights.flags & RIGHT_COPY_ANY) || ipc_in_hands_of(t.remote, s)
                     ? 0
                     : -EPERM;
    }
    if (!result && (!range_good(t.local, t.length) || !range_good(t.there, t.length)))
        result = -EFAULT;
    t.length = t.length < PART ? t.length : PART;
    if (!result)
        result = transfer(&t);
    if (!result && t.length < *length) {
        *length -= t.length;
        *(by_grant ? &r->rdx : &r->rsi) += t.length;
        *(by_grant ? &r->r10 : &r->rdx) += t.length;
        result = call_again(s);
    }
    r->rax = (uint64_t)result;
}

long call_grant_table(struct slot *s, const uint64_t *a)
{
    if (a[1] > GRANT_MAX || !range_good(a[0], a[1] * sizeof(struct grant)))
        return -EINVAL;
    s->grants.address = a[0];
    s->grants.count = (uint32_t)a[1];
    return 0;
}
