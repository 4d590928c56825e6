/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four-level page tables (Intel SDM vol. 3, 4.5). The upper half is the same in all: entry 256 the
 * direct map, entry 511 the kernel image, both made here once. Bits 9..11 and 52 are free for
 * software: COW, PHYSICAL, UNCACHED, and "kept" for a page that is there but may not be accessed
 * (PROT_NONE).
 */
#include "abi/kernel.h"
#include "kernel/boot_info.h"
#include "kernel/frame.h"
#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

#define P_PRESENT 1ull
#define P_WRITE 2ull
#define P_USER 4ull
#define P_WRITE_THROUGH 8ull
#define P_CACHE_DISABLE 0x10ull
#define P_LARGE 0x80ull
#define P_GLOBAL 0x100ull
#define P_COW (1ull << 9)
#define P_PHYSICAL (1ull << 10)
#define P_UNCACHED (1ull << 11)
#define P_KEPT (1ull << 52)
#define P_NX (1ull << 63)
#define P_ADDRESS 0x000ffffffffff000ull
#define KERNEL_BASE 0xffffffff80000000ull
#define USER_ENTRIES 256

extern uint64_t boot_root[512], boot_low[512], boot_directory[4 * 512], boot_direct[512];
extern char kernel_text_start[], kernel_text_end[], kernel_rodata_end[], kernel_physical_end[],
    kernel_stack_guard[];

/* The image's own tables: 8 MB of 4-kB pages from KERNEL_BASE; each section has its rights. */
#define IMAGE_TABLES 4
static uint64_t image_table[IMAGE_TABLES][512] __attribute__((aligned(4096)));
static uint64_t image_directory[512] __attribute__((aligned(4096)));
static uint64_t image_level3[512] __attribute__((aligned(4096)));

static uint64_t image_entry(uint64_t at)
{
    if (at < (uint64_t)kernel_text_start || at == (uint64_t)kernel_stack_guard ||
        at >= KERNEL_BASE + (uint64_t)kernel_physical_end)
        return 0;
    if (at < (uint64_t)kernel_text_end)
        return P_PRESENT | P_GLOBAL;
    return P_PRESENT | P_GLOBAL | P_NX | (at < (uint64_t)kernel_rodata_end ? 0 : P_WRITE);
}

static void load_own_tables(void)
{
    cpu_self()->root = (uint64_t)boot_root;
    __asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)boot_root) : "memory");
}

void arch_start(void)
{
    cpu_start();
    if ((uint64_t)kernel_physical_end > IMAGE_TABLES * 0x200000ull)
        kernel_panic("the kernel image does not fit its tables");
    for (unsigned i = 0; i < IMAGE_TABLES * 512; i++) {
        uint64_t at = KERNEL_BASE + i * PAGE_SIZE, flags = image_entry(at);

        image_table[i / 512][i % 512] = flags ? arch_physical((void *)at) | flags : 0;
    }
    for (unsigned i = 0; i < IMAGE_TABLES; i++)
        image_directory[i] = arch_physical(image_table[i]) | P_PRESENT | P_WRITE;
    image_level3[510] = arch_physical(image_directory) | P_PRESENT | P_WRITE;
    /* Device registers below 4 GB are not to be cached: the last of the four low gigabytes. */
    boot_direct[3] |= P_CACHE_DISABLE | P_WRITE_THROUGH;
    for (unsigned i = 3 * 512; i < 4 * 512; i++)
        boot_directory[i] |= P_CACHE_DISABLE | P_WRITE_THROUGH;
    boot_root[511] = arch_physical(image_level3) | P_PRESENT | P_WRITE;
    boot_root[0] = 0; /* the identity map of the start */
    load_own_tables();
}

void paging_map_rest(void)
{
    uint64_t top = 0, *level3 = direct((uint64_t)boot_direct);

    for (unsigned i = 0; i < boot_info.ranges; i++)
        top = boot_info.ram[i].end > top ? boot_info.ram[i].end : top;
    for (uint64_t n = 4; n < 512 && n << 30 < top && !level3[n]; n++) {
        uint64_t table = frame_alloc();

        if (!table)
            kernel_panic("too little memory below 4 GB to map the rest");
        for (uint64_t i = 0; i < 512; i++)
            ((uint64_t *)direct(table))[i] = n << 30 | i << 21 | P_LARGE | P_PRESENT | P_WRITE;
        level3[n] = table | P_PRESENT | P_WRITE | P_NX;
    }
}

uint64_t arch_space_create(void)
{
    uint64_t root = frame_alloc();

    if (root)
        memcpy((uint64_t *)direct(root) + USER_ENTRIES,
               (uint64_t *)direct((uint64_t)boot_root) + USER_ENTRIES, (512 - USER_ENTRIES) * 8);
    return root;
}

