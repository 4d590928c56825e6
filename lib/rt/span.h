/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time-outs as programs give them, without overflow: any second and nanosecond that Linux takes is
 * taken, what is longer than the machine will ever run ends never. In ns throughout; deadlines are
 * of clock_now().
 */
#ifndef RT_SPAN_H
#define RT_SPAN_H

#include <errno.h>
#include <stdint.h>

#define NS_PER_SECOND 1000000000ull
#define SPAN_MOST 0x7fffffffffffffffull /* 292 years: what Linux cuts time-outs to */
/* No deadline is later: 95 years of running. In ticks of any processor it still fits in 64 bits. */
#define DEADLINE_MOST (3000000000ull * NS_PER_SECOND)

/* How long so many seconds are. */
static inline uint64_t time_of_seconds(uint64_t seconds)
{
    return seconds < SPAN_MOST / NS_PER_SECOND ? seconds * NS_PER_SECOND : SPAN_MOST;
}

/* A struct timespec (parts: NS_PER_SECOND) or timeval (parts: 1000000): 0, or -EINVAL as Linux. */
static inline long time_of(const int64_t time[2], uint64_t parts, uint64_t *ns)
{
    if (time[0] < 0 || time[1] < 0 || (uint64_t)time[1] >= parts)
        return -EINVAL;
    *ns = time_of_seconds((uint64_t)time[0]);
    *ns += *ns < SPAN_MOST ? (uint64_t)time[1] * (NS_PER_SECOND / parts) : 0;
    return 0;
}

/* The deadline that comes `span` after now; never 0, which means none. */
static inline uint64_t time_after(uint64_t now, uint64_t span)
{
    uint64_t left = now < DEADLINE_MOST ? DEADLINE_MOST - now : 0, when;

    when = now + (span < left ? span : left);
    return when ? when : 1;
}

/* The deadline of a moment `when` of a clock that shows `shown` now; past ones are due at once. */
static inline uint64_t time_at(uint64_t now, uint64_t shown, uint64_t when)
{
    return when > shown ? time_after(now, when - shown) : 1;
}

/* When a timer that was due at `due` is due next. Times that were missed are left out. */
static inline uint64_t time_next(uint64_t now, uint64_t due, uint64_t period)
{
    uint64_t next = time_after(due, period);

    return next > now ? next : time_after(now, period);
}

#endif
