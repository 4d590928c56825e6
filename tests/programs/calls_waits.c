/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers keep for those that wait: futexes, timers, epoll sets, signals on their way. Each comes once, to whom
 * it is for, whatever dies meanwhile. What is lost hangs until CASE_SECONDS are over. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "cases.h"

/* ---- futexes ---- */

/* As in linux/futex.h. */
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_CMP_REQUEUE = 4, FUTEX_WAIT_BITSET = 9 };
enum { THREADS = 6, FUTEX_ROUNDS = 25 };

static uint32_t first, second, round_now;
static unsigned woken, timed_out;

static long futex(uint32_t *word, int operation, uint32_t value, const void *time, uint32_t *other,
                  uint32_t last)
{
    return syscall(SYS_futex, word, operation, value, time, other, last);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* It waits on `first` once in each round, and then, not woken by anybody, until a moment. */
static void *waiter(void *number)
{
    uint64_t ns = 400000 + 150000 * (uint64_t)(uintptr_t)number, begin;
    static uint32_t nobody;
    struct timespec t;

    for (uint32_t r = 1; r <= FUTEX_ROUNDS; r++) {
        while (__atomic_load_n(&round_now, __ATOMIC_SEQ_CST) < r)
            futex(&round_now, FUTEX_WAIT, r - 1, NULL, NULL, 0);
        CHECK(futex(&first, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
        __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
        begin = now_ns();
        t = (struct timespec){0, (long)ns};
        if (r & 1) {
            FAILS(futex(&nobody, FUTEX_WAIT, 0, &t, NULL, 0), ETIMEDOUT);
        } else {
            t = (struct timespec){(time_t)((begin + ns) / 1000000000),
                                  (long)((begin + ns) % 1000000000)};
            FAILS(futex(&nobody, FUTEX_WAIT_BITSET, 0, &t, NULL, ~0u), ETIMEDOUT);
        }
        CHECK(now_ns() >= begin + ns);
        __atomic_add_fetch(&timed_out, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* As many as are said to be are woken, and no others. */
static void wake_all(uint32_t *word, unsigned before)
{
    unsigned so_far = 0;

    while (so_far < THREADS - before) {
        long n = futex(word, FUTEX_WAKE, 2, NULL, NULL, 0);

        CHECK(n >= 0 && n <= 2);
        so_far += (unsigned)n;
        if (n == 0)
            sleep_ms(1);
        CHECK(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) <= before + so_far);
    }
}

static void futexes(void)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, waiter, (void *)i) == 0);
    for (uint32_t r = 1; r <= FUTEX_ROUNDS; r++) {
        long some = 0;

        woken = timed_out = 0;
        __atomic_store_n(&round_now, r, __ATOMIC_SEQ_CST);
        futex(&round_now, FUTEX_WAKE, THREADS, NULL, NULL, 0);
        if (r % 3 == 0) { /* who waits goes to another word, and none is woken */
            while (some < 2) {
                long n =
                    futex(&first, FUTEX_CMP_REQUEUE, 0, (void *)(uintptr_t)THREADS, &second, 0);

                CHECK(n >= 0);
                some += n;
            }
            CHECK(some <= THREADS && woken == 0);
            CHECK(futex(&second, FUTEX_WAKE, THREADS, NULL, NULL, 0) == some);
        }
        wake_all(&first, (unsigned)some);
        while (__atomic_load_n(&timed_out, __ATOMIC_SEQ_CST) < THREADS)
            sleep_ms(1);
        CHECK(woken == THREADS && timed_out == THREADS);
    }
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- timers ---- */

/* (PM that dies at each alarm has little time left for anything else: so these are few.) */
enum { OWNERS = 4, ONE_SHOTS = 15, PERIODS = 12, PERIOD_US = 8000 };

static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void one_shot(const sigset_t *none, unsigned us)
{
    struct itimerval value = {{0, 0}, {0, (long)us}}, left;
    uint64_t begin = now_ns();
    int before = alarms;

    CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
    while (alarms == before)
        sigsuspend(none);
    CHECK(now_ns() >= begin + us * 1000u && alarms == before + 1);
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec == 0 &&
          left.it_value.tv_usec == 0);
}

static void periodic(const sigset_t *none)
{
    struct itimerval value = {{0, PERIOD_US}, {0, PERIOD_US}};
    uint64_t begin = now_ns();
    int before = alarms;

    CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
    while (alarms < before + PERIODS)
        sigsuspend(none);
    CHECK(now_ns() >= begin + PERIODS * PERIOD_US * 1000u);
    value = (struct itimerval){0};
    CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
}

/* Sleeps of PM's and of VFS's, and one that is ended by a timer and says what is left. */
static void sleeps(unsigned us)
{
    struct timespec t = {0, (long)us * 1000}, left = {0};
    struct itimerval value = {{0, PERIOD_US}, {0, (long)us}}, off = {0};
    uint64_t begin = now_ns();
    int before = alarms, error;
    sigset_t alarm_only;

    CHECK(nanosleep(&t, NULL) == 0 && now_ns() >= begin + us * 1000u);
    begin = now_ns();
    CHECK(poll(NULL, 0, 1) == 0 && now_ns() >= begin + 1000000u);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    t = (struct timespec){20, 0};
    CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &alarm_only, NULL) == 0);
    error = nanosleep(&t, &left) ? errno : 0; /* one may come before; not all */
    CHECK(error == EINTR && left.tv_sec < 20 && left.tv_sec > 10);
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0 && alarms > before);
    CHECK(sigprocmask(SIG_BLOCK, &alarm_only, NULL) == 0);
}

