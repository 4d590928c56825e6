/* SPDX-License-Identifier: BSD-2-Clause */
/* What takes long: much memory, many regions, many descriptors, long vectors, many processes. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/syscalls/worst.h"

#define HUGE_SIZE (32ul << 40) /* memory that is not */
#define STRINGS 1000000ul

char *map_memory(size_t size)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);

    if (at == MAP_FAILED)
        _exit(8);
    return at;
}

char *touched(size_t size)
{
    char *at = map_memory(size);

    memset(at, 1, size);
    return at;
}

/* Some 500 regions, of a page each. */
void many_regions(void)
{
    char *at = touched(1000 * PAGE);

    for (unsigned i = 0; i < 1000; i += 2)
        mprotect(at + i * PAGE, PAGE, PROT_READ);
}

static void fork_and_wait(void)
{
    pid_t pid;

    timed_begin(SYS_fork);
    pid = fork();
    if (pid == 0)
        _exit(0);
    timed_end();
    TIMED(wait4, waitpid(pid, NULL, 0));
}

/* ---- memory ---- */

static void fork_much(void)
{
    touched(MUCH);
    fork_and_wait();
}
static void fork_regions(void)
{
    many_regions();
    fork_and_wait();
}
static void fork_huge(void)
{
    char *at = map_memory(HUGE_SIZE);

    for (unsigned long i = 0; i < 512; i++)
        at[i * (HUGE_SIZE / 512)] = 1;
    fork_and_wait();
}
static void unmap_much(void)
{
    char *at = touched(MUCH);

    TIMED(mprotect, mprotect(at, MUCH, PROT_READ));
    TIMED(munmap, munmap(at, MUCH));
}
static void map_over_much(void)
{
    char *at = touched(MUCH);

    TIMED(mmap, mmap(at, MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at);
}
static void advise_much(void)
{
    char *at = touched(MUCH);

    TIMED(madvise, madvise(at, MUCH, MADV_DONTNEED));
}
static void advise_regions(void)
{
    many_regions();
    TIMED(madvise, madvise((void *)0x10000, 0x7f0000000000 - 0x10000, MADV_DONTNEED));
}
static void move_much(void)
{
    char *at = touched(MUCH), *to = map_memory(HUGE_SIZE);

    munmap(to, HUGE_SIZE);
    TIMED(mremap, mremap(at, MUCH, MUCH, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to);
}
static void move_huge(void)
{
    char *at = map_memory(HUGE_SIZE);

    at[HUGE_SIZE / 2] = 1;
    TIMED(mremap,
          mremap(at, HUGE_SIZE, HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at + HUGE_SIZE) == at);
}
static void core_huge(void)
{
    char *at = map_memory(64ul << 30), *vector = map_memory(16ul << 20);

    at[0] = 1;
    TIMED(mincore, mincore(at, 64ul << 30, (void *)vector));
}
static void share_much(void)
{
    char *at = NULL;

    TIMED(mmap, (at = mmap(NULL, MUCH / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                           0)) == MAP_FAILED);
    TIMED(munmap, munmap(at, MUCH / 2));
}
static void heap_much(void)
{
    char *at = (char *)syscall(SYS_brk, 0); /* the C library has no brk() */

    if (syscall(SYS_brk, at + MUCH) != (long)(at + MUCH))
        _exit(8);
    memset(at, 1, MUCH);
    TIMED(brk, syscall(SYS_brk, at));
}
static void exit_much(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe(ready))
        return;
    pid = fork();
    if (pid == 0) {
        touched(MUCH);
        many_regions();
        (void)!write(ready[1], "", 1);
        pause();
    }
    (void)!read(ready[0], &byte, 1);
    TIMED(kill, kill(pid, SIGKILL));
    TIMED(wait4, waitpid(pid, NULL, 0));
}

/* ---- exec ---- */

static void exec_with(char **argv, char **envp)
{
    pid_t pid;

    timed_begin(SYS_execve);
    pid = vfork();
    if (pid == 0) {
        execve("/bin/busybox", argv, envp);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    timed_end();
}
static void exec_strings(void)
{
    char **list = (char **)touched((STRINGS + 1) * sizeof *list), *none[] = {NULL};

    for (unsigned long i = 0; i < STRINGS; i++)
        list[i] = "true";
    list[STRINGS] = NULL;
    exec_with(list, none);
    exec_with(none, list);
    list[20000] = NULL; /* as many as there may be, or nearly */
    exec_with(list, none);
}
static void exec_long(void)
{
    char *text = touched(MUCH), *list[] = {"true", text, NULL};

    exec_with(list, list);
    text[100000] = 0;
    exec_with(list, list);
}
static void exec_much(void)
{
    char *list[] = {"true", NULL};

    touched(MUCH);
    many_regions();
    exec_with(list, list);
}

/* ---- reading and writing ---- */

static void read_all(const char *name, size_t bytes)
{
    char *at = map_memory(MUCH);
    int fd = open(name, O_RDONLY);

    TIMED(read, read(fd, at, bytes));
}
static void read_zero(void)
{
    read_all("/dev/zero", MUCH / 2);
}
static void read_random(void)
{
    read_all("/dev/urandom", 4 << 20);
}
static void read_trace(void)
{
    read_all("/proc/bardo/trace", MUCH / 2);
}
static void read_log(void)
{
    read_all("/proc/bardo/log", MUCH / 2);
}
static void write_much(void)
{
    char *at = touched(MUCH / 2);
    int fd = open("file", O_RDWR | O_CREAT, 0600);

    TIMED(write, write(open("/dev/null", O_WRONLY), at, MUCH / 2));
    TIMED(write, write(fd, at, MUCH / 2));
    TIMED(pread64, pread(fd, at, MUCH / 2, 0));
    TIMED(ftruncate, ftruncate(fd, 0));
    TIMED(ftruncate, ftruncate(fd, LONG_MAX));
    TIMED(pwrite64, pwrite(fd, at, 10, LONG_MAX - 20));
    TIMED(pread64, pread(fd, at, MUCH / 2, 1l << 40));
    TIMED(ftruncate, ftruncate(fd, 0));
    TIMED(fallocate, fallocate(fd, 0, 0, 1l << 40));
    TIMED(ftruncate, ftruncate(fd, 0));
}
static void read_vectors(void)
{
    char *at = touched(64 * PAGE);
    struct iovec v[1024];
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), pair[2],
        file = open("file", O_RDWR | O_CREAT, 0600);

    for (int i = 0; i < 1024; i++)
        v[i] = (struct iovec){at + i, 63 * PAGE};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
        return;
    TIMED(readv, readv(zero, v, 1024));
    TIMED(writev, writev(null, v, 1024));
    TIMED(writev, writev(pair[0], v, 1024));
    TIMED(readv, readv(pair[1], v, 1024));
    TIMED(sendmsg, sendmsg(pair[0], &(struct msghdr){.msg_iov = v, .msg_iovlen = 1024}, 0));
    for (int i = 0; i < 1024; i++)
        v[i].iov_len = 40000;
    TIMED(pwritev, pwritev(file, v, 1024, 0));
    TIMED(preadv, preadv(file, v, 1024, 0));
    for (int i = 0; i < 1024; i++)
        v[i].iov_len = 1;
    TIMED(writev, writev(null, v, 1024));
    TIMED(pwritev, pwritev(file, v, 1024, 0));
    TIMED(preadv, preadv(file, v, 1024, 0));
    TIMED(writev, writev(pair[0], v, 1024));
}
static void random_much(void)
{
    TIMED(getrandom, syscall(SYS_getrandom, map_memory(MUCH), MUCH / 2, 0));
}
static void log_much(void)
{
    TIMED(syslog, syscall(SYS_syslog, 3, map_memory(MUCH), MUCH));
}

/* ---- descriptors ---- */

int *many_descriptors(void)
{
    static int fds[DESCRIPTORS];

    for (int i = 0; i < DESCRIPTORS; i += 2)
        if (pipe2(fds + i, O_NONBLOCK))
            fds[i] = fds[i + 1] = -1;
    return fds;
}
static void poll_many(void)
{
    struct pollfd *p = (void *)touched(STRINGS * sizeof *p);
    int *fds = many_descriptors();
    fd_set in, out, other;

    for (unsigned long i = 0; i < STRINGS; i++)
        p[i] = (struct pollfd){fds[i % DESCRIPTORS], POLLIN, 0};
    TIMED(poll, poll(p, STRINGS, 0));
    TIMED(poll, poll(p, DESCRIPTORS, 0));
    TIMED(poll, poll(p, DESCRIPTORS, 5));
    memset(&in, 0xff, sizeof in);
    out = other = in;
    TIMED(select, select(FD_SETSIZE, &in, &out, &other, &(struct timeval){0}));
    TIMED(select, select(INT_MAX, (void *)p, (void *)(p + 50000), NULL, &(struct timeval){0}));
}
static void epoll_many(void)
{
    int *fds = many_descriptors(), e = epoll_create1(0), inner = epoll_create1(0);
    struct epoll_event *events = (void *)map_memory(STRINGS * sizeof *events);

    for (int i = 0; i < DESCRIPTORS; i++)
        epoll_ctl(e, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){.events = EPOLLIN | EPOLLOUT});
    epoll_ctl(inner, EPOLL_CTL_ADD, e, &(struct epoll_event){.events = EPOLLIN});
    TIMED(epoll_wait, epoll_wait(e, events, 100000, 0));
    TIMED(epoll_wait, epoll_wait(inner, events, 100000, 0));
    TIMED(close, close(e));
}
static void fork_descriptors(void)
{
    many_descriptors();
    fork_and_wait();
    TIMED(dup3, syscall(SYS_dup3, 3, 1000, 0));
}

