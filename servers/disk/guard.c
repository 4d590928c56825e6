/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on checked disks (guard.h). */
#include "servers/disk/operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

static struct guard *guards[GUARDS_MAX];
static unsigned count;

struct guard *guard_new(const struct integrity_header *h)
{
    struct guard *g = count < GUARDS_MAX ? calloc(1, sizeof *g) : NULL;
    uint64_t notes = integrity_notes(h);

    if (!g)
        return NULL;
    g->header = *h;
    g->note = calloc(notes, sizeof *g->note);
    g->state = calloc(notes, sizeof *g->state);
    g->flags = calloc(h->data, 1);
    g->end = &g->first;
    if (g->note && g->state && g->flags)
        return guards[count++] = g;
    free(g->note);
    free(g->state);
    free(g->flags);
    free(g);
    return NULL;
}

struct guard *guard_at(unsigned index)
{
    return index < count ? guards[index] : NULL;
}

static bool is_member(const struct guard *g, const struct adapter *a, unsigned unit)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        if (g->member[m].adapter == a && g->member[m].unit == unit)
            return true;
    return false;
}

struct guard *guard_of(const struct adapter *a, unsigned unit)
{
    for (unsigned n = 0; n < count; n++)
        if (guards[n]->is_active && is_member(guards[n], a, unit))
            return guards[n];
    return NULL;
}

/* ---- blocks ---- */

struct integrity_entry *guard_entry(const struct guard *g, uint64_t block)
{
    return &g->note[block / NOTE_ENTRIES].entry[block % NOTE_ENTRIES];
}

bool guard_block_is_right(const struct guard *g, uint64_t block, const void *data)
{
    const struct integrity_entry *e = guard_entry(g, block);
    uint32_t sum = integrity_sum(&g->header, block, data);

    return sum == e->now || ((g->flags[block] & GUARD_EITHER) && sum == e->before);
}

/* ---- requests to the drivers ---- */

bool guard_member_is_there(const struct guard *g, unsigned m)
{
    const struct adapter *a = g->member[m].adapter;

    return a && !a->is_gone && (a->unit[g->member[m].unit].flags & BLOCK_UNIT_PRESENT);
}

static void ended(struct job *job, int error)
{
    struct guard_op *op = job->op;

    op->pending--;
    if (error) {
        op->error = error;
        op->failed |= 1u << job->member;
    } else {
        op->good |= 1u << job->member;
    }
}

bool guard_send(struct guard_op *op, unsigned m, uint32_t operation, uint32_t first, uint32_t n)
{
    struct guard_member *member = &op->guard->member[m];
    struct block_request *r;
    struct job *job = adapter_begin(member->adapter, &r);

    if (!job)
        return false;
    r->operation = operation;
    r->unit = member->unit;
    if (n)
        r->sector = integrity_data_at(op->block + op->done + first) * GUARD_SECTORS;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = op->physical + op->place[op->done + first + i];

        if (op->bounce[m])
            at = block_address(&member->adapter->client, op->bounce[m] + i * INTEGRITY_BLOCK);
        block_add(r, at, INTEGRITY_BLOCK);
    }
    *job = (struct job){.done = ended, .op = op, .member = m};
    op->pending++;
    adapter_post_raw(member->adapter, job);
    return true;
}

void guard_enter(struct guard_op *op, enum phase phase)
{
    op->phase = phase;
    op->posted = op->good = op->failed = 0;
    op->error = 0;
    op->next_note = 0;
}

/* ---- other operations ---- */

static bool overlaps(const struct guard_op *a, const struct guard_op *b)
{
    return a->block < b->block + b->count && b->block < a->block + a->count;
}

bool guard_is_written(const struct guard_op *op)
{
    for (const struct guard_op *o = op->guard->first; o; o = o->next)
        if (o->operation == BLOCK_WRITE && overlaps(o, op))
            return true;
    return false;
}

bool guard_is_repaired(const struct guard_op *op)
{
    for (const struct guard_op *o = op->guard->first; o; o = o->next)
        if (o->phase == PHASE_REPAIR && overlaps(o, op))
            return true;
    return false;
}

