/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: what is mapped where. Mechanism only: what should be mapped RS and VM know. Each
 * mapping of a frame of RAM holds a reference to it; device memory (MAP_PHYSICAL) is not counted.
 */
#include "kernel/kernel.h"

#define KEPT_FLAGS                                                                                 \
    (MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_COW | MAP_PHYSICAL | MAP_UNCACHED | MAP_VAULT)
#define LEAF_SPAN 0x200000ull /* the part of the address space whose entries are adjacent */
/* no code before USER_END: after a system call rip is canonical, as sysret wants it */
#define MAP_END (USER_END - PAGE_SIZE)
#define FLUSH_ALL 32 /* pages beyond which the whole TLB goes */

/* Work (struct arch_range) that one kernel call does before it lets others in: some 50 us of a
 * 1-GHz processor. Whatever is longer is made again, with the arguments of the rest. */
#define WORK_MAX 5000
#define WORK_CLEAR 64 /* of a page that is cleared */
#define WORK_COPY 120

static struct space spaces[ENDPOINT_SLOTS];
static struct space *dying; /* nobody's any more, and not yet empty */
static unsigned space_hint;

struct space *space_create(void)
{
    for (unsigned n = 0; n < ENDPOINT_SLOTS; n++) {
        struct space *space = &spaces[(space_hint + n) % ENDPOINT_SLOTS];

        if (space->root)
            continue;
        space_hint = (unsigned)(space - spaces) + 1;
        *space = (struct space){.root = arch_space_create(), .users = 1};
        return space->root ? space : NULL;
    }
    return NULL;
}

void space_release(struct space *space)
{
    if (--space->users)
        return;
    space->next = dying;
    dying = space;
}

long call_reap(struct slot *s, const uint64_t *a)
{
    struct arch_range r = {0, MAP_END, WORK_MAX};

    (void)s;
    (void)a;
    while (dying && r.work > 0) {
        r.at = 0;
        arch_unmap(dying->root, &r);
        if (r.at < r.end)
            break;
        arch_space_destroy(dying->root);
        dying->root = 0;
        dying = dying->next;
    }
    return dying != NULL;
}

static struct arch_range range(uint64_t address, uint64_t pages)
{
    return (struct arch_range){address, address + pages * PAGE_SIZE, WORK_MAX};
}

/* A call has come as far as `at`: 0 when that was all, or all that was asked for, else the call is
 * made again with the arguments (registers) of the rest. So interrupts come in between, and whoever
 * is more urgent. */
static long go_on(struct slot *s, uint64_t flags, uint64_t at, uint64_t *address, uint64_t *pages)
{
    *pages -= (at - *address) / PAGE_SIZE;
    *address = at;
    return *pages && !(flags & MAP_PART) ? call_again(s) : 0;
}

static void flush(struct space *space, uint64_t address, uint64_t pages)
{
    if (pages > FLUSH_ALL)
        arch_flush_space(space->root);
    else
        for (; pages; pages--, address += PAGE_SIZE)
            arch_flush_page(space->root, address);
}

static bool range_good(uint64_t address, uint64_t pages)
{
    return !(address & (PAGE_SIZE - 1)) && pages && address < MAP_END &&
           pages <= (MAP_END - address) / PAGE_SIZE;
}

static bool flags_good(uint64_t flags)
{
    uint64_t kinds = flags & (MAP_SHARE | MAP_PHYSICAL | MAP_CONTIGUOUS | MAP_COPY);

    return !(kinds & (kinds - 1)) &&
           (flags & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE) &&
           !(flags & ~(uint64_t)(KEPT_FLAGS | MAP_SHARE | MAP_CONTIGUOUS | MAP_COPY)) &&
           !((flags & MAP_COW) && !(flags & MAP_SHARE));
}

static uint64_t frame_copy(uint64_t of, long *work)
{
    uint64_t frame = frame_alloc_raw();

    if (frame)
        arch_copy(direct(frame), direct(of), PAGE_SIZE);
    *work -= WORK_COPY;
    return frame;
}

