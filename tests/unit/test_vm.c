/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vm/*.c lib/service/*.c tests/unit/host/coro.c
// includes: servers/vm/main.c
// flags: -Itests/unit/host -D_GNU_SOURCE= -DPOOL=0x300000000000ull
/*
 * The whole of VM over page tables that the test plays, under ASan: programs map, unmap, protect,
 * move, fork, execute, end, and read and write; what they find is compared with a reference. Memory
 * and frames run short. VM_SEED=n runs that seed alone, VM_SEEDS and VM_STEPS say how many of each.
 * A service has its memory at once, as much as its manifest says, whatever it asks for and in
 * whatever order it gives back.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vm_reference.h"

#define main vm_main
#include "servers/vm/main.c"
#undef main

int __lsan_do_recoverable_leak_check(void);

static unsigned done_ok, done_not;

static struct reference *ref_of(const struct slot *s)
{
    return references[s - slots];
}

static void alarm_passes(void)
{
    if (!alarm_at)
        return;
    now = alarm_at > now ? alarm_at : now;
    alarm_at = 0;
    vm_give((struct message){.type = MESSAGE_NOTIFY, .w = {NOTIFY_BIT(NOTIFY_BIT_ALARM)}});
}

/* A call of a program, and whatever parts it is done in. */
static long asks(struct slot *s, uint64_t type, const uint64_t w[6])
{
    struct message m = {
        .source = (uint32_t)s->ep, .type = type, .w = {w[0], w[1], w[2], w[3], w[4], w[5]}};

    trace("asks", s->ep, 0, &m);
    s->blocked = true;
    vm_give(m);
    for (unsigned n = 0; s->blocked; n++) {
        check(n < 10000, "a call never comes back");
        check(alarm_at, "a call waits, and VM for nothing");
        alarm_passes();
    }
    done_ok += s->result >= 0;
    done_not += s->result < 0;
    return s->result;
}
#define asks_for(s, type, ...) asks(s, type, (uint64_t[6]){__VA_ARGS__})

/* What is done in parts is asked for again, when others have had their turn. */
static long asked(endpoint_t by, struct message request)
{
    struct message m;
    long result;

    for (unsigned n = 0;; n++) {
        m = request;
        trace("asked", by, 0, &m);
        result = vm_asked(by, &m);
        if (result != -EINPROGRESS)
            return result;
        check(n < 10000, "a request is in progress for ever");
        alarm_passes();
    }
}

/* ---- touching ---- */

/* The page, as the processor finds it; NULL: the program would get SIGSEGV. *result: why. */
static struct page *access_page(struct slot *s, uint64_t address, uint32_t why, long *result)
{
    uint32_t need = MAP_READ;

    if (why & FAULT_WRITE)
        need = MAP_WRITE;
    if (why & FAULT_EXECUTE)
        need = MAP_EXECUTE;
    *result = 0;
    for (unsigned n = 0; n < 4; n++) {
        struct page *p = page_at(s->table, address);

        if (p && (p->flags & need))
            return p;
        *result = asks_for(s, MESSAGE_PAGE_FAULT, address,
                           why | FAULT_USER | (p ? FAULT_PRESENT : 0), 0x400000, (uint64_t)s->ep);
        if (*result < 0)
            return NULL;
    }
    panic("a fault is mended four times, and is there (%lx, %x)", (unsigned long)address, why);
}

