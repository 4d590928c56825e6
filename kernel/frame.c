/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table has an entry for each frame of RAM: references and, while free, links of the free
 * list (doubly linked, so that a contiguous run can be taken out of its middle). It lies where
 * boot/memory.c has found room for it.
 */
#include "kernel/frame.h"

#include "kernel/arch.h"
#include "kernel/boot_info.h"
#include "kernel/string.h"

#define FRAME_SHIFT 12
#define FRAME_BYTES (1ull << FRAME_SHIFT)
#define FRAME_BELOW_4G (1u << 20)
#define NOT_RAM 0xffffffffu
#define CLEAN_FRAMES 512
#define SEARCHED_AT_ONCE 4096

struct frame {
    uint32_t references; /* NOT_RAM: a hole, the kernel, the table itself */
    uint32_t next, previous; /* of the free list; 0 ends it (frame 0 is never used) */
};
_Static_assert(sizeof(struct frame) == BOOT_FRAME_ENTRY, "boot/memory.c makes room for the table");

struct boot_info boot_info;
static struct frame *frames;
static uint32_t frame_count, free_head;
/* Free frames that have been cleared while the processor had nothing else to do. */
static uint64_t clean[CLEAN_FRAMES];
static unsigned clean_count;

extern char kernel_physical_start[], kernel_physical_end[]; /* kernel.ld */

static void free_insert(uint32_t f)
{
    frames[f].references = 0;
    frames[f].previous = 0;
    frames[f].next = free_head;
    if (free_head)
        frames[free_head].previous = f;
    free_head = f;
    kernel_page.info.frames_free++;
}

static void free_remove(uint32_t f)
{
    if (frames[f].previous)
        frames[frames[f].previous].next = frames[f].next;
    else
        free_head = frames[f].next;
    if (frames[f].next)
        frames[frames[f].next].previous = frames[f].previous;
    frames[f].references = 1;
    kernel_page.info.frames_free--;
}

static bool overlaps(uint64_t frame, uint64_t start, uint64_t end)
{
    return frame < end && frame + FRAME_BYTES > start;
}

void frame_start(void)
{
    uint64_t table = boot_info.table, table_end = table + boot_info.table_size;

    frame_count = boot_info.frames;
    frames = direct(table);
    for (uint32_t f = 0; f < frame_count; f++)
        frames[f].references = NOT_RAM;
    for (unsigned i = boot_info.ranges; i-- > 0;) {
        uint64_t first = (boot_info.ram[i].start + FRAME_BYTES - 1) >> FRAME_SHIFT;

        for (uint64_t f = boot_info.ram[i].end >> FRAME_SHIFT; f-- > first;) {
            uint64_t at = f << FRAME_SHIFT;

            if (at < BOOT_RAM_START || overlaps(at, table, table_end) ||
                overlaps(at, (uint64_t)kernel_physical_start, (uint64_t)kernel_physical_end))
                continue;
            kernel_page.info.frames_total++;
            if (overlaps(at, boot_info.archive, boot_info.archive + boot_info.archive_size))
                frames[f].references = 1; /* the kernel's, for good: RS maps it */
            else
                free_insert((uint32_t)f);
        }
    }
}

static uint64_t clean_take(void)
{
    if (!clean_count)
        return 0;
    kernel_page.info.frames_free--;
    return clean[--clean_count];
}

uint64_t frame_alloc_raw(void)
{
    uint32_t f = free_head;

    if (!f)
        return clean_take();
    free_remove(f);
    return (uint64_t)f << FRAME_SHIFT;
}

void frame_clear(uint64_t physical)
{
    uint64_t *end = direct(physical + FRAME_BYTES);

    for (uint64_t *p = direct(physical); p < end; p += 16) {
        p[0] = p[1] = p[2] = p[3] = p[4] = p[5] = p[6] = p[7] = 0;
        p[8] = p[9] = p[10] = p[11] = p[12] = p[13] = p[14] = p[15] = 0;
    }
}

bool frame_clear_ahead(void)
{
    uint64_t physical = clean_count < CLEAN_FRAMES && free_head ? frame_alloc_raw() : 0;

    if (!physical)
        return false;
    frame_clear(physical);
    clean[clean_count++] = physical;
    kernel_page.info.frames_free++;
    return true;
}

uint64_t frame_alloc(void)
{
    uint64_t physical = clean_take();

    if (physical)
        return physical;
    physical = frame_alloc_raw();
    if (physical)
        frame_clear(physical);
    return physical;
}

/* From the top, where single frames are taken last. */
bool frame_find_contiguous(uint64_t count, uint64_t *at, uint64_t *run)
{
    uint32_t limit = frame_count < FRAME_BELOW_4G ? frame_count : FRAME_BELOW_4G,
             f = *at ? (uint32_t)(*at >> FRAME_SHIFT) : limit;

    if (!*at)
        *run = 0;
    *at = 0;
    if (!count || f > limit || count >= limit)
        return true;
    for (unsigned n = 0; f > 1 && *run < count; n++) {
        if (n == SEARCHED_AT_ONCE) {
            *at = (uint64_t)f << FRAME_SHIFT | 1;
            return false;
        }
        *run = frames[--f].references == 0 ? *run + 1 : 0;
    }
    if (*run >= count)
        *at = (uint64_t)f << FRAME_SHIFT;
    return true;
}

bool frame_take(uint64_t physical)
{
    uint64_t f = physical >> FRAME_SHIFT;

    if (f >= frame_count || frames[f].references)
        return false;
    free_remove((uint32_t)f);
    return true;
}

void frame_free(uint64_t physical)
{
    uint32_t f = (uint32_t)(physical >> FRAME_SHIFT);

    if (f >= frame_count || frames[f].references == NOT_RAM || !frames[f].references)
        kernel_panic("frame %lx freed, and is not in use", physical);
    if (--frames[f].references == 0)
        free_insert(f);
}

void frame_reference(uint64_t physical)
{
    frames[physical >> FRAME_SHIFT].references++;
}

uint32_t frame_references(uint64_t physical)
{
    uint64_t f = physical >> FRAME_SHIFT;

    return f < frame_count && frames[f].references != NOT_RAM ? frames[f].references : 0;
}
