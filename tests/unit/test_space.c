/* SPDX-License-Identifier: BSD-2-Clause */
// sources: kernel/space.c
/*
 * Address spaces: every call that maps, unmaps, protects, clones and breaks a copy on write, by
 * chance, over three spaces, beside a model that is too simple to be wrong: for each page what is
 * there. What is mapped, with which rights, how often a frame is used, and what is left when memory
 * ends in the midst of a call must be the same in both.
 */
#include "kernel_world.h"

#define SPACES 3
#define PAGES 1600 /* of the part that is used: over three page tables, more than one call does */
#define BASE 0x3fe00000ull /* 2 MB below a boundary of everything */
#define FRAMES 6000
#define DEVICE 0xe0000000ull /* no RAM */

/* ---- frames: a number each; what one holds is a number, too ---- */

static uint32_t references[FRAMES];
static uint64_t contents[FRAMES], fresh;
static unsigned frames_left;

static uint64_t frame_number(uint64_t physical)
{
    return physical / PAGE_SIZE;
}

uint64_t frame_alloc_raw(void)
{
    if (frames_left == 0)
        return 0;
    frames_left--;
    for (uint64_t f = 1;; f++)
        if (references[f] == 0) {
            references[f] = 1;
            contents[f] = ++fresh; /* what somebody has left there */
            return f * PAGE_SIZE;
        }
}

void frame_clear(uint64_t physical)
{
    contents[frame_number(physical)] = 0;
}

uint64_t frame_alloc(void)
{
    uint64_t frame = frame_alloc_raw();

    if (frame)
        frame_clear(frame);
    return frame;
}

void frame_free(uint64_t physical)
{
    uint64_t f = frame_number(physical);

    assert_in_range(f, 1, FRAMES - 1);
    assert_int_not_equal(references[f], 0);
    frames_left += --references[f] == 0;
}

void frame_reference(uint64_t physical)
{
    assert_int_not_equal(references[frame_number(physical)], 0);
    references[frame_number(physical)]++;
}

uint32_t frame_references(uint64_t physical)
{
    return frame_number(physical) < FRAMES ? references[frame_number(physical)] : 0;
}

bool frame_find_contiguous(uint64_t count, uint64_t *at, uint64_t *run)
{
    *run = 0;
    *at = 0;
    for (uint64_t f = 1; f < FRAMES && *run < count && frames_left >= count; f++) {
        *run = references[f] == 0 ? *run + 1 : 0;
        *at = (f + 1 - *run) * PAGE_SIZE;
    }
    *at = *run == count ? *at : 0;
    return true;
}

bool frame_take(uint64_t physical)
{
    if (!frames_left || references[frame_number(physical)])
        return false;
    references[frame_number(physical)] = 1;
    frames_left--;
    return true;
}

void arch_copy(void *to, const void *from, size_t n)
{
    contents[frame_number((uint64_t)to - DIRECT_MAP)] =
        contents[frame_number((uint64_t)from - DIRECT_MAP)];
}

/* ---- page tables: one array for each space; an entry is frame | flags << 52 and not 0 ---- */

static uint64_t table[SPACES + 1][PAGES + 512];
static unsigned roots;

uint64_t arch_space_create(void)
{
    return ++roots;
}

void arch_space_destroy(uint64_t root)
{
    for (unsigned i = 0; i < PAGES; i++)
        assert_int_equal(table[root][i], 0);
}

uint64_t *arch_entry(uint64_t root, uint64_t address, bool create)
{
    if (address < BASE || address >= BASE + PAGES * PAGE_SIZE)
        return NULL;
    return &table[root][(address - BASE) / PAGE_SIZE];
}

uint64_t arch_entry_make(uint64_t physical, uint64_t flags)
{
    return physical | flags << 48 | 1;
}

uint64_t arch_entry_frame(uint64_t entry)
{
    return entry & 0x0000fffffffff000ull;
}

uint64_t arch_entry_flags(uint64_t entry)
{
    return entry >> 48;
}

uint64_t *arch_entry_next(uint64_t root, struct arch_range *r)
{
    for (; r->at < r->end && r->work > 0; r->at += PAGE_SIZE, r->work--) {
        uint64_t *e = arch_entry(root, r->at, false);

        if (e && *e)
            return e;
        if (!e) /* the emptiness costs nothing */
            r->at = (r->at < BASE && r->end > BASE ? BASE : r->end) - PAGE_SIZE;
    }
    return NULL;
}