static void touches(struct slot *s, unsigned i)
{
    struct expected *e = &ref_of(s)->page[i];
    static const uint32_t kinds[10] = {
        [5] = FAULT_WRITE, FAULT_WRITE, FAULT_WRITE, FAULT_WRITE, FAULT_EXECUTE};
    uint32_t why = kinds[chance(10)]; /* half of them read */
    uint32_t need = PROT_READ | PROT_WRITE | PROT_EXEC;
    bool allowed;
    long result;
    struct page *p;

    if (i >= ARENA + HEAP && !e->is_mapped && s->table) /* the stack grows */
        return;
    if (why)
        need = why == FAULT_WRITE ? PROT_WRITE : PROT_EXEC;
    allowed = e->is_mapped && (e->protection & need);
    p = access_page(s, address_of(i) + chance(PAGE_SIZE), why, &result);
    if (!p && result == -ENOMEM)
        return;
    if (!p != !allowed)
        panic("page %u (%lx) of %d: access %x is %d, should be %d (mapped %d, protection %x)", i,
              (unsigned long)address_of(i), s->ep, why, p != NULL, allowed, e->is_mapped,
              e->protection);
    if (!p)
        return;
    if (frames[p->frame].word != e->cell->word)
        panic("page %u (%lx) of %d holds %lu, should hold %lu", i, (unsigned long)address_of(i),
              s->ep, (unsigned long)frames[p->frame].word, (unsigned long)e->cell->word);
    if (why == FAULT_WRITE)
        frames[p->frame].word = e->cell->word = chance(1u << 30);
}

/* ---- the calls ---- */

static unsigned some_range(unsigned *n)
{
    unsigned i = (unsigned)chance(ARENA), most = ARENA - i;

    if (most > 12 && !percent(20))
        most = 12;
    *n = 1 + (unsigned)chance(most);
    return i;
}

static uint32_t some_protection(void)
{
    static const uint8_t kinds[] = {3, 3, 3, 1, 0, 5, 7, 2, 4};

    return kinds[chance(sizeof kinds)];
}

/* Where VM has put something: it may be beyond what is looked at. */
static bool in_arena(long at, unsigned n)
{
    return at >= (long)MMAP_LOW &&
           at + (long)(n * PAGE_SIZE) <= (long)(MMAP_LOW + ARENA * PAGE_SIZE);
}

static void maps(struct slot *s)
{
    unsigned n, i = some_range(&n);
    bool is_shared = percent(25), fixed = percent(60), gently = !fixed && percent(30);
    uint32_t protection = some_protection(),
             flags = MAP_ANONYMOUS | (is_shared ? MAP_SHARED : MAP_PRIVATE) |
                     (fixed ? MAP_FIXED : 0) | (gently ? MAP_FIXED_NOREPLACE : 0);
    struct reference *r = ref_of(s);
    bool was_free = none_mapped(r, i, n);
    long at = asks_for(s, SYS_mmap, fixed || gently || percent(50) ? address_of(i) : 0,
                       n * PAGE_SIZE - chance(PAGE_SIZE), protection, flags, (uint64_t)-1, 0);

    if (gently && (at >= 0 || at == -EEXIST))
        check(was_free == (at >= 0), "MAP_FIXED_NOREPLACE replaces, or does not map");
    if (at < 0) {
        check(at == -ENOMEM || at == -EEXIST, "an mmap() fails oddly");
        if (fixed) /* it may be gone */
            expect_none(r, i, n), asks_for(s, SYS_munmap, address_of(i), n * PAGE_SIZE);
        return;
    }
    check(!fixed || (uint64_t)at == address_of(i), "MAP_FIXED is elsewhere");
    if (!in_arena(at, n)) {
        check(asks_for(s, SYS_munmap, (uint64_t)at, n * PAGE_SIZE) == 0, "what was mapped is not");
        return;
    }
    i = (unsigned)(((uint64_t)at - MMAP_LOW) / PAGE_SIZE);
    check(fixed || none_mapped(r, i, n), "an mmap() lies on another");
    expect_map(r, i, n, protection, is_shared);
}

static void unmaps(struct slot *s)
{
    unsigned n, i = some_range(&n);

    if (asks_for(s, SYS_munmap, address_of(i), n * PAGE_SIZE) == 0)
        expect_none(ref_of(s), i, n);
}

static void protects(struct slot *s)
{
    unsigned n, i = some_range(&n);
    uint32_t protection = some_protection();
    bool all = all_mapped(ref_of(s), i, n);
    long result = asks_for(s, SYS_mprotect, address_of(i), n * PAGE_SIZE, protection);

    check(all == (result == 0), "mprotect() of what is not all mapped");
    for (unsigned k = i; all && k < i + n; k++)
        ref_of(s)->page[k].protection = protection;
}

