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

struct undo_log_entry undo_log_entry_before(uint64_t end)
{
    const uint64_t *e = (const uint64_t *)(end - 2 * sizeof *e);
    struct undo_log_entry entry = {
        .begin = (uint64_t)e,
        .at = e[0] & ~(DATA | IN_VAULT | WRITTEN),
        .length = e[1],
        .is_in_vault = e[0] & IN_VAULT,
    };

    if (e[0] & DATA) {
        entry.begin -= (e[1] + 15) & ~15ull;
        entry.data = (const void *)entry.begin;
    } else if (!(e[0] & (IN_VAULT | WRITTEN))) {
        entry.length = sizeof e[1];
        entry.data = &e[1];
    }
    return entry;
}

static void put_back(const struct undo_log_entry *e)
{
    if (e->data && e->is_in_vault)
        undo_raw_call(KERNEL_COPY_TO, service_info()->self, (long)e->at, (long)e->data,
                      (long)e->length, 0);
    else if (e->data)
        memcpy((void *)e->at, e->data, e->length); /* wherever it lies */
    else if (e->is_in_vault)
        clear_vault(e->at, e->length);
}

void undo_log_play(uint64_t begin, uint64_t end)
{
    while (end > begin) {
        struct undo_log_entry e = undo_log_entry_before(end);

        put_back(&e);
        end = e.begin;
    }
}
