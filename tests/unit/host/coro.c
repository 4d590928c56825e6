/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/coro on the host: stacks that are big enough for code with ASan, unmapped when the coroutine
 * ends, so that nothing on them can be used any more; ASan is told of each switch.
 */
#include "lib/coro/coro.h"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { STACK_BYTES = 256 * 1024 };

struct coro {
    ucontext_t context, caller;
    struct coro *outer;
    void (*entry)(void *);
    void *argument, *stack, *fake;
    const void *caller_stack;
    size_t caller_size;
    int ended;
};

static struct coro *running;

static void begin(void)
{
    struct coro *self = running;

    __sanitizer_finish_switch_fiber(NULL, &self->caller_stack, &self->caller_size);
    self->entry(self->argument);
    self->ended = 1;
    __sanitizer_start_switch_fiber(NULL, self->caller_stack, self->caller_size);
    swapcontext(&self->context, &self->caller);
}

int coro_resume(struct coro *c)
{
    void *fake;
    int ended;

    c->outer = running;
    running = c;
    __sanitizer_start_switch_fiber(&fake, c->stack, STACK_BYTES);
    swapcontext(&c->caller, &c->context);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
    running = c->outer;
    ended = c->ended;
    if (ended) {
        ASAN_UNPOISON_MEMORY_REGION(c->stack, STACK_BYTES);
        munmap(c->stack, STACK_BYTES);
        free(c);
    }
    return ended;
}

struct coro *coro_start(void (*entry)(void *), void *argument, int *ended)
{
    struct coro *c = calloc(1, sizeof *c);

    *ended = 0;
    if (!c)
        return NULL;
    c->entry = entry;
    c->argument = argument;
    c->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getcontext(&c->context);
    c->context.uc_stack.ss_sp = c->stack;
    c->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&c->context, begin, 0);
    *ended = coro_resume(c);
    return c;
}

void coro_yield(void)
{
    struct coro *self = running;

    __sanitizer_start_switch_fiber(&self->fake, self->caller_stack, self->caller_size);
    swapcontext(&self->context, &self->caller);
    __sanitizer_finish_switch_fiber(self->fake, &self->caller_stack, &self->caller_size);
}

struct coro *coro_self(void)
{
    return running;
}
