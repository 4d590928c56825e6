/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded work: a process of an ordinary user makes every system call with the largest and the
 * strangest arguments, and then what takes longest of all (scenarios.c). Another asks each server a
 * small thing all the while, and looks how long it takes: as long as a step of that server's is, or
 * of one that runs before it. By the guest's clock, for `-icount shift=0`, where an instruction is a
 * ns.
 *
 *     worst [NAME | long]
 *
 * A line for each scenario and call (long: scenarios alone): its name, the longest call, and the
 * longest that anybody had to wait for it, and for each server, all in us. Then one for each system
 * call of abi/syscalls.tbl: the longest of all, and in what; "missing" when nothing made it.
 * Scenarios of a disk want an ext4 at /mnt.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/syscalls/calls.h"
#include "tests/syscalls/worst.h"

enum { VECTORS = 7, STUCK_MS = 12, SCENARIO_MS = 20000, PATH_PAGES = 8 };
#define CHILD_WAIT_NS 60000 /* between two calls: the turn is the other's */
#define LOOK_NS 20000

enum server { PM, VM, VFS, RAM, PROC, DEV, NET, EXT4, TTY, SERVERS };
static const char *const server_names[SERVERS] = {"pm",  "vm",  "vfs",  "ram", "proc",
                                                  "dev", "net", "ext4", "tty"};
static const struct scenarios *const scenarios[] = {&scenarios_memory, &scenarios_disk,
                                                    &scenarios_talk};

/* Of the one that calls; shared. */
struct progress {
    volatile bool in_call;
    volatile unsigned number; /* which */
    volatile unsigned ended; /* how many calls */
    volatile int call; /* the system call */
    volatile uint64_t longest; /* ns */
    volatile uint64_t took[CALLS_MAX]; /* ns; 0: not made */
};
static struct progress *progress;
static uint64_t begun, longest[SERVERS], late;
static uint64_t last; /* look; 0: not yet */
static int files[SERVERS];
static const char *measured; /* what is being measured */
/* For each call, the longest that anybody had to wait, in ns, and in what. */
static uint64_t waited[CALLS_MAX];
static const char *waited_in[CALLS_MAX];

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

void timed_begin(int number)
{
    sleep_ns(CHILD_WAIT_NS);
    progress->call = number;
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
    if (took > progress->took[progress->call])
        progress->took[progress->call] = took;
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
    static const long largest[] = {LONG_MAX, INT_MAX, 0x7ffffffff000};
    long arguments[6];
    pid_t self = getpid();

    prepare(&c);
    for (unsigned i = first; i < VECTORS; i++) {
        progress->number = i;
        c.largest = i < sizeof largest / sizeof *largest ? largest[i] : 0;
        caller_fill(&c, c.steady);
        call_arguments(&c, n, arguments);
        timed_begin(n);
        call_raw(n, arguments);
        if (getpid() != self) /* it was a fork */
            _exit(0);
        timed_end();
    }
}

/* ---- who watches ---- */

static uint64_t ping(enum server server)
{
    struct termios settings;
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
    case EXT4: /* what needs no block of the disk */
        fstatfs(files[EXT4], &(struct statfs){0});
        break;
    case TTY:
        tcgetattr(files[TTY], &settings);
        break;
    default:
        (void)!pread(files[server], &byte, 1, 0);
    }
    return now() - start;
}

static void note_wait(uint64_t ns, uint64_t *most)
{
    int call = progress->call;

    if (ns > *most)
        *most = ns;
    if (ns > waited[call]) {
        waited[call] = ns;
        waited_in[call] = measured;
    }
}

/* One look: a server is asked, and time passes. If a call was under way or has ended since the last
 * look, whatever kept us waiting is its doing. */
static void look(enum server server)
{
    static unsigned last_ended;
    unsigned ended = progress->ended;
    bool asked = progress->in_call;
    uint64_t took = asked ? ping(server) : 0, time;

    if (asked && progress->ended == ended)
        note_wait(took, &longest[server]);
    sleep_ns(LOOK_NS);
    time = now();
    if (last && (asked || progress->in_call || progress->ended != last_ended))
        note_wait(time - last, &late);
    last = time;
    last_ended = progress->ended;
}

