/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The death of a service that keeps its memory (`returns rolled-back`; lib/undo): it goes on in the
 * same process, so endpoint, space, rights, grants, alarm, notifications, whoever waits for it and
 * whomever it waits for stay as they are. Only its registers are new: it begins at the entry that
 * its image names, and finds there where it stood. A kernel call that it has begun ends first, so
 * that the result is not lost. Who has died of an exit or an exception is blocked in a call to RS
 * with just that.
 */
#include "lib/undo/layout.h"
#include "servers/rs/rs.h"

#define LOOK_AGAIN 50000 /* ns: an answer that it waits for has not come yet */
#define DEATHS_MAX 100 /* of its own, without coming back once: nothing of it works any more */
#define RFLAGS_DIRECTION 0x400u

/* It has nothing to go on with. */
static void lost(struct service *s, const char *what)
{
    if (service_essential(s))
        essential_lost(s->name, what);
    log_always("%s %s", s->name, what);
    event_raise_failed(s, DEFECT_EXIT, RS_EXIT_HOPELESS);
}

static void enter(struct service *s, bool blocked_on_us)
{
    struct undo_death death = {.defect = s->last_defect, .fuse = s->fuse};
    struct registers r;

    if (registers_get(s->endpoint, &r) < 0)
        return;
    corpse_copy(s, &r);
    death.rip = r.rip;
    death.address = s->last_defect == DEFECT_EXCEPTION ? s->fault.address : 0;
    death.registers = r;
    /* else it has not looked yet at what is there */
    if ((r.rip < s->image->undo.enter || r.rip >= s->image->undo.enter_end) &&
        copy_to(s->endpoint, s->image->undo.death, &death, sizeof death) < 0) {
        lost(s, "has lost its memory");
        return;
    }
    r.rip = s->image->undo.enter;
    r.rflags &= ~(uint64_t)RFLAGS_DIRECTION;
    if (registers_set(s->endpoint, &r) < 0) {
        lost(s, "has lost its process");
        return;
    }
    record_step(s, STEP_SPAWNED);
    watch_begin(s);
    if (blocked_on_us)
        ipc_reply_result(s->endpoint, 0);
    slot_control(s->endpoint, SLOT_CONTROL_START, 0);
}

/* It is stopped. 0: it goes on; else look again so many ns later. */
uint64_t succeed_look(struct service *s)
{
    struct slot_status status;

    if (slot_status(s->endpoint, &status) < 0)
        return 0;
    if (status.state == SLOT_RECEIVING) {
        ipc_notify(s->endpoint, 0); /* ends the wait */
        slot_status(s->endpoint, &status);
    }
    if (status.state != SLOT_STOPPED && status.state != SLOT_FAULTED) /* whom we have refused */
        return LOOK_AGAIN;
    enter(s, false);
    return 0;
}

void succeed_record(struct service *s, enum rs_defect defect, uint32_t detail)
{
    if (!s->record)
        record_begin(s, defect, detail);
    s->last_defect = defect;
    s->last_detail = detail;
    s->untold = true;
    s->died_in_start = s->ready == 0;
    s->dead_incarnation = s->incarnation;
    s->dead_pid = s->pid;
}

uint64_t succeed(struct service *s, enum rs_defect defect, uint32_t detail)
{
    if (defect != DEFECT_KILLED && ++s->deaths_in_a_row > DEATHS_MAX)
        return SUCCEED_NEVER;
    succeed_record(s, defect, detail);
    record_step(s, STEP_POLICY);
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0);
    record_step(s, STEP_STOPPED);
    if (defect != DEFECT_EXIT && defect != DEFECT_EXCEPTION)
        return succeed_look(s);
    enter(s, true);
    return 0;
}

void succeeded(struct service *s, uint64_t when)
{
    s->deaths_in_a_row = 0;
    if (s->is_fused && s->fuse == 0) {
        memory_unmap(s->endpoint, UNDO_FUSE, UNDO_WINDOW_FIRST / PAGE_SIZE);
        s->is_fused = false;
    }
    if (!s->record)
        return;
    s->record->incarnation = s->incarnation;
    record_back(s, when);
    record_step(s, STEP_PUBLISHED);
    corpse_complete(s);
}

static bool is_mirror(uint64_t address)
{
    return address - UNDO_MIRROR < UNDO_MIRRORED || address - UNDO_SECOND < UNDO_MIRRORED;
}

bool succeed_wants_room(const struct service *s, uint64_t address)
{
    bool in_log = address - UNDO_LOG < UNDO_WINDOW_MAX;
    bool in_journal = address - UNDO_JOURNAL < UNDO_WINDOW_MAX;
    bool in_outbox = address - UNDO_OUTBOX < UNDO_WINDOW_MAX;

    return (in_log || in_journal || in_outbox || is_mirror(address)) && service_keeps_memory(s);
}

/* A fresh copy begins with nothing of this. */
void succeed_forget(struct service *s)
{
    s->deaths_in_a_row = s->fuse = s->mirror_pages = 0;
    s->is_fused = s->has_room = false;
}

static bool make_mirror(struct service *s, uint64_t at, uint64_t page)
{
    if (memory_map(s->endpoint, at, 1, MAP_READ | MAP_WRITE | MAP_COPY, s->endpoint, page) < 0)
        return false;
    s->mirror_pages++;
    return true;
}

/* Words of a page are not there in the mirrors before the first of it is stored: so all are put there. (The first may be
 * there, if there was no memory for the second; that is what is asked for then.) */
static bool make_mirrors(struct service *s, uint64_t address)
{
    const bool first = address - UNDO_MIRROR < UNDO_MIRRORED;
    const uint64_t page =
        (address - (first ? UNDO_MIRROR : UNDO_SECOND)) & ~(uint64_t)(PAGE_SIZE - 1);

    if (first && !make_mirror(s, UNDO_MIRROR + page, page))
        return false;
    return make_mirror(s, UNDO_SECOND + page, page) || first;
}

/* Its log, or its journal, is at the end of what is mapped. */
bool succeed_make_room(struct service *s, uint64_t address)
{
    uint64_t at = address & ~(uint64_t)(UNDO_WINDOW_FIRST - 1);

    if (is_mirror(address))
        return make_mirrors(s, address);
    s->has_room = true;
    return memory_map(s->endpoint, at, UNDO_WINDOW_FIRST / PAGE_SIZE, MAP_READ | MAP_WRITE, 0, 0) ==
           0;
}

/* Between two steps nothing is in either. */
bool succeed_take_room(struct service *s)
{
    const uint64_t pages = (UNDO_WINDOW_MAX - UNDO_WINDOW_FIRST) / PAGE_SIZE;
    struct slot_status status;

    if (!s->has_room)
        return true;
    if (s->life.wait == WAIT_CALL)
        return false;
    slot_control(s->endpoint, SLOT_CONTROL_STOP, 0);
    if (slot_status(s->endpoint, &status) == 0 && status.state == SLOT_RECEIVING) {
        memory_unmap(s->endpoint, UNDO_LOG + UNDO_WINDOW_FIRST, pages);
        memory_unmap(s->endpoint, UNDO_JOURNAL + UNDO_WINDOW_FIRST, pages);
        memory_unmap(s->endpoint, UNDO_OUTBOX + UNDO_WINDOW_FIRST, pages);
        s->has_room = false;
    }
    slot_control(s->endpoint, SLOT_CONTROL_START, 0);
    return !s->has_room;
}
