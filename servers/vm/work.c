/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that is too long for one request. Its caller stays blocked; the work is done in steps of
 * less than a millisecond, with a pause after each that is as long, so that others are served and
 * programs run. There is one entry for each slot, as nobody waits for two things at once.
 *
 * A signal may take the caller away in the middle, and PM makes it call again when the handler has
 * run: the same call by the same caller finds the work that it began, and goes on waiting for it,
 * or takes its result.
 */
#include <string.h>

#include "lib/service/service.h"
#include "servers/vm/vm.h"

#define STEP_NS 400000ull
#define PAUSE_LEAST 200000ull /* ns */
#define PAUSE_WAITING 2000000ull /* when all that is left waits for others */

static struct work works[ENDPOINT_SLOTS];
static unsigned next_work;

static bool same_call(const struct message *a, const struct message *b)
{
    return a->type == b->type && memcmp(a->w, b->w, sizeof a->w) == 0;
}

uint64_t step_end(void)
{
    return clock_now() + STEP_NS;
}

bool work_again(const struct message *m, long *result)
{
    endpoint_t ep = message_caller(m);
    struct work *w = &works[endpoint_slot(ep)];

    if (w->state == WORK_NONE || w->ep != ep || !same_call(&w->m, m))
        return false;
    *result = w->state == WORK_DONE ? w->result : SERVICE_NO_REPLY;
    if (w->state == WORK_DONE)
        w->state = WORK_NONE;
    return true;
}

long work_start(const struct message *m, work_step step, uint64_t at)
{
    struct work w = {.ep = message_caller(m), .state = WORK_RUNS, .m = *m, .step = step, .at = at};
    long result = step(&w);

    if (result != WORK_GOES_ON && result != WORK_WAITS)
        return result;
    works[endpoint_slot(w.ep)] = w;
    clock_alarm(clock_now() + PAUSE_LEAST);
    return SERVICE_NO_REPLY;
}

long work_next(struct work *w, work_step step, uint64_t at)
{
    w->step = step;
    w->at = at;
    w->done = 0;
    return step(w);
}

void work_forget(endpoint_t ep)
{
    struct work *w = &works[endpoint_slot(ep)];

    if (w->ep == ep)
        w->state = WORK_NONE;
}

/* The caller gets its result; or it is not here, and will ask. */
static void finish(struct work *w, long result)
{
    w->state = WORK_NONE;
    if (ipc_reply_result(w->ep, result) < 0 && w->m.type != MESSAGE_PAGE_FAULT) {
        w->state = WORK_DONE;
        w->result = result;
    }
}

/* One step of one that has work to do, after a look at all those that wait for something. */
void work_alarm(void)
{
    uint64_t began = clock_now(), spent;
    bool stepped = false, more = false, waiting = false;
    unsigned first = next_work;

    for (unsigned n = 0; n < ENDPOINT_SLOTS; n++) {
        struct work *w = &works[(first + n) % ENDPOINT_SLOTS];
        bool looks = w->m.type == MESSAGE_PAGE_FAULT;
        long result;

        if (w->state != WORK_RUNS)
            continue;
        if (stepped && !looks) {
            more = true;
            continue;
        }
        result = w->step(w);
        waiting |= result == WORK_WAITS;
        if (!looks) {
            stepped = true;
            next_work = (unsigned)(w - works) + 1;
            more |= result == WORK_GOES_ON;
        }
        if (result != WORK_WAITS && result != WORK_GOES_ON)
            finish(w, result);
    }
    spent = clock_now() - began;
    if (more)
        clock_alarm(clock_now() + (spent > PAUSE_LEAST ? spent : PAUSE_LEAST));
    else if (waiting)
        clock_alarm(clock_now() + PAUSE_WAITING);
}
