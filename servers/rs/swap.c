/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live update of a service that keeps its memory: under the same process, between two of its steps,
 * other text and constants are mapped. tools/update has linked the program so that all that memory
 * may point to is where it was; variables that are new lie in pages of their own. What one program
 * has put elsewhere stays mapped when the next one comes, since memory may point there.
 */
#include <errno.h>
#include <string.h>

#include "lib/elf/elf.h"
#include "lib/undo/undo.h"
#include "servers/rs/rs.h"

#define OWN_AT 0x1c0000000000ull /* RS's first program, mapped a second time */
#define OWN_FILE_MAX (64u << 20)

bool swap_fits(const struct image *image, const struct image *before)
{
    const struct undo_header *is = &image->undo, *was = &before->undo;

    return is->mark == UNDO_MARK && was->layout != 0 &&
           (is->layout == was->layout || is->fits == was->layout) && is->enter == was->enter &&
           is->enter_end == was->enter_end && is->death == was->death;
}

/* With a part that has all these flags? */
static bool overlaps(const struct image *image, const struct mapping *wanted, uint64_t flags)
{
    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++)
        if ((m->flags & flags) == flags && wanted->address < m->address + m->pages * PAGE_SIZE &&
            m->address < wanted->address + wanted->pages * PAGE_SIZE)
            return true;
    return false;
}

/* The last parts first: what is elsewhere may want memory for page tables, the rest has them. */
static long put_in(struct service *s, const struct image *image, const struct image *before)
{
    for (uint32_t n = image->mappings; n > 0; n--) {
        const struct mapping *m = &image->mapping[n - 1];
        long error;

        if (m->flags & MAP_WRITE && overlaps(before, m, MAP_WRITE))
            continue;
        memory_unmap(s->endpoint, m->address, m->pages);
        error = memory_map(s->endpoint, m->address, m->pages, m->flags, ENDPOINT_SELF, m->source);
        if (error < 0)
            return error;
    }
    return 0;
}

/* Another update has left something where this one has its text: memory may point there. */
static bool is_taken(const struct service *s, const struct image *image)
{
    static char there[PAGE_SIZE];
    uint64_t flags;

    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++)
        if (!(m->flags & MAP_WRITE) && !overlaps(s->image, m, 0) &&
            memory_query(s->endpoint, m->address, &flags) >= 0 &&
            (copy_from(s->endpoint, m->address, there, sizeof there) < 0 ||
             memcmp(there, (const void *)m->source, sizeof there) != 0))
            return true;
    return false;
}

/* It is stopped. 0, or an error, and all is as it was. */
static long put_in_or_back(struct service *s, struct image *image)
{
    long error = put_in(s, image, s->image);

    if (error < 0)
        put_in(s, s->image, image);
    return error;
}

/* It goes on as after a death, at the beginning of its loop: the old one's is no more. */
static long take_over(struct service *s, struct image *image)
{
    long error;

    succeed_record(s, DEFECT_UPDATE, 0);
    record_step(s, STEP_POLICY);
    record_step(s, STEP_STOPPED);
    error = put_in_or_back(s, image);
    succeed_look(s);
    return error;
}

/* ---- of RS itself: after this step, from text that stays (lib/undo/root.c) ---- */

extern const char __ehdr_start[]; /* the linker's: of what runs; its headers are mapped */

/* What it was started with: the kernel did that, and no image was made. */
static long describe_first(struct image *image)
{
    static struct elf_program program;
    const char *why;

    if (elf_parse(__ehdr_start, PAGE_SIZE, OWN_FILE_MAX, &program, &why) < 0)
        return -ENOEXEC;
    image->undo = undo_header;
    image->entry = program.entry;
    image->mappings = 0;
    for (uint32_t i = 0; i < program.segments; i++) {
        const struct elf_segment *e = &program.segment[i];
        uint64_t at = e->address & ~(PAGE_SIZE - 1), to = OWN_AT + at;
        uint64_t pages = (e->address + e->memory_size - at + PAGE_SIZE - 1) / PAGE_SIZE;
        uint64_t flags = MAP_READ | (e->execute ? MAP_EXECUTE : 0) | MAP_SHARE;
        long error = 0;

        if (!e->write)
            error = memory_map(ENDPOINT_SELF, to, pages, flags, ENDPOINT_SELF, at);
        if (error < 0)
            return error;
        image->mapping[image->mappings++] =
            (struct mapping){at, pages, e->write ? MAP_READ | MAP_WRITE : flags, to};
    }
    return 0;
}

