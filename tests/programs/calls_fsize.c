/* SPDX-License-Identifier: BSD-2-Clause */
/* RLIMIT_FSIZE: what would make a file larger than that is cut, or is EFBIG and SIGXFSZ. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "cases.h"

enum { LIMIT = 1000, MB = 1 << 20 };

static volatile sig_atomic_t signals;
static char bytes[4 * MB];

static void note(int signal)
{
    (void)signal;
    signals++;
}

static void limit(rlim_t size)
{
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){size, RLIM_INFINITY}) == 0);
}

static void limit_noted(rlim_t size)
{
    CHECK(signal(SIGXFSZ, note) != SIG_ERR);
    limit(size);
}

static int file_with(off_t size, int flags)
{
    int fd = open("f", O_CREAT | O_RDWR | flags, 0600);

    CHECK(fd >= 0 && unlink("f") == 0 && ftruncate(fd, size) == 0);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st;

    CHECK(fstat(fd, &st) == 0);
    return st.st_size;
}

/* The call fails so, and sends one signal. */
#define EXCEEDS(call)                                                                              \
    do {                                                                                           \
        int before = signals;                                                                      \
        FAILS(call, EFBIG);                                                                        \
        CHECK(signals == before + 1);                                                              \
    } while (0)

static void cut_short(void)
{
    int fd = file_with(0, 0);

    limit_noted(LIMIT);
    CHECK(write(fd, bytes, LIMIT - 100) == LIMIT - 100);
    CHECK(write(fd, bytes, 300) == 100);
    CHECK(signals == 0 && size_of(fd) == LIMIT && lseek(fd, 0, SEEK_CUR) == LIMIT);
    EXCEEDS(write(fd, bytes, 1));
    CHECK(write(fd, bytes, 0) == 0);
    CHECK(size_of(fd) == LIMIT && lseek(fd, 0, SEEK_CUR) == LIMIT);
    CHECK(lseek(fd, LIMIT + 5, SEEK_SET) == LIMIT + 5);
    EXCEEDS(write(fd, bytes, 1));
    CHECK(size_of(fd) == LIMIT);
    limit(LIMIT + 10); /* it may be raised */
    CHECK(write(fd, bytes, 10) == 5 && size_of(fd) == LIMIT + 10);
    limit(RLIM_INFINITY);
    CHECK(write(fd, bytes, 10) == 10);
}

static void in_parts(void)
{
    int fd = file_with(0, 0);

    limit_noted(2 * MB + MB / 2 + 7);
    CHECK(write(fd, bytes, sizeof bytes) == 2 * MB + MB / 2 + 7);
    EXCEEDS(write(fd, bytes, sizeof bytes));
    CHECK(pwrite(fd, bytes, sizeof bytes, MB) == MB + MB / 2 + 7);
    CHECK(signals == 1 && size_of(fd) == 2 * MB + MB / 2 + 7);
}

static void nothing_allowed(void)
{
    int fd = file_with(0, 0);

    limit_noted(0);
    EXCEEDS(write(fd, bytes, 1));
    EXCEEDS(pwrite(fd, bytes, 1, 0));
    CHECK(write(fd, bytes, 0) == 0 && size_of(fd) == 0);
}

static void positioned(void)
{
    int fd = file_with(0, 0);

    limit_noted(LIMIT);
    CHECK(pwrite(fd, bytes, 50, LIMIT - 50) == 50);
    CHECK(pwrite(fd, bytes, 50, LIMIT - 20) == 20);
    EXCEEDS(pwrite(fd, bytes, 50, LIMIT));
    EXCEEDS(pwrite(fd, bytes, 50, 1ll << 50));
    CHECK(size_of(fd) == LIMIT && lseek(fd, 0, SEEK_CUR) == 0);
}

static struct iovec text(size_t at)
{
    return (struct iovec){(char *)"abcdefghijklmnopqr" + at, 6};
}

static void vectors(void)
{
    int fd = file_with(0, 0);
    char read_back[20];
    struct iovec v[] = {text(0), {NULL, 0}, text(6), text(12)};

    limit_noted(9);
    CHECK(writev(fd, v, 4) == 9);
    EXCEEDS(writev(fd, v, 4));
    CHECK(pwritev(fd, v, 4, 6) == 3);
    EXCEEDS(pwritev(fd, v, 4, 9));
    CHECK(writev(fd, v, 0) == 0 && writev(fd, v + 1, 1) == 0);
    CHECK(pread(fd, read_back, sizeof read_back, 0) == 9 && memcmp(read_back, "abcdefabc", 9) == 0);
}

static void appending(void)
{
    int fd = file_with(LIMIT - 10, O_APPEND);

    limit_noted(LIMIT);
    CHECK(write(fd, bytes, 4) == 4);
    CHECK(write(fd, bytes, 300) == 6);
    EXCEEDS(write(fd, bytes, 300));
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    EXCEEDS(write(fd, bytes, 1)); /* the end counts, not the position */
    CHECK(size_of(fd) == LIMIT);
}

/* Whoever is quicker: all of it is written, and not a byte more. */
static void many_append(void)
{
    int fd = file_with(0, O_APPEND);
    pid_t pid[4];

    limit_noted(50000);
    for (int i = 0; i < 4; i++)
        CHILD(pid[i])
    while (signals == 0)
        CHECK(write(fd, bytes, 777) > 0 || errno == EFBIG);
    for (int i = 0; i < 4; i++)
        check_child(pid[i]);
    CHECK(size_of(fd) == 50000);
}