static void owner(unsigned number)
{
    struct sigaction action = {.sa_handler = count_alarm};
    sigset_t blocked, none;

    alarm(0);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (unsigned i = 0; i < ONE_SHOTS; i++) {
        one_shot(&none, 200 + 100 * number + 10 * i);
        sleeps(5000 + 100 * number);
    }
    periodic(&none);
}

static void timers(void)
{
    pid_t pids[OWNERS];

    for (unsigned i = 0; i < OWNERS; i++)
        CHILD(pids[i])
    owner(i);
    for (unsigned i = 0; i < OWNERS; i++)
        check_child(pids[i]);
}

/* ---- epoll sets ---- */

enum { PIPES = 12, TOKENS = 1500 };

static void write_tokens(int out[PIPES])
{
    unsigned next[PIPES] = {0};
    uint64_t chance = 7;

    for (unsigned i = 0; i < TOKENS; i++) {
        unsigned p;

        chance = chance * 6364136223846793005u + 1442695040888963407u;
        p = (unsigned)(chance >> 33) % PIPES;
        CHECK(write(out[p], &next[p], sizeof next[p]) == sizeof next[p]);
        next[p]++;
        if (i % 50 == 0)
            sleep_ms(1);
    }
}

/* Those that are there, in their order; of one that tells of levels, one. */
static unsigned take(int in, unsigned *next, bool all)
{
    unsigned token, taken = 0;

    while ((all || taken == 0) && read(in, &token, sizeof token) == sizeof token) {
        CHECK(token == *next);
        ++*next;
        taken++;
    }
    CHECK(taken || errno == EAGAIN);
    return taken;
}

static void set_with(uint32_t how)
{
    int in[PIPES], out[PIPES], p[2], set = epoll_create1(0), n;
    unsigned next[PIPES] = {0}, taken = 0;
    struct epoll_event events[4];
    pid_t writer;

    for (unsigned i = 0; i < PIPES; i++) {
        struct epoll_event e = {.events = EPOLLIN | how, .data.u32 = i};

        CHECK(pipe(p) == 0 && fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
        in[i] = p[0], out[i] = p[1];
        CHECK(epoll_ctl(set, EPOLL_CTL_ADD, in[i], &e) == 0);
    }
    CHILD(writer)
    write_tokens(out);
    while (taken < TOKENS) {
        n = epoll_wait(set, events, 4, -1);
        CHECK(n > 0 && n <= 4);
        for (int i = 0; i < n; i++) {
            unsigned which = events[i].data.u32, got = take(in[which], &next[which], how != 0);
            struct epoll_event e = {.events = EPOLLIN | how, .data.u32 = which};

            CHECK(events[i].events == EPOLLIN && (got > 0 || how == (uint32_t)EPOLLET));
            taken += got;
            if (how == EPOLLONESHOT)
                CHECK(epoll_ctl(set, EPOLL_CTL_MOD, in[which], &e) == 0);
        }
    }
    check_child(writer);
    while (how == (uint32_t)EPOLLET && epoll_wait(set, events, 4, 0) > 0)
        continue; /* what came while the one before was taken */
    CHECK(epoll_wait(set, events, 4, 0) == 0 && taken == TOKENS);
    for (unsigned i = 0; i < PIPES; i++)
        CHECK(close(in[i]) == 0 && close(out[i]) == 0);
    CHECK(close(set) == 0);
}

static void levels(void)
{
    set_with(0);
}

static void edges(void)
{
    set_with((uint32_t)EPOLLET);
}

static void one_shots(void)
{
    set_with(EPOLLONESHOT);
}

/* ---- signals ---- */

enum { SENT_ROUNDS = 80, GROUP = 4 };

static const int sent[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM, SIGURG, SIGWINCH, SIGIO};
enum { SENT = sizeof sent / sizeof *sent };

static sigset_t all_sent(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < SENT; i++)
        sigaddset(&set, sent[i]);
    return set;
}