/* ---- names ---- */

static void folder_large(void)
{
    char name[40], *at = map_memory(16ul << 20);
    int fd;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "file-with-a-name-%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0600));
    }
    fd = open(".", O_RDONLY | O_DIRECTORY);
    TIMED(getdents64, syscall(SYS_getdents64, fd, at, 16ul << 20));
    TIMED(lseek, lseek(fd, LONG_MAX, SEEK_SET));
    TIMED(getdents64, syscall(SYS_getdents64, fd, at, 16ul << 20));
    TIMED(access, access("no-such-name", F_OK));
    TIMED(rename, rename("file-with-a-name-2999", "file-with-a-name-0"));
}
static void paths_long(void)
{
    char text[4096];

    mkdir("a", 0700);
    for (unsigned i = 0; i + 8 < sizeof text; i += 5)
        memcpy(text + i, "a/../", 6);
    TIMED(access, access(text, F_OK));
    memset(text, '/', sizeof text - 2);
    TIMED(access, access(text, F_OK));
    for (int i = 0; i < 40; i++) {
        char name[20], to[20];

        snprintf(name, sizeof name, "l%d", i);
        snprintf(to, sizeof to, "l%d/", i + 1);
        if (symlink(to, name))
            return;
    }
    TIMED(access, access("l0", F_OK));
    for (int i = 0; i < 1000; i++) /* a deep one */
        if (mkdir("d", 0700) || chdir("d"))
            break;
    TIMED(getcwd, syscall(SYS_getcwd, map_memory(1ul << 20), 1ul << 20));
    TIMED(access, access("../../../..", F_OK));
}
static void locks_many(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);

    for (int i = 0; i < 2000; i++) {
        struct flock l = {F_WRLCK, SEEK_SET, i * 2, 1, 0};

        fcntl(fd, F_SETLK, &l);
    }
    TIMED(fcntl, fcntl(fd, F_SETLK, &(struct flock){F_WRLCK, SEEK_SET, 0, 0, 0}));
    TIMED(fcntl, fcntl(fd, F_SETLK, &(struct flock){F_UNLCK, SEEK_SET, 1, LONG_MAX - 1, 0}));
    TIMED(close, close(fd));
}

