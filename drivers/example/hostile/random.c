/* SPDX-License-Identifier: BSD-2-Clause */
/* What attackers choose by chance: a sequence is given by its seed, and by which incarnation it is. */
#include <stdlib.h>

#include "drivers/example/hostile/hostile.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

static uint64_t state;
uint64_t scratch[2 * SCRATCH_BYTES / 8];

void random_start(void)
{
    state = strtoul(parameter("seed"), 0, 10) * 1000003 + service_info()->incarnation;
}

uint64_t bits(void) /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* The first endpoint of all is near ours. */
uint64_t some_endpoint(void)
{
    uint64_t self = (uint64_t)service_info()->self, r = bits();
    const uint64_t known[] = {
        self,
        (uint64_t)service_info()->rs,
        (uint64_t)service_info()->ds,
        0,
        ~0ull,
        (uint64_t)service_info()->vm,
        (uint64_t)service_info()->vfs,
        (uint64_t)service_info()->pm,
    };

    if (r & 1)
        return known[(r >> 8) % (sizeof known / sizeof *known)];
    return self + (r >> 8) % 64 - 32; /* neighbours: services, programs, nobody */
}

uint64_t some_number(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     4095,
                                     4096,
                                     4097,
                                     65536,
                                     1ull << 31,
                                     1ull << 32,
                                     1ull << 47,
                                     (1ull << 47) - 1,
                                     1ull << 63,
                                     ~0ull,
                                     ~0ull - 1,
                                     SERVICE_INFO,
                                     BOOT_ARCHIVE,
                                     QUEUE_WINDOW,
                                     DEVICE_WINDOW,
                                     SERVICE_STACK_TOP};
    uint64_t r = bits();

    switch (r & 7) {
    case 0:
        return r >> 3;
    case 1:
        return r >> 8 & 0xff;
    case 2:
    case 3:
        return some_endpoint();
    case 4:
    case 5:
        return (uint64_t)scratch + (r >> 8) % SCRATCH_BYTES;
    default:
        return edges[(r >> 8) % (sizeof edges / sizeof *edges)] + (r >> 3 & 3) * (r >> 7 & 1);
    }
}