static bool all_empty(const uint64_t *e)
{
    return !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]);
}

static bool table_empty(const uint64_t *t)
{
    for (const uint64_t *e = t; e < t + 512; e += 8)
        if (!all_empty(e))
            return false;
    return true;
}

/* r->at moves on to the next entry, of those 1 << shift bytes apart. */
static void advance(struct arch_range *r, unsigned shift, uint64_t entries)
{
    r->at = (r->at | ((entries << shift) - 1)) + 1;
    r->work -= 3;
}

/* The part of r that this table is for. Most of a table is empty, and is passed over by eights. */
static uint64_t table_clear(uint64_t *t, unsigned shift, struct arch_range *r)
{
    uint64_t pages = 0;

    do {
        uint64_t *e = &t[r->at >> shift & 511], entry = *e;

        if (!((uint64_t)e & 63) && all_empty(e))
            advance(r, shift, 8);
        else if (entry && shift > 12) {
            pages += table_clear(direct(entry & P_ADDRESS), shift - 9, r);
            r->work -= 64;
            if (table_empty(direct(entry & P_ADDRESS))) {
                frame_free(entry & P_ADDRESS);
                *e = 0;
            }
        } else {
            if (entry) {
                if (!(entry & P_PHYSICAL))
                    frame_free(arch_entry_frame(entry));
                *e = 0;
                pages++;
                r->work -= ARCH_WORK_PAGE;
            }
            advance(r, shift, 1);
        }
    } while (r->work > 0 && r->at < r->end && (r->at >> shift & 511));
    return pages;
}

uint64_t arch_unmap(uint64_t root, struct arch_range *r)
{
    uint64_t pages = table_clear(direct(root), 39, r);

    r->at = r->at < r->end ? r->at : r->end;
    return pages;
}

void arch_space_destroy(uint64_t root)
{
    if (cpu_self()->root == root)
        load_own_tables();
    frame_free(root);
}

uint64_t *arch_entry(uint64_t root, uint64_t address, bool create)
{
    uint64_t *t = direct(root);

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = &t[address >> shift & 511];

        if (!*e) {
            uint64_t frame = create ? frame_alloc() : 0;

            if (!frame)
                return NULL;
            *e = frame | P_PRESENT | P_WRITE | P_USER;
        }
        t = direct(*e & P_ADDRESS);
    }
    return &t[address >> 12 & 511];
}

uint64_t *arch_entry_next(uint64_t root, struct arch_range *r)
{
    while (r->work > 0 && r->at < r->end) {
        uint64_t *t = direct(root), *e;
        unsigned shift = 39;

        while (*(e = &t[r->at >> shift & 511]) && shift > 12) {
            t = direct(*e & P_ADDRESS);
            shift -= 9;
        }
        r->work--;
        if (*e)
            return e;
        do /* on to the next one of this table that is not empty */
            advance(r, shift, !((uint64_t)e & 63) && all_empty(e) ? 8 : 1);
        while (r->work > 0 && (r->at >> shift & 511) && !*(e = &t[r->at >> shift & 511]));
    }
    r->at = r->at < r->end ? r->at : r->end;
    return NULL;
}

uint64_t arch_entry_make(uint64_t physical, uint64_t flags)
{
    return (physical & P_ADDRESS) | P_KEPT |
           (flags & (MAP_READ | MAP_WRITE | MAP_EXECUTE) ? P_PRESENT : 0) |
           (flags & MAP_VAULT ? 0 : P_USER) | (flags & MAP_WRITE ? P_WRITE : 0) |
           (flags & MAP_EXECUTE ? 0 : P_NX) | (flags & MAP_COW ? P_COW : 0) |
           (flags & MAP_PHYSICAL ? P_PHYSICAL : 0) |
           (flags & MAP_UNCACHED ? P_UNCACHED | P_CACHE_DISABLE | P_WRITE_THROUGH : 0);
}

uint64_t arch_entry_frame(uint64_t entry)
{
    return entry & P_ADDRESS & ~P_KEPT;
}

uint64_t arch_entry_flags(uint64_t entry)
{
    return (entry & P_PRESENT ? MAP_READ : 0) | (entry & P_WRITE ? MAP_WRITE : 0) |
           (entry & P_PRESENT && !(entry & P_NX) ? MAP_EXECUTE : 0) |
           (entry & P_COW ? MAP_COW : 0) | (entry & P_PHYSICAL ? MAP_PHYSICAL : 0) |
           (entry & P_UNCACHED ? MAP_UNCACHED : 0) | (entry & P_USER ? 0 : MAP_VAULT);
}

void arch_flush_page(uint64_t root, uint64_t address)
{
    if (cpu_self()->root == root)
        __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

void arch_flush_space(uint64_t root)
{
    if (cpu_self()->root == root)
        __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}
