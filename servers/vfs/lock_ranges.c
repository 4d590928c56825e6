/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/lock_ranges.h"

#include <stdlib.h>

#include "lib/undo/list.h"

const struct lock_range *ranges_conflict(const struct lock_ranges *l, const void *owner,
                                         enum lock_kind kind, uint64_t start, uint64_t end)
{
    const struct lock_range *lowest = NULL, *r;

    list_for(r, l->first, next) if (r->owner != owner && r->start <= end && r->end >= start &&
                                    (kind == LOCK_KIND_WRITE || r->kind == LOCK_KIND_WRITE) &&
                                    (!lowest || r->start < lowest->start)) lowest = r;
    return lowest;
}

static void remove_at(struct lock_range **link)
{
    struct lock_range *r = *link;

    *link = list_at(r->next);
    share_give(r->share, SHARE_LOCKS, 1);
    free(r);
}

static void insert(struct lock_ranges *l, struct lock_range *r, struct lock_range value)
{
    *r = value;
    list_put(l->first, r, next);
}

/* What is left of r, which overlaps [start, end]: at most two pieces, the second one in *spare. */
static void cut(struct lock_ranges *l, struct lock_range **link, struct share *share,
                uint64_t start, uint64_t end, struct lock_range **spare)
{
    struct lock_range *r = *link, upper = *r;

    if (r->start >= start && r->end <= end) {
        remove_at(link);
    } else if (r->start >= start) {
        r->start = end + 1;
    } else {
        r->end = start - 1;
        if (upper.end > end) {
            upper.start = end + 1;
            upper.share = share;
            insert(l, *spare, upper);
            *spare = NULL;
        }
    }
}

/* One that touches goes into the new one; what is of another kind gives way. */
static void make_way(struct lock_ranges *l, struct lock_range *new, struct lock_range **spare)
{
    uint64_t start = new->start, end = new->end;

    for (struct lock_range **link = &l->first, *r; (r = list_at(*link));) {
        bool overlaps = r->start <= end && r->end >= start,
             touches = r->end + 1 >= start && r->start <= end + 1;

        if (r->owner == new->owner && r->kind == new->kind &&touches) {
            new->start = r->start < new->start ? r->start : new->start;
            new->end = r->end > new->end ? r->end : new->end;
            remove_at(link);
        } else if (r->owner == new->owner && r->kind != new->kind &&overlaps) {
            cut(l, link, new->share, start, end, spare);
            if (*link == r)
                link = &r->next;
        } else {
            link = &r->next;
        }
    }
}

static bool has_around(const struct lock_ranges *l, const void *owner, uint64_t start, uint64_t end)
{
    const struct lock_range *r;

    list_for(r, l->first,
             next) if (r->owner == owner && r->start < start && r->end > end) return true;
    return false;
}

/* Memory for the worst case is taken before anything changes: the new range may cut one in two.
 * What is not needed goes back to the share, so that a failure is one of nothing. */
bool ranges_set(struct lock_ranges *l, struct share *share, const void *owner, int pid,
                enum lock_kind kind, uint64_t start, uint64_t end)
{
    struct lock_range new = {
        .owner = owner, .share = share, .pid = pid, .kind = kind, .start = start, .end = end};
    bool split = has_around(l, owner, start, end);
    unsigned more = split + (kind != LOCK_KIND_NONE);
    struct lock_range *spare, *place;
    bool enough;

    if (more && !share_take(share, SHARE_LOCKS, more))
        return false;
    spare = split ? malloc(sizeof *spare) : NULL;
    place = kind ? malloc(sizeof *place) : NULL;
    enough = (!split || spare) && (!kind || place);
    if (enough)
        make_way(l, &new, &spare);
    if (enough && kind) {
        insert(l, place, new);
        place = NULL;
    }
    if (spare)
        share_give(share, SHARE_LOCKS, 1);
    if (place)
        share_give(share, SHARE_LOCKS, 1);
    if (!enough)
        share_give(share, SHARE_LOCKS, more - (spare != NULL) - (place != NULL));
    free(spare);
    free(place);
    return enough;
}

bool ranges_drop(struct lock_ranges *l, const void *owner)
{
    bool had = false;

    for (struct lock_range **link = &l->first; list_at(*link);)
        if ((*link)->owner == owner) {
            remove_at(link);
            had = true;
        } else {
            link = &(*link)->next;
        }
    return had;
}

bool ranges_differ(const struct lock_ranges *l, const void *owner, enum lock_kind kind)
{
    const struct lock_range *r;

    list_for(r, l->first, next) if (r->owner == owner && r->kind != kind) return true;
    return false;
}
