/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the worlds around servers on the host (vfs_world.h, pm_world.h, vm_world.h) have in common:
 * chance by a seed, what a server says and how it ends, the grants it has lent, the clock; and the
 * running of seeds, each in a process of its own, since a server keeps all it has in static
 * variables.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/rt/kernel.h"

#define MAYBE_UNUSED __attribute__((unused))

static MAYBE_UNUSED uint64_t now = 1000000000, alarm_at, random_state, notified_bits;
static MAYBE_UNUSED struct grant *grants;
static MAYBE_UNUSED size_t grant_count;
static MAYBE_UNUSED bool calm, verbose; /* calm: nothing fails */
static MAYBE_UNUSED struct service_info info;
static MAYBE_UNUSED struct kernel_page shown;
static MAYBE_UNUSED unsigned step_calls, worst_step; /* kernel calls between two receives */

/* ---- chance ---- */

static inline uint64_t chance(uint64_t n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return n ? (random_state >> 33) % n : 0;
}

static inline void chance_begin(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15ull + 1;
}

static inline bool percent(unsigned n)
{
    return !calm && chance(100) < n;
}

/* What only seeds canaries and pools: the same each time. */
uint64_t random_word(void)
{
    return 0x0123456789abcdefu;
}

bool random_is_cheap(void)
{
    return true;
}

/* ---- what a server says ---- */

void log_info(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    if (verbose)
        vfprintf(stderr, format, list), fputc('\n', stderr);
    va_end(list);
}

void log_always(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    if (verbose)
        vfprintf(stderr, format, list), fputc('\n', stderr);
    va_end(list);
}

void panic(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, " (panic)\n");
    abort();
}

void panic_hopeless(const char *format, ...)
{
    panic("%s", format);
}

static inline void check(bool good, const char *what)
{
    if (!good)
        panic("the world: %s", what);
}

/* With X_VERBOSE: what goes where. */
static inline void trace(const char *what, endpoint_t who, endpoint_t other,
                         const struct message *m)
{
    if (verbose)
        fprintf(stderr, "%-8s %d %d: type %lx, words %lx %lx\n", what, who, other,
                (unsigned long)m->type, (unsigned long)m->w[0], (unsigned long)m->w[1]);
}

/* ASan looks at what a server hands out. */
static inline void touch(const void *local, size_t length)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < length; i += 64)
        sum ^= ((const uint8_t *)local)[i];
    if (length)
        sum ^= ((const uint8_t *)local)[length - 1];
}

/* ---- kernel calls that are alike for all ---- */

static inline void count_call_of(const char *server, unsigned most)
{
    now += 1 + chance(2000);
    step_calls++;
    worst_step = step_calls > worst_step ? step_calls : worst_step;
    if (step_calls >= most)
        panic("the world: %s does not come back to its loop", server);
}

long grant_table(struct grant *table, size_t count)
{
    grants = table;
    grant_count = count;
    return 0;
}

/* What the server has lent to `to`; NULL: not that, or not so. */
static inline void *lent_to(endpoint_t to, uint64_t index, size_t length, uint32_t how)
{
    struct grant *g = index < grant_count ? &grants[index] : NULL;

    return g && g->to == to && length <= g->length && (g->flags & how)
               ? (void *)(uintptr_t)g->address
               : NULL;
}

static inline unsigned grants_left(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < grant_count; i++)
        n += grants[i].to != 0;
    return n;
}

long clock_alarm(uint64_t when)
{
    alarm_at = when;
    return 0;
}

/* The alarm goes off when it is time. */
static inline void alarm_check(void)
{
    if (alarm_at && now >= alarm_at) {
        alarm_at = 0;
        notified_bits |= NOTIFY_BIT(NOTIFY_BIT_ALARM);
    }
}

uint64_t clock_now(void)
{
    return now;
}

uint64_t realtime_now(void)
{
    return now;
}

const struct service_info *service_info(void)
{
    return &info;
}

const struct kernel_page *kernel_page(void)
{
    return &shown;
}

const struct kernel_info *kernel_info(void)
{
    return &shown.info;
}

/* ---- seeds ---- */

static inline long number_of(const char *prefix, const char *name, long otherwise)
{
    char whole[40];
    const char *text;

    snprintf(whole, sizeof whole, "%s_%s", prefix, name);
    text = getenv(whole);
    return text ? atol(text) : otherwise;
}

/* Runs in a process of its own, as the server then begins anew: its status. */
static inline int apart(void (*run)(uint64_t seed, long steps), uint64_t seed, long steps)
{
    pid_t child;
    int status = -1;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        run(seed, steps);
        fflush(NULL);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    return status;
}

/*
 * All seeds: those that fail. X_SEED=n runs that alone, X_SEEDS and X_STEPS say how many of each,
 * X_VERBOSE shows what happens.
 */
static inline unsigned seeds_run(const char *prefix, void (*run)(uint64_t seed, long steps),
                                 long seeds, long steps)
{
    long one = number_of(prefix, "SEED", 0);
    unsigned failed = 0;

    steps = number_of(prefix, "STEPS", steps);
    seeds = number_of(prefix, "SEEDS", seeds);
    verbose = one != 0 || number_of(prefix, "VERBOSE", 0);
    for (long seed = one ? one : 1; seed < (one ? one + 1 : seeds + 1); seed++) {
        int status = apart(run, (uint64_t)seed, steps);

        if (status) {
            fprintf(stderr, "seed %ld: status %x (%s_SEED=%ld %s_STEPS=%ld repeats it)\n", seed,
                    (unsigned)status, prefix, seed, prefix, steps);
            failed++;
        }
    }
    return failed;
}

#endif
