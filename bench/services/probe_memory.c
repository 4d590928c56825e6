/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel calls about memory, in an order in which each finds what it needs: 32 MB in one piece, and
 * pages as far apart as page tables can be. */
#include "bench/services/probe.h"

#define MEGABYTES 32
#define PAGES (MEGABYTES * 256ull)
#define PLACE 0x10000000ull
#define ALL_PAGES (USER_END / PAGE_SIZE - 2)
#define DEVICE (1ull << 40) /* a physical address where no memory is */
#define DEVICE_PAGES 0x40000ull
#define BIG (8u << 20) /* bytes that are copied */

static endpoint_t victim, twin;
static uint8_t from[BIG], to[BIG];
static struct grant grants[GRANT_MAX];

static void fill(endpoint_t ep)
{
    memory_map(ep, PLACE, PAGES, MAP_READ | MAP_WRITE, 0, 0);
}

/* One page in each 2 MB, as far apart as tables can be. */
static void scatter(endpoint_t ep, uint64_t apart)
{
    for (uint64_t i = 0; i < 200; i++)
        memory_map(ep, PLACE + i * apart, 1, MAP_READ | MAP_WRITE, 0, 0);
}

static bool begin(void)
{
    victim = space_new();
    twin = space_new();
    return victim > 0 && twin > 0;
}

static long nothing(void)
{
    for (unsigned i = 0; i < 200; i++)
        kernel_call6(KERNEL_NULL, -1, -1, -1, -1, -1, -1);
    return begin() ? 0 : -ENOMEM;
}

/* ---- much in one piece ---- */

static long map(void)
{
    return memory_map(victim, PLACE, PAGES, MAP_READ | MAP_WRITE, 0, 0);
}
static long map_shared(void)
{
    return memory_map(twin, PLACE, PAGES, MAP_READ | MAP_SHARE, victim, PLACE);
}
static long unmap_shared(void)
{
    return memory_unmap(twin, 0, ALL_PAGES);
}
static long map_copy(void)
{
    return memory_map(twin, PLACE, PAGES, MAP_READ | MAP_COPY, victim, PLACE);
}
static long destroy(void)
{
    long result = slot_end(twin);

    twin = space_new();
    return result;
}
static long reap(void)
{
    while (memory_reap() > 0)
        ;
    return 0;
}
static long protect(void)
{
    return memory_protect(victim, 0, ALL_PAGES, MAP_READ);
}
static long clone_cow(void)
{
    return kernel_call6(KERNEL_CLONE, victim, twin, 0, ALL_PAGES, MAP_COW, 0);
}
static long cow_break(void)
{
    long result = 0;

    for (uint64_t i = 0; i < 200 && !result; i++)
        result = memory_cow_break(twin, PLACE + i * PAGE_SIZE, MAP_READ | MAP_WRITE);
    return result;
}
static long unmap(void)
{
    return memory_unmap(victim, 0, ALL_PAGES);
}

/* ---- nothing, and little far apart ---- */

static long unmap_nothing(void)
{
    return unmap();
}
static long protect_nothing(void)
{
    return protect();
}
static long clone_nothing(void)
{
    return clone_cow();
}
static long query_nothing(void)
{
    uint64_t flags;

    return expect(memory_query(victim, 0, &flags), -EFAULT);
}
static long map_scattered(void)
{
    scatter(victim, 0x200000);
    scatter(victim, 0x40000000);
    scatter(victim, 0x8000000000);
    return 0;
}
static long protect_scattered(void)
{
    return protect();
}
static long clone_scattered(void)
{
    return clone_cow();
}
static long query_scattered(void)
{
    uint64_t flags, at = 0;

    for (unsigned i = 0; i < 500; i++)
        at = memory_query(victim, at, &flags) < 0 ? flags : at + PAGE_SIZE;
    return 0;
}
static long unmap_scattered(void)
{
    return unmap();
}
static long destroy_scattered(void)
{
    return destroy();
}
static long reap_scattered(void)
{
    return reap();
}

/* ---- what the root task alone may ---- */

