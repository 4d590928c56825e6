/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is never given back: RS takes all that it needs before the first start. */
#include "lib/rt/error.h"
#include "servers/rs/rs.h"

#define ARENA 0x100000000000ull
#define CONTIGUOUS 0x180000000000ull

static uint64_t arena_end = ARENA;
static char *small;
static size_t small_left;

void *arena_pages(uint64_t pages)
{
    uint64_t at = arena_end;
    long error = memory_map(ENDPOINT_SELF, at, pages, MAP_READ | MAP_WRITE, 0, 0);

    if (error < 0) {
        log_always("too little memory to start the services (%s, %llu pages wanted)",
                   error_name(error), (unsigned long long)pages);
        kernel_panic(RS_PANIC_STATUS);
    }
    arena_end += (pages + 1) * PAGE_SIZE; /* with a hole behind */
    return (void *)at;
}

void *arena_alloc(size_t size)
{
    void *at;

    size = (size + 15) & ~(size_t)15;
    if (size > small_left) {
        small_left =
            size > 16 * PAGE_SIZE ? (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1) : 16 * PAGE_SIZE;
        small = arena_pages(small_left / PAGE_SIZE);
    }
    at = small;
    small += size;
    small_left -= size;
    return at;
}

void *arena_contiguous(uint64_t size)
{
    static uint64_t next = CONTIGUOUS;
    uint64_t at = next;

    if (memory_map(ENDPOINT_SELF, at, size / PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_CONTIGUOUS, 0,
                   0) < 0)
        return NULL;
    next += QUEUE_STRIDE;
    return (void *)at;
}