/* The frame for one page of a mapping; *error: why there is none. */
static uint64_t frame_for(uint64_t flags, struct space *from, uint64_t source, long *error,
                          long *work)
{
    uint64_t *entry, frame;

    *error = 0;
    *work -= ARCH_WORK_PAGE;
    if (flags & MAP_PHYSICAL) {
        *error = frame_references(source) ? -EINVAL : 0; /* RAM is not device memory */
        return source;
    }
    if (flags & (MAP_SHARE | MAP_COPY)) {
        entry = arch_entry(from->root, source, false);
        if (!entry || !*entry || (arch_entry_flags(*entry) & MAP_PHYSICAL)) {
            *error = -EFAULT;
            return 0;
        }
        frame = arch_entry_frame(*entry);
        *work -= ARCH_WORK_PAGE;
        if (flags & MAP_SHARE)
            frame_reference(frame);
        else
            frame = frame_copy(frame, work);
    } else if (flags & MAP_CONTIGUOUS) {
        *work -= WORK_CLEAR;
        if (!frame_take(source)) { /* somebody was quicker since it was found */
            *error = -EAGAIN;
            return 0;
        }
        frame_clear(frame = source);
    } else {
        frame = frame_alloc();
        *work -= WORK_CLEAR;
    }
    *error = frame ? 0 : -ENOMEM;
    return frame;
}

static uint64_t entry_flags(uint64_t flags)
{
    return (flags & MAP_COW ? flags & ~(uint64_t)MAP_WRITE : flags) & KEPT_FLAGS;
}

long space_map(struct space *to, uint64_t address, uint64_t pages, uint64_t flags,
               struct space *from, uint64_t source, long work)
{
    uint64_t *entry = NULL, done = 0, frame, bits = arch_entry_make(0, entry_flags(flags));
    long error = 0;

    for (; done < pages && work > 0; done++) {
        uint64_t at = address + done * PAGE_SIZE;

        entry = entry && (at & (LEAF_SPAN - 1)) ? entry + 1 : arch_entry(to->root, at, true);
        if (!entry || *entry) {
            error = entry ? -EEXIST : -ENOMEM;
            break;
        }
        frame = frame_for(flags, from, source + done * PAGE_SIZE, &error, &work);
        if (error)
            break;
        *entry = bits | frame;
        to->pages++;
    }
    return done ? (long)done : error;
}

/* After an error the caller's registers say how far it came: it takes back what is mapped. */
static long map_part(struct slot *s, struct space *to, struct space *from, uint64_t flags)
{
    struct registers *r = &s->registers;
    long done = space_map(to, r->rsi, r->rdx, flags, from, r->r9, WORK_MAX);

    if (done < 0)
        return done;
    r->r9 += (uint64_t)done * PAGE_SIZE;
    return go_on(s, 0, r->rsi + (uint64_t)done * PAGE_SIZE, &r->rsi, &r->rdx);
}

long call_map(struct slot *s, const uint64_t *a)
{
    struct slot *to = slot_named(s, a[0]), *from = NULL;

    if (!to)
        return -EDEADSRCDST;
    if (!range_good(a[1], a[2]) || !flags_good(a[3]))
        return -EINVAL;
    if (a[3] & (MAP_SHARE | MAP_COPY)) {
        from = slot_named(s, a[4]);
        if (!from)
            return -EDEADSRCDST;
        if (!range_good(a[5], a[2]))
            return -EINVAL;
    }
    if (a[3] & (MAP_PHYSICAL | MAP_CONTIGUOUS) && s->service_id != SERVICE_ID_ROOT)
        return -EPERM;
    if (a[3] & MAP_PHYSICAL && ((a[5] & (PAGE_SIZE - 1)) || a[5] >> 46))
        return -EINVAL;
    if (a[3] & MAP_CONTIGUOUS && (a[5] & 1 || !a[5])) {
        if (!frame_find_contiguous(a[2], &s->registers.r9, &s->registers.r8))
            return call_again(s);
        if (!s->registers.r9)
            return -ENOMEM;
    }
    return map_part(s, to->space, from ? from->space : NULL, a[3]);
}

long call_unmap(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    struct arch_range r = range(a[1], a[2]);

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(a[1], a[2]))
        return -EINVAL;
    target->space->pages -= arch_unmap(target->space->root, &r);
    flush(target->space, a[1], a[2]);
    return go_on(s, a[3], r.at, &s->registers.rsi, &s->registers.rdx);
}

