/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After a step of ours that was refused (lib/undo): our tables are as they were before it, what it has
 * done to threads meanwhile is not undone. So each is looked at once, and who stands there with nobody
 * who would ever let it go on is helped: with an error where it had a call, since the same again might
 * kill the same way.
 */
#include "lib/undo/undo.h"
#include "servers/pm/pm.h"

/* Threads of which VFS has said that it is done with them, in a step that was refused; VFS says it once.
 * (A child's end may kill by what its parent has; there is room for some such at a time.) */
#define ENDED 16
undo_apart static endpoint_t ended[ENDED];
undo_apart static unsigned next_ended;

/* Of PM_CANCELLED: VFS has given the thread back to us, and would tell the program of an error. */
undo_unlogged bool undo_keeps_refused(const struct message *m)
{
    const struct pm_thread_request *r = message_words(m);

    if (m->type == PM_EXIT_DONE)
        ended[next_ended++ % ENDED] = (endpoint_t)r->thread;
    return m->type == PM_CANCELLED;
}

static void end_again(void)
{
    for (unsigned i = 0; i < ENDED; i++) {
        struct thread *t = thread_of((endpoint_t)undo_input((uint64_t)ended[i]));

        if (t && t->ending)
            thread_gone(t);
    }
}

static void look_at(struct thread *t)
{
    struct message cancel = {.type = VFS_CANCEL};
    struct slot_status status;
    bool is_ours;

    if (t->ending || slot_status(t->endpoint, &status) < 0)
        return;
    is_ours = status.state == SLOT_CALLING_STATE && status.peer == service_info()->self;
    if (!is_ours && t->waits != WAIT_NONE)
        wait_forget(t); /* it was answered, and goes on */
    else if (!is_ours || t->waits != WAIT_NONE || t->in_exec)
        return;
    else if (t->cancelling) {
        t->cancelling = false; /* the signal is still due */
        resume(t, -EIO);
    } else /* seized in a call (one that is only in our queue cannot be handed on) */
        t->cancelling = ipc_forward(t->endpoint, service_info()->vfs, &cancel) == 0;
}

/* It may kill in its turn: so it is tried now and then, by an alarm, and others have theirs between. */
#define TRY_EVERY (NS_PER_SECOND / 10)
static uint64_t seen; /* refusals */
undo_apart static uint64_t tried; /* when it was begun last */

undo_unlogged static void note_try(uint64_t now)
{
    tried = now;
}

void refused_look(void)
{
    uint64_t now = clock_now(), next = undo_input(tried) + TRY_EVERY;

    if (seen == undo_refusals())
        return;
    timer_look(next);
    if (now < next)
        return;
    note_try(now);
    timer_look(0);
    seen = undo_refusals();
    for_threads (t)
        if (t->process)
            look_at(t);
    end_again();
}
