/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting inside VFS. A client that waits has yielded; waking marks it runnable, and the main loop
 * resumes it before its next receive, so nobody is resumed from within somebody else's work.
 */
#include "lib/coro/coro.h"
#include "servers/vfs/vfs.h"

static struct client *runnable_first, **runnable_end = &runnable_first, *sleeping;
static uint64_t alarm_set, step_began;
static struct {
    uint64_t when; /* 0: not set */
    void (*due)(void);
} timers[VFS_TIMERS];

/* A step: from when we take something up until we receive again. */
#define STEP_LOG_BYTES (1u << 20)
#define STEP_NS 1000000
#define TURN_NS                                                                                    \
    20000 /* who gives way goes on so much later: what has come meanwhile is before it */

void wait_step_begins(void)
{
    step_began = clock_now();
}

bool wait_step_is_long(void)
{
    return undo_log_bytes() > STEP_LOG_BYTES || clock_now() - step_began > STEP_NS;
}

void wait_wake_client(struct client *c)
{
    if (c->runnable)
        return;
    c->runnable = true;
    c->next_runnable = NULL;
    *list_at(runnable_end) = c;
    runnable_end = &c->next_runnable;
}

void wait_forget(struct client *c)
{
    struct client **link;

    if (!c->runnable)
        return;
    list_for_links(link, runnable_first, next_runnable) if (*link == c) break;
    *link = list_at(c->next_runnable);
    if (!*link)
        runnable_end = link;
    c->runnable = false;
}

static void client_woken(struct waiter *w)
{
    w->client->woken = true;
    wait_wake_client(w->client);
}

void wait_enter(struct waiter *w, struct client *c, struct wait_queue *q)
{
    w->client = c;
    w->woken = client_woken;
    list_put_linked(q->first, w, next, link);
}

void wait_enter_with(struct waiter *w, void (*woken)(struct waiter *), struct wait_queue *q)
{
    w->client = NULL;
    w->woken = woken;
    list_put_linked(q->first, w, next, link);
}

void wait_leave(struct waiter *w)
{
    if (!list_at(w->link))
        return;
    list_take_linked(w, next, link);
    w->link = NULL;
}

void wait_wake(struct waiter *w)
{
    undo_verify(w, sizeof *w);
    w->woken(w);
}

void wake_all(struct wait_queue *q)
{
    for (struct waiter *w = list_at(q->first), *next; w; w = next) {
        next = list_at(w->next);
        wait_wake(w);
    }
}

static void sleep_leave(struct client *c)
{
    list_take(sleeping, c, next_sleeping);
}

static void sleep_enter(struct client *c)
{
    struct client **link;

    list_for_links(link, sleeping, next_sleeping) if ((*link)->deadline > c->deadline) break;
    c->next_sleeping = *link;
    *link = c;
}

long wait_sleep(struct client *c, uint64_t deadline)
{
    c->timed_out = false;
    if (c->cancelled) {
        c->interrupted = true;
        return -EINTR;
    }
    c->deadline = deadline;
    if (deadline)
        sleep_enter(c);
    while (!c->woken && !c->timed_out && !c->cancelled)
        coro_yield();
    if (deadline)
        sleep_leave(c);
    if (c->woken) {
        c->woken = false;
        return 0;
    }
    if (!c->cancelled)
        return -ETIMEDOUT;
    c->interrupted = true;
    return -EINTR;
}

long wait_on(struct client *c, struct wait_queue *q, uint64_t deadline)
{
    struct waiter w = {0};
    long result;

    c->woken = false;
    wait_enter(&w, c, q);
    result = wait_sleep(c, deadline);
    wait_leave(&w);
    return result;
}

void wait_answer_begins(struct client *c, uint64_t until)
{
    c->timed_out = false;
    c->deadline = until;
    sleep_enter(c);
}

void wait_answer_ends(struct client *c)
{
    sleep_leave(c);
    c->timed_out = false;
}

void wait_turn(struct client *c)
{
    if (wait_step_is_long())
        wait_briefly(c);
}

void wait_briefly(struct client *c)
{
    wait_through(c, TURN_NS);
}

void wait_through(struct client *c, uint64_t ns)
{
    c->timed_out = false;
    c->deadline = clock_now() + ns;
    sleep_enter(c);
    while (!c->timed_out)
        coro_yield();
    sleep_leave(c);
    c->timed_out = false;
}

static void deadlines_check(void)
{
    uint64_t now = list_at(sleeping) ? clock_now() : 0;

    for (struct client *c = sleeping; c && c->deadline <= now; c = list_at(c->next_sleeping)) {
        c->timed_out = true;
        wait_wake_client(c);
    }
}

void wait_timer(enum vfs_timer which, uint64_t when, void (*due)(void))
{
    timers[which].when = when;
    timers[which].due = due;
}

void wait_timer_once(enum vfs_timer which, uint64_t when, void (*due)(void))
{
    if (!timers[which].when)
        wait_timer(which, when, due);
}

static void timers_check(void)
{
    for (unsigned i = 0; i < VFS_TIMERS; i++)
        if (timers[i].when && timers[i].when <= clock_now()) {
            timers[i].when = 0;
            timers[i].due();
        }
}

/* The first deadline of all; 0: there is none. */
static uint64_t next_deadline(void)
{
    uint64_t next = sleeping ? sleeping->deadline : 0;

    for (unsigned i = 0; i < VFS_TIMERS; i++)
        if (timers[i].when && (!next || timers[i].when < next))
            next = timers[i].when;
    return next;
}

/* It need not be the one that was set (lib/undo). */
void wait_alarm_is_over(void)
{
    alarm_set = 0;
}

void wait_run(void)
{
    uint64_t next, began;

    deadlines_check();
    began = list_at(runnable_first) ? clock_now() : 0;
    while (list_at(runnable_first) && undo_log_bytes() <= STEP_LOG_BYTES &&
           clock_now() - began <= STEP_NS) {
        struct client *c = runnable_first;

        runnable_first = list_at(c->next_runnable);
        if (!runnable_first)
            runnable_end = &runnable_first;
        c->runnable = false;
        if (c->work && !c->behind)
            client_resume(c);
        else if (c->behind && c->timed_out)
            ask_overdue(c);
        deadlines_check();
    }
    timers_check();
    next =
        runnable_first
            ? clock_now() + TURN_NS /* they have had their time; what has come meanwhile is next */
            : next_deadline();
    if (next != alarm_set) {
        alarm_set = next;
        clock_alarm(next);
    }
}
