/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's calls of PM about slots: their making and end, seizing, registers; and the machine
 * that PM sees. */
#ifndef PM_SLOTS_H
#define PM_SLOTS_H

#include "tests/unit/pm_world.h"

/* ---- slots ---- */

static void space_release(struct space *s)
{
    if (s && --s->users == 0)
        free(s);
}

endpoint_t slot_create(const struct slot_config *config)
{
    struct program *p = programs, *twin = program_of(config->registers_of),
                   *host = program_of(config->space_of);

    count_call();
    check(memchr(config->name, 0, sizeof config->name), "a slot's name has no end");
    check(config->guardian == EP_PM && config->pager == EP_VM, "a program with others' guardian");
    if (percent(3))
        return percent(50) ? -EAGAIN : -ENOMEM;
    while (p < programs + PROGRAMS && p->ep)
        p++;
    if (p == programs + PROGRAMS)
        return -EAGAIN;
    if ((config->registers_of && !twin) || (config->space_of && !host))
        return -EDEADSRCDST;
    check(!twin || twin->blocked, "a twin of one that runs");
    *p = (struct program){.ep = endpoint_make(FIRST_SLOT + (unsigned)(p - programs), ++generation),
                          .blocked = true,
                          .taken = true,
                          .kind = CALL_LINUX,
                          .peer = EP_PM};
    memcpy(p->name, config->name, sizeof p->name);
    if (twin) {
        p->r = twin->r;
        p->fs_base = twin->fs_base;
        p->has_fpu = twin->has_fpu;
        memcpy(p->fpu, twin->fpu, sizeof p->fpu);
        memcpy(p->data, twin->data, sizeof p->data);
    }
    if (host)
        p->space = host->space;
    else
        memset(p->space = aligned_alloc(64, sizeof *p->space), 0, sizeof *p->space);
    p->space->users++;
    slots_used++;
    top = p + 1 > top ? p + 1 : top;
    return p->ep;
}

long slot_destroy(endpoint_t ep)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p)
        return -EDEADSRCDST;
    check(!p->known_to_vm, "VM has not been told of the end of a slot");
    space_release(p->space);
    *p = (struct program){0};
    slots_used--;
    return 0;
}

long slot_end(endpoint_t ep)
{
    return slot_destroy(ep);
}

/* What is left of the memory of those that are no more: now and then there is some. */
long memory_reap(void)
{
    count_call();
    return percent(20);
}

/* Not through slot_control(): see lib/rt/kernel.h. */
long slot_seize(endpoint_t ep, uint64_t *server)
{
    struct program *p = program_of(ep);
    long how = SEIZED_RUNNING;
    bool is_owed; /* kernel/seize.c */

    count_call();
    *server = 0;
    if (!p)
        return -EDEADSRCDST;
    is_owed = p->blocked && p->forwarder == EP_PM && (p->late.source || p->seized_from);
    if (!is_owed) {
        p->seized_from = 0;
        p->late.source = 0;
    }
    if (p->blocked) {
        how = p->kind == CALL_FAULT ? SEIZED_FAULT : SEIZED_RUNNING;
        if (p->kind == CALL_LINUX)
            how = SEIZED_SYSCALL;
        *server = (uint64_t)p->peer;
        if (how == SEIZED_SYSCALL && !is_owed && p->peer != EP_PM && p->taken) {
            p->seized_from = p->peer;
        } else if (how == SEIZED_SYSCALL && !is_owed && p->message_kept) {
            p->late = p->message;
            p->late.source = from_to(p->forwarder, p->peer);
        }
    }
    if (how != SEIZED_SYSCALL)
        p->kind = CALL_SEIZED;
    p->blocked = p->taken = true;
    p->peer = EP_PM;
    p->forwarder = 0;
    trace("seized", ep, (endpoint_t)*server, &p->message);
    return how;
}

long slot_fpu_get(endpoint_t ep, void *state)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p || !p->blocked)
        return p ? -EBUSY : -EDEADSRCDST;
    touch(state, FPU_STATE_BYTES);
    if (p->has_fpu)
        memcpy(state, p->fpu, sizeof p->fpu);
    return p->has_fpu ? FPU_BYTES : 0;
}

long slot_control(endpoint_t ep, enum slot_control what, uint64_t value)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p)
        return -EDEADSRCDST;
    switch (what) {
    case SLOT_CONTROL_FS_BASE:
        p->fs_base = value;
        return 0;
    case SLOT_CONTROL_FRESH:
        p->has_fpu = false;
        p->fs_base = 0;
        return 0;
    case SLOT_CONTROL_NAME:
        memcpy(p->name, (const void *)(uintptr_t)value, sizeof p->name);
        return 0;
    case SLOT_CONTROL_FPU_SET:
        p->has_fpu = value != 0;
        if (value)
            memcpy(p->fpu, (const void *)(uintptr_t)value, sizeof p->fpu);
        return 0;
    default:
        panic("PM controls a slot by %d", what);
    }
}

long slot_status(endpoint_t ep, struct slot_status *status)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p)
        return -EDEADSRCDST;
    *status = (struct slot_status){.endpoint = ep,
                                   .peer = p->blocked ? p->peer : 0,
                                   .state = p->blocked ? SLOT_CALLING_STATE : SLOT_READY,
                                   .cpu_ns = p->used_ns,
                                   .paid_ns = p->used_ns + p->used_ns / 4};
    return 0;
}

long registers_get(endpoint_t ep, struct registers *r)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p || !p->blocked)
        return p ? -EBUSY : -EDEADSRCDST;
    *r = p->r;
    return 0;
}

long registers_set(endpoint_t ep, const struct registers *r)
{
    struct program *p = program_of(ep);

    count_call();
    if (!p || !p->blocked)
        return p ? -EBUSY : -EDEADSRCDST;
    p->r = *r;
    return 0;
}

/* ---- the machine ---- */

long kernel_clock_rate(uint64_t tsc_hz)
{
    shown.tsc_hz = tsc_hz;
    return 0;
}

uint64_t clock_tsc(void)
{
    return now;
}

long port_in(unsigned port, unsigned width)
{
    return (long)(now * 1193182 / 1000000000 & 0xff);
}

long port_out(unsigned port, unsigned width, uint32_t value)
{
    return 0;
}

long log_ring_read(uint64_t position, void *bytes, size_t room, uint64_t *first)
{
    *first = position;
    return 0;
}

#endif