/* One that is larger already: its beginning may be written, and it may become smaller. */
static void large_already(void)
{
    int fd = file_with(3 * LIMIT, 0);

    limit_noted(LIMIT);
    CHECK(write(fd, bytes, 2 * LIMIT) == LIMIT);
    EXCEEDS(write(fd, bytes, 1));
    CHECK(ftruncate(fd, 3 * LIMIT) == 0 && ftruncate(fd, 2 * LIMIT) == 0);
    EXCEEDS(ftruncate(fd, 2 * LIMIT + 1));
    CHECK(size_of(fd) == 2 * LIMIT);
}

static void truncating(void)
{
    int fd = file_with(0, 0);

    limit_noted(LIMIT);
    CHECK(ftruncate(fd, LIMIT) == 0);
    EXCEEDS(ftruncate(fd, LIMIT + 1));
    FAILS(ftruncate(fd, -1), EINVAL);
    CHECK(size_of(fd) == LIMIT && signals == 1);
    CHECK(close(fd) == 0);
    fd = open("g", O_CREAT | O_RDWR, 0600);
    CHECK(truncate("g", LIMIT) == 0);
    EXCEEDS(truncate("g", LIMIT + 1));
    CHECK(size_of(fd) == LIMIT && unlink("g") == 0);
}

static void allocating(void)
{
    int fd = file_with(0, 0);

    limit_noted(LIMIT);
    CHECK(fallocate(fd, 0, 0, LIMIT) == 0);
    EXCEEDS(fallocate(fd, 0, 0, LIMIT + 1));
    EXCEEDS(fallocate(fd, 0, 1 << 20, 1));
    CHECK(size_of(fd) == LIMIT);
}

static void not_a_file(void)
{
    int p[2], s[2], null = open("/dev/null", O_WRONLY);

    limit_noted(0);
    CHECK(pipe(p) == 0 && write(p[1], bytes, 100) == 100);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && write(s[0], bytes, 100) == 100);
    CHECK(null >= 0 && write(null, bytes, 100) == 100);
    CHECK(signals == 0);
}

static void ends_the_process(void)
{
    int fd = file_with(0, 0), status;
    pid_t pid;

    limit(LIMIT);
    CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
    CHILD(pid)
    {
        CHECK(write(fd, bytes, LIMIT + 1) == LIMIT);
        CHECK(write(fd, bytes, 1) == 12345); /* never returns */
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    CHILD(pid)
    CHECK(ftruncate(fd, LIMIT + 1) == 12345);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void ignored(void)
{
    int fd = file_with(LIMIT, 0);

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit(LIMIT);
    FAILS(pwrite(fd, bytes, 1, LIMIT), EFBIG);
    FAILS(ftruncate(fd, LIMIT + 1), EFBIG);
}

static void blocked(void)
{
    int fd = file_with(LIMIT, 0), got;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    limit(LIMIT);
    FAILS(pwrite(fd, bytes, 1, LIMIT), EFBIG);
    CHECK(sigpending(&set) == 0 && sigismember(&set, SIGXFSZ));
    CHECK(sigwait(&set, &got) == 0 && got == SIGXFSZ);
}

static void of_a_child(void)
{
    int fd = file_with(0, 0), p[2];
    pid_t pid;
    char c;

    limit_noted(LIMIT);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    CHILD(pid)
    {
        close(p[1]);
        CHECK(pwrite(fd, bytes, 10, LIMIT - 5) == 5); /* inherited */
        CHECK(write(p[0], "x", 1) == 1 && read(p[0], &c, 1) == 1);
        CHECK(pwrite(fd, bytes, 10, 95) == 5); /* set by another */
        EXCEEDS(pwrite(fd, bytes, 10, 100));
        limit(5);
    }
    close(p[0]);
    CHECK(read(p[1], &c, 1) == 1);
    CHECK(prlimit(pid, RLIMIT_FSIZE, &(struct rlimit){100, RLIM_INFINITY}, NULL) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    check_child(pid);
    CHECK(pwrite(fd, bytes, 10, LIMIT - 8) == 8); /* its own */
}

static void *write_beyond(void *fd)
{
    return pwrite(*(int *)fd, bytes, 1, LIMIT) == -1 && errno == EFBIG ? fd : NULL;
}

static void of_all_threads(void)
{
    int fd = file_with(0, 0);
    pthread_t thread;
    void *result;

    limit_noted(LIMIT);
    CHECK(pthread_create(&thread, NULL, write_beyond, &fd) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == &fd && signals == 1);
}

static int shell(const char *command)
{
    pid_t pid = check_fork();
    int status;

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void kept_over_exec(void)
{
    int status;

    CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
    limit(0);
    status = shell("echo much >x");
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    CHECK(unlink("x") == 0);
}

static void ulimit(void)
{
    struct stat st;

    CHECK(shell("exec 2>/dev/null; ulimit -f 3; head -c 4000 /dev/zero >x; test $? = 153") == 0);
    CHECK(stat("x", &st) == 0 && st.st_size == 3 * 512 && unlink("x") == 0);
    CHECK(shell("ulimit -c 0; ulimit -f 3; test $(ulimit -f) = 3") == 0);
    CHECK(shell("test $(ulimit -f) = unlimited") == 0);
}

RUN_CASES({"cut short", cut_short}, {"in parts", in_parts}, {"nothing allowed", nothing_allowed},
          {"positioned", positioned}, {"vectors", vectors}, {"appending", appending},
          {"many append", many_append}, {"large already", large_already},
          {"truncating", truncating}, {"allocating", allocating}, {"not a file", not_a_file},
          {"ends the process", ends_the_process}, {"ignored", ignored}, {"blocked", blocked},
          {"of a child", of_a_child}, {"of all threads", of_all_threads},
          {"kept over exec", kept_over_exec}, {"ulimit", ulimit})
