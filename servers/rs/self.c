/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RS's own death. Its memory is kept as that of the other servers is (succeed.c); but the kernel
 * lets it go on (kernel/guard.c), and it learns of it here, when the step that was interrupted is
 * done. Who was waiting for it has waited some microseconds longer.
 */
#include <string.h>

#include "lib/undo/undo.h"
#include "servers/rs/rs.h"

#define RS_PID 2

static struct service *self;
static uint64_t returns; /* that we know of */

void self_prepare(void)
{
    static struct image image = {.undo = {.mark = UNDO_MARK}};

    self = service_named("rs");
    if (!self)
        essential_lost("rs", "has no manifest");
    self->image = self->first = &image;
    life_begin(&self->life, RS_UP);
    self->pid = RS_PID;
    self->incarnation = 1;
    self->ready = clock_now();
    service_bind(self, service_info()->self);
}

bool service_is_self(const struct service *s)
{
    return s == self;
}

void self_die(void)
{
    undo_die(self->fuse);
}

void self_strike(uint64_t ns)
{
    if (undo_repeated())
        return;
    undo_done();
    undo_guard(ns, DEFECT_KILLED);
}

/* Its program was changed. */
static void look_at_swaps(void)
{
    static uint64_t seen;

    if (undo_root.swaps == seen)
        return;
    seen = undo_root.swaps;
    if (self->record) {
        self->record->step_ns[STEP_STOPPED] = clock_of(undo_root.swapped_tsc);
        self->record->step_ns[STEP_SPAWNED] = clock_of(undo_root.back_tsc);
    }
    succeeded(self, clock_of(undo_root.back_tsc));
}

void self_look(void)
{
    look_at_swaps();
    if (undo_root.returns == returns)
        return;
    returns = undo_root.returns;
    succeed_record(self, (enum rs_defect)undo_root.defect, undo_root.detail);
    self->record->step_ns[STEP_DETECTED] = clock_of(undo_root.died_tsc);
    self->record->step_ns[STEP_PUBLISHED] = clock_of(undo_root.back_tsc);
    self->fault.error = 0;
    self->fault.address = 0;
    self->fault.instruction = undo_root.instruction;
    corpse_copy_self(self, &undo_root.registers, undo_root.stack, undo_root.stack_pages);
    succeeded(self, clock_of(undo_root.back_tsc));
    timer_chores(clock_now() + MS);
}