static void advises(struct slot *s)
{
    unsigned n, i = some_range(&n);
    struct reference *r = ref_of(s);

    check(asks_for(s, SYS_madvise, address_of(i), n * PAGE_SIZE, MADV_DONTNEED) ==
              (all_mapped(r, i, n) ? 0 : -ENOMEM),
          "madvise()");
    for (unsigned k = i; k < i + n; k++)
        if (r->page[k].is_mapped && !r->page[k].is_shared)
            r->page[k].cell->word = 0;
}

static bool alike(const struct reference *r, unsigned i, unsigned n)
{
    for (unsigned k = i; k < i + n; k++)
        if (!r->page[k].is_mapped || r->page[k].protection != r->page[i].protection ||
            r->page[k].is_shared != r->page[i].is_shared)
            return false;
    return true;
}

static void moves(struct slot *s)
{
    unsigned n, i = some_range(&n), new, to = some_range(&new);
    struct reference *r = ref_of(s);
    bool fixed = percent(50);
    uint64_t how = fixed || percent(70) ? MREMAP_MAYMOVE : 0;
    struct expected moved[ARENA];
    long at;

    if (!alike(r, i, n))
        return;
    at = asks_for(s, SYS_mremap, address_of(i), n * PAGE_SIZE, new *PAGE_SIZE,
                  fixed ? MREMAP_FIXED | how : how, address_of(to));
    if (at < 0) {
        check(at == -ENOMEM || at == -EINVAL || at == -EFAULT, "an mremap() fails oddly");
        if (at == -EINVAL)
            return;
        /* (what of it was done is not said: so that both know, it goes) */
        expect_none(r, i, n);
        asks_for(s, SYS_munmap, address_of(i), n * PAGE_SIZE);
        if (fixed) {
            expect_none(r, to, new);
            asks_for(s, SYS_munmap, address_of(to), new *PAGE_SIZE);
        }
        return;
    }
    memset(moved, 0, sizeof moved);
    for (unsigned k = 0; k < n; k++) {
        if (k < new)
            moved[k] = r->page[i + k];
        else
            cell_put(&r->page[i + k]);
        r->page[i + k] = (struct expected){0};
    }
    for (unsigned k = n; k < new; k++)
        moved[k] = (struct expected){true, false, moved[0].protection, cell_new(0)};
    if (!in_arena(at, new)) {
        check(asks_for(s, SYS_munmap, (uint64_t)at, new *PAGE_SIZE) == 0, "what moved is nowhere");
        for (unsigned k = 0; k < new; k++)
            cell_put(&moved[k]);
        return;
    }
    for (unsigned k = 0, first = (unsigned)(((uint64_t)at - MMAP_LOW) / PAGE_SIZE); k < new; k++) {
        cell_put(&r->page[first + k]);
        r->page[first + k] = moved[k];
    }
}

static void breaks(struct slot *s)
{
    struct reference *r = ref_of(s);
    uint64_t want = HEAP_AT + chance(HEAP * PAGE_SIZE), before = r->brk;
    long is = asks_for(s, SYS_brk, want);
    unsigned old = (unsigned)((page_up(before) - HEAP_AT) / PAGE_SIZE), new;

    check((uint64_t)is == want || (uint64_t)is == before, "brk() is neither the old nor the new");
    r->brk = (uint64_t)is;
    new = (unsigned)((page_up(r->brk) - HEAP_AT) / PAGE_SIZE);
    if (new > old)
        expect_map(r, ARENA + old, new - old, PROT_READ | PROT_WRITE, false);
    else
        expect_none(r, ARENA + new, old - new);
}

static void looks(struct slot *s)
{
    unsigned n, i = some_range(&n);
    bool all = all_mapped(ref_of(s), i, n);
    uint64_t ep = (uint64_t)s->ep;
    long result = asks_for(s, SYS_mincore, address_of(i), n * PAGE_SIZE, STACK_FROM + 100);

    check(result == -EFAULT || all == (result == 0), "mincore() of what is not all mapped");
    asked(EP_VFS, message_of(VM_USAGE, (struct vm_usage_request){ep}));
    asked(EP_VFS, message_of(VM_MAPS, (struct vm_maps_request){ep, .grant = 1, .room = 4096}));
}

