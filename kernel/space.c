/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: what is mapped where. Mechanism only: what should be mapped RS and VM know. Each
 * mapping of a frame of RAM holds a reference to it; device memory (MAP_PHYSICAL) is not counted.
 */
#include "kernel/kernel.h"

#define KEPT_FLAGS (MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_COW | MAP_PHYSICAL | MAP_UNCACHED)
#define LEAF_SPAN 0x200000ull /* the part of the address space whose entries are adjacent */
/* no code before USER_END: after a system call rip is canonical, as sysret wants it */
#define MAP_END (USER_END - PAGE_SIZE)
#define FLUSH_ALL 32 /* pages beyond which the whole TLB goes */

static struct space spaces[ENDPOINT_SLOTS];
static unsigned space_hint;

struct space *space_create(void)
{
    for (unsigned n = 0; n < ENDPOINT_SLOTS; n++) {
        struct space *space = &spaces[(space_hint + n) % ENDPOINT_SLOTS];

        if (space->users)
            continue;
        space_hint = (unsigned)(space - spaces) + 1;
        *space = (struct space){.root = arch_space_create(), .users = 1};
        if (!space->root) {
            space->users = 0;
            return NULL;
        }
        return space;
    }
    return NULL;
}

/* A range being walked page by page: entries of one leaf table are adjacent. */
struct walk {
    uint64_t root, address, end;
    uint64_t *entry;
    bool create;
};

static struct walk walk_begin(struct space *space, uint64_t address, uint64_t pages, bool create)
{
    return (struct walk){space->root, address, address + pages * PAGE_SIZE, NULL, create};
}

/* Entry of the next page, address in *at. Without create, tables that are not there are skipped.
 * NULL: the end (or, when address < end, out of frames). */
static inline uint64_t *walk_next(struct walk *w, uint64_t *at)
{
    while (w->address < w->end) {
        if (w->entry && (w->address & (LEAF_SPAN - 1)))
            w->entry++;
        else
            w->entry = arch_entry(w->root, w->address, w->create);
        if (w->entry) {
            *at = w->address;
            w->address += PAGE_SIZE;
            return w->entry;
        }
        if (w->create)
            return NULL;
        w->address = (w->address | (LEAF_SPAN - 1)) + 1;
    }
    return NULL;
}

static void flush(struct space *space, uint64_t address, uint64_t pages)
{
    if (pages > FLUSH_ALL)
        arch_flush_space(space->root);
    else
        for (; pages; pages--, address += PAGE_SIZE)
            arch_flush_page(space->root, address);
}

static void drop(uint64_t entry)
{
    if (!(arch_entry_flags(entry) & MAP_PHYSICAL))
        frame_free(arch_entry_frame(entry));
}

static void unmap(struct space *space, uint64_t address, uint64_t pages)
{
    struct walk w = walk_begin(space, address, pages, false);
    uint64_t at, *entry;

    while ((entry = walk_next(&w, &at)))
        if (*entry) {
            drop(*entry);
            *entry = 0;
            space->pages--;
        }
    flush(space, address, pages);
}

