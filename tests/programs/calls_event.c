/* SPDX-License-Identifier: BSD-2-Clause */
/* eventfd(2). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cases.h"

static uint64_t take(int fd)
{
    uint64_t value = 0;

    return read(fd, &value, sizeof value) == sizeof value ? value : UINT64_MAX;
}

static bool add(int fd, uint64_t value)
{
    return write(fd, &value, sizeof value) == sizeof value;
}

static void counts(void)
{
    int fd = eventfd(3, EFD_NONBLOCK);
    char small[4];

    CHECK(fd >= 0);
    CHECK(take(fd) == 3);
    CHECK(take(fd) == UINT64_MAX && errno == EAGAIN);
    CHECK(add(fd, 5) && add(fd, 7));
    CHECK(take(fd) == 12);
    CHECK(add(fd, 0));
    CHECK(ready(fd, POLLIN | POLLOUT) == POLLOUT);
    FAILS(read(fd, small, sizeof small), EINVAL);
    FAILS(write(fd, small, sizeof small), EINVAL);
    CHECK(!add(fd, UINT64_MAX) && errno == EINVAL);
    FAILS(ftruncate(fd, 0), EINVAL);
}

static void is_full(void)
{
    int fd = eventfd(0, EFD_NONBLOCK);

    CHECK(add(fd, UINT64_MAX - 1));
    CHECK(ready(fd, POLLIN | POLLOUT) == POLLIN);
    CHECK(!add(fd, 1) && errno == EAGAIN);
    CHECK(take(fd) == UINT64_MAX - 1);
    CHECK(ready(fd, POLLIN | POLLOUT) == POLLOUT);
}

static void is_a_semaphore(void)
{
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

    CHECK(take(fd) == 1 && ready(fd, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    CHECK(take(fd) == 1 && ready(fd, POLLIN | POLLOUT) == POLLOUT);
    CHECK(take(fd) == UINT64_MAX && errno == EAGAIN);
}

static void flags(void)
{
    int fd = eventfd(0, EFD_CLOEXEC), other = dup(fd);

    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(other, F_GETFD) == 0);
    CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(take(other) == UINT64_MAX && errno == EAGAIN);
    FAILS(syscall(SYS_eventfd2, 0, 1 << 20), EINVAL);
}

/* Eight bytes in pieces. */
static void vectors(void)
{
    int fd = eventfd(0, 0);
    uint32_t low = 0, high = 0;
    struct iovec parts[2] = {{&low, sizeof low}, {&high, sizeof high}};

    CHECK(add(fd, 9 | 1ull << 32));
    CHECK(readv(fd, parts, 2) == 8);
    CHECK(low == 9 && high == 1);
}

static void waits_for_a_writer(void)
{
    int fd = eventfd(0, 0);
    pid_t pid;

    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(add(fd, 4));
    }
    CHECK(take(fd) == 4);
    check_child(pid);
}

static void waits_for_room(void)
{
    int fd = eventfd(0, 0);
    pid_t pid;

    CHECK(add(fd, UINT64_MAX - 1));
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(take(fd) == UINT64_MAX - 1);
    }
    CHECK(add(fd, 1) && take(fd) == 1);
    check_child(pid);
}

static void one_each(void)
{
    int fd = eventfd(0, EFD_SEMAPHORE);
    pid_t pids[4];

    for (int i = 0; i < 4; i++)
        CHILD(pids[i])
    CHECK(take(fd) == 1);
    sleep_ms(100);
    CHECK(add(fd, 4));
    for (int i = 0; i < 4; i++)
        check_child(pids[i]);
    CHECK(ready(fd, POLLIN | POLLOUT) == POLLOUT);
}

static void is_interrupted(void)
{
    int fd = eventfd(0, 0);

    interrupt_after(100);
    CHECK(take(fd) == UINT64_MAX && errno == EINTR);
}

RUN_CASES({"counts", counts}, {"is full", is_full}, {"is a semaphore", is_a_semaphore},
          {"flags", flags}, {"vectors", vectors}, {"waits for a writer", waits_for_a_writer},
          {"waits for room", waits_for_room}, {"one each", one_each},
          {"is interrupted", is_interrupted})