/* ---- programs ---- */

static void executes(struct slot *s)
{
    struct reference *r = ref_of(s);
    uint64_t ep = (uint64_t)s->ep;
    unsigned n, i = some_range(&n);
    long at;

    if (r->users > 1)
        return;
    check(asked(EP_VFS, message_of(VM_EXEC, (struct vm_exec_request){ep, STACK * PAGE_SIZE})) == 0,
          "exec");
    expect_none(r, 0, CELLS);
    check(s->table->count == 0, "pages of the program before are left");
    expect_map(r, ARENA + HEAP, STACK, PROT_READ | PROT_WRITE, false);
    check(asked(EP_VFS, message_of(VM_BRK_START, (struct vm_brk_start_request){ep, HEAP_AT})) == 0,
          "brk start");
    r->brk = HEAP_AT;
    n = n < FILES_PAGES ? n : FILES_PAGES;
    at = asked(EP_VFS,
               message_of(VM_MAP_FROM, (struct vm_map_request){.process = ep,
                                                               .address = address_of(i),
                                                               .length = n * PAGE_SIZE,
                                                               .protection = PROT_READ | PROT_WRITE,
                                                               .flags = MAP_PRIVATE | MAP_FIXED,
                                                               .server = EP_FILES,
                                                               .from = FILES_AT}));
    if (at < 0)
        return;
    expect_map(r, i, n, PROT_READ | PROT_WRITE, false);
    for (unsigned k = 0; k < n; k++)
        r->page[i + k].cell->word = frames[files.page[k].frame].word;
}

static long exits(const struct slot *s)
{
    return asked(EP_PM, message_of(VM_EXIT, (struct vm_exit_request){(uint64_t)s->ep}));
}

static void ends(struct slot *s)
{
    check(exits(s) == 0, "exit");
    reference_put(ref_of(s));
    references[s - slots] = NULL;
    slot_free(s);
}

static void forks(struct slot *s)
{
    bool shares = percent(25);
    struct slot *child = slot_new(shares ? s->table : NULL);
    long result;

    if (!child)
        return;
    result =
        asked(EP_PM, message_of(shares ? VM_SHARE_SPACE : VM_FORK,
                                (struct vm_fork_request){(uint64_t)s->ep, (uint64_t)child->ep}));
    if (result) {
        check(result == -ENOMEM, "a fork fails oddly");
        exits(child);
        slot_free(child);
        return;
    }
    child->table->root = s->table->root;
    if (shares)
        ref_of(s)->users++;
    references[child - slots] = shares ? ref_of(s) : reference_fork(ref_of(s));
}

/* VM says who is to end, and PM ends him. */
static void relieved(void)
{
    struct message m = {.type = VM_VICTIM};
    const struct vm_victim_reply *victim = message_words(&m);
    struct slot *s;

    if (!pm_notified)
        return;
    pm_notified = false;
    if (vm_asked(EP_PM, &m) < 0)
        return;
    s = slot_at((endpoint_t)victim->thread);
    check(s, "the greediest is nobody");
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].ep && &slots[i] != s && slots[i].table == s->table)
            ends(&slots[i]);
    ends(s);
}

static void rules(struct slot *s)
{
    bool is_root = chance(2);
    struct vm_rules_request r = {.thread = (uint64_t)s->ep,
                                 .is_root = is_root,
                                 .address_limit = percent(20) ? chance(2000) * PAGE_SIZE : ~0ull,
                                 .data_limit = percent(20) ? chance(2000) * PAGE_SIZE : ~0ull,
                                 .stack_limit = VM_STACK_LIMIT};

    if (asked(EP_PM, message_of(VM_RULES, r)) == 0)
        s->table->root = is_root;
}

static void something(struct slot *s)
{
    static void (*const calls[])(struct slot *) = {maps,  maps,   unmaps,   protects, advises,
                                                   moves, breaks, looks,    forks,    forks,
                                                   moves, maps,   executes, protects, unmaps};
    unsigned what = (unsigned)chance(100);

    if (what < 55)
        touches(s, (unsigned)chance(CELLS));
    else if (what < 96)
        calls[chance(sizeof calls / sizeof *calls)](s);
    else if (what == 96 && s != slots)
        ends(s);
    else if (what == 97)
        rules(s);
}