/* ---- processes ---- */

enum { PROCESSES = 100, THREADS = 100 };

static void processes_many(void)
{
    pid_t group = 0;

    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            setpgid(0, group);
            for (;;)
                pause();
        }
        if (!group)
            group = pid;
        setpgid(pid, group);
    }
    TIMED(kill, kill(-group, 0));
    TIMED(kill, kill(-group, SIGSTOP));
    TIMED(kill, kill(-group, SIGCONT));
    TIMED(kill, kill(-group, SIGKILL));
    for (int i = 0; i < PROCESSES; i++)
        TIMED(wait4, waitpid(-1, NULL, 0));
}
static int word;

static int waiter(void *unused)
{
    (void)unused;
    for (;;)
        syscall(SYS_futex, &word, 0, 0, NULL);
    return 0;
}
static void threads_many(void)
{
    char *stacks = map_memory(THREADS * 4 * PAGE);

    for (int i = 0; i < THREADS; i++)
        clone(waiter, stacks + (i + 1) * 4 * PAGE,
              CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS, NULL);
    usleep(20000);
    TIMED(futex, syscall(SYS_futex, &word, 1, INT_MAX, NULL));
    usleep(20000);
    TIMED(futex, syscall(SYS_futex, &word, 3, 1, INT_MAX, &word + 1));
    TIMED(kill, kill(getpid(), 0));
    touched(MUCH / 2);
    many_regions();
}

#define S(name) SCENARIO(name, 0)
static const struct scenario list[] = {
    S(fork_much),      S(fork_regions),     S(fork_huge),    S(unmap_much),   S(map_over_much),
    S(advise_much),    S(advise_regions),   S(move_much),    S(move_huge),    S(core_huge),
    S(share_much),     S(heap_much),        S(exit_much),    S(exec_strings), S(exec_long),
    S(exec_much),      S(read_zero),        S(read_random),  S(read_trace),   S(read_log),
    S(write_much),     S(read_vectors),     S(random_much),  S(log_much),     S(poll_many),
    S(epoll_many),     S(fork_descriptors), S(folder_large), S(paths_long),   S(locks_many),
    S(processes_many), S(threads_many),
};
const struct scenarios scenarios_memory = {list, sizeof list / sizeof *list};
