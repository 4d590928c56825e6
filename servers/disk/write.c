/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is written on checked disks. A write enters its sums into the notes, waits until these are
 * durable, then writes the data. A flush waits for the writes before it, flushes, and writes the
 * notes once more, with one sum for each block: from then on nothing older is taken for right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/log.h"
#include "servers/disk/operation.h"

/* ---- notes ---- */

static void note_ended(struct note_write *w)
{
    struct guard_note *state = &w->guard->state[w->number];

    state->ended = w->guard->note[w->number].generation;
    state->is_failed = !w->is_good;
    state->is_moving = false;
    w->guard->moving--;
    free(w);
}

static void note_sent(struct job *job, int error)
{
    struct note_write *w = job->note;

    w->adapter[job->member]->notes_used &= ~(1u << (w->buffer[job->member] - 1));
    w->is_good |= error == 0;
    if (--w->pending == 0)
        note_ended(w);
}

/* Buffers in all members' queues, and slots, which nobody else takes meanwhile. */
static bool note_prepare(const struct guard *g, struct note_write *w)
{
    for (unsigned m = 0; m < MEMBERS; m++) {
        struct adapter *a = g->member[m].adapter;

        if (!guard_member_is_there(g, m))
            continue;
        if (a->notes_used == (1u << NOTES_MAX) - 1 ||
            __builtin_popcount(a->client.used) > (int)BLOCK_SLOTS - (int)MEMBERS)
            return false;
        w->adapter[m] = a;
        w->buffer[m] = (unsigned)__builtin_ctz(~a->notes_used) + 1;
        a->notes_used |= 1u << (w->buffer[m] - 1);
    }
    return true;
}

static void note_send(struct guard *g, struct note_write *w, unsigned m)
{
    const struct integrity_note *note = &g->note[w->number];
    struct adapter *a = w->adapter[m];
    uint8_t *memory = a->notes + (w->buffer[m] - 1) * sizeof *note;
    struct block_request *r;
    struct job *job = adapter_begin(a, &r);

    memcpy(memory, note, sizeof *note);
    r->operation = BLOCK_WRITE;
    r->unit = g->member[m].unit;
    r->sector = integrity_note_at(&g->header, w->number, note->generation) * GUARD_SECTORS;
    r->flags = BLOCK_FUA;
    block_add(r, block_address(&a->client, memory), sizeof *note);
    *job = (struct job){.done = note_sent, .note = w, .member = m};
    w->pending++;
    adapter_post_raw(a, job);
}

/* A fresh generation of that note, to all members. False: no slot or buffer; nothing is posted. */
static bool note_post(struct guard *g, uint64_t number)
{
    struct integrity_note *note = &g->note[number];
    struct note_write *w = calloc(1, sizeof *w);

    if (!w)
        panic("no memory for one more request");
    w->guard = g;
    w->number = number;
    if (!note_prepare(g, w)) {
        for (unsigned m = 0; m < MEMBERS; m++)
            if (w->buffer[m])
                w->adapter[m]->notes_used &= ~(1u << (w->buffer[m] - 1));
        free(w);
        return false;
    }
    note->generation++;
    note->checksum = integrity_note_sum(&g->header, number, note);
    g->state[number].is_moving = true;
    g->state[number].is_stale = false;
    g->moving++;
    for (unsigned m = 0; m < MEMBERS; m++)
        if (w->buffer[m])
            note_send(g, w, m);
    if (w->pending == 0) /* no disk is there */
        note_ended(w);
    return true;
}

/* Nothing is being written and all that was is durable: one sum is enough. */
static void settle(struct guard *g)
{
    for (uint64_t number = 0; number < integrity_notes(&g->header); number++) {
        uint64_t first = number * NOTE_ENTRIES;

        if (!g->state[number].is_dirty)
            continue;
        g->state[number].is_dirty = false;
        g->state[number].is_stale = true;
        for (uint64_t b = first; b < first + NOTE_ENTRIES && b < g->header.data; b++)
            if (g->flags[b] & GUARD_UNFLUSHED) {
                g->flags[b] &= (uint8_t)~GUARD_UNFLUSHED;
                if (!(g->flags[b] & GUARD_EITHER))
                    guard_entry(g, b)->before = guard_entry(g, b)->now;
            }
    }
}

/* ---- a write ---- */

static uint64_t first_block(const struct guard_op *op)
{
    return op->block + op->done;
}

static uint64_t first_note(const struct guard_op *op)
{
    return first_block(op) / NOTE_ENTRIES;
}

static uint64_t last_note(const struct guard_op *op)
{
    return (first_block(op) + op->now - 1) / NOTE_ENTRIES;
}

static unsigned all_members(const struct guard *g)
{
    unsigned mask = 0;

    for (unsigned m = 0; m < MEMBERS; m++)
        mask |= (unsigned)guard_member_is_there(g, m) << m;
    return mask;
}

static bool has_unflushed(const struct guard_op *op)
{
    for (uint32_t n = op->done; n < op->count; n++)
        if (op->guard->flags[op->block + n] & GUARD_UNFLUSHED)
            return true;
    return false;
}

