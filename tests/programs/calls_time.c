/* SPDX-License-Identifier: BSD-2-Clause */
/* Time-outs that are very long, and such as are none. */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "cases.h"

/* As in linux/futex.h. */
enum { FUTEX_WAIT = 0, FUTEX_WAIT_BITSET = 9, FUTEX_CLOCK_REALTIME = 256 };

typedef long (*waits)(int64_t seconds, int64_t parts);

static uint32_t word;
static sigset_t some;

static long sleeps(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_nanosleep, t, NULL);
}

static long sleeps_clock(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, t, NULL);
}

static long sleeps_until(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, t, NULL);
}

static long sleeps_until_date(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, t, NULL);
}

static long awaits_signal(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_rt_sigtimedwait, &some, NULL, t, 8);
}

static long awaits_word(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_futex, &word, FUTEX_WAIT, 0, t, NULL, 0);
}

static long awaits_word_until(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, t, NULL, ~0u);
}

static long awaits_word_until_date(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, t, NULL, ~0u);
}

static long polls(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_ppoll, NULL, 0, t, NULL, 8);
}

static long selects(int64_t s, int64_t n)
{
    int64_t t[2] = {s, n};

    return syscall(SYS_pselect6, 0, NULL, NULL, NULL, t, NULL);
}

static const waits all[] = {sleeps,        sleeps_clock, sleeps_until,      sleeps_until_date,
                            awaits_signal, awaits_word,  awaits_word_until, awaits_word_until_date,
                            polls,         selects};
enum { KINDS = sizeof all / sizeof *all };

/* They are still waiting when the signal comes. */
static void very_long(void)
{
    static const int64_t lengths[][2] = {{LONG_MAX, 0},
                                         {LONG_MAX, 999999999},
                                         {LONG_MAX / 1000000000, 999999999},
                                         {ULONG_MAX / 1000000000 + 1, 0},
                                         {10000000000, 1}};

    sigemptyset(&some);
    sigaddset(&some, SIGHUP);
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            unsigned begin = now_ms();

            interrupt_after(30);
            FAILS(all[kind](lengths[i][0], lengths[i][1]), EINTR);
            CHECK(now_ms() - begin >= 29);
            CHECK(wait(NULL) > 0);
        }
}

static void none(void)
{
    static const int64_t wrong[][2] = {{0, 1000000000}, {1, 2000000000}, {0, -1},      {-1, 0},
                                       {LONG_MIN, 0},   {0, LONG_MAX},   {0, LONG_MIN}};

    sigemptyset(&some);
    sigaddset(&some, SIGHUP);
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            FAILS(all[kind](wrong[i][0], wrong[i][1]), EINVAL);
}

static void at_once(void)
{
    sigemptyset(&some);
    sigaddset(&some, SIGHUP);
    CHECK(sleeps(0, 0) == 0 && sleeps_until(0, 1) == 0 && sleeps_until_date(1, 0) == 0);
    FAILS(awaits_signal(0, 0), EAGAIN);
    FAILS(awaits_word(0, 0), ETIMEDOUT);
    FAILS(awaits_word_until(0, 0), ETIMEDOUT);
    FAILS(awaits_word_until_date(1, 0), ETIMEDOUT);
    CHECK(polls(0, 0) == 0 && selects(0, 0) == 0);
}

static void of_milliseconds(void)
{
    int e = epoll_create1(0);
    struct epoll_event event;
    struct timeval t = {0, LONG_MAX};

    CHECK(e >= 0);
    interrupt_after(30);
    FAILS(poll(NULL, 0, INT_MAX), EINTR);
    interrupt_after(30);
    FAILS(epoll_wait(e, &event, 1, INT_MAX), EINTR);
    interrupt_after(30);
    FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &t), EINTR); /* more than a second's parts */
    t = (struct timeval){LONG_MAX, 0};
    interrupt_after(30);
    FAILS(syscall(SYS_select, 0, NULL, NULL, NULL, &t), EINTR);
    while (wait(NULL) > 0)
        ;
}

static volatile sig_atomic_t alarms;

static void note(int signal)
{
    (void)signal;
    alarms++;
}

static void timers(void)
{
    static const struct timeval wrong[] = {{0, 1000000}, {-1, 0}, {0, -1}, {0, LONG_MAX}};
    struct itimerval timer = {{LONG_MAX, 999999}, {LONG_MAX, 999999}}, now;

    signal(SIGALRM, note);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    sleep_ms(50);
    CHECK(getitimer(ITIMER_REAL, &now) == 0 && alarms == 0);
    CHECK(now.it_value.tv_sec > 1000000000 && now.it_interval.tv_sec > 1000000000);
    timer = (struct itimerval){{LONG_MAX, 0}, {0, 20000}}; /* once, and then after ages */
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (!alarms)
        sleep_ms(5);
    sleep_ms(100);
    CHECK(alarms == 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        timer = (struct itimerval){{0, 0}, wrong[i]};
        FAILS(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
        timer = (struct itimerval){wrong[i], {1, 0}};
        FAILS(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
    }
    alarm(UINT_MAX);
    sleep_ms(20);
    CHECK(alarm(0) > 1000000000 && alarms == 1);
}

/* The clock stays as it is: they are refused before anybody asks who calls. */
static void wrong_dates(void)
{
    static const int64_t wrong[][2] = {{0, 2000000000}, {0, LONG_MAX}, {-1, 0}, {LONG_MAX, 0}};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FAILS(syscall(SYS_clock_settime, CLOCK_REALTIME, wrong[i]), EINVAL);
        FAILS(syscall(SYS_settimeofday, wrong[i], NULL), EINVAL);
    }
}

RUN_CASES({"very long", very_long}, {"none", none}, {"at once", at_once},
          {"of milliseconds", of_milliseconds}, {"timers", timers}, {"wrong dates", wrong_dates})