static bool lies_in(const struct image *image, const struct mapping *wanted)
{
    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++)
        if (wanted->address >= m->address &&
            wanted->address + wanted->pages * PAGE_SIZE <= m->address + m->pages * PAGE_SIZE)
            return true;
    return false;
}

_Static_assert(UNDO_SWAP_CALLS == 2 * IMAGE_MAPPINGS, "lib/undo/undo.h");

static void add_call(struct undo_swap *swap, uint64_t number, const struct mapping *m)
{
    swap->call[swap->calls++] =
        (struct undo_swap_call){KERNEL_CALL_BASE + number,
                                {(uint64_t)(int64_t)ENDPOINT_SELF, m->address, m->pages, m->flags,
                                 (uint64_t)(int64_t)ENDPOINT_SELF, m->source}};
}

/* The calls that put the parts in which `first` had, too. The last argument of unmap is a flag. */
static void list_calls(struct undo_swap *swap, const struct image *image, const struct image *first)
{
    swap->runner = OWN_AT + (uint64_t)undo_swap_calls;
    swap->calls = 0;
    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++)
        if (!(m->flags & MAP_WRITE) && lies_in(first, m)) {
            add_call(swap, KERNEL_UNMAP, &(struct mapping){m->address, m->pages, 0, 0});
            add_call(swap, KERNEL_MAP, m);
        }
}

/* Of new variables: others are given its pages one by one (succeed.c), RS has nobody who would. */
static long give_mirror(uint64_t mirror, const struct mapping *m)
{
    memory_unmap(ENDPOINT_SELF, mirror + m->address, m->pages);
    return memory_map(ENDPOINT_SELF, mirror + m->address, m->pages, MAP_READ | MAP_WRITE, 0, 0);
}

static long swap_self(struct service *s, struct image *image)
{
    static struct undo_swap to, back;
    static struct image *first;

    if (!first)
        first = s->image;
    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++) {
        long error;

        if (lies_in(first, m) || (m->flags & MAP_WRITE && overlaps(s->image, m, MAP_WRITE)))
            continue;
        if (m->flags & MAP_WRITE && ((error = give_mirror(UNDO_MIRROR, m)) < 0 ||
                                     (error = give_mirror(UNDO_SECOND, m)) < 0))
            return error;
        memory_unmap(ENDPOINT_SELF, m->address, m->pages);
        error = memory_map(ENDPOINT_SELF, m->address, m->pages, m->flags, ENDPOINT_SELF, m->source);
        if (error < 0)
            return error;
    }
    list_calls(&to, image, first);
    /* On probation it is listed: whoever lists it again may die of it, and goes back by that. */
    if (!s->update.old)
        list_calls(&back, s->image, first);
    succeed_record(s, DEFECT_UPDATE, 0);
    undo_root_swap(&to, &back);
    return 0;
}

long swap_prepare_self(struct service *s)
{
    return s->image->mappings ? 0 : describe_first(s->image);
}

long swap_try(struct service *s, struct image *image)
{
    struct slot_status status;

    if (s->life.state != RS_UP)
        return -ENXIO;
    if (s->life.wait == WAIT_CALL)
        return -EAGAIN;
    if (is_taken(s, image))
        return -EEXIST;
    if (service_is_self(s))
        return swap_self(s, image);
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0);
    if (slot_status(s->endpoint, &status) == 0 && status.state == SLOT_RECEIVING)
        return take_over(s, image);
    slot_control(s->endpoint, SLOT_CONTROL_START, 0);
    return -EAGAIN;
}

bool swap_back(struct service *s, struct image *image)
{
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0); /* whoever lets it go on starts it */
    return put_in(s, image, s->image) == 0;
}