/* Which it has is told to the other end, each is taken, once, and then there are none. */
static void take_signals(int in, int out)
{
    sigset_t set = all_sent(), pending;
    struct timespec at_once = {0, 0};
    unsigned wanted;
    siginfo_t info;

    while (read(in, &wanted, sizeof wanted) == sizeof wanted) {
        CHECK(sigpending(&pending) == 0);
        for (unsigned i = 0; i < SENT; i++)
            CHECK(sigismember(&pending, sent[i]) == (int)(wanted >> i & 1));
        for (unsigned left = wanted; left;) {
            int signal = sigtimedwait(&set, &info, &at_once);
            unsigned i = 0;

            while (i < SENT && sent[i] != signal)
                i++;
            CHECK(i < SENT && (left >> i & 1) && info.si_pid == getppid());
            left &= ~(1u << i);
        }
        FAILS(sigtimedwait(&set, &info, &at_once), EAGAIN);
        CHECK(write(out, &wanted, sizeof wanted) == sizeof wanted);
    }
}

static void signals_pending(void)
{
    sigset_t set = all_sent();
    int to[2], from[2];
    unsigned back;
    pid_t pid;

    CHECK(pipe(to) == 0 && pipe(from) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHILD(pid)
    {
        close(to[1]);
        take_signals(to[0], from[1]);
    }
    for (unsigned r = 1; r <= SENT_ROUNDS; r++) {
        unsigned wanted = r * 2654435761u >> 24;

        for (unsigned i = 0; i < SENT; i++)
            if (wanted >> i & 1)
                CHECK(kill(pid, sent[i]) == 0);
        CHECK(write(to[1], &wanted, sizeof wanted) == sizeof wanted);
        CHECK(read(from[0], &back, sizeof back) == sizeof back && back == wanted);
    }
    CHECK(close(to[1]) == 0);
    check_child(pid);
}

static volatile sig_atomic_t got;

static void count_got(int signal)
{
    (void)signal;
    got++;
}

/* SIGUSR1 and SIGUSR2 are counted, and come in sigsuspend(none) alone. */
static void count_signals(sigset_t *none)
{
    struct sigaction action = {.sa_handler = count_got};
    sigset_t blocked;

    sigemptyset(none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
}

static void await_signal(const sigset_t *none, int count)
{
    while (got < count)
        sigsuspend(none);
    CHECK(got == count);
}

static void signals_to_and_fro(void)
{
    pid_t pid, us = getpid();
    sigset_t none;

    count_signals(&none);
    CHILD(pid)
    for (int r = 1; r <= SENT_ROUNDS; r++) {
        await_signal(&none, r);
        CHECK(kill(us, SIGUSR2) == 0);
    }
    for (int r = 1; r <= SENT_ROUNDS; r++) {
        CHECK(kill(pid, SIGUSR1) == 0);
        await_signal(&none, r);
    }
    check_child(pid);
}

/* One for all of a group, while they sleep. */
static void signals_to_a_group(void)
{
    pid_t pids[GROUP];
    sigset_t none;
    int back[2];
    char byte;

    CHECK(pipe(back) == 0);
    count_signals(&none);
    for (int i = 0; i < GROUP; i++) {
        CHILD(pids[i])
        for (int r = 1; r <= SENT_ROUNDS; r++) {
            await_signal(&none, r);
            CHECK(write(back[1], &byte, 1) == 1);
        }
        CHECK(setpgid(pids[i], pids[0]) == 0);
    }
    for (int r = 1; r <= SENT_ROUNDS; r++) {
        CHECK(kill(-pids[0], SIGUSR1) == 0);
        for (int i = 0; i < GROUP; i++)
            CHECK(read(back[0], &byte, 1) == 1);
    }
    for (int i = 0; i < GROUP; i++)
        check_child(pids[i]);
}

RUN_CASES({"futexes", futexes}, {"timers", timers}, {"levels", levels}, {"edges", edges},
          {"one shots", one_shots}, {"signals pending", signals_pending},
          {"signals to and fro", signals_to_and_fro}, {"signals to a group", signals_to_a_group})
