/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks whose blocks are checked: recognising them by their headers, and reading their notes. All
 * of it is read through chunks, as partition tables are, and begins again where it was when
 * something has come.
 *
 * An entry with two sums is of a block that was being written when the system, or this server,
 * ended. Its contents say which of the two it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/log.h"
#include "servers/disk/operation.h"

/* A block of the disk itself: 0, FS_LATER or -errno. */
static long read_block(struct device *d, uint64_t block, void *out)
{
    uint64_t sector = block * GUARD_SECTORS;
    struct chunk *c;
    long result = chunk_get(d, sector, false, &c);

    if (result == 0)
        integrity_copy(out, c->memory + sector % CHUNK_SECTORS * BLOCK_SECTOR);
    return result;
}

/* Either of the two headers. 1: *h; 0: none. *unread: of so many places nobody knows. */
static long read_header(struct device *d, struct integrity_header *h, unsigned *unread)
{
    static uint8_t block[INTEGRITY_BLOCK];
    uint64_t blocks = device_unit(d)->sectors / GUARD_SECTORS;
    const uint64_t places[] = {0, blocks - 1};

    *unread = 0;
    for (unsigned n = 0; n < 2 && blocks > 4; n++) {
        long result = read_block(d, places[n], block);

        if (result == FS_LATER)
            return result;
        *unread += result < 0;
        memcpy(h, block, sizeof *h);
        if (result == 0 && integrity_header_is_right(h, blocks))
            return 1;
    }
    return 0;
}

static struct guard *guard_with(const struct integrity_header *h)
{
    struct guard *g;

    for (unsigned n = 0; (g = guard_at(n)) != NULL; n++)
        if (memcmp(g->header.uuid, h->uuid, sizeof h->uuid) == 0)
            return g;
    return NULL;
}

static bool is_complete(const struct guard *g)
{
    for (unsigned m = 0; m < g->header.members; m++)
        if (!g->member[m].adapter)
            return false;
    return true;
}

static struct device *device_of_member(const struct guard *g, unsigned m)
{
    return g->member[m].adapter ? device_at(g->member[m].adapter, g->member[m].unit) : NULL;
}

/* ---- notes ---- */

/* The newest of them that is right, of all disks and places. */
static long load_notes(struct guard *g)
{
    static struct integrity_note n;
    uint64_t places = 2 * integrity_notes(&g->header);

    for (; g->load_member < INTEGRITY_MEMBERS; g->load_member++, g->load_next = 0) {
        struct device *d = device_of_member(g, g->load_member);

        for (; d && g->load_next < places; g->load_next++) {
            uint64_t number = g->load_next / 2;
            long result = read_block(d, 1 + g->header.data + g->load_next, &n);

            if (result == FS_LATER)
                return result;
            if (result == 0 && integrity_note_is_right(&g->header, number, &n) &&
                n.generation > g->note[number].generation)
                g->note[number] = n;
        }
    }
    return 0;
}

/* No block of it can be told to be right until it is written again. */
static void note_lost(struct guard *g, uint64_t number)
{
    for (unsigned n = 0; n < NOTE_ENTRIES; n++)
        g->note[number].entry[n] = (struct integrity_entry){~0u, ~0u};
}

/* ---- blocks that were being written ---- */

/* Do the contents on some disk have that sum? 1, 0, FS_LATER. */
static long has_sum(struct guard *g, uint64_t block, uint32_t sum)
{
    static uint8_t data[INTEGRITY_BLOCK];

    for (unsigned m = 0; m < INTEGRITY_MEMBERS; m++) {
        struct device *d = device_of_member(g, m);
        long result = d ? read_block(d, integrity_data_at(block), data) : -ENXIO;

        if (result == FS_LATER)
            return result;
        if (result == 0 && integrity_sum(&g->header, block, data) == sum)
            return 1;
    }
    return 0;
}

static long resolve(struct guard *g)
{
    for (; g->load_next < g->header.data; g->load_next++) {
        uint64_t number = g->load_next / NOTE_ENTRIES;
        struct integrity_entry *e = &g->note[number].entry[g->load_next % NOTE_ENTRIES];
        long is_new, is_old = 0;

        if (g->load_next % NOTE_ENTRIES == 0 && g->note[number].generation == 0)
            note_lost(g, number);
        if (e->now == e->before)
            continue;
        is_new = has_sum(g, g->load_next, e->now);
        if (is_new == 0 && e->before)
            is_old = has_sum(g, g->load_next, e->before);
        if (is_new == FS_LATER || is_old == FS_LATER)
            return FS_LATER;
        if (is_old || (is_new == 0 && e->before == 0))
            e->now = e->before; /* (never written before: and not now either) */
        else
            e->before = e->now;
        g->flags[g->load_next] = GUARD_UNFLUSHED; /* it may be in the disk's own cache alone */
        g->state[number].is_dirty = true;
    }
    return 0;
}

/* ---- ---- */

static void activate(struct guard *g)
{
    struct device *shown = NULL;

    for (unsigned m = 0; m < INTEGRITY_MEMBERS; m++) {
        struct device *d = device_of_member(g, m);

        if (!d)
            continue;
        chunks_forget(d->adapter, d->unit);
        if (shown) {
            d->is_mirror = d->is_known = true;
            log_info("%s: mirror of %s", d->name, shown->name);
        } else {
            shown = d;
        }
    }
    g->is_active = true;
    if (!is_complete(g))
        log_always("%s: its mirror is not there", shown->name);
}

static long load(struct guard *g)
{
    long result = g->load_member < INTEGRITY_MEMBERS ? load_notes(g) : 0;

    if (result == 0 && g->load_member == INTEGRITY_MEMBERS) {
        g->load_member++;
        g->load_next = 0;
    }
    if (result == 0)
        result = resolve(g);
    if (result == 0)
        activate(g);
    return result;
}

