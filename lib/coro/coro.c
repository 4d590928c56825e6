/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks are kept for the next coroutine: at most POOL_MAX unused ones. The lowest word of a stack
 * must stay as it was. What is on a stack that is resumed goes into the undo log, since the
 * compiler's own stores to it are not logged, and what is more on it when it yields, so that it gets
 * into the mirror. What is below has no right contents, as long as it is a stack.
 */
#include "lib/coro/coro.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/rt/log.h"
#include "lib/undo/list.h"

#ifdef UNDO
enum { REGISTERS = 5 }; /* that the switch saves */
#else
enum { REGISTERS = 6 };
#endif
enum { POOL_MAX = 32, SWITCH_BYTES = 128 /* below a frame that yields, at most */ };
#define STACK_MARK 0x5ac4b077035ac4ull

struct coro {
    void *stack_pointer, *caller; /* where it goes on; where who resumed it goes on */
    struct coro *outer; /* who resumed it, when that is one, too */
    void (*entry)(void *);
    void *argument;
    int ended;
    bool pooled;
    struct coro *next; /* in the pool */
    struct coro *newer, *older;
};

void coro_switch(void **save, void *load);

static struct coro *running, *pool, *newest;
static int pooled;

static uint64_t *stack_bottom(struct coro *c)
{
    return (uint64_t *)(c + 1);
}

static char *stack_top(struct coro *c)
{
    return (char *)c + CORO_STACK_BYTES;
}

static void begin(void)
{
    struct coro *self = running;

    self->entry(self->argument);
    self->ended = 1;
    coro_yield();
}

static struct coro *coro_new(void)
{
    struct coro *c = list_at(pool);

    if (c) {
        pool = list_at(c->next);
        pooled--;
        c->pooled = false;
        return c;
    }
    c = malloc(CORO_STACK_BYTES);
    if (!c)
        return NULL;
    *c = (struct coro){.older = list_at(newest)};
    if (newest)
        newest->newer = c;
    newest = c;
    *stack_bottom(c) = STACK_MARK;
    return c;
}

static void coro_free(struct coro *c)
{
    if (pooled >= POOL_MAX) {
        *(list_at(c->newer) ? &c->newer->older : &newest) = list_at(c->older);
        if (c->older)
            c->older->newer = c->newer;
        undo_written(stack_bottom(c), (size_t)(stack_top(c) - (char *)stack_bottom(c)));
        free(c); /* it is ordinary memory again, and its mirror as it is */
        return;
    }
    c->pooled = true;
    list_put(pool, c, next);
    pooled++;
}

static int run(struct coro *c)
{
    c->outer = running;
    running = c;
    undo_range(&c->caller, sizeof c->caller);
    undo_range(c->stack_pointer, (size_t)(stack_top(c) - (char *)c->stack_pointer));
    coro_switch(&c->caller, c->stack_pointer);
    running = c->outer;
    if (*stack_bottom(c) != STACK_MARK)
        panic("a coroutine's stack has overflowed");
    if (!c->ended)
        return 0;
    coro_free(c);
    return 1;
}

/* All that is on its stack gets into the mirrors with this step: it is as it was left. */
int coro_resume(struct coro *c)
{
    undo_verify_word(&c->stack_pointer);
    undo_verify(c->stack_pointer, (size_t)(stack_top(c) - (char *)c->stack_pointer));
    return run(c);
}

struct coro *coro_start(void (*entry)(void *), void *argument, int *ended)
{
    struct coro *c = coro_new();
    uint64_t *top;

    *ended = 0;
    if (!c)
        return NULL;
    c->entry = entry;
    c->argument = argument;
    c->ended = 0;
    top = (uint64_t *)((uintptr_t)stack_top(c) & ~(uintptr_t)15);
    *--top = 0; /* where begin() would return to: it does not */
    *--top = (uint64_t)(uintptr_t)begin;
    c->stack_pointer = top - REGISTERS;
    *ended = run(c);
    return c;
}

void coro_yield(void)
{
    struct coro *self = running;
    char *low = (char *)__builtin_frame_address(0) - SWITCH_BYTES,
         *known = self->stack_pointer; /* when it was resumed */

    if (low < known)
        undo_written(low, (size_t)(known - low));
    undo_range(&self->stack_pointer, sizeof self->stack_pointer);
    coro_switch(&self->stack_pointer, self->caller);
}

struct coro *coro_self(void)
{
    return running;
}

#ifdef UNDO
/* To where its stack is not in use, from its bottom on: what is at work has yielded. */
static char *unused_end(const struct coro *c, char *low, char *top)
{
    char *end = c->pooled ? top : c->stack_pointer;

    return end < low || end > top ? top : end;
}

undo_unlogged void undo_mirror_leave_out(void)
{
    for (struct coro *c = newest; c; c = c->older) {
        char *low = (char *)(stack_bottom(c) + 1);

        undo_mirror_same(low, (size_t)(unused_end(c, low, stack_top(c)) - low));
    }
}

bool undo_mirror_leaves_out(uint64_t at)
{
    for (struct coro *c = newest; c; c = c->older) {
        char *low = (char *)(stack_bottom(c) + 1);

        if (at >= (uint64_t)low && at < (uint64_t)unused_end(c, low, stack_top(c)))
            return true;
    }
    return false;
}
#endif