static long physical(void)
{
    return memory_map(victim, PLACE, DEVICE_PAGES, MAP_READ | MAP_PHYSICAL, 0, DEVICE);
}
static long map_device(void)
{
    long result = as_root(physical);

    return result ? result : unmap();
}
/* As much as a queue can have. */
static long contiguous(void)
{
    return memory_map(victim, PLACE, QUEUE_STRIDE / PAGE_SIZE, MAP_READ | MAP_CONTIGUOUS, 0, 0);
}
static long map_contiguous(void)
{
    long result = as_root(contiguous);

    return result ? result : unmap();
}
/* More than there is: all is looked at. */
static long too_much(void)
{
    uint64_t pages = kernel_info()->frames_total - 1;

    return memory_map(victim, PLACE, pages, MAP_READ | MAP_CONTIGUOUS, 0, 0);
}
static long map_contiguous_too_much(void)
{
    return expect(as_root(too_much), -ENOMEM);
}

/* ---- copies ---- */

static long grants_table(void)
{
    for (unsigned i = 0; i < GRANT_MAX; i++)
        grants[i] = (struct grant){probe_worker, GRANT_READ | GRANT_WRITE, (uint64_t)from, BIG};
    return grant_table(grants, GRANT_MAX);
}
static long grant_read(void)
{
    return grant_from(probe_worker, GRANT_MAX - 1, 0, to, BIG);
}
static long grant_write(void)
{
    return grant_to(probe_worker, GRANT_MAX - 1, 0, to, BIG);
}
/* Pages that do not lie alike on both sides: twice as many pieces. */
static long copy_read(void)
{
    fill(victim);
    return copy_from(victim, PLACE + 1, to, BIG);
}
static long copy_write(void)
{
    return copy_to(victim, PLACE + 2049, to, BIG);
}
/* The last page is not there. */
static long copy_missing(void)
{
    uint64_t end = PLACE + PAGES * PAGE_SIZE;

    return expect(copy_from(victim, end - BIG + PAGE_SIZE, to, BIG), -EFAULT);
}
static long copy_end(void)
{
    slot_destroy(victim);
    return slot_destroy(twin);
}

static const struct probe_case cases[] = {
    PROBE_CASE(NULL, nothing),
    PROBE_CASE(MAP, map),
    PROBE_CASE(MAP, map_shared),
    PROBE_CASE(UNMAP, unmap_shared),
    PROBE_CASE(MAP, map_copy),
    PROBE_CASE(SLOT_DESTROY, destroy),
    PROBE_CASE(REAP, reap),
    PROBE_CASE(PROTECT, protect),
    PROBE_CASE(CLONE, clone_cow),
    PROBE_CASE(COW_BREAK, cow_break),
    PROBE_CASE(UNMAP, unmap),
    PROBE_CASE(SLOT_DESTROY, destroy),
    PROBE_CASE(REAP, reap),
    PROBE_CASE(UNMAP, unmap_nothing),
    PROBE_CASE(PROTECT, protect_nothing),
    PROBE_CASE(CLONE, clone_nothing),
    PROBE_CASE(QUERY, query_nothing),
    PROBE_CASE(MAP, map_scattered),
    PROBE_CASE(PROTECT, protect_scattered),
    PROBE_CASE(CLONE, clone_scattered),
    PROBE_CASE(QUERY, query_scattered),
    PROBE_CASE(UNMAP, unmap_scattered),
    PROBE_CASE(SLOT_DESTROY, destroy_scattered),
    PROBE_CASE(REAP, reap_scattered),
    PROBE_CASE(MAP, map_device),
    PROBE_CASE(MAP, map_contiguous),
    PROBE_CASE(MAP, map_contiguous_too_much),
    PROBE_CASE(GRANT_TABLE, grants_table),
    PROBE_CASE(GRANT_FROM, grant_read),
    PROBE_CASE(GRANT_TO, grant_write),
    PROBE_CASE(COPY_FROM, copy_read),
    PROBE_CASE(COPY_TO, copy_write),
    PROBE_CASE(COPY_FROM, copy_missing),
    PROBE_CASE(SLOT_DESTROY, copy_end),
};
const struct probe_list probe_memory = {cases, sizeof cases / sizeof *cases};