uint64_t arch_unmap(uint64_t root, struct arch_range *r)
{
    uint64_t pages = 0, *e;

    while ((e = arch_entry_next(root, r))) {
        if (!(arch_entry_flags(*e) & MAP_PHYSICAL))
            frame_free(arch_entry_frame(*e));
        *e = 0;
        pages++;
        r->at += PAGE_SIZE;
        r->work -= ARCH_WORK_PAGE;
    }
    return pages;
}

static unsigned flushes;

void arch_flush_page(uint64_t root, uint64_t address)
{
    flushes++;
}

void arch_flush_space(uint64_t root)
{
    flushes++;
}

/* ---- the model ---- */

struct page {
    uint64_t frame; /* 0: nothing is there */
    uint64_t flags;
};

static struct page model[SPACES][PAGES];
static struct slot *owner[SPACES], *caller;
static unsigned rounds; /* how often the last call was made */

/* A kernel call as programs make it: again and again until it is done. */
static long make(long (*call)(struct slot *, const uint64_t *), uint64_t a0, uint64_t a1,
                 uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct registers *r = &caller->registers;
    long result;

    *r = (struct registers){.rdi = a0, .rsi = a1, .rdx = a2, .r10 = a3, .r8 = a4, .r9 = a5};
    for (rounds = 1;; rounds++) {
        uint64_t a[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

        r->rip = 100;
        result = call(caller, a);
        if (r->rip == 100)
            return result;
        assert_true(rounds < 1000);
    }
}

static uint64_t at(unsigned page)
{
    return BASE + page * PAGE_SIZE;
}

static void check(void)
{
    static uint32_t used[FRAMES];

    memset(used, 0, sizeof used);
    for (unsigned s = 0; s < SPACES; s++) {
        uint64_t count = 0;

        for (unsigned i = 0; i < PAGES; i++) {
            uint64_t e = table[owner[s]->space->root][i];

            assert_int_equal(e != 0, model[s][i].frame != 0);
            if (!e)
                continue;
            count++;
            assert_int_equal(arch_entry_frame(e), model[s][i].frame);
            assert_int_equal(arch_entry_flags(e), model[s][i].flags);
            assert_false((arch_entry_flags(e) & MAP_WRITE) && (arch_entry_flags(e) & MAP_COW));
            if (!(model[s][i].flags & MAP_PHYSICAL))
                used[frame_number(model[s][i].frame)]++;
        }
        assert_int_equal(owner[s]->space->pages, count);
    }
    for (unsigned f = 0; f < FRAMES; f++)
        assert_int_equal(used[f], references[f]);
}

static unsigned span(unsigned *first)
{
    unsigned most = rand() % 4 ? 40 : PAGES;

    *first = (unsigned)rand() % PAGES;
    most = most < PAGES - *first ? most : PAGES - *first;
    return 1 + (unsigned)rand() % most;
}

/* Takes over what the call has mapped; what is there already was there before. */
static void learn(unsigned s, unsigned first, unsigned count, uint64_t flags)
{
    for (unsigned i = first; i < first + count; i++) {
        assert_int_equal(model[s][i].frame, 0);
        model[s][i].frame = arch_entry_frame(table[owner[s]->space->root][i]);
        model[s][i].flags = flags;
        assert_int_not_equal(model[s][i].frame, 0);
    }
}

static uint64_t kept(uint64_t flags)
{
    flags &= MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_COW | MAP_PHYSICAL | MAP_UNCACHED | MAP_VAULT;
    return flags & MAP_COW ? flags & ~(uint64_t)MAP_WRITE : flags;
}

static bool is_empty(unsigned s, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (model[s][i].frame)
            return false;
    return true;
}

static bool is_ram(unsigned s, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (!model[s][i].frame || (model[s][i].flags & MAP_PHYSICAL))
            return false;
    return true;
}

static void map_some(void)
{
    static const uint64_t kinds[] = {
        0, 0, MAP_SHARE, MAP_SHARE | MAP_COW, MAP_COPY, MAP_PHYSICAL, MAP_CONTIGUOUS};
    uint64_t kind = kinds[(unsigned)rand() % (sizeof kinds / sizeof *kinds)], source = 0;
    uint64_t flags = kind | MAP_READ | (rand() % 2 ? MAP_WRITE : 0) | (rand() % 4 ? 0 : MAP_VAULT);
    unsigned s = (unsigned)rand() % SPACES, t = (unsigned)rand() % SPACES, first, from;
    unsigned count = span(&first), left = frames_left;
    bool possible = is_empty(s, first, count), needs_source = kind & (MAP_SHARE | MAP_COPY);
    long result;

    if (kind == MAP_PHYSICAL)
        source = DEVICE;
    if (needs_source) {
        span(&from);
        from = from + count > PAGES ? PAGES - count : from;
        source = at(from);
        possible = possible && is_ram(t, from, count);
        if (s == t && from < first + count && first < from + count)
            return; /* what is mapped first becomes what is mapped then: nobody asks for that */
    }
    result = make(call_map, (uint64_t)owner[s]->endpoint, at(first), count, flags,
                  (uint64_t)owner[t]->endpoint, source);
    if (result == 0) {
        assert_true(possible);
        learn(s, first, count, kept(flags));
        for (unsigned i = 0; i < count; i++) {
            uint64_t frame = model[s][first + i].frame;

            if (kind & MAP_SHARE)
                assert_int_equal(frame, model[t][from + i].frame);
            else if (kind == MAP_COPY)
                assert_int_equal(contents[frame_number(frame)],
                                 contents[frame_number(model[t][from + i].frame)]);
            else if (kind != MAP_PHYSICAL)
                assert_int_equal(contents[frame_number(frame)], 0); /* nobody's old secrets */
            if (kind == MAP_CONTIGUOUS || kind == MAP_PHYSICAL)
                assert_int_equal(frame, model[s][first].frame + i * PAGE_SIZE);
        }
        return;
    }
    /* what is mapped before the address that it came to is taken back, as memory_map() does */
    assert_true(!possible || (result == -ENOMEM && left < count + 8));
    learn(s, first, (unsigned)((caller->registers.rsi - at(first)) / PAGE_SIZE), kept(flags));
    if (caller->registers.rsi != at(first)) {
        unsigned done = (unsigned)((caller->registers.rsi - at(first)) / PAGE_SIZE);

        make(call_unmap, (uint64_t)owner[s]->endpoint, at(first), done, 0, 0, 0);
        memset(&model[s][first], 0, done * sizeof **model);
    }
    assert_int_equal(frames_left, left);
}

static void unmap_some(void)
{
    unsigned s = (unsigned)rand() % SPACES, first, count = span(&first);

    assert_int_equal(make(call_unmap, (uint64_t)owner[s]->endpoint, at(first), count, 0, 0, 0), 0);
    memset(&model[s][first], 0, count * sizeof **model);
}

static void protect_some(void)
{
    unsigned s = (unsigned)rand() % SPACES, first, count = span(&first);
    uint64_t flags =
        (uint64_t[]){0, MAP_READ, MAP_READ | MAP_WRITE, MAP_READ | MAP_EXECUTE}[rand() % 4];

    flushes = 0;
    assert_int_equal(
        make(call_protect, (uint64_t)owner[s]->endpoint, at(first), count, flags, 0, 0), 0);
    assert_int_not_equal(flushes, 0);
    for (unsigned i = first; i < first + count; i++)
        if (model[s][i].frame)
            model[s][i].flags = kept(
                flags | (model[s][i].flags & (MAP_COW | MAP_PHYSICAL | MAP_UNCACHED | MAP_VAULT)));
}

static void clone_some(void)
{
    unsigned s = (unsigned)rand() % SPACES, t = (s + 1) % SPACES, first, count = span(&first);
    uint64_t cow = rand() % 2 ? MAP_COW : 0;

    if (!is_empty(t, first, count))
        return; /* VM clones into empty spaces alone; what an error leaves goes with the space */
    assert_int_equal(make(call_clone, (uint64_t)owner[s]->endpoint, (uint64_t)owner[t]->endpoint,
                          at(first), count, cow, 0),
                     0);
    for (unsigned i = first; i < first + count; i++) {
        if (model[s][i].frame && !(model[s][i].flags & MAP_PHYSICAL))
            model[s][i].flags = kept(model[s][i].flags | cow);
        model[t][i] = model[s][i];
    }
}

static void break_one(void)
{
    unsigned s = (unsigned)rand() % SPACES, page = (unsigned)rand() % PAGES;
    struct page *p = &model[s][page];
    bool ram = p->frame && !(p->flags & MAP_PHYSICAL);
    uint32_t users = ram ? frame_references(p->frame) : 0;
    uint64_t holds = ram ? contents[frame_number(p->frame)] : 0;
    long result =
        make(call_cow_break, (uint64_t)owner[s]->endpoint, at(page), MAP_READ | MAP_WRITE, 0, 0, 0);

    if (!ram) {
        assert_int_equal(result, -EFAULT);
        return;
    }
    if (result == -ENOMEM) {
        assert_int_equal(frames_left, 0);
        return;
    }
    assert_int_equal(result, 0);
    p->flags = MAP_READ | MAP_WRITE;
    if (users > 1) {
        uint64_t now = arch_entry_frame(table[owner[s]->space->root][page]);

        assert_int_not_equal(now, p->frame);
        p->frame = now;
    }
    assert_int_equal(frame_references(p->frame), 1);
    assert_int_equal(contents[frame_number(p->frame)], holds);
}

static int setup(void **state)
{
    caller = world_slot(1, SERVICE_ID_ROOT);
    frames_left = FRAMES - 1;
    for (unsigned s = 0; s < SPACES; s++) {
        owner[s] = world_slot(2 + s, SERVICE_ID_PROGRAM);
        owner[s]->space = space_create();
        assert_non_null(owner[s]->space);
    }
    memset(model, 0, sizeof model);
    return 0;
}

static int teardown(void **state)
{
    for (unsigned s = 0; s < SPACES; s++)
        space_release(owner[s]->space);
    while (call_reap(NULL, NULL))
        ;
    roots = 0;
    for (unsigned f = 0; f < FRAMES; f++) /* all of it comes back */
        assert_int_equal(references[f], 0);
    return 0;
}

static void run(unsigned seed, unsigned memory)
{
    static void (*const does[])(void) = {map_some,   map_some,     map_some,   unmap_some,
                                         unmap_some, protect_some, clone_some, break_one};

    srand(seed);
    frames_left = memory;
    for (unsigned i = 0; i < 3000; i++) {
        does[(unsigned)rand() % (sizeof does / sizeof *does)]();
        check();
    }
}

static void test_random(void **state)
{
    run(1, FRAMES - 1);
}

static void test_random_with_little_memory(void **state)
{
    run(2, 700);
}

static void test_long_calls_are_made_in_parts(void **state)
{
    uint64_t to = (uint64_t)owner[0]->endpoint;

    assert_int_equal(make(call_map, to, BASE, PAGES, MAP_READ | MAP_WRITE, 0, 0), 0);
    assert_true(rounds > 4);
    assert_int_equal(make(call_unmap, to, BASE, PAGES, 0, 0, 0), 0);
    assert_true(rounds > 2);
    /* all that there is; empty, so it costs next to nothing on a real machine */
    assert_int_equal(owner[0]->space->pages, 0);
}

static void test_bad_arguments(void **state)
{
    uint64_t to = (uint64_t)owner[0]->endpoint;
    static const uint64_t addresses[] = {BASE + 1, USER_END, ~0ull, USER_END - PAGE_SIZE};

    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        assert_int_equal(make(call_map, to, addresses[i], 1, MAP_READ, 0, 0), -EINVAL);
        assert_int_equal(make(call_unmap, to, addresses[i], 1, 0, 0, 0), -EINVAL);
        assert_int_equal(make(call_protect, to, addresses[i], 1, MAP_READ, 0, 0), -EINVAL);
    }
    assert_int_equal(make(call_map, to, BASE, 0, MAP_READ, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, ~0ull, MAP_READ, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, 1ull << 52, MAP_READ, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, 1, MAP_WRITE | MAP_EXECUTE, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, 1, MAP_SHARE | MAP_COPY, to, BASE), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, 1, MAP_COW, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, to, BASE, 1, 1ull << 40, 0, 0), -EINVAL);
    assert_int_equal(make(call_map, 12345, BASE, 1, MAP_READ, 0, 0), -EDEADSRCDST);
    /* RAM is not device memory; device memory is for RS alone */
    assert_int_equal(make(call_map, to, BASE, 1, MAP_READ, 0, 0), 0);
    model[0][0] = (struct page){arch_entry_frame(table[owner[0]->space->root][0]), MAP_READ};
    assert_int_equal(
        make(call_map, to, BASE + PAGE_SIZE, 1, MAP_PHYSICAL | MAP_READ, 0, model[0][0].frame),
        -EINVAL);
    caller->service_id = 7;
    assert_int_equal(make(call_map, to, BASE + PAGE_SIZE, 1, MAP_PHYSICAL | MAP_READ, 0, DEVICE),
                     -EPERM);
    assert_int_equal(make(call_map, to, BASE + PAGE_SIZE, 1, MAP_CONTIGUOUS | MAP_READ, 0, 0),
                     -EPERM);
    check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_calls_are_made_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_with_little_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