/* Another of the pair may still come. */
static bool waits_for_others(const struct guard *g, const struct device *d)
{
    struct guard *other;

    if (is_complete(g) || !devices_are_pending(d))
        return false;
    /* of those that wait the first one goes on, when all others do so too */
    for (unsigned n = 0; (other = guard_at(n)) != NULL && other != g; n++)
        if (!other->is_active)
            return true;
    return devices_are_pending(d);
}

/* ---- who is a member ---- */

static bool is_in(const struct guard *g, unsigned m, const struct device *d)
{
    return g->member[m].adapter == d->adapter && g->member[m].unit == d->unit;
}

bool guard_has(const struct device *d)
{
    const struct guard *g;

    for (unsigned n = 0; (g = guard_at(n)) != NULL; n++)
        for (unsigned m = 0; m < INTEGRITY_MEMBERS; m++)
            if (is_in(g, m, d))
                return true;
    return false;
}

static void choose(const struct device *d, bool is_chosen)
{
    ((volatile struct block_queue *)d->adapter->client.queue)->is_chosen[d->unit] = is_chosen;
}

/* Not shown at all, rather than unchecked. */
static long leave_out(struct device *d)
{
    d->is_mirror = true;
    return 0;
}

/* A copy, block by block, of a disk that is there claims to be it. Two disks in one place would be
 * written in turn, and sums tell the old contents of the one from the new ones of the other only
 * for as long as they are in memory. So the first one that is found keeps the place; and a fresh
 * disk server takes whom its predecessor had. */
static bool is_copy(const struct guard *g, const struct integrity_header *h, const struct device *d)
{
    const struct device *other = NULL;

    if (g->header.members != h->members || g->header.blocks != h->blocks ||
        g->header.data != h->data) {
        log_always("%s: its identity is that of another checked disk, its size is not: not used",
                   d->name);
        return true;
    }
    if (!is_in(g, h->member, d) && guard_member_is_there(g, h->member))
        other = device_of_member(g, h->member);
    if (other)
        log_always("%s: a copy of %s, the same checked disk: not used", d->name, other->name);
    return other != NULL;
}

static void take_place(struct guard *g, const struct integrity_header *h, struct device *d)
{
    struct device *before = device_of_member(g, h->member);

    if (before && before != d)
        before->is_known = false; /* its driver is gone: should it come back, it is the copy */
    g->member[h->member].adapter = d->adapter;
    g->member[h->member].unit = d->unit;
    choose(d, true);
}

/* It has no header that can be read. A checked disk is not shown unchecked: so one of which that
 * cannot be told is not shown, either. A plain disk with one bad place is: a checked one has two
 * headers, and this one has none at the other place. (But a predecessor may have seen them.) */
static long look_without_header(struct device *d, unsigned unread)
{
    bool was_checked = d->adapter->client.queue->is_chosen[d->unit];

    if (unread == 2 || (unread && was_checked)) {
        log_always("%s: it cannot be read %s: not used", d->name,
                   was_checked ? "how it is checked" : "whether it is checked");
        d->is_ill = true;
        return leave_out(d);
    }
    if (unread)
        log_always("%s: one of the two places cannot be read that say whether it is checked: shown "
                   "unchecked",
                   d->name);
    choose(d, false);
    return 0;
}

/* Until this is known the disk is shown to nobody, who would read and write past the checksums;
 * what is known to be checked and cannot be is not shown at all. It is loaded when both of a pair
 * are there, or the other cannot come any more: it may have the newest notes. */
long guard_look(struct device *d)
{
    struct integrity_header h;
    struct guard *g = guard_of(d->adapter, d->unit);
    const struct device *other;
    unsigned unread;
    long result;

    if (g) {
        choose(d, true);
        return 0;
    }
    result = read_header(d, &h, &unread);
    if (unit_is_gone(d->adapter, d->unit)) /* what it is will be known when it is back */
        result = FS_LATER;
    if (result == FS_LATER)
        return result;
    if (result == 0)
        return look_without_header(d, unread);
    g = guard_with(&h);
    if (g && is_copy(g, &h, d))
        return leave_out(d);
    if (!d->adapter->client.queue->is_chosen[d->unit] && devices_chosen_are_pending())
        return FS_LATER;
    result = bounce_lend(d->adapter);
    if (result == FS_LATER)
        return result;
    if (result) {
        log_info("%s: too small a queue of its driver for a disk that is checked", d->name);
        return leave_out(d);
    }
    if (!g)
        g = guard_new(&h);
    if (!g) {
        log_info("%s: no memory for its checksums", d->name);
        return leave_out(d);
    }
    take_place(g, &h, d);
    if (!g->is_active) {
        if (waits_for_others(g, d))
            return FS_LATER;
        return load(g);
    }
    /* it comes back, or late: what it has missed is mended as it is read */
    chunks_forget(d->adapter, d->unit); /* they were read past the checksums, for its header */
    other = h.members > 1 ? device_of_member(g, h.member ^ 1) : NULL;
    d->is_mirror = other && !other->is_mirror; /* one of the two is shown */
    if (d->is_mirror)
        log_info("%s: mirror of %s", d->name, other->name);
    return 0;
}

void guard_forget(struct device *d)
{
    struct guard *g;

    for (unsigned n = 0; (g = guard_at(n)) != NULL; n++)
        for (unsigned m = 0; m < INTEGRITY_MEMBERS; m++)
            if (is_in(g, m, d))
                g->member[m].adapter = NULL;
    choose(d, false);
    d->is_mirror = false;
}
