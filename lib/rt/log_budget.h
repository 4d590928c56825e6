/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much one source may write to the log: LOG_BURST lines at once, LOG_RATE a second for long.
 * What is left out is counted, to be said when it goes on.
 */
#ifndef RT_LOG_BUDGET_H
#define RT_LOG_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_BURST = 20, LOG_RATE = 10 };

struct log_budget {
    uint64_t used_until; /* ns: the clock at which what has been written is paid for */
    uint64_t left_out; /* lines since the last that was written */
};

/* May a line be written at `now`? *left_out: how many were not, since the last that was. */
static inline bool log_budget_take(struct log_budget *b, uint64_t now, uint64_t *left_out)
{
    const uint64_t line = 1000000000 / LOG_RATE;

    if (b->used_until < now)
        b->used_until = now;
    if (b->used_until - now > (LOG_BURST - 1) * line) {
        b->left_out++;
        return false;
    }
    b->used_until += line;
    *left_out = b->left_out;
    b->left_out = 0;
    return true;
}

#endif
