/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors when there are no more, when another thread takes what is free, and of O_PATH. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cases.h"

static char bytes[1 << 16];

/* Every descriptor below it is taken. */
static void limit_to(unsigned count)
{
    struct rlimit limit = {count, 1024};

    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void opens_nothing(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0644), highest = dup(fd);
    struct stat s;

    CHECK(fd >= 0 && write(fd, "kept", 4) == 4);
    limit_to((unsigned)highest + 1);
    FAILS(open("file", O_WRONLY | O_TRUNC), EMFILE);
    FAILS(open("new", O_WRONLY | O_CREAT, 0644), EMFILE);
    CHECK(fstat(fd, &s) == 0 && s.st_size == 4);
    FAILS(access("new", F_OK), ENOENT);
    CHECK(close(highest) == 0 && open("file", O_WRONLY | O_TRUNC) == highest);
    CHECK(unlink("file") == 0);
}

/* A connection of this machine: its listener, and the end that has asked for it. */
static int connected(int *listener)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && *listener >= 0 && bind(*listener, (struct sockaddr *)&at, length) == 0);
    CHECK(listen(*listener, 2) == 0 &&
          getsockname(*listener, (struct sockaddr *)&at, &length) == 0);
    CHECK(connect(fd, (struct sockaddr *)&at, length) == 0);
    return fd;
}

static void accepts_later(void)
{
    int listener, fd = connected(&listener), other;

    sleep_ms(50);
    limit_to((unsigned)(fd > listener ? fd : listener) + 1);
    FAILS(accept(listener, NULL, NULL), EMFILE);
    limit_to(100);
    other = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    CHECK(other >= 0 && write(other, "x", 1) == 1 && read(fd, bytes, 1) == 1);
}

static int wanted;

static void *open_one(void *argument)
{
    (void)argument;
    sleep_ms(200);
    CHECK(open("/", O_RDONLY) != wanted);
    return NULL;
}

/* What dup2() closes takes its time: a socket that lingers. */
static void replaces_at_once(void)
{
    const struct linger linger = {1, 1};
    int listener, fd = connected(&listener), other = accept(listener, NULL, NULL), spare = dup(0);
    pthread_t thread;

    CHECK(other >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, bytes, sizeof bytes) > 0 || poll(NULL, 0, 100) ||
           write(fd, bytes, sizeof bytes) > 0)
        ;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    CHECK(dup2(fd, spare) == spare && close(fd) == 0);
    wanted = spare;
    while (dup(0) < spare)
        ;
    CHECK(pthread_create(&thread, NULL, open_one, NULL) == 0);
    CHECK(dup2(0, spare) == spare);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void only_names(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0644), p = open("file", O_PATH),
        d = open(".", O_PATH | O_DIRECTORY), e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    struct stat s;

    CHECK(fd >= 0 && p >= 0 && d >= 0 && e >= 0);
    FAILS(lseek(p, 0, SEEK_SET), EBADF);
    FAILS(fcntl(p, F_SETFL, O_NONBLOCK), EBADF);
    FAILS(fsync(p), EBADF);
    FAILS(fdatasync(p), EBADF);
    FAILS(flock(p, LOCK_SH), EBADF);
    FAILS(syscall(SYS_fchmod, p, 0600), EBADF);
    FAILS(syscall(SYS_fchown, p, 0, 0), EBADF);
    FAILS(syscall(SYS_getdents64, d, bytes, sizeof bytes), EBADF);
    FAILS(epoll_ctl(e, EPOLL_CTL_ADD, p, &event), EBADF);
    CHECK(posix_fadvise(p, 0, 0, POSIX_FADV_NORMAL) == EBADF);
    CHECK(ready(p, POLLIN) == POLLNVAL);
    CHECK(fcntl(p, F_GETFL) & O_PATH && fcntl(p, F_SETFD, FD_CLOEXEC) == 0 && dup(p) >= 0);
    CHECK(fstat(p, &s) == 0 && fstatat(d, "file", &s, 0) == 0);
    CHECK(unlinkat(d, "file", 0) == 0);
}

static void no_space_to_reserve(void)
{
    int p[2];

    CHECK(pipe(p) == 0);
    FAILS(fallocate(p[1], 0, 0, 10), ESPIPE);
    FAILS(fallocate(p[0], 0, 0, 10), EBADF);
}

RUN_CASES({"opens nothing", opens_nothing}, {"accepts later", accepts_later},
          {"replaces at once", replaces_at_once}, {"only names", only_names},
          {"no space to reserve", no_space_to_reserve})
