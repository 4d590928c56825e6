/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls by chance: in rounds, by processes of two users and of root in a chroot, each with a
 * thread that changes, protects and unmaps the memory that the calls are given. What is outside (the
 * services, the kernel's counts) is looked at by tools/fuzz-syscalls.
 *
 *     fuzz SECONDS SEED [ROUND_MS]     a line for each round: calls, and the kernel's counts
 *
 * Everything is bounded: each process may have 24 MB, each user 40 processes; a round ends by
 * killing all that has come up since the beginning, and removing its folder.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/syscalls/calls.h"

enum {
    WORKERS = 4,
    LOOK_MS = 5,
    IDLE_LOOKS = 8,
    LAST = 4,
    PATH_PAGES = 256,
    PID_LEAST = 10000,
    PIDS = 65536
};
#define PAGE 4096ul
#define PARENT "/tmp/fuzz" /* users may write below it only */

/* What each has called last, for who must find out what went wrong. */
struct note {
    int number;
    long arguments[6];
};
struct worker {
    pid_t pid;
    uint64_t calls, seen; /* seen: by the watcher, last time */
    unsigned idle; /* how often it has seen no more of them */
    uint64_t seed;
    struct note last[LAST];
};
static struct worker *workers; /* shared */
static bool there_before[PIDS];
static uint64_t seed;
static __thread sigjmp_buf back;
static volatile unsigned long alarms;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ---- one that calls ---- */

static void faulted(int signal)
{
    siglongjmp(back, signal);
}

static void woken(int signal)
{
    (void)signal;
    alarms++;
}

/* What interrupts calls that wait; calls may have changed it. */
static void wake_often(void)
{
    struct sigaction wake = {.sa_handler = woken},
                     fault = {.sa_handler = faulted, .sa_flags = SA_NODEFER};
    struct itimerval every = {{0, 3000}, {0, 3000}};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGALRM, &wake, NULL);
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGBUS, &fault, NULL);
    sigaction(SIGPIPE, &wake, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void *change(void *argument)
{
    struct caller c = *(struct caller *)argument;

    c.random ^= 0x5555;
    sigsetjmp(back, 1);
    for (;;) {
        uint64_t first = below(&c, ARENA_PAGES), count = 1 + below(&c, ARENA_PAGES - first);
        char *at = c.arena + first * PAGE;

        switch (below(&c, 6)) {
        case 0:
            munmap(at, count * PAGE);
            break;
        case 1:
            mprotect(at, count * PAGE, (int)below(&c, 8));
            break;
        case 2:
            madvise(at, count * PAGE, MADV_DONTNEED);
            break;
        default:
            if (mmap(at, count * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at)
                caller_fill(&c, at);
        }
        nanosleep(&(struct timespec){0, (long)below(&c, 1500000)}, NULL);
    }
    return NULL;
}

/* Calls that only wait: now and then is enough. */
static bool only_waits(int n)
{
    return n == SYS_pause || n == SYS_rt_sigsuspend || n == SYS_rt_sigtimedwait ||
           n == SYS_nanosleep || n == SYS_clock_nanosleep;
}

static void call_and_note(struct caller *c, struct worker *w, int n)
{
    struct note *note = &w->last[w->calls++ % LAST];

    note->number = n;
    call_arguments(c, n, note->arguments);
    if (!call_never(c, n, note->arguments))
        call_raw(n, note->arguments);
}

/* In a child, which goes on for a while with whatever has become of it. */
static void call_in_child(struct caller *c, struct worker *w, int n)
{
    struct worker own = *w;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(1);
        if (sigsetjmp(back, 1) == 0)
            call_and_note(c, &own, n);
        for (int i = 0; i < 10; i++) {
            int next = call_choose(c);

            if (!call_forks(next))
                call_and_note(c, &own, next);
        }
        _exit(0);
    }
    c->child = pid;
    if (pid > 0 && below(c, 2)) {
        sleep_ms((long)below(c, 4));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static void limit(int resource, rlim_t value)
{
    setrlimit(resource, &(struct rlimit){value, value});
}

static void privileges(struct caller *c, unsigned i)
{
    limit(RLIMIT_AS, 24 << 20);
    limit(RLIMIT_NOFILE, 80);
    limit(RLIMIT_NPROC, 40);
    if (c->root) {
        mkdir("dev", 0755);
        mknod("dev/null", S_IFCHR | 0666, makedev(1, 3));
        mknod("dev/zero", S_IFCHR | 0666, makedev(1, 5));
        if (chroot("."))
            _exit(9);
    } else if (setgroups(0, NULL) || setgid(1000 + i / 2) || setuid(1000 + i / 2))
        _exit(9);
}

static char *map(size_t length)
{
    char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        _exit(8);
    return at;
}

static void work(struct worker *w, unsigned i, const char *folder)
{
    struct caller c = {.random = w->seed, .root = i == WORKERS - 1};
    pthread_t thread;

    int null = open("/dev/null", O_RDWR);

    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    if (null < 3 || chdir(folder))
        _exit(7);
    privileges(&c, i);
    c.steady = map((3 + PATH_PAGES) * PAGE);
    for (size_t k = 2 * PAGE; k < (2 + PATH_PAGES) * PAGE; k++)
        c.steady[k] = k & 1 ? '/' : 'a';
    mprotect(c.steady + (2 + PATH_PAGES) * PAGE, PAGE, PROT_NONE);
    c.arena = map(ARENA_PAGES * PAGE);
    caller_open(&c);
    caller_fill(&c, c.steady);
    wake_often();
    if (below(&c, 4))
        pthread_create(&thread, NULL, change, &c);
    sigsetjmp(back, 1);
    for (;;) {
        int n = call_choose(&c);

        if (w->calls % 16 == 0)
            wake_often();
        if (w->calls % 256 == 255)
            caller_fill(&c, c.steady);
        if (call_forks(n)) {
            if (below(&c, 8) == 0)
                call_in_child(&c, w, n);
        } else if (!only_waits(n) || below(&c, 16) == 0)
            call_and_note(&c, w, n);
    }
}

/* ---- who watches them ---- */

static void start(unsigned i, const char *folder)
{
    struct worker *w = &workers[i];
    pid_t pid;

    w->idle = 0;
    w->seed = seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    pid = fork(); /* the child must not store it */
    if (pid == 0)
        work(w, i, folder);
    w->pid = pid;
}

/* Calls f for all processes that are there. */
static void for_all(void (*f)(int pid))
{
    DIR *d = opendir("/proc");
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (atoi(e->d_name) > 0)
            f(atoi(e->d_name));
    if (d)
        closedir(d);
}

/* One that waits for what never comes, and has no more alarms. */
static void end_waiting(struct worker *w)
{
    w->idle = w->calls == w->seen ? w->idle + 1 : 0;
    w->seen = w->calls;
    if (w->idle >= IDLE_LOOKS && w->pid > 0) {
        kill(w->pid, SIGKILL);
    }
}

static int left;

static void was_there(int pid)
{
    if (pid < PIDS)
        there_before[pid] = true;
}

static void end(int pid)
{
    if (pid < PID_LEAST || (pid < PIDS && there_before[pid]) || pid == getpid())
        return;
    kill(pid, SIGKILL);
    left++;
}

static void end_all(void)
{
    for (int tries = 0; tries < 200; tries++) {
        left = 0;
        for_all(end);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (!left)
            return;
        sleep_ms(tries < 20 ? 5 : 50);
    }
    printf("wrong: %d processes do not end\n", left);
}

static int unlink_one(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void)s;
    (void)kind;
    (void)f;
    remove(path);
    return 0;
}

static void tree_remove(const char *folder)
{
    chmod(folder, 0777);
    nftw(folder, unlink_one, 20, FTW_DEPTH | FTW_PHYS);
    if (access(folder, F_OK) == 0)
        printf("wrong: %s is left\n", folder);
}

/* "frames_free 1 slots_used 2 grants_used 3". Pages of servers' mirrors come as theirs are first stored to: they count as
 * free. */
static void counts(char *text, size_t room)
{
    unsigned long long frames = 0, slots = 0, grants = 0, value;
    char line[200];
    FILE *f = fopen("/proc/bardo/kernel", "r");

    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "frames_free %llu", &value) == 1 ||
            sscanf(line, "frames_mirror %llu", &value) == 1)
            frames += value;
        sscanf(line, "slots_used %llu", &slots);
        sscanf(line, "grants_used %llu", &grants);
    }
    if (f)
        fclose(f);
    snprintf(text, room, "frames_free %llu slots_used %llu grants_used %llu ", frames, slots,
             grants);
}

