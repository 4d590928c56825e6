/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded work: a process of an ordinary user makes every system call with the largest and the
 * strangest arguments, and then what takes longest of all (scenarios.c). Another asks each server a
 * small thing all the while, and looks how long it takes: as long as a step of that server's is, or
 * of one that runs before it. By the guest's clock, for `-icount shift=0`, where an instruction is a
 * ns.
 *
 *     worst [NAME | long]     a line for each (long: only for what takes longest): its name, the longest call, and the longest that anybody had to wait for
 *                      it, and for each server, all in us
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "tests/syscalls/calls.h"
#include "tests/syscalls/worst.h"

enum { VECTORS = 10, STUCK_MS = 12, SCENARIO_MS = 20000, PATH_PAGES = 8 };
#define PAGE 4096ul
#define CHILD_WAIT_NS 60000 /* between two calls: the turn is the other's */
#define LOOK_NS 20000

enum server { PM, VM, VFS, RAM, PROC, DEV, NET, SERVERS };
static const char *const server_names[SERVERS] = {"pm", "vm", "vfs", "ram", "proc", "dev", "net"};

/* Of the one that calls; shared. */
struct progress {
    volatile bool in_call;
    volatile unsigned number; /* which */
    volatile unsigned ended; /* how many calls */
    volatile uint64_t longest; /* ns */
};
static struct progress *progress;
static uint64_t begun, longest[SERVERS], late;
static int files[SERVERS];

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_ns(long ns)
{
    nanosleep(&(struct timespec){0, ns}, NULL);
}

void timed_begin(void)
{
    sleep_ns(CHILD_WAIT_NS);
    begun = now();
    progress->in_call = true;
}

void timed_end(void)
{
    uint64_t took;

    progress->in_call = false;
    progress->ended++;
    took = now() - begun;
    if (took > progress->longest)
        progress->longest = took;
    sleep_ns(CHILD_WAIT_NS);
}

/* ---- every call ---- */

static void prepare(struct caller *c)
{
    size_t size = (3 + PATH_PAGES) * PAGE;

    c->steady = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    c->arena =
        mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->steady == MAP_FAILED || c->arena == MAP_FAILED)
        _exit(8);
    for (size_t k = 2 * PAGE; k < size - PAGE; k++)
        c->steady[k] = k & 1 ? '/' : 'a';
    mprotect(c->steady + size - PAGE, PAGE, PROT_NONE);
    munmap(c->arena + 8 * PAGE, 3 * PAGE);
    mprotect(c->arena + 20 * PAGE, 5 * PAGE, PROT_READ);
    caller_open(c);
    caller_fill(c, c->steady);
}

/* From vector `first` on, each in the state that the ones before have left. */
static void vectors(int n, unsigned first)
{
    struct caller c = {.random = (uint64_t)n << 32 | first, .extreme = true};
    long arguments[6];
    pid_t self = getpid();

    prepare(&c);
    for (unsigned i = first; i < VECTORS; i++) {
        progress->number = i;
        caller_fill(&c, c.steady);
        call_arguments(&c, n, arguments);
        timed_begin();
        call_raw(n, arguments);
        if (getpid() != self) /* it was a fork */
            _exit(0);
        timed_end();
    }
}

/* ---- who watches ---- */

static uint64_t ping(enum server server)
{
    uint64_t start = now();
    char byte;

    switch (server) {
    case PM:
        getppid();
        break;
    case VM:
        syscall(SYS_brk, 0);
        break;
    case VFS:
        fcntl(files[VFS], F_GETFD);
        break;
    case NET: {
        int value;
        socklen_t size = sizeof value;

        getsockopt(files[NET], SOL_SOCKET, SO_RCVBUF, &value, &size);
        break;
    }
    default:
        (void)!pread(files[server], &byte, 1, 0);
    }
    return now() - start;
}

/* One look: a server is asked, and time passes. If a call was under way or has ended since the last
 * look, whatever kept us waiting is its doing. */
static void look(enum server server)
{
    static uint64_t last;
    static unsigned last_ended;
    unsigned ended = progress->ended;
    bool asked = progress->in_call;
    uint64_t took = asked ? ping(server) : 0, time;

    if (asked && progress->ended == ended && took > longest[server])
        longest[server] = took;
    sleep_ns(LOOK_NS);
    time = now();
    if ((asked || progress->in_call || progress->ended != last_ended) && time - last > late)
        late = time - last;
    last = time;
    last_ended = progress->ended;
}

/* Until it ends; 0: it did, else the number of a call that seems to wait for what never comes. */
static unsigned watch(pid_t pid, uint64_t limit_ms)
{
    uint64_t since = now(), before = late;
    unsigned seen = 0, ended = 0, server = 0;

    look(PM); /* from now on */
    late = before;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (progress->number != seen || progress->ended != ended || !progress->in_call)
            since = now();
        seen = progress->number;
        ended = progress->ended;
        look(server++ % SERVERS);
        if (now() - since > limit_ms * 1000000) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return seen + 1;
        }
    }
    return 0;
}

static pid_t start(const char *folder, void (*run)(void), int n, unsigned first)
{
    pid_t pid;

    progress->in_call = false;
    progress->number = first;
    fflush(stdout);
    pid = fork();
    if (pid)
        return pid;
    if (chdir(folder) || setsid() < 0 || setgroups(0, NULL) || setgid(1000) || setuid(1000))
        _exit(7);
    if (run)
        run();
    else
        vectors(n, first);
    _exit(0);
}

static void end_user(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (setuid(1000) == 0)
            kill(-1, SIGKILL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static int unlink_one(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void)s;
    (void)kind;
    (void)f;
    return remove(path) && false;
}

static void measure(const char *name, void (*run)(void), int n)
{
    char folder[] = "/tmp/worst-XXXXXX";
    unsigned next = 0;

    if (!mkdtemp(folder) || chmod(folder, 0777))
        exit(1);
    memset(longest, 0, sizeof longest);
    late = progress->longest = 0;
    do
        next = watch(start(folder, run, n, next), run ? SCENARIO_MS : STUCK_MS);
    while (next && !run && next < VECTORS);
    end_user();
    nftw(folder, unlink_one, 20, FTW_DEPTH | FTW_PHYS);
    printf("%s%s took %llu late %llu", run ? "do_" : "", name,
           (unsigned long long)progress->longest / 1000, (unsigned long long)late / 1000);
    for (int s = 0; s < SERVERS; s++)
        printf(" %s %llu", server_names[s], (unsigned long long)longest[s] / 1000);
    printf("%s\n", next && run ? " endless" : "");
}

int main(int argc, char **argv)
{
    bool all = argc < 2, only_long = !all && strcmp(argv[1], "long") == 0;

    progress = mmap((void *)0x100000000000, PAGE, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        return 1;
    umask(0);
    files[VFS] = files[RAM] = open("/etc/rc", O_RDONLY);
    files[PROC] = open("/proc/version", O_RDONLY);
    files[DEV] = open("/dev/zero", O_RDONLY);
    files[NET] = socket(AF_INET, SOCK_DGRAM, 0);
    for (unsigned i = 0; i < scenario_count; i++)
        if (all || only_long || strcmp(argv[1], scenarios[i].name) == 0)
            measure(scenarios[i].name, scenarios[i].run, 0);
    for (int n = 0; n < CALLS_MAX && !only_long; n++) {
        if (!call_names[n])
            continue;
        if (!call_kinds[n].kinds)
            printf("%s has no kinds in calls.c\n", call_names[n]);
        if (all || strcmp(argv[1], call_names[n]) == 0)
            measure(call_names[n], NULL, n);
    }
    return 0;
}