/* Until it ends; 0: it did, else the number of a call that seems to wait for what never comes. */
static unsigned watch(pid_t pid, uint64_t limit_ms)
{
    uint64_t since = now();
    unsigned seen = 0, ended = 0, server = 0;

    last = 0;
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

static pid_t start(const char *folder, const struct scenario *s, int n, unsigned first)
{
    pid_t pid;

    progress->in_call = false;
    progress->number = first;
    fflush(stdout);
    pid = fork();
    if (pid)
        return pid;
    if (chdir(folder) || setsid() < 0)
        _exit(7);
    if (!(s && s->kind & AS_ROOT) && (setgroups(0, NULL) || setgid(1000) || setuid(1000)))
        _exit(7);
    if (s)
        s->run();
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

static void measure(const char *name, const struct scenario *s, int n)
{
    char folder[30];
    unsigned next = 0;

    snprintf(folder, sizeof folder, "%s/worst-XXXXXX", s && s->kind & ON_DISK ? DISK : "/tmp");
    if (!mkdtemp(folder) || chmod(folder, 0777))
        exit(1);
    measured = name;
    memset(longest, 0, sizeof longest);
    late = progress->longest = 0;
    progress->call = n;
    do
        next = watch(start(folder, s, n, next), s ? SCENARIO_MS : STUCK_MS);
    while (next && !s && next < VECTORS);
    end_user();
    nftw(folder, unlink_one, 20, FTW_DEPTH | FTW_PHYS);
    printf("%s%s took %llu late %llu", s ? "do_" : "", name,
           (unsigned long long)progress->longest / 1000, (unsigned long long)late / 1000);
    for (int i = 0; i < SERVERS; i++)
        printf(" %s %llu", server_names[i], (unsigned long long)longest[i] / 1000);
    printf("%s\n", next && s ? " endless" : "");
}

static void report(bool all)
{
    for (int n = 0; n < CALLS_MAX; n++)
        if (call_names[n] && (progress->took[n] || waited_in[n]))
            printf("call %s took %llu waited %llu in %s\n", call_names[n],
                   (unsigned long long)progress->took[n] / 1000,
                   (unsigned long long)waited[n] / 1000, waited_in[n] ? waited_in[n] : "none");
        else if (call_names[n] && all)
            printf("call %s missing\n", call_names[n]);
}

static void open_files(void)
{
    files[VFS] = files[RAM] = open("/etc/rc", O_RDONLY);
    files[PROC] = open("/proc/version", O_RDONLY);
    files[DEV] = open("/dev/zero", O_RDONLY);
    files[NET] = socket(AF_INET, SOCK_DGRAM, 0);
    files[TTY] = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK);
    files[EXT4] = open(DISK "/worst", O_RDWR | O_CREAT, 0600);
    (void)!pwrite(files[EXT4], "x", 1, 0);
}

int main(int argc, char **argv)
{
    bool all = argc < 2, only_long = !all && strcmp(argv[1], "long") == 0;

    progress = mmap((void *)0x100000000000, sizeof *progress, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        return 1;
    umask(0);
    open_files();
    for (unsigned l = 0; l < sizeof scenarios / sizeof *scenarios; l++)
        for (unsigned i = 0; i < scenarios[l]->count; i++) {
            const struct scenario *s = &scenarios[l]->list[i];

            if (all || only_long || strcmp(argv[1], s->name) == 0)
                measure(s->name, s, 0);
        }
    for (int n = 0; n < CALLS_MAX && !only_long; n++) {
        if (!call_names[n])
            continue;
        if (!call_kinds[n].kinds)
            printf("%s has no kinds in calls.c\n", call_names[n]);
        if (all || strcmp(argv[1], call_names[n]) == 0)
            measure(call_names[n], NULL, n);
    }
    report(all);
    return 0;
}