/* The entries that are there, one after the other, as long as there is work left for this call. */
static uint64_t *next_entry(struct space *space, struct arch_range *r, uint64_t *entry)
{
    if (entry) {
        r->at += PAGE_SIZE;
        r->work -= ARCH_WORK_PAGE;
        if ((r->at & (LEAF_SPAN - 1)) && r->at < r->end && r->work > 0 && entry[1])
            return entry + 1;
    }
    return arch_entry_next(space->root, r);
}

long call_protect(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    struct arch_range r = range(a[1], a[2]);

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(a[1], a[2]) || !flags_good(a[3] & ~(uint64_t)MAP_PART))
        return -EINVAL;
    for (uint64_t *e = NULL; (e = next_entry(target->space, &r, e));) {
        uint64_t keep = arch_entry_flags(*e) & (MAP_COW | MAP_PHYSICAL | MAP_UNCACHED | MAP_VAULT);

        if ((keep & MAP_PHYSICAL) && s->service_id != SERVICE_ID_ROOT)
            continue; /* the kernel's page, say: as RS has mapped it */
        *e = arch_entry_make(arch_entry_frame(*e),
                             entry_flags((a[3] & (MAP_READ | MAP_WRITE | MAP_EXECUTE)) | keep));
    }
    flush(target->space, a[1], a[2]);
    return go_on(s, a[3], r.at, &s->registers.rsi, &s->registers.rdx);
}

/* One page of a clone. */
static long clone_page(struct space *to, uint64_t address, uint64_t *entry, uint64_t cow)
{
    uint64_t *twin = arch_entry(to->root, address, true), flags = arch_entry_flags(*entry);

    if (!twin || *twin)
        return twin ? -EEXIST : -ENOMEM;
    if (!(flags & MAP_PHYSICAL)) {
        if (cow)
            *entry = arch_entry_make(arch_entry_frame(*entry), entry_flags(flags | MAP_COW));
        frame_reference(arch_entry_frame(*entry));
    }
    *twin = *entry;
    to->pages++;
    return 0;
}

long call_clone(struct slot *s, const uint64_t *a)
{
    struct slot *from = slot_named(s, a[0]), *to = slot_named(s, a[1]);
    struct arch_range r = range(a[2], a[3]);
    long error = 0;

    if (!from || !to)
        return -EDEADSRCDST;
    if (!range_good(a[2], a[3]) || from->space == to->space ||
        (a[4] & ~(uint64_t)(MAP_COW | MAP_PART)))
        return -EINVAL;
    /* after an error they go with the space */
    for (uint64_t *e = NULL; !error && (e = next_entry(from->space, &r, e));) {
        error = clone_page(to->space, r.at, e, a[4] & MAP_COW);
        r.work -= r.at & (LEAF_SPAN - 1) ? ARCH_WORK_PAGE : WORK_CLEAR;
    }
    flush(from->space, a[2], a[3]);
    return error ? error : go_on(s, a[4], r.at, &s->registers.rdx, &s->registers.r10);
}

long call_cow_break(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    uint64_t address = a[1] & ~(PAGE_SIZE - 1), *entry, frame, copy;

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(address, 1) || !flags_good(a[2]) ||
        (a[2] & ~(uint64_t)(MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_UNCACHED)))
        return -EINVAL;
    entry = arch_entry(target->space->root, address, false);
    if (!entry || !*entry || (arch_entry_flags(*entry) & MAP_PHYSICAL))
        return -EFAULT;
    frame = arch_entry_frame(*entry);
    if (frame_references(frame) > 1) {
        copy = frame_alloc_raw();
        if (!copy)
            return -ENOMEM;
        arch_copy(direct(copy), direct(frame), PAGE_SIZE);
        frame_free(frame);
        frame = copy;
    }
    *entry = arch_entry_make(frame, entry_flags(a[2]));
    arch_flush_page(target->space->root, address);
    return 0;
}

long call_query(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    struct arch_range r = {a[1] & ~(PAGE_SIZE - 1), USER_END, WORK_MAX};
    uint64_t *entry;

    if (!target)
        return -EDEADSRCDST;
    entry = arch_entry_next(target->space->root, &r);
    s->registers.rdx = r.at;
    if (!entry || r.at > a[1])
        return -EFAULT;
    s->registers.rdx =
        arch_entry_flags(*entry) | (uint64_t)frame_references(arch_entry_frame(*entry)) << 32;
    return (long)(arch_entry_frame(*entry) | (a[1] & (PAGE_SIZE - 1)));
}
