/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows what some keys of a manifest come to. Which, the manifest's `parameters` say:
 *
 *     stack           touch page after page of the stack, from its top, until there is no more
 *     archive         read the boot archive
 *     toil AT         compute for some 60 ms from then on, ms after the start of the machine
 */
#include <stdlib.h>
#include <string.h>

#include "abi/kernel.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define TURNS 10000000u /* of an empty loop of six instructions, each a nanosecond under icount */
#define MS 1000000ull

static void touch_stack(void)
{
    volatile char *at = (volatile char *)SERVICE_STACK_TOP;

    for (;;) {
        at -= PAGE_SIZE;
        *at = *at;
    }
}

static void read_archive(void)
{
    char magic[7] = "";

    log_info("archive: told of %s bytes", service_info()->archive_size ? "some" : "no");
    for (unsigned i = 0; i < 6; i++)
        magic[i] = ((const volatile char *)BOOT_ARCHIVE)[i];
    log_info("archive: it begins with %s", magic);
}

static void toil(uint64_t bits)
{
    uint64_t began = clock_now();

    if (!(bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        return;
    for (volatile unsigned i = 0; i < TURNS; i++)
        ;
    log_info("toil: from %u to %u us", (unsigned)(began / 1000), (unsigned)(clock_now() / 1000));
}

int main(void)
{
    const char *what = service_info()->parameters;

    service_ready(RS_READY_FRESH);
    if (strcmp(what, "stack") == 0)
        touch_stack();
    else if (strcmp(what, "archive") == 0)
        read_archive();
    else if (strncmp(what, "toil ", 5) == 0)
        clock_alarm(strtoul(what + 5, NULL, 10) * MS);
    service_run(&(struct service_table){.notified = toil});
}