static void counts_settled(char *text, size_t room)
{
    char before[200];

    counts(text, room);
    for (int tries = 0; tries < 20; tries++) {
        strcpy(before, text);
        sleep_ms(30);
        counts(text, room);
        if (strcmp(before, text) == 0)
            return;
    }
}

static bool answers(void)
{
    uint64_t began = now_ms();
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        execl("/bin/busybox", "true", (char *)NULL);
        _exit(1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && now_ms() - began < 5000;
}

static void round_run(unsigned number, long ms)
{
    char folder[] = PARENT "/0", text[200];
    uint64_t until = now_ms() + (uint64_t)ms, calls = 0;
    unsigned births = 0;
    pid_t pid;

    folder[sizeof folder - 2] += (char)(number % 10);
    mkdir(PARENT, 0755);
    mkdir(folder, 0777);
    memset(workers, 0, WORKERS * sizeof *workers);
    for (unsigned i = 0; i < WORKERS; i++)
        start(i, folder);
    while (now_ms() < until) {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            for (unsigned i = 0; i < WORKERS; i++)
                if (workers[i].pid == pid && ++births)
                    start(i, folder);
        sleep_ms(LOOK_MS);
        for (unsigned i = 0; i < WORKERS; i++)
            end_waiting(&workers[i]);
    }
    end_all();
    for (unsigned i = 0; i < WORKERS; i++)
        calls += workers[i].calls;
    tree_remove(PARENT);
    if (!answers())
        printf("wrong: no answer\n");
    counts_settled(text, sizeof text);
    printf("round %u calls %llu births %u %s\n", number, (unsigned long long)calls, births, text);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    long seconds = argc > 2 ? atol(argv[1]) : 10, ms = argc > 3 ? atol(argv[3]) : 1500;
    uint64_t until = now_ms() + (uint64_t)seconds * 1000;

    seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    /* far from all that the calls are given */
    workers = mmap((void *)0x100000000000, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    if (workers == MAP_FAILED)
        return 1;
    umask(0);
    for_all(was_there);
    for (unsigned n = 0; now_ms() < until; n++)
        round_run(n, ms);
    return 0;
}