void space_release(struct space *space)
{
    if (--space->users)
        return;
    arch_space_destroy(space->root);
    space->root = 0;
    space->pages = 0;
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

/* The frame for one page of a mapping; 0 and *error: there is none. */
static uint64_t frame_for(uint64_t flags, struct space *from, uint64_t source, uint64_t first,
                          long *error)
{
    uint64_t *entry, frame;

    *error = -ENOMEM;
    if (flags & MAP_PHYSICAL)
        return source;
    if (flags & MAP_CONTIGUOUS)
        return first;
    if (!(flags & (MAP_SHARE | MAP_COPY)))
        return frame_alloc();
    entry = arch_entry(from->root, source, false);
    if (!entry || !*entry || (arch_entry_flags(*entry) & MAP_PHYSICAL)) {
        *error = -EFAULT;
        return 0;
    }
    if (flags & MAP_SHARE) {
        frame_reference(arch_entry_frame(*entry));
        return arch_entry_frame(*entry);
    }
    frame = frame_alloc_raw();
    if (frame)
        arch_copy(direct(frame), direct(arch_entry_frame(*entry)), PAGE_SIZE);
    return frame;
}

static uint64_t entry_flags(uint64_t flags)
{
    return (flags & MAP_COW ? flags & ~(uint64_t)MAP_WRITE : flags) & KEPT_FLAGS;
}

long space_map(struct space *to, uint64_t address, uint64_t pages, uint64_t flags,
               struct space *from, uint64_t source)
{
    struct walk w = walk_begin(to, address, pages, true);
    uint64_t at = address, *entry, done = 0, first = 0, frame,
             bits = arch_entry_make(0, entry_flags(flags));
    long error = -ENOMEM;

    if ((flags & MAP_CONTIGUOUS) && !(first = frame_alloc_contiguous(pages)))
        return -ENOMEM;
    for (; done < pages; done++) {
        uint64_t offset = done * PAGE_SIZE;

        entry = walk_next(&w, &at);
        error = !entry ? -ENOMEM : *entry ? -EEXIST : 0;
        if (error)
            break;
        frame = frame_for(flags, from, source + offset, first + offset, &error);
        if (!frame && !(flags & MAP_PHYSICAL))
            break;
        *entry = bits | frame;
        to->pages++;
    }
    if (done == pages)
        return 0;
    if (done)
        unmap(to, address, done);
    for (uint64_t i = done; (flags & MAP_CONTIGUOUS) && i < pages; i++)
        frame_free(first + i * PAGE_SIZE);
    return error;
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
    if (a[3] & MAP_PHYSICAL) {
        if (s->service_id != SERVICE_ID_ROOT)
            return -EPERM;
        for (uint64_t i = 0; i < a[2]; i++)
            if ((a[5] & (PAGE_SIZE - 1)) || a[5] >> 46 || frame_references(a[5] + i * PAGE_SIZE))
                return -EINVAL; /* RAM is not device memory */
    }
    return space_map(to->space, a[1], a[2], a[3], from ? from->space : NULL, a[5]);
}

long call_unmap(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(a[1], a[2]))
        return -EINVAL;
    unmap(target->space, a[1], a[2]);
    return 0;
}

long call_protect(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    struct walk w;
    uint64_t at, *entry;

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(a[1], a[2]) || !flags_good(a[3]))
        return -EINVAL;
    w = walk_begin(target->space, a[1], a[2], false);
    while ((entry = walk_next(&w, &at)))
        if (*entry) {
            uint64_t keep = arch_entry_flags(*entry) & (MAP_COW | MAP_PHYSICAL | MAP_UNCACHED);

            *entry =
                arch_entry_make(arch_entry_frame(*entry),
                                entry_flags((a[3] & (MAP_READ | MAP_WRITE | MAP_EXECUTE)) | keep));
        }
    flush(target->space, a[1], a[2]);
    return 0;
}

long call_clone(struct slot *s, const uint64_t *a)
{
    struct slot *from = slot_named(s, a[0]), *to = slot_named(s, a[1]);
    struct walk w;
    uint64_t at, *entry;

    if (!from || !to)
        return -EDEADSRCDST;
    if (!range_good(a[2], a[3]) || from->space == to->space || (a[4] & ~(uint64_t)MAP_COW))
        return -EINVAL;
    w = walk_begin(from->space, a[2], a[3], false);
    while ((entry = walk_next(&w, &at))) {
        uint64_t *twin, flags;

        if (!*entry)
            continue;
        twin = arch_entry(to->space->root, at, true);
        if (!twin || *twin) {
            flush(from->space, a[2], a[3]);
            return twin ? -EEXIST : -ENOMEM; /* what is there goes with the space */
        }
        flags = arch_entry_flags(*entry);
        if (a[4] & MAP_COW && !(flags & MAP_PHYSICAL)) {
            flags = entry_flags(flags | MAP_COW);
            *entry = arch_entry_make(arch_entry_frame(*entry), flags);
        }
        if (!(flags & MAP_PHYSICAL))
            frame_reference(arch_entry_frame(*entry));
        *twin = *entry;
        to->space->pages++;
    }
    flush(from->space, a[2], a[3]);
    return 0;
}

long call_cow_break(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_named(s, a[0]);
    uint64_t address = a[1] & ~(PAGE_SIZE - 1), *entry, frame, copy;

    if (!target)
        return -EDEADSRCDST;
    if (!range_good(address, 1) || !flags_good(a[2]) || (a[2] & (MAP_COW | MAP_SHARE)))
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
    uint64_t *entry;

    if (!target)
        return -EDEADSRCDST;
    if (a[1] >= USER_END)
        return -EINVAL;
    entry = arch_entry(target->space->root, a[1], false);
    if (!entry || !*entry)
        return -EFAULT;
    s->registers.rdx =
        arch_entry_flags(*entry) | (uint64_t)frame_references(arch_entry_frame(*entry)) << 32;
    return (long)(arch_entry_frame(*entry) | (a[1] & (PAGE_SIZE - 1)));
}
