/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/rs/life.h"

#include <errno.h>

void life_begin(struct life *l, enum rs_state state)
{
    *l = (struct life){.state = state, .patience = LIFE_UNCHANGED};
}

static void wait_for(struct life *l, enum life_wait wait, uint64_t patience)
{
    l->wait = wait;
    l->patience = patience;
}

static void wait_no_more(struct life *l)
{
    wait_for(l, WAIT_NOTHING, 0);
}

static long end(struct life *l, enum rs_state state, enum life_effect effect)
{
    l->state = state;
    l->wanted_down = false;
    l->asked_rung = RUNG_ADOPT;
    wait_no_more(l);
    return effect;
}

static long back_off(struct life *l, uint64_t delay, enum life_effect effect)
{
    l->state = RS_BACKOFF;
    wait_for(l, WAIT_BACKOFF, delay);
    return effect;
}

/* ---- starting ---- */

static long start(struct life *l, const struct life_event *e)
{
    wait_no_more(l);
    return e->going_down ? LIFE_DO_NOTHING : LIFE_DO_START;
}

static long starts(struct life *l, const struct life_event *e)
{
    if (!e->busy)
        return LIFE_DO_SPAWN;
    l->state = RS_BACKOFF;
    wait_for(l, WAIT_DEVICE, LIFE_DEVICE_PATIENCE);
    return LIFE_DO_NOTHING;
}

static long device_done(struct life *l, const struct life_event *e)
{
    if (l->wait != WAIT_DEVICE || e->going_down)
        return LIFE_DO_NOTHING;
    wait_no_more(l);
    return LIFE_DO_SPAWN;
}

static void begin_ladder(struct life *l, enum rung rung)
{
    l->place = (struct ladder_place){0, rung};
}

/* The one may refuse what the other could drive. */
static long other_program(struct life *l, const struct life_event *e)
{
    l->has_been_ready = false;
    begin_ladder(l, e->rung);
    return LIFE_DO_NOTHING;
}

static long spawned(struct life *l, const struct life_event *e)
{
    (void)e;
    l->state = RS_STARTING;
    wait_no_more(l);
    return LIFE_DO_NOTHING;
}

static long give_up(struct life *l, const struct life_event *e)
{
    end(l, e->at_end == END_HOLD ? RS_HELD : RS_GIVEN_UP, LIFE_DO_GIVE_UP);
    if (e->at_end == END_REBOOT || e->at_end == END_POWEROFF)
        wait_for(l, WAIT_POWER, LIFE_END_PATIENCE);
    if (e->at_end == END_SCRIPT)
        wait_for(l, WAIT_END, LIFE_END_PATIENCE);
    return LIFE_DO_GIVE_UP;
}

static long spawn_failed(struct life *l, const struct life_event *e)
{
    uint64_t delay = e->verdict.delay;

    if (e->verdict.give_up || e->is_essential)
        return give_up(l, e);
    return back_off(l, delay > LIFE_SPAWN_AGAIN ? delay : LIFE_SPAWN_AGAIN, LIFE_DO_NOTHING);
}

static long ready(struct life *l, const struct life_event *e)
{
    (void)e;
    if (l->state != RS_STARTING)
        return LIFE_DO_NOTHING;
    l->state = RS_UP;
    l->has_been_ready = true;
    return LIFE_DO_INTEGRATE;
}

/* ---- after an end ---- */

static long ended(struct life *l, const struct life_event *e)
{
    if (e->keeps_memory) {
        if (l->wait == WAIT_CALL)
            wait_no_more(l);
        return LIFE_DO_SUCCEED;
    }
    if (e->going_down)
        return end(l, RS_DOWN, LIFE_DO_STOP_LAST);
    if (l->wanted_down)
        return end(l, RS_DOWN, LIFE_DO_STOP_WANTED);
    if (e->is_essential)
        return LIFE_DO_PANIC;
    /* It has said so itself, of a device that nobody of its kind has ever driven. */
    if (e->refuses && !l->has_been_ready)
        return end(l, RS_REFUSED, LIFE_DO_REFUSE);
    l->as_dependent = e->as_dependent;
    l->place =
        ladder_next(e->ladder, &(struct ladder_death){l->place, e->defect, e->reached_ready,
                                                      e->lived, e->was_silent, e->in_request});
    if (l->place.rung < l->asked_rung)
        l->place.rung = l->asked_rung;
    l->asked_rung = RUNG_ADOPT;
    return LIFE_DO_REPLACE;
}

static long calling(struct life *l, const struct life_event *e)
{
    wait_for(l, WAIT_CALL, e->delay);
    return LIFE_DO_NOTHING;
}

static long script_asked(struct life *l, const struct life_event *e)
{
    (void)e;
    l->state = RS_SCRIPT_DECIDES;
    wait_for(l, WAIT_SCRIPT, LIFE_FETCH_PATIENCE);
    return LIFE_DO_AWAIT_SCRIPT;
}

static long script_failed(struct life *l, const struct life_event *e)
{
    if (l->wait == WAIT_POWER && !e->going_down) {
        wait_no_more(l);
        return LIFE_DO_POWER;
    }
    if (l->wait == WAIT_END)
        wait_no_more(l);
    if (l->state != RS_SCRIPT_DECIDES)
        return LIFE_DO_NOTHING;
    wait_no_more(l);
    return LIFE_DO_BY_MANIFEST;
}

static long script_against(struct life *l, const struct life_event *e)
{
    (void)e;
    if (l->wait == WAIT_END)
        wait_no_more(l);
    if (l->state != RS_SCRIPT_DECIDES)
        return LIFE_DO_NOTHING;
    return end(l, RS_DOWN, LIFE_DO_STOP);
}