/* ---- ---- */

static bool step(struct guard_op *op)
{
    static bool (*const steps[])(struct guard_op *) = {
        [PHASE_BEGIN] = guard_step_begin,   [PHASE_FLUSH] = guard_step_flush,
        [PHASE_NOTES] = guard_step_notes,   [PHASE_DATA] = guard_step_data,
        [PHASE_SETTLE] = guard_step_settle, [PHASE_READ] = guard_step_read,
        [PHASE_MIRROR] = guard_step_mirror, [PHASE_REPAIR] = guard_step_repair,
    };

    return steps[op->phase](op);
}

/* Where its blocks are. False: they are not whole there. */
static bool locate(struct guard_op *op, struct adapter *a, const struct block_request *r)
{
    const struct service_queue *other = op->job.memory;
    uint32_t n = 0;

    op->home = other ? NULL : a;
    op->memory = other ? (uint8_t *)(uintptr_t)other->address : (uint8_t *)a->client.queue;
    op->physical = other ? other->physical : a->client.physical;
    for (uint32_t i = 0; i < r->segments; i++)
        for (uint32_t at = 0; at < r->segment[i].length; at += INTEGRITY_BLOCK) {
            if (n == op->count || r->segment[i].length % INTEGRITY_BLOCK)
                return false;
            op->place[n++] = (uint32_t)(r->segment[i].address - op->physical) + at;
        }
    return n == op->count;
}

struct job *guard_post(struct guard *g, struct adapter *a, const struct job *job,
                       const struct block_request *r)
{
    struct guard_op *op = calloc(1, sizeof *op);

    if (!op)
        panic("no memory for one more request");
    op->job = *job;
    op->guard = g;
    op->operation = r->operation;
    op->block = r->sector / GUARD_SECTORS;
    op->count = r->sectors / GUARD_SECTORS;
    op->phase = r->operation == BLOCK_READ ? PHASE_READ : PHASE_BEGIN;
    if (r->operation != BLOCK_FLUSH &&
        (op->count == 0 || op->count > BLOCKS_MAX || op->block > g->header.data ||
         op->count > g->header.data - op->block || !locate(op, a, r))) {
        op->error = EINVAL;
        op->phase = PHASE_DONE;
    }
    *g->end = op;
    g->end = &op->next;
    return &op->job;
}

static void end(struct guard *g, struct guard_op **link)
{
    struct guard_op *op = *link;

    *link = op->next;
    if (!op->next)
        g->end = link;
    bounce_give_back(op);
    op->job.done(&op->job, op->error);
    free(op);
}

/* May it take its next step? Writes before it have not all begun (`held`), or ended (`open`). */
static bool may_step(const struct guard_op *op, bool held, bool open)
{
    if (op->phase == PHASE_BEGIN)
        return !held;
    if (op->phase == PHASE_FLUSH && op->guard->flushing != op)
        return !held && !(open && op->operation == BLOCK_FLUSH);
    return op->phase != PHASE_DONE;
}

static bool is_holding(const struct guard_op *op)
{
    return op->phase == PHASE_BEGIN || op->phase == PHASE_FLUSH || op->phase == PHASE_SETTLE;
}

static bool serve(struct guard *g)
{
    struct guard_op **link = &g->first;
    bool moved = false, held = false, open = false;

    while (*link) {
        struct guard_op *op = *link;

        while (may_step(op, held, open) && step(op))
            moved = true;
        if (op->phase == PHASE_DONE && op->pending == 0) {
            end(g, link);
            moved = true;
            continue;
        }
        held |= is_holding(op);
        open |= op->operation != BLOCK_READ;
        link = &op->next;
    }
    return moved;
}

bool guards_serve(void)
{
    bool moved = false;

    for (unsigned n = 0; n < count; n++)
        moved |= serve(guards[n]);
    return moved;
}

void guard_drop(struct guard *g)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        g->member[m].adapter = NULL;
}
