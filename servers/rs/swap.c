/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live update of a service that keeps its memory: under the same process, between two of its steps,
 * other text and constants are mapped. tools/update has linked the program so that all that memory
 * may point to is where it was; variables that are new lie in pages of their own. What one program
 * has put elsewhere stays mapped when the next one comes, since memory may point there.
 */
#include <errno.h>

#include "servers/rs/rs.h"

bool swap_fits(const struct image *image, const struct image *before)
{
    const struct undo_header *new = &image->undo, *old = &before->undo;

    return new->mark == UNDO_MARK && old->layout != 0 &&
           (new->layout == old->layout || new->fits == old->layout) &&
           new->enter == old->enter &&new->enter_end == old->enter_end &&new->death == old->death;
}

static bool covers(const struct image *image, const struct mapping *wanted)
{
    for (const struct mapping *m = image->mapping; m < image->mapping + image->mappings; m++)
        if (m->flags & MAP_WRITE && wanted->address < m->address + m->pages * PAGE_SIZE &&
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

        if (m->flags & MAP_WRITE && covers(before, m))
            continue;
        memory_unmap(s->endpoint, m->address, m->pages);
        error = memory_map(s->endpoint, m->address, m->pages, m->flags, ENDPOINT_SELF, m->source);
        if (error < 0)
            return error;
    }
    return 0;
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

long swap_try(struct service *s, struct image *image)
{
    struct slot_status status;

    if (s->life.state != RS_UP || s->life.wait == WAIT_CALL)
        return -EAGAIN;
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
