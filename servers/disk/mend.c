/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading from checked disks: what is wrong is read again, or comes from the mirror. */
#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/operation.h"

/* Those that were never written become zeros. True: all are right. */
static bool check(struct guard_op *op)
{
    bool right = true;

    for (uint32_t n = 0; n < op->now; n++) {
        uint64_t block = op->block + op->done + n;

        if (guard_entry(op->guard, block)->now == 0)
            memset(guard_data(op, n), 0, INTEGRITY_BLOCK);
        op->wrong[n] = guard_entry(op->guard, block)->now != 0 &&
                       !guard_block_is_right(op->guard, block, guard_data(op, n));
        right &= !op->wrong[n];
    }
    return right;
}

/* ---- the steps of a read ---- */

static unsigned first_member(const struct guard *g)
{
    unsigned m = 0;

    while (m < MEMBERS && !guard_member_is_there(g, m))
        m++;
    return m;
}

static void complain(struct guard_op *op)
{
    struct guard *g = op->guard;
    struct guard_member *m = &g->member[op->from];
    bool is_news = false;

    for (uint32_t n = 0; n < op->now; n++) {
        uint64_t block = op->block + op->done + n;

        if (!op->wrong[n] || (g->flags[block] & GUARD_BLAMED))
            continue;
        if (!is_news)
            log_info("block %llu from %.16s is not what was written there",
                     (unsigned long long)block, m->adapter->place.driver);
        g->flags[block] |= GUARD_BLAMED;
        is_news = true;
    }
    if (!is_news || m->complained == m->adapter->client.incarnation)
        return;
    m->complained = m->adapter->client.incarnation;
    service_complain(m->adapter->place.driver, m->adapter->client.driver, COMPLAINT_DATA);
}

/* The portion is right, or cannot be made so. */
static void end_portion(struct guard_op *op, int error)
{
    bounce_give_back(op);
    op->done += op->now;
    op->now = 0;
    op->reads = 0;
    guard_enter(op, error || op->done == op->count ? PHASE_DONE : PHASE_READ);
    op->error = error;
}

static void read_failed(struct guard_op *op)
{
    if (!op->error)
        complain(op);
    if (guard_member_is_there(op->guard, op->from ^ 1)) {
        for (uint32_t n = 0; op->error && n < op->now; n++)
            op->wrong[n] = guard_entry(op->guard, op->block + op->done + n)->now != 0;
        op->mirror_at = 0;
        op->is_repaired = false;
        guard_enter(op, PHASE_MIRROR);
    } else if (op->error || op->reads == READS_MAX) {
        end_portion(op, op->error ? op->error : EIO);
    } else {
        guard_enter(op, PHASE_READ); /* a fresh driver may do better */
    }
}

static bool post_read(struct guard_op *op)
{
    op->from = first_member(op->guard);
    if (op->from == MEMBERS) {
        end_portion(op, ENXIO);
        return true;
    }
    if (op->reads && guard_is_written(op)) /* read while it changed: not yet again */
        return false;
    if (!op->bounced && !bounce_take(op, 1u << op->from))
        return false;
    op->posted = guard_send(op, op->from, BLOCK_READ, 0, op->now);
    op->reads += op->posted;
    if (!op->posted)
        bounce_give_back(op);
    return false;
}

bool guard_step_read(struct guard_op *op)
{
    if (!op->posted)
        return post_read(op);
    if (op->pending)
        return false;
    for (uint32_t n = 0; op->bounce[op->from] && !op->error && n < op->now; n++)
        integrity_copy(guard_data(op, n), op->bounce[op->from] + n * INTEGRITY_BLOCK);
    bounce_give_back(op);
    if (!op->error && check(op)) {
        end_portion(op, 0);
    } else if (!op->error && guard_is_written(op)) {
        op->reads = 1;
        guard_enter(op, PHASE_READ);
        return false;
    } else {
        read_failed(op);
    }
    return true;
}

/* ---- from the mirror: its blocks in place of those that are wrong ---- */

static uint32_t wrong_run(struct guard_op *op)
{
    uint32_t n = 0;

    while (op->mirror_at < op->now && !op->wrong[op->mirror_at])
        op->mirror_at++;
    while (op->mirror_at + n < op->now && op->wrong[op->mirror_at + n])
        n++;
    return n;
}

static bool take_mirrored(struct guard_op *op)
{
    const uint8_t *memory = op->bounce[op->from ^ 1];

    for (uint32_t i = 0; i < op->bounced && !op->error; i++) {
        uint64_t block = op->block + op->done + op->mirror_at + i;

        if (!guard_block_is_right(op->guard, block, memory + i * INTEGRITY_BLOCK))
            return false;
        integrity_copy(guard_data(op, op->mirror_at + i), memory + i * INTEGRITY_BLOCK);
        op->guard->flags[block] &= (uint8_t)~GUARD_BLAMED;
    }
    return !op->error;
}

static void mirror_ended(struct guard_op *op)
{
    if (op->is_repaired)
        log_info("%u block%s from %llu on repaired from the mirror", op->now,
                 op->now == 1 ? "" : "s", (unsigned long long)(op->block + op->done));
    guard_enter(op, PHASE_REPAIR);
}

/* One run of wrong blocks at a time, in borrowed memory, since what is right already stays as it
 * is. The mirror's blocks are believed no more than the first one's: when they are wrong, too,
 * nobody has them. */
bool guard_step_mirror(struct guard_op *op)
{
    unsigned other = op->from ^ 1;
    uint32_t run;

    if (op->posted && op->pending)
        return false;
    if (op->posted) {
        bool right = take_mirrored(op);

        op->mirror_at += op->bounced;
        bounce_give_back(op);
        if (!right) {
            end_portion(op, EIO);
            return true;
        }
        op->is_repaired = true;
        guard_enter(op, PHASE_MIRROR);
    }
    run = wrong_run(op);
    if (run == 0) {
        mirror_ended(op);
        return true;
    }
    if (!guard_member_is_there(op->guard, other)) {
        end_portion(op, EIO);
        return true;
    }
    if (!bounce_one(op, other, run))
        return false;
    op->posted = guard_send(op, other, BLOCK_READ, op->mirror_at, op->bounced);
    if (!op->posted)
        bounce_give_back(op);
    return false;
}

/* ---- the repair ---- */

static bool can_repair(struct guard_op *op)
{
    return guard_member_is_there(op->guard, op->from) && !guard_is_written(op) && check(op);
}

/* No write of these blocks begins meanwhile (guard_is_repaired()). */
bool guard_step_repair(struct guard_op *op)
{
    if (op->posted && op->pending)
        return false;
    if (op->posted || !can_repair(op)) {
        end_portion(op, 0); /* the data is there, whatever becomes of the repair */
        return true;
    }
    if (!bounce_is_needless(op, op->from)) {
        if (!bounce_one(op, op->from, op->now))
            return false;
        if (op->bounced < op->now) {
            bounce_give_back(op);
            return false;
        }
        for (uint32_t n = 0; n < op->now; n++)
            integrity_copy(op->bounce[op->from] + n * INTEGRITY_BLOCK, guard_data(op, n));
    }
    op->posted = guard_send(op, op->from, BLOCK_WRITE, 0, op->now);
    if (!op->posted)
        bounce_give_back(op);
    return false;
}
