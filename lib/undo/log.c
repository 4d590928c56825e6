/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log's entries that are more than a word of ordinary memory, and the log played backwards. What
 * compiled code stores is logged where it stores (tools/undo-plugin, entry.S). Nothing here is logged.
 */
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

/* of an entry's first word, beside the address */
#define DATA (1ull << 63)
#define IN_VAULT (1ull << 62)
#define WRITTEN (1ull << 61) /* for the mirror alone */

/* With its data, if there are any, before it. */
static void entry_log(uint64_t at, uint64_t what, uint64_t length)
{
    uint64_t *entry = (uint64_t *)at;

    entry[0] = what;
    entry[1] = length;
    __asm__ volatile("movq %0, %%r15" : : "r"(entry + 2) : "memory"); /* now it counts */
}

/* The kernel writes into the log, which has to be there for that: what is touched of it is made so. */
void undo_vault(const void *at, size_t length)
{
    uint64_t end = undo_log_begin + undo_log_bytes(), size = (length + 15) & ~15ull;

    if (!length)
        return;
    for (uint64_t page = end; page < end + size; page = (page | (PAGE_SIZE - 1)) + 1)
        *(volatile char *)page = 0;
    if (undo_raw_call(KERNEL_COPY_FROM, service_info()->self, (long)at, (long)end, (long)length,
                      0) < 0)
        __builtin_trap(); /* a wrong address */
    entry_log(end + size, (uint64_t)at | DATA | IN_VAULT, length);
}

void undo_vault_zero(const void *at, size_t length)
{
    if (length)
        entry_log(undo_log_begin + undo_log_bytes(), (uint64_t)at | IN_VAULT, length);
}

void undo_written(const void *at, size_t length)
{
    if (length)
        entry_log(undo_log_begin + undo_log_bytes(), (uint64_t)at | WRITTEN, length);
}

static void clear_vault(uint64_t at, uint64_t length)
{
    static const char zeros[PAGE_SIZE];

    for (uint64_t n; length; at += n, length -= n) {
        n = length < PAGE_SIZE ? length : PAGE_SIZE;
        undo_raw_call(KERNEL_COPY_TO, service_info()->self, (long)at, (long)zeros, (long)n, 0);
    }
}

void undo_log_play(uint64_t begin, uint64_t end)
{
    while (end > begin) {
        const uint64_t *e = (const uint64_t *)(end -= 16);

        if (e[0] & WRITTEN)
            continue;
        if ((e[0] & (DATA | IN_VAULT)) == IN_VAULT) {
            clear_vault(e[0] & ~IN_VAULT, e[1]);
        } else if (e[0] & DATA) {
            end -= (e[1] + 15) & ~15ull;
            if (e[0] & IN_VAULT)
                undo_raw_call(KERNEL_COPY_TO, service_info()->self,
                              (long)(e[0] & ~(DATA | IN_VAULT)), (long)end, (long)e[1], 0);
            else
                memcpy((void *)(e[0] & ~DATA), (const void *)end, e[1]);
        } else
            memcpy((void *)e[0], &e[1], sizeof e[1]); /* wherever it lies */
    }
}