/* What nobody changes any more, of block n of the portion. */
static const uint8_t *settled_data(struct guard_op *op, uint32_t n)
{
    const uint8_t *stable = NULL;

    for (unsigned m = 0; m < MEMBERS; m++)
        if (op->bounce[m]) {
            uint8_t *to = op->bounce[m] + n * INTEGRITY_BLOCK;

            integrity_copy(to, stable ? stable : guard_data(op, n));
            stable = to;
        }
    return stable ? stable : guard_data(op, n);
}

static void enter_sums(struct guard_op *op)
{
    struct guard *g = op->guard;

    for (uint32_t n = 0; n < op->now; n++) {
        uint64_t b = first_block(op) + n;
        struct integrity_entry *e = guard_entry(g, b);

        if (!(g->flags[b] & GUARD_EITHER))
            e->before = e->now;
        e->now = integrity_sum(&g->header, b, settled_data(op, n));
        g->flags[b] = GUARD_UNFLUSHED | (g->flags[b] & GUARD_EITHER);
    }
    for (uint64_t n = first_note(op); n <= last_note(op); n++) {
        g->state[n].is_dirty = g->state[n].is_stale = true;
        op->need[n - first_note(op)] = g->note[n].generation + 1; /* one that is moving has not */
    }
    g->writing++;
}

bool guard_step_begin(struct guard_op *op)
{
    if (op->operation == BLOCK_FLUSH || has_unflushed(op)) {
        guard_enter(op, PHASE_FLUSH);
        return true;
    }
    op->members = all_members(op->guard);
    if (op->guard->flushing || guard_is_repaired(op) || !bounce_take(op, op->members))
        return false;
    enter_sums(op);
    guard_enter(op, PHASE_NOTES);
    return true;
}

bool guard_step_notes(struct guard_op *op)
{
    struct guard *g = op->guard;
    bool waits = false, failed = false;

    for (uint64_t n = first_note(op); n <= last_note(op); n++) {
        struct guard_note *state = &g->state[n];

        if (state->ended < op->need[n - first_note(op)] && !state->is_moving)
            note_post(g, n);
        waits |= state->ended < op->need[n - first_note(op)];
        failed |= state->is_failed;
    }
    if (waits)
        return false;
    if (!failed) {
        guard_enter(op, PHASE_DATA);
        return true;
    }
    for (uint32_t n = 0; n < op->now; n++) /* nothing was written */
        g->flags[first_block(op) + n] |= GUARD_EITHER;
    g->writing--;
    op->error = all_members(g) ? EIO : ENXIO;
    op->phase = PHASE_DONE;
    return true;
}

/* All members have had what this phase sends, and all has ended. */
static bool is_over(const struct guard_op *op)
{
    return (op->members & all_members(op->guard) & ~op->posted) == 0 && op->pending == 0;
}

static int outcome(const struct guard_op *op)
{
    if (op->good & ~op->failed)
        return 0;
    return op->error ? op->error : ENXIO;
}

static void post_to_all(struct guard_op *op, uint32_t operation)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        if ((op->members & ~op->posted) >> m & 1 && guard_member_is_there(op->guard, m) &&
            guard_send(op, m, operation, 0, op->now))
            op->posted |= 1u << m;
}

bool guard_step_data(struct guard_op *op)
{
    struct guard *g = op->guard;

    post_to_all(op, BLOCK_WRITE);
    if (!is_over(op))
        return false;
    bounce_give_back(op);
    g->writing--;
    op->error = outcome(op);
    for (uint32_t n = 0; n < op->now; n++) {
        uint8_t *flags = &g->flags[first_block(op) + n];

        *flags = op->error ? *flags | GUARD_EITHER : *flags & (uint8_t)~GUARD_EITHER;
    }
    op->done += op->now;
    op->now = 0;
    if (op->error || op->done == op->count)
        op->phase = PHASE_DONE;
    else
        guard_enter(op, PHASE_BEGIN);
    return true;
}

/* ---- a flush ---- */

bool guard_step_flush(struct guard_op *op)
{
    struct guard *g = op->guard;

    if (g->flushing != op) {
        if (g->writing || g->flushing)
            return false;
        g->flushing = op;
        op->members = all_members(g);
    }
    post_to_all(op, BLOCK_FLUSH);
    if (!is_over(op))
        return false;
    g->flushing = NULL;
    if (outcome(op)) {
        op->error = outcome(op);
        op->phase = PHASE_DONE;
        return true;
    }
    settle(g);
    guard_enter(op, op->operation == BLOCK_FLUSH ? PHASE_SETTLE : PHASE_BEGIN);
    return true;
}

bool guard_step_settle(struct guard_op *op)
{
    struct guard *g = op->guard;
    uint64_t notes = integrity_notes(&g->header);

    for (; op->next_note < notes; op->next_note++) {
        struct guard_note *state = &g->state[op->next_note];

        if (state->is_stale && (state->is_moving || !note_post(g, op->next_note)))
            return false;
    }
    if (g->moving)
        return false;
    op->error = 0; /* what was asked for is done; the notes say it the next time */
    op->phase = PHASE_DONE;
    return true;
}