static long decided(struct life *l, const struct life_event *e)
{
    if (e->holds && e->defect != DEFECT_UPDATE)
        return end(l, RS_HELD, LIFE_DO_HOLD);
    if (!e->restarts && e->defect != DEFECT_UPDATE)
        return end(l, RS_DOWN, LIFE_DO_STOP);
    if (e->verdict.give_up)
        return give_up(l, e);
    if (e->verdict.delay != 0)
        return back_off(l, e->verdict.delay, LIFE_DO_BACK_OFF);
    return start(l, e);
}

/* ---- time ---- */

static long time_of_script(struct life *l, const struct life_event *e, enum life_wait wait)
{
    static const enum life_effect late[] = {[WAIT_SCRIPT] = LIFE_DO_BY_MANIFEST,
                                            [WAIT_POWER] = LIFE_DO_POWER,
                                            [WAIT_END] = LIFE_DO_END_LATE};

    if (e->script_left == 0)
        return late[wait];
    wait_for(l, wait, e->script_left);
    return LIFE_DO_NOTHING;
}

static long time_over(struct life *l, const struct life_event *e)
{
    enum life_wait wait = l->wait;

    wait_no_more(l);
    if (wait == WAIT_CALL)
        return LIFE_DO_LOOK;
    if (e->going_down && wait != WAIT_STOP)
        return LIFE_DO_NOTHING;
    switch (wait) {
    case WAIT_BACKOFF:
        return LIFE_DO_START;
    case WAIT_RESTART:
        return LIFE_DO_RESTART;
    case WAIT_DEVICE:
        return LIFE_DO_SPAWN;
    case WAIT_STOP:
        return end(l, RS_DOWN, e->going_down ? LIFE_DO_STOP_LAST : LIFE_DO_STOP_WANTED);
    case WAIT_SCRIPT:
    case WAIT_POWER:
    case WAIT_END:
        return time_of_script(l, e, wait);
    default:
        return LIFE_DO_NOTHING;
    }
}

/* ---- what users ask for ---- */

static long asked_up(struct life *l, const struct life_event *e)
{
    if (life_runs(l))
        return -EALREADY;
    /* nobody has looked after its device meanwhile */
    if (l->state == RS_GIVEN_UP || l->state == RS_DOWN || l->state == RS_REFUSED ||
        l->state == RS_HELD)
        begin_ladder(l, e->rung);
    return start(l, e);
}

static long asked_down(struct life *l, const struct life_event *e)
{
    if (l->wanted_down || l->state == RS_DOWN)
        return -EALREADY;
    if (!life_runs(l))
        return end(l, RS_DOWN, LIFE_DO_STOP);
    l->wanted_down = true;
    wait_for(l, WAIT_STOP, e->delay);
    return LIFE_DO_TELL;
}

static long asked_restart(struct life *l, const struct life_event *e)
{
    if (l->state == RS_GIVEN_UP || l->state == RS_REFUSED)
        return -ENOTRECOVERABLE;
    if (life_runs(l)) {
        if (e->delay != 0 && l->wanted_down) /* it would stay */
            return -EALREADY;
        /* It may also die before its time has come: the device is to be reset all the same. */
        l->asked_rung = e->resets ? e->rung : RUNG_ADOPT;
        if (e->delay == 0)
            return LIFE_DO_RESTART;
        wait_for(l, WAIT_RESTART, e->delay); /* it works until then */
        return LIFE_DO_NOTHING;
    }
    if (l->state == RS_DOWN || l->state == RS_HELD)
        begin_ladder(l, e->rung);
    else if (e->resets && l->place.rung < e->rung)
        l->place.rung = e->rung;
    return e->delay == 0 ? start(l, e) : back_off(l, e->delay, LIFE_DO_POSTPONE);
}

static long asked_hold(struct life *l, const struct life_event *e)
{
    (void)e;
    if (l->state == RS_HELD)
        return -EALREADY;
    if (l->state != RS_SCRIPT_DECIDES && l->state != RS_BACKOFF)
        return -ENXIO;
    return end(l, RS_HELD, LIFE_DO_HOLD);
}

static long device_found(struct life *l, const struct life_event *e)
{
    return l->state == RS_NO_DEVICE ? start(l, e) : LIFE_DO_NOTHING;
}

long life_next(struct life *l, const struct life_event *e)
{
    static long (*const next[])(struct life *, const struct life_event *) = {
        [LIFE_STARTS] = starts,
        [LIFE_DEVICE_DONE] = device_done,
        [LIFE_DEVICE_FOUND] = device_found,
        [LIFE_OTHER_PROGRAM] = other_program,
        [LIFE_SPAWNED] = spawned,
        [LIFE_SPAWN_FAILED] = spawn_failed,
        [LIFE_READY] = ready,
        [LIFE_CALLING] = calling,
        [LIFE_ENDED] = ended,
        [LIFE_SCRIPT_ASKED] = script_asked,
        [LIFE_SCRIPT_FAILED] = script_failed,
        [LIFE_SCRIPT_AGAINST] = script_against,
        [LIFE_DECIDED] = decided,
        [LIFE_TIME] = time_over,
        [LIFE_ASKED_UP] = asked_up,
        [LIFE_ASKED_DOWN] = asked_down,
        [LIFE_ASKED_RESTART] = asked_restart,
        [LIFE_ASKED_HOLD] = asked_hold,
    };

    l->patience = LIFE_UNCHANGED;
    return next[e->type](l, e);
}