/* Every page of the kernel's lies in a region of VM's, and allows no more than that. */
static void tables_agree(void)
{
    unsigned users = files.count;

    for_slots (s) {
        struct space *of = space_of(s->ep);

        check(of, "VM does not know a program");
        for (unsigned i = 0; i < s->table->count; i++) {
            const struct page *p = &s->table->page[i];
            const struct region *r = region_find(of->regions, p->at);

            check(r, "a page lies in no region");
            check(!(p->flags & MAP_WRITE) || (r->protection & PROT_WRITE), "a page can be written");
            check(!(p->flags & MAP_EXECUTE) || (r->protection & PROT_EXEC), "a page can be run");
            check(!(p->flags & MAP_WRITE) || (r->flags & REGION_SHARED) ||
                      frames[p->frame].users == 1 || of->users > 1,
                  "a private page that others have can be written");
        }
        if (s->table->users == 1)
            users += s->table->count;
    }
    (void)users;
}

static void vm_begin(void *nothing)
{
    vm_main();
}

static void begin(uint64_t seed)
{
    static int ended;

    calm = true;
    chance_begin(seed);
    info = (struct service_info){.self = EP_VM, .pm = EP_PM, .vfs = EP_VFS, .rs = EP_RS};
    shown.info.frames_total = seed % 3 ? FRAMES - 1 : 600;
    frames_count();
    vm = coro_start(vm_begin, NULL, &ended);
}

/* ---- a service's memory ---- */

enum { LIMIT = 1000 };

static long maps_some(struct slot *s, uint64_t pages, uint32_t protection)
{
    return asks_for(s, SYS_mmap, 0, pages * PAGE_SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS,
                    (uint64_t)-1, 0);
}

static void gives_back(struct slot *s, long at, uint64_t pages)
{
    check(asks_for(s, SYS_munmap, (uint64_t)at, pages * PAGE_SIZE) == 0, "munmap()");
}

/* It has so much, and can have the rest of its limit and no more. */
static void has(struct slot *s, unsigned pages)
{
    unsigned told = service.told;
    long at;

    check(s->table->count == pages, "a service has other pages than it was given");
    check(maps_some(s, LIMIT - pages + 1, PROT_READ) == -ENOMEM, "a service has got too much");
    check(service.told == told + 1, "RS was not told that a service wants too much");
    at = maps_some(s, LIMIT - pages, PROT_READ);
    check(at > 0, "a service does not get what it may have");
    check(s->table->count == LIMIT, "it was given less");
    gives_back(s, at, LIMIT - pages);
    check(service.told == told + 1, "RS was told of a service that wanted no more than it may");
}

static struct slot *service_begin(void)
{
    struct slot *s;

    begin(1);
    s = slot_new(NULL);
    service.ep = s->ep;
    service.memory = LIMIT * PAGE_SIZE;
    has(s, 0);
    return s;
}

static void service_gives_back(uint64_t seed, long steps)
{
    struct slot *s = service_begin();
    long at = maps_some(s, 300, PROT_READ | PROT_WRITE), brk = asks_for(s, SYS_brk, 0);

    has(s, 300);
    gives_back(s, at, 100);
    has(s, 200);
    gives_back(s, at, 100); /* which is not there any more */
    gives_back(s, at - 5000 * (long)PAGE_SIZE, 5000);
    has(s, 200);
    check(asks_for(s, SYS_brk, (uint64_t)brk + 50 * PAGE_SIZE) > brk, "brk()");
    has(s, 250);
    check(asks_for(s, SYS_brk, (uint64_t)brk) == brk, "brk()");
    has(s, 200);
    at = asks_for(s, SYS_mmap, (uint64_t)at + 250 * PAGE_SIZE, 100 * PAGE_SIZE, PROT_READ,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0);
    check(at > 0, "MAP_FIXED");
    has(s, 250);
}

