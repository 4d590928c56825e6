/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/inject/ill.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/rt/kernel.h"

#define WINDOWS 0x680000000000ull /* in our own space; the pages stay there until the next fault */
#define PLACES 2 /* text, archive */
#define PAGES 2 /* that a few bytes may touch */

static struct {
    uint8_t *at[PLACES]; /* NULL: nothing is ill */
    uint8_t original[ILL_MAX];
    unsigned count;
} ill;

/* The frames behind another's memory, writable for us whatever they are for it. */
static uint8_t *reach(unsigned place, endpoint_t owner, uint64_t address)
{
    const uint64_t at = WINDOWS + place * PAGES * PAGE_SIZE, in_page = address & (PAGE_SIZE - 1);
    const uint64_t pages = (in_page + ill.count - 1) / PAGE_SIZE + 1;

    memory_unmap(ENDPOINT_SELF, at, PAGES);
    if (memory_map(ENDPOINT_SELF, at, pages, MAP_READ | MAP_WRITE | MAP_SHARE, owner,
                   address - in_page) < 0)
        return NULL;
    return (uint8_t *)(at + in_page);
}

static void put_everywhere(const uint8_t *bytes)
{
    for (unsigned place = 0; place < PLACES; place++)
        if (ill.at[place])
            memcpy(ill.at[place], bytes, ill.count);
}

long ill_make(endpoint_t service, uint64_t address, uint64_t offset, const uint8_t *bytes,
              unsigned count)
{
    uint8_t *text, *archive;

    ill_heal();
    ill.count = count;
    text = reach(0, service, address);
    archive = reach(1, service_info()->rs, BOOT_ARCHIVE + offset);
    if (!text || !archive)
        return -EFAULT;
    if (memcmp(text, archive, count) != 0)
        return -ESTALE;
    if (memcmp(text, bytes, count) == 0)
        return 1;
    memcpy(ill.original, text, count);
    ill.at[0] = text;
    ill.at[1] = archive;
    put_everywhere(bytes);
    return 0;
}

void ill_heal(void)
{
    put_everywhere(ill.original);
    memset(ill.at, 0, sizeof ill.at);
}
