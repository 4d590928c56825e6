/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coroutines: a server that has many requests in progress and one thread. Each request runs on a
 * stack of its own until it waits (coro_yield()); whoever has what it waits for resumes it. Only
 * one runs at a time, and only yields switch.
 */
#ifndef CORO_CORO_H
#define CORO_CORO_H

#include <stddef.h>

#define CORO_STACK_BYTES 32768u

struct coro;

/* Run entry(argument) on a stack of its own until its first yield or its end. NULL: no memory (it
 * has not run). When it has ended already, *ended is true and the pointer is stale. */
struct coro *coro_start(void (*entry)(void *), void *argument, int *ended);

/* Go on after its yield, until the next yield or its end. Returns 1 when it has ended: the pointer
 * is stale. */
int coro_resume(struct coro *c);

/* Back to who started or resumed this one. */
void coro_yield(void);

/* The one that is running, NULL: none is. */
struct coro *coro_self(void);

#endif
