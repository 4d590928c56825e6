/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel around VM, on the host: page tables and frames with their sharing (kernel/space.c), as
 * plainly as can be. A frame has one word, which stands for its contents. VM runs whole, in a
 * coroutine that ends where it receives.
 */
#ifndef VM_WORLD_H
#define VM_WORLD_H

#include <errno.h>
#include <sys/mman.h>

#include "abi/proto/pm.h"
#include "abi/proto/rs.h"
#include "abi/proto/vfs.h"
#include "lib/coro/coro.h"
#include "servers/vm/vm.h"
#include "tests/unit/world.h"

enum {
    SLOTS = 16, /* of programs */
    FIRST_SLOT = 60,
    PAGES = 5120, /* of a space */
    FRAMES = 20000,
    STEP_CALLS_MAX = 20000,
};
#define EP_VFS endpoint_make(1, 1)
#define EP_PM endpoint_make(2, 1)
#define EP_VM endpoint_make(3, 1)
#define EP_RS endpoint_make(4, 1)
#define EP_FILES endpoint_make(7, 1) /* a file server, whose pages are mapped */
#define FILES_AT 0x40000000ull
#define FILES_PAGES 64u

struct page {
    uint64_t at;
    uint32_t frame, flags; /* enum map_flag: READ WRITE EXECUTE COW */
};
struct table { /* of a space */
    unsigned users, count;
    bool root, named; /* of a program of uid 0; to be ended */
    struct page page[PAGES];
};
struct slot {
    endpoint_t ep; /* 0: unused */
    struct table *table;
    bool blocked;
    long result; /* not blocked any more: of its call */
};

static struct slot slots[SLOTS];
static struct table files; /* EP_FILES's */
static struct {
    uint32_t users;
    uint64_t word;
} frames[FRAMES];
static unsigned frames_used, generation = 1;
static struct message inbox;
static struct coro *vm;
static bool pm_notified;
static struct message forwarded;
static struct slot *asking; /* whose step it is */
static unsigned victims; /* that VM has named */
static struct { /* a slot that is a service's */
    endpoint_t ep; /* 0: none is */
    uint64_t memory; /* its manifest's */
    unsigned told; /* how often RS has heard that it wants more */
} service;

#define for_slots(s)                                                                               \
    for (struct slot *s = slots; s < slots + SLOTS; s++)                                           \
        if (s->ep)

static struct slot *slot_at(endpoint_t ep)
{
    unsigned i = ep > 0 ? endpoint_slot(ep) - FIRST_SLOT : SLOTS;

    return i < SLOTS && slots[i].ep == ep ? &slots[i] : NULL;
}

static struct table *table_at(endpoint_t ep)
{
    struct slot *s = slot_at(ep);

    if (ep == EP_FILES)
        return &files;
    return s ? s->table : NULL;
}

static void count_call(void)
{
    count_call_of("VM", STEP_CALLS_MAX);
}

/* ---- frames and pages ---- */

static void frames_count(void)
{
    shown.info.frames_free = shown.info.frames_total - frames_used;
}

/* 0: none. Frame 0 is nobody's. */
static uint32_t frame_new(uint64_t word)
{
    static uint32_t next = 1;

    if (frames_used >= shown.info.frames_total || percent(1))
        return 0;
    while (frames[next].users)
        next = next + 1 < FRAMES ? next + 1 : 1;
    frames[next].users = 1;
    frames[next].word = word;
    frames_used++;
    frames_count();
    return next;
}

static void frame_put(uint32_t f)
{
    check(frames[f].users, "a frame that is free is given back");
    if (--frames[f].users == 0)
        frames_used--;
    frames_count();
}

