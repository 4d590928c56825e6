/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Root, context and second-level tables (Intel VT-d 3.3, sections 3.4, 3.7, 9.1, 9.3, 9.8). A page
 * is filled before the entry that leads to it is written, with one store: at each moment the unit
 * sees whole tables.
 */
#include "servers/pci/iommu.h"

#include <string.h>

enum {
    PAGE = 4096,
    PRESENT = 1, /* of root and context entries */
    READ_WRITE = 3, /* of second-level ones */
    INDEX_BITS = 9,
    CONTEXT_WORDS = 2, /* words of a root or context entry */
};

static uint64_t address_of(const struct tables *t, uint32_t page)
{
    return t->physical + (uint64_t)page * PAGE;
}

/* The page that an entry leads to; 0 (the root): none of ours. */
static uint32_t page_of(const struct tables *t, uint64_t entry)
{
    uint64_t offset = (entry & ~(uint64_t)(PAGE - 1)) - t->physical;

    return (entry & READ_WRITE) && offset / PAGE < t->pages ? (uint32_t)(offset / PAGE) : 0;
}

static void set_entry(const struct tables *t, uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    t->written(entry, sizeof *entry);
}

/* ---- what is in use ---- */

static bool used[TABLES_PAGES_MAX];

static void mark_domain(const struct tables *t, uint32_t page, unsigned levels)
{
    used[page] = true;
    for (unsigned i = 0; levels > 1 && i < TABLE_ENTRIES; i++) {
        uint32_t next = page_of(t, t->page[page][i]);

        if (next && !used[next])
            mark_domain(t, next, levels - 1);
    }
}

static void mark_all(const struct tables *t)
{
    memset(used, 0, sizeof used);
    used[0] = true;
    for (unsigned bus = 0; bus < TABLE_ENTRIES / CONTEXT_WORDS; bus++) {
        uint32_t contexts = page_of(t, t->page[0][bus * CONTEXT_WORDS]);

        if (!contexts)
            continue;
        used[contexts] = true;
        for (unsigned i = 0; i < TABLE_ENTRIES / CONTEXT_WORDS; i++) {
            uint32_t domain = page_of(t, t->page[contexts][i * CONTEXT_WORDS]);

            if (domain)
                mark_domain(t, domain, t->levels);
        }
    }
}

/* An empty page; 0: there is none. After mark_all(). */
static uint32_t take_page(const struct tables *t)
{
    for (uint32_t i = 1; i < t->pages && i < TABLES_PAGES_MAX; i++)
        if (!used[i]) {
            used[i] = true;
            memset(t->page[i], 0, PAGE);
            t->written(t->page[i], PAGE);
            return i;
        }
    return 0;
}

/* ---- the way to an entry ---- */

/* The page that the entry leads to, a new one if there is none; 0: no room. */
static uint32_t follow(const struct tables *t, uint64_t *entry, uint64_t flags)
{
    uint32_t next = page_of(t, *entry);

    if (next)
        return next;
    next = take_page(t);
    if (next)
        set_entry(t, entry, address_of(t, next) | flags);
    return next;
}

/* NULL: no room, or `make` is not set and there is none. */
static uint64_t *context_of(const struct tables *t, uint16_t place, bool make)
{
    uint64_t *root = &t->page[0][(place >> 8) * CONTEXT_WORDS];
    uint32_t contexts = make ? follow(t, root, PRESENT) : page_of(t, *root);

    return contexts ? &t->page[contexts][(place & 0xff) * CONTEXT_WORDS] : NULL;
}

/* The domain's top table; its page is the domain's number, too. The unit looks at an entry only
 * when it is present: so its number and width go first. 0: no room. */
static uint32_t domain_of(const struct tables *t, uint16_t place)
{
    uint64_t *context = context_of(t, place, true);
    uint32_t table;

    if (!context || page_of(t, context[0]))
        return context ? page_of(t, context[0]) : 0;
    table = take_page(t);
    if (!table)
        return 0;
    set_entry(t, &context[1], (uint64_t)table << 8 | (t->levels - 2));
    set_entry(t, &context[0], address_of(t, table) | PRESENT);
    return table;
}

static unsigned shift_at(unsigned level) /* 1: that of pages */
{
    return 12 + (level - 1) * INDEX_BITS;
}

static uint64_t *entry_at(const struct tables *t, uint32_t table, uint64_t physical, unsigned level)
{
    return &t->page[table][physical >> shift_at(level) & (TABLE_ENTRIES - 1)];
}

static bool add_page(const struct tables *t, uint32_t table, uint64_t physical)
{
    uint64_t *entry;

    for (unsigned level = t->levels; level > 1; level--) {
        table = follow(t, entry_at(t, table, physical, level), READ_WRITE);
        if (!table)
            return false;
    }
    entry = entry_at(t, table, physical, 1);
    if (*entry != (physical | READ_WRITE))
        set_entry(t, entry, physical | READ_WRITE);
    return true;
}

/* ---- for iommu.c ---- */

bool domain_add(const struct tables *t, uint16_t place, uint64_t physical, uint64_t size)
{
    uint64_t end = physical + size;
    uint32_t table;

    if (physical % PAGE || size % PAGE || end < physical || end >> shift_at(t->levels + 1))
        return false;
    mark_all(t);
    table = domain_of(t, place);
    if (!table)
        return false;
    for (; physical < end; physical += PAGE)
        if (!add_page(t, table, physical))
            return false;
    return true;
}

void domain_end(const struct tables *t, uint16_t place)
{
    uint64_t *context = context_of(t, place, false);

    if (context)
        set_entry(t, &context[0], 0);
}

bool domain_reaches(const struct tables *t, uint16_t place, uint64_t physical)
{
    uint64_t *context = context_of(t, place, false);
    uint32_t table = context ? page_of(t, context[0]) : 0;

    if (physical >> shift_at(t->levels + 1))
        return false;
    for (unsigned level = t->levels; table && level > 1; level--)
        table = page_of(t, *entry_at(t, table, physical, level));
    return table &&
           *entry_at(t, table, physical, 1) == ((physical & ~(uint64_t)(PAGE - 1)) | READ_WRITE);
}