static void service_moves(uint64_t seed, long steps)
{
    struct slot *s = service_begin();
    long at = maps_some(s, 100, PROT_READ | PROT_WRITE);

    for (unsigned n = 0; n < 5; n++) {
        at = asks_for(s, SYS_mremap, (uint64_t)at, (100 + n) * PAGE_SIZE, (101 + n) * PAGE_SIZE,
                      MREMAP_MAYMOVE);
        check(at > 0, "mremap()");
        has(s, 101 + n);
    }
    check(asks_for(s, SYS_mremap, (uint64_t)at, 105 * PAGE_SIZE, (LIMIT + 1) * PAGE_SIZE,
                   MREMAP_MAYMOVE) == -ENOMEM,
          "a service has moved what is too large");
    has(s, 105);
    check(asks_for(s, SYS_mremap, (uint64_t)at, 105 * PAGE_SIZE, 50 * PAGE_SIZE, 0) == at,
          "mremap()");
    has(s, 50);
}

/* There is room for so many regions: what is refused for that leaves nothing. */
static void service_is_scattered(uint64_t seed, long steps)
{
    struct slot *s = service_begin();
    long brk = asks_for(s, SYS_brk, 0), first = maps_some(s, 1, PROT_READ), last = first, at;
    unsigned count = 1;

    while ((at = maps_some(s, 1, count % 2 ? PROT_READ | PROT_WRITE : PROT_READ)) > 0) {
        last = at;
        count++;
    }
    check(at == -ENOMEM && count == REGIONS_MAX, "regions are fewer, or more");
    for (unsigned n = 0; n < 20; n++) {
        check(maps_some(s, 100, PROT_READ) == -ENOMEM, "there is room for one more");
        check(asks_for(s, SYS_brk, (uint64_t)brk + 100 * PAGE_SIZE) == brk, "brk() has room");
        check(asks_for(s, SYS_mremap, (uint64_t)last, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE) ==
                  -ENOMEM,
              "mremap() has room");
        check(s->table->count == count, "what was refused has left pages");
    }
    check(service.told == 1, "RS was told of a service that has what it may");
    gives_back(s, first, 1);
    gives_back(s, last, 1);
    check(asks_for(s, SYS_brk, (uint64_t)brk + 100 * PAGE_SIZE) > brk, "there is room again");
    has(s, count - 2 + 100);
}

static void test_service(void **state)
{
    assert_int_equal(apart(service_gives_back, 1, 0), 0);
    assert_int_equal(apart(service_moves, 1, 0), 0);
    assert_int_equal(apart(service_is_scattered, 1, 0), 0);
}

/* ---- another thread fills the table of regions ---- */

static struct slot *first_program(void)
{
    struct slot *s;

    begin(1);
    s = slot_new(NULL);
    references[0] = calloc(1, sizeof *references[0]);
    references[0]->users = 1;
    check(asked(EP_PM, message_of(VM_FORK, (struct vm_fork_request){.child = (uint64_t)s->ep})) ==
              0,
          "the first program");
    s->table->root = true;
    executes(s);
    return s;
}

/* mremap() goes on in steps, and at its end there is no room for cutting out what was moved: as on Linux
 * it is done all the same, and no page is at both places. */
