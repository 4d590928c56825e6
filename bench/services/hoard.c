/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes every frame that there is, and then uses SSE for the first time (services are compiled
 * without): whoever runs may do that at any time, so what it needs must be there from its start. */
#include <stdbool.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define PLACE 0x10000000ull
#define QUIET_NS 1000000000ull /* until everybody has started */
#define PAUSE_NS 5000000ull

static void pause_for(uint64_t ns)
{
    uint64_t end = clock_now() + ns;

    while (clock_now() < end) { /* other notifications come, too */
        clock_alarm(end);
        ipc_receive(ENDPOINT_ANY, &(struct message){0}, 0);
    }
}

static uint64_t frames_left(endpoint_t keeper)
{
    uint64_t at = PLACE;

    for (uint64_t pages = 256; pages; pages /= 16)
        while (memory_map(keeper, at, pages, MAP_READ, 0, 0) == 0)
            at += pages * PAGE_SIZE;
    return kernel_info()->frames_free;
}

static bool sse_works(void)
{
    uint64_t in[2] = {0x0123456789abcdef, clock_now()}, out[2] = {0};

    __asm__ volatile("movups %0, %%xmm5" : : "m"(in));
    pause_for(PAUSE_NS); /* others run */
    __asm__ volatile("movups %%xmm5, %0" : "=m"(out));
    return in[0] == out[0] && in[1] == out[1];
}

int main(void)
{
    struct slot_config c = {.name = "keeper",
                            .guardian = service_info()->rs,
                            .service_id = service_info()->service_id,
                            .priority = PRIORITIES - 1};
    endpoint_t keeper = slot_create(&c);
    uint64_t left;
    bool works;

    service_ready(RS_READY_FRESH);
    pause_for(QUIET_NS);
    left = frames_left(keeper);
    works = sse_works();
    slot_destroy(keeper);
    log_always("HOARD left %llu sse %d", (unsigned long long)left, works);
    service_run(&(struct service_table){0});
}