/* The first page at or above the address. */
static unsigned page_index(const struct table *t, uint64_t at)
{
    unsigned low = 0, high = t->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (t->page[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct page *page_at(struct table *t, uint64_t address)
{
    unsigned i = page_index(t, address & ~(PAGE_SIZE - 1));

    return i < t->count && t->page[i].at == (address & ~(PAGE_SIZE - 1)) ? &t->page[i] : NULL;
}

static void page_add(struct table *t, uint64_t at, uint32_t frame, uint64_t flags)
{
    unsigned i = page_index(t, at);

    check(t->count < PAGES, "too many pages for this test");
    memmove(&t->page[i + 1], &t->page[i], (t->count - i) * sizeof t->page[0]);
    t->page[i] = (struct page){at, frame, (uint32_t)flags};
    t->count++;
}

static void page_remove(struct table *t, unsigned i)
{
    frame_put(t->page[i].frame);
    t->count--;
    memmove(&t->page[i], &t->page[i + 1], (t->count - i) * sizeof t->page[0]);
}

static void range_check(uint64_t address, uint64_t pages)
{
    check(!(address & (PAGE_SIZE - 1)) && address < USER_END &&
              pages <= (USER_END - address) / PAGE_SIZE,
          "a range that is none");
}

static uint64_t access_of(uint64_t flags)
{
    check((flags & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE),
          "memory that can be written and executed");
    return flags & (MAP_READ | MAP_WRITE | MAP_EXECUTE);
}

/* VM's own tables are real memory. */
static long map_own(uint64_t address, uint64_t pages)
{
    if (percent(2))
        return -ENOMEM;
    check(mmap((void *)(uintptr_t)address, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED,
          "no place for VM's tables");
    return 0;
}

static long map_one(struct table *t, uint64_t at, uint64_t flags, struct table *source,
                    uint64_t source_at)
{
    uint64_t access = access_of(flags);
    struct page *of;
    uint32_t f;

    if (page_at(t, at))
        return -EEXIST;
    if (!(flags & MAP_SHARE)) {
        f = frame_new(0);
        if (f)
            page_add(t, at, f, access);
        return f ? 0 : -ENOMEM;
    }
    of = page_at(source, source_at);
    if (!of)
        return -EFAULT;
    f = of->frame;
    frames[f].users++;
    page_add(t, at, f, flags & MAP_COW ? (access & ~(uint64_t)MAP_WRITE) | MAP_COW : access);
    return 0;
}

long memory_unmap(endpoint_t ep, uint64_t address, uint64_t pages)
{
    struct table *t = table_at(ep);

    count_call();
    if (!t)
        return -EDEADSRCDST;
    range_check(address, pages);
    for (unsigned i = page_index(t, address);
         i < t->count && t->page[i].at < address + pages * PAGE_SIZE;)
        page_remove(t, i);
    return 0;
}

long memory_map(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags, endpoint_t source,
                uint64_t source_address)
{
    struct table *t = table_at(ep), *from = table_at(source);
    long error = 0;
    uint64_t n;

    count_call();
    if (ep == ENDPOINT_SELF)
        return map_own(address, pages);
    if (!t || ((flags & MAP_SHARE) && !from))
        return -EDEADSRCDST;
    check(pages, "nothing is mapped");
    range_check(address, pages);
    for (n = 0; n < pages && !error; n++)
        error = map_one(t, address + n * PAGE_SIZE, flags, from, source_address + n * PAGE_SIZE);
    if (error && n > 1)
        memory_unmap(ep, address, n - 1);
    return error;
}

long memory_protect(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags)
{
    struct table *t = table_at(ep);

    count_call();
    if (!t)
        return -EDEADSRCDST;
    range_check(address, pages);
    for (unsigned i = page_index(t, address);
         i < t->count && t->page[i].at < address + pages * PAGE_SIZE; i++) {
        uint64_t access = access_of(flags), cow = t->page[i].flags & MAP_COW;

        t->page[i].flags = (uint32_t)(cow | (cow ? access & ~(uint64_t)MAP_WRITE : access));
    }
    return 0;
}

long memory_clone(endpoint_t from, endpoint_t to, uint64_t address, uint64_t pages, uint64_t flags)
{
    struct table *a = table_at(from), *b = table_at(to);

    count_call();
    if (!a || !b)
        return -EDEADSRCDST;
    range_check(address, pages);
    for (unsigned i = page_index(a, address);
         i < a->count && a->page[i].at < address + pages * PAGE_SIZE; i++) {
        struct page *p = &a->page[i];

        if (percent(1) && chance(8) == 0)
            return -ENOMEM; /* a table; what is there goes with the slot */
        if (flags & MAP_COW)
            p->flags = (p->flags & ~(uint32_t)MAP_WRITE) | MAP_COW;
        frames[p->frame].users++;
        page_add(b, p->at, p->frame, p->flags);
    }
    return 0;
}

/* ---- in parts, of any length: the next one begins at *address, which in the end is `end` ---- */

static uint64_t part_of(const uint64_t *address, uint64_t end)
{
    uint64_t pages = (end - *address) / PAGE_SIZE, part = 1 + chance(100);

    return calm || pages < part ? pages : part;
}

long memory_unmap_part(endpoint_t ep, uint64_t *address, uint64_t end)
{
    uint64_t pages = part_of(address, end);
    long error = memory_unmap(ep, *address, pages);

    *address += error ? 0 : pages * PAGE_SIZE;
    return error;
}

long memory_protect_part(endpoint_t ep, uint64_t *address, uint64_t end, uint64_t flags)
{
    uint64_t pages = part_of(address, end);
    long error = memory_protect(ep, *address, pages, flags);

    *address += error ? 0 : pages * PAGE_SIZE;
    return error;
}

long memory_clone_part(endpoint_t from, endpoint_t to, uint64_t *address, uint64_t end,
                       uint64_t flags)
{
    uint64_t pages = part_of(address, end);
    long error = memory_clone(from, to, *address, pages, flags);

    *address += error ? 0 : pages * PAGE_SIZE;
    return error;
}

/* There is never anything left: slots end with their memory here. */
long memory_reap(void)
{
    count_call();
    return 0;
}

long memory_cow_break(endpoint_t ep, uint64_t address, uint64_t flags)
{
    struct table *t = table_at(ep);
    struct page *p = t ? page_at(t, address) : NULL;
    uint32_t f;

    count_call();
    if (!p)
        return t ? -EFAULT : -EDEADSRCDST;
    if ((p->flags & MAP_COW) && frames[p->frame].users > 1) {
        f = frame_new(frames[p->frame].word);
        if (!f)
            return -ENOMEM;
        p = page_at(t, address);
        frame_put(p->frame);
        p->frame = f;
    }
    p->flags = (uint32_t)access_of(flags);
    return 0;
}

long memory_query(endpoint_t ep, uint64_t address, uint64_t *flags)
{
    struct table *t = table_at(ep);
    struct page *p = t ? page_at(t, address) : NULL;
    unsigned i;

    count_call();
    if (p) {
        *flags = p->flags | (uint64_t)frames[p->frame].users << 32;
        return (long)(p->frame * PAGE_SIZE);
    }
    i = t ? page_index(t, address) : 0;
    *flags = t && i < t->count ? t->page[i].at : USER_END;
    return -EFAULT;
}

/* ---- slots, messages ---- */

static struct slot *slot_new(struct table *shared)
{
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        if (!s->ep) {
            s->ep = endpoint_make(FIRST_SLOT + (unsigned)(s - slots), ++generation);
            s->table = shared ? shared : calloc(1, sizeof *s->table);
            s->table->users++;
            s->blocked = false;
            return s;
        }
    return NULL;
}

static void slot_free(struct slot *s)
{
    if (--s->table->users == 0) {
        while (s->table->count)
            page_remove(s->table, s->table->count - 1);
        free(s->table);
    }
    *s = (struct slot){0};
}

long slot_status(endpoint_t ep, struct slot_status *status)
{
    struct slot *s = slot_at(ep);

    count_call();
    if (!s)
        return -EDEADSRCDST;
    *status = (struct slot_status){.endpoint = ep, .pages = s->table->count};
    return 0;
}

static void vm_give(struct message m)
{
    inbox = m;
    step_calls = 0;
    check(!coro_resume(vm), "VM has ended");
}

#define SERVICE_NO_REPLY_ (-0x7fffffffL)
static long answered;
static struct message answer_of;

long ipc_reply(endpoint_t to, struct message *m, long result)
{
    struct slot *s = slot_at(to);

    count_call();
    if (endpoint_slot(to) < FIRST_SLOT) {
        answer_of = *m;
        answered = result;
        return 0;
    }
    if (!s)
        return -EDEADSRCDST;
    if (!s->blocked)
        return -ENOTREADY;
    s->blocked = false;
    s->result = result;
    return 0;
}

long ipc_reply_receive(endpoint_t to, struct message *m, uint64_t timeout)
{
    if (to)
        ipc_reply(to, m, (long)m->type);
    coro_yield();
    *m = inbox;
    return 0;
}

long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m)
{
    struct slot *s = slot_at(caller);

    check(s && s->blocked && to == EP_VFS, "VM hands on what it has not");
    forwarded = *m;
    s->blocked = false;
    s->result = -EBADF;
    return 0;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    const struct rs_endpoint_request *r = message_words(m);
    bool is_service = service.ep && (endpoint_t)r->endpoint == service.ep;

    count_call();
    check(to == EP_RS, "VM calls somebody else");
    if (m->type == RS_OVER_MEMORY)
        service.told += is_service;
    if (m->type == RS_WHO && is_service)
        *(struct rs_who_reply *)message_words(m) =
            (struct rs_who_reply){.name = {0x73}, .memory = service.memory};
    return m->type == RS_WHO && !is_service ? -ESRCH : 0;
}

static uint64_t weight_of(const struct table *t)
{
    return t->root ? t->count / 4 : t->count;
}

/* Of programs that are not named yet: root's are left alone unless it is root who is short of memory. */
static uint64_t most_pages(bool for_root)
{
    uint64_t most = 0;

    for_slots (s)
        if (!s->table->named && (for_root || !s->table->root) && weight_of(s->table) > most)
            most = weight_of(s->table);
    return most;
}

/* Somebody is to end, so that there is memory for who asks, or for one that waits. */
static void check_victim(void)
{
    struct table *named = NULL;
    bool is_greediest = false;

    for_slots (s)
        if (space_of(s->ep) && space_of(s->ep)->named && !s->table->named)
            named = s->table;
    check(named, "PM is told to end somebody, and nobody is named");
    for_slots (s)
        if (s == asking || s->blocked)
            is_greediest |=
                (s->table->root || !named->root) && weight_of(named) == most_pages(s->table->root);
    check(is_greediest, "somebody else is greedier");
    named->named = true;
    victims++;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    check(to == EP_PM, "VM notifies somebody else");
    pm_notified = true;
    check_victim();
    return 0;
}

long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length)
{
    struct table *t = table_at(who);

    count_call();
    touch(local, length);
    for (uint64_t at = remote & ~(PAGE_SIZE - 1); at < remote + length; at += PAGE_SIZE) {
        struct page *p = t ? page_at(t, at) : NULL;

        if (!p || !(p->flags & MAP_WRITE))
            return -EFAULT;
    }
    return 0;
}

long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length)
{
    touch(local, length);
    return 0;
}

/* A server's request: answered at once. */
static long vm_asked(endpoint_t by, struct message *m)
{
    m->source = (uint32_t)by;
    answered = SERVICE_NO_REPLY_;
    vm_give(*m);
    check(answered != SERVICE_NO_REPLY_, "a server was not answered");
    *m = answer_of;
    return answered;
}

#endif