static void moves_in_a_full_table(uint64_t seed, long steps)
{
    enum { WHOLE = 2402, MOVED = 2400 };
    struct slot *s = first_program(), *other = slot_new(s->table);
    struct message m = {.source = (uint32_t)s->ep, .type = SYS_mremap};
    long at, result, more;
    unsigned n = 0;

    check(asked(EP_PM,
                message_of(VM_SHARE_SPACE,
                           (struct vm_fork_request){(uint64_t)s->ep, (uint64_t)other->ep})) == 0,
          "a thread");
    at = maps_some(s, WHOLE, PROT_READ | PROT_WRITE);
    check(at > 0, "mmap()");
    for (unsigned i = 0; i < WHOLE; i++)
        check(access_page(s, (uint64_t)at + i * PAGE_SIZE, FAULT_WRITE, &result) != NULL, "a page");
    m.w[0] = (uint64_t)at + PAGE_SIZE;
    m.w[1] = MOVED * PAGE_SIZE;
    m.w[2] = (MOVED + 1) * PAGE_SIZE;
    m.w[3] = MREMAP_MAYMOVE;
    s->blocked = true;
    vm_give(m);
    check(s->blocked, "it is done in one step");
    do
        more = maps_some(other, 1, n++ % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
    while (s->blocked && more > 0);
    check(s->blocked && more == -ENOMEM, "the table is not full in time");
    while (s->blocked)
        alarm_passes();
    check(s->result > 0, "mremap() fails when its pages have moved");
    for (unsigned i = 0; i < MOVED; i++) {
        check(page_at(s->table, (uint64_t)s->result + i * PAGE_SIZE) != NULL, "a page is lost");
        check(!page_at(s->table, (uint64_t)at + (i + 1) * PAGE_SIZE), "a page is at two places");
    }
    check(page_at(s->table, (uint64_t)at) &&
              page_at(s->table, (uint64_t)at + (MOVED + 1) * PAGE_SIZE),
          "its neighbours are gone");
}

/* Where the table has no room for a mapping at a fixed place, what is there stays. */
static void fixed_in_a_full_table(uint64_t seed, long steps)
{
    struct slot *s = first_program();
    long wide = maps_some(s, 9, PROT_READ | PROT_WRITE), next, more, result;
    uint64_t middle = (uint64_t)wide + 4 * PAGE_SIZE, end = (uint64_t)wide + 8 * PAGE_SIZE;
    unsigned n = 0;

    next = maps_some(s, 1, PROT_READ);
    check(next == wide + 9 * (long)PAGE_SIZE, "they are not side by side");
    do
        more = maps_some(s, 1, n++ % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
    while (more > 0);
    for (unsigned room = 0; room < 2; room++) {
        check(access_page(s, middle, FAULT_WRITE, &result) != NULL, "a page");
        check(asks_for(s, SYS_mmap, middle, PAGE_SIZE, PROT_READ,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0) == -ENOMEM,
              "there is room for two more");
        check(page_at(s->table, middle) != NULL, "it is refused, and what was there is gone");
        /* the end of one and the whole of the next: as many as before */
        if (!room)
            check(asks_for(s, SYS_mmap, end, 2 * PAGE_SIZE, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0) == (long)end,
                  "no room is needed, and it is refused");
        check(room || asks_for(s, SYS_munmap, end, 2 * PAGE_SIZE) == 0, "munmap()");
    }
}

static void test_full_table(void **state)
{
    assert_int_equal(apart(moves_in_a_full_table, 1, 0), 0);
    assert_int_equal(apart(fixed_in_a_full_table, 1, 0), 0);
}

/* ---- ---- */

static void run(uint64_t seed, long steps)
{
    struct slot *s;

    begin(seed);
    for (unsigned i = 0; i < FILES_PAGES; i++)
        page_add(&files, FILES_AT + i * PAGE_SIZE, frame_new(1000 + i), MAP_READ);
    s = slot_new(NULL);
    references[0] = calloc(1, sizeof *references[0]);
    references[0]->users = 1;
    check(asked(EP_PM, message_of(VM_FORK, (struct vm_fork_request){.child = (uint64_t)s->ep})) ==
              0,
          "the first program");
    s->table->root = true;
    executes(s);
    calm = false;
    for (long n = 0; n < steps; n++) {
        s = &slots[chance(SLOTS)];
        if (!slots[0].ep)
            break; /* it was the greediest */
        asking = s;
        if (s->ep)
            something(s);
        relieved();
        if (n % 16 == 0)
            tables_agree();
    }
    if (verbose)
        fprintf(stderr, "seed %lu: %u calls, %u refused, %u frames, %u victims\n",
                (unsigned long)seed, done_ok, done_not, frames_used, victims);
    check(seed % 3 || victims, "little memory, and nobody was the greediest");
    for_slots (any)
        ends(any);
    check(frames_used == FILES_PAGES, "frames are left");
    check(!__lsan_do_recoverable_leak_check(), "memory is left");
}

static void test_anything(void **state)
{
    assert_int_equal(seeds_run("VM", run, 12, 6000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_anything),
                                       cmocka_unit_test(test_service),
                                       cmocka_unit_test(test_full_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
