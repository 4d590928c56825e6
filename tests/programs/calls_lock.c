/* SPDX-License-Identifier: BSD-2-Clause */
/* flock(2) and the locks of fcntl(2), between processes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>

#include "cases.h"

static int a_file(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && ftruncate(fd, 100) == 0);
    return fd;
}

static int lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

    return fcntl(fd, command, &l);
}

/* Who would be in the way of a writer. */
static struct flock in_the_way(int fd, off_t start, off_t length)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

    CHECK(fcntl(fd, F_GETLK, &l) == 0);
    return l;
}

/* A child sees exactly this range locked, or nothing (F_UNLCK). */
static void child_sees(int fd, off_t from, short type, off_t start, off_t length)
{
    pid_t pid;

    CHILD(pid)
    {
        struct flock l = in_the_way(fd, from, 0);

        CHECK(l.l_type == type);
        if (type != F_UNLCK)
            CHECK(l.l_pid == getppid() && l.l_whence == SEEK_SET && l.l_start == start &&
                  l.l_len == length);
    }
    check_child(pid);
}

static void whole_files(void)
{
    int one = a_file(), two = open("file", O_RDONLY), copy = dup(one);

    CHECK(flock(one, LOCK_EX) == 0);
    FAILS(flock(two, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    FAILS(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(copy, LOCK_SH) == 0);
    CHECK(flock(two, LOCK_SH | LOCK_NB) == 0);
    FAILS(flock(one, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(two, LOCK_UN) == 0 && flock(one, LOCK_EX | LOCK_NB) == 0);
    CHECK(close(one) == 0);
    FAILS(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(close(copy) == 0 && flock(two, LOCK_EX | LOCK_NB) == 0);
    FAILS(flock(two, 0), EINVAL);
    FAILS(flock(99, LOCK_SH), EBADF);
    CHECK(unlink("file") == 0);
}

static void whole_files_wait(void)
{
    int fd = a_file(), ready[2];
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    CHILD(pid)
    {
        int own = open("file", O_RDWR);

        CHECK(flock(own, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1);
        sleep_ms(150);
        CHECK(pwrite(own, "done", 4, 0) == 4); /* the lock goes with the process */
    }
    CHECK(read(ready[0], &c, 1) == 1);
    FAILS(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(fd, LOCK_SH) == 0);
    CHECK(pread(fd, &c, 1, 0) == 1 && c == 'd');
    check_child(pid);
    CHECK(unlink("file") == 0);
}

/* One open file, two processes: the lock is theirs together, and stays until both are through with
 * it. */
static void whole_files_are_inherited(void)
{
    int fd = a_file(), other = open("file", O_RDWR);
    pid_t pid;

    CHECK(flock(fd, LOCK_EX) == 0);
    CHILD(pid)
    {
        CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
        sleep_ms(150);
    }
    CHECK(close(fd) == 0);
    FAILS(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(other, LOCK_EX) == 0);
    check_child(pid);
    CHECK(unlink("file") == 0);
}

static void ranges(void)
{
    int fd = a_file();
    pid_t pid;

    CHECK(lock(fd, F_SETLK, F_WRLCK, 10, 20) == 0);
    child_sees(fd, 0, F_WRLCK, 10, 20);
    child_sees(fd, 30, F_UNLCK, 0, 0);
    CHECK(lock(fd, F_SETLK, F_UNLCK, 15, 5) == 0);
    child_sees(fd, 0, F_WRLCK, 10, 5);
    child_sees(fd, 15, F_WRLCK, 20, 10);
    CHECK(lock(fd, F_SETLK, F_WRLCK, 15, 5) == 0);
    child_sees(fd, 0, F_WRLCK, 10, 20);
    CHECK(lock(fd, F_SETLK, F_RDLCK, 25, 0) == 0);
    child_sees(fd, 0, F_WRLCK, 10, 15);
    child_sees(fd, 25, F_RDLCK, 25, 0);
    CHILD(pid)
    {
        FAILS(lock(fd, F_SETLK, F_RDLCK, 24, 1), EAGAIN);
        CHECK(lock(fd, F_SETLK, F_RDLCK, 25, 1) == 0);
        FAILS(lock(fd, F_SETLK, F_WRLCK, 1000000, 1), EAGAIN);
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0);
    }
    check_child(pid);
    /* the child's have gone with it; one's own are not in the way */
    CHECK(in_the_way(fd, 0, 0).l_type == F_UNLCK);
    CHECK(unlink("file") == 0);
}

static void where_from(void)
{
    int fd = a_file(), reader = open("file", O_RDONLY), writer = open("file", O_WRONLY);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 5};

    CHECK(fcntl(fd, F_SETLK, &l) == 0);
    child_sees(fd, 0, F_WRLCK, 90, 5);
    CHECK(lseek(fd, 50, SEEK_SET) == 50);
    l = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 0, .l_len = -10};
    CHECK(fcntl(fd, F_SETLK, &l) == 0);
    child_sees(fd, 0, F_RDLCK, 40, 10);
    FAILS(lock(fd, F_SETLK, F_WRLCK, -1, 5), EINVAL);
    FAILS(lock(fd, F_SETLK, F_WRLCK, 5, -6), EINVAL);
    FAILS(lock(fd, F_SETLK, 7, 0, 0), EINVAL);
    l.l_whence = 9;
    FAILS(fcntl(fd, F_SETLK, &l), EINVAL);
    FAILS(lock(reader, F_SETLK, F_WRLCK, 0, 0), EBADF);
    FAILS(lock(writer, F_SETLK, F_RDLCK, 0, 0), EBADF);
    CHECK(unlink("file") == 0);
}

/* Any descriptor of the file that the process closes takes all its locks with it. A child has none
 * of them. */
static void closing(void)
{
    int fd = a_file(), other = open("file", O_RDONLY);
    pid_t pid;

    CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    CHILD(pid)
    {
        CHECK(close(other) == 0);
        FAILS(lock(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
    }
    check_child(pid);
    child_sees(fd, 0, F_WRLCK, 0, 0);
    CHECK(close(other) == 0);
    child_sees(fd, 0, F_UNLCK, 0, 0);
    CHECK(unlink("file") == 0);
}

static void waits(void)
{
    int fd = a_file(), ready[2];
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    CHILD(pid)
    {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0 && write(ready[1], "x", 1) == 1);
        sleep_ms(150);
        CHECK(pwrite(fd, "done", 4, 0) == 4);
        CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 10) == 0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    FAILS(lock(fd, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
    CHECK(lock(fd, F_SETLKW, F_RDLCK, 5, 1) == 0);
    CHECK(pread(fd, &c, 1, 0) == 1 && c == 'd');
    check_child(pid);
    CHECK(unlink("file") == 0);
}

static void is_interrupted(void)
{
    int fd = a_file(), ready[2];
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    CHILD(pid)
    {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0 && write(ready[1], "x", 1) == 1);
        pause();
    }
    CHECK(read(ready[0], &c, 1) == 1);
    interrupt_after(100);
    FAILS(lock(fd, F_SETLKW, F_RDLCK, 0, 0), EINTR);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(lock(fd, F_SETLKW, F_RDLCK, 0, 0) == 0); /* a killed process's locks go too */
    CHECK(unlink("file") == 0);
}

static void deadlock(void)
{
    int fd = a_file(), ready[2];
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
    CHILD(pid)
    {
        CHECK(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0 && write(ready[1], "x", 1) == 1);
        CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    sleep_ms(100);
    FAILS(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
    CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
    check_child(pid);
    CHECK(unlink("file") == 0);
}

static void of_open_files(void)
{
    int one = a_file(), two = open("file", O_RDWR), copy = dup(one);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t pid;

    CHECK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    FAILS(lock(two, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
    FAILS(lock(two, F_SETLK, F_WRLCK, 5, 1), EAGAIN);
    CHECK(lock(copy, F_OFD_SETLK, F_WRLCK, 5, 10) == 0);
    CHECK(fcntl(two, F_OFD_GETLK, &l) == 0);
    CHECK(l.l_type == F_WRLCK && l.l_pid == -1 && l.l_start == 0 && l.l_len == 15);
    CHECK(close(one) == 0);
    FAILS(lock(two, F_OFD_SETLK, F_RDLCK, 0, 0), EAGAIN);
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(lock(copy, F_OFD_SETLK, F_UNLCK, 0, 0) == 0);
    }
    CHECK(lock(two, F_OFD_SETLKW, F_RDLCK, 0, 0) == 0);
    check_child(pid);
    l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 5};
    FAILS(fcntl(two, F_OFD_SETLK, &l), EINVAL);
    CHECK(unlink("file") == 0);
}

/* Many processes count in one file. */
static void counting(void)
{
    enum { CHILDREN = 4, TIMES = 25 };
    int fd = a_file(), n = 0;
    pid_t pids[CHILDREN];

    CHECK(pwrite(fd, &n, sizeof n, 0) == sizeof n);
    for (int i = 0; i < CHILDREN; i++)
        CHILD(pids[i])
    for (int k = 0; k < TIMES; k++) {
        CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, sizeof n) == 0);
        CHECK(pread(fd, &n, sizeof n, 0) == sizeof n);
        n++;
        CHECK(pwrite(fd, &n, sizeof n, 0) == sizeof n);
        CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
    }
    for (int i = 0; i < CHILDREN; i++)
        check_child(pids[i]);
    CHECK(pread(fd, &n, sizeof n, 0) == sizeof n && n == CHILDREN * TIMES);
    CHECK(unlink("file") == 0);
}

RUN_CASES({"whole files", whole_files}, {"whole files wait", whole_files_wait},
          {"whole files are inherited", whole_files_are_inherited}, {"ranges", ranges},
          {"where from", where_from}, {"closing", closing}, {"waits", waits},
          {"is interrupted", is_interrupted}, {"deadlock", deadlock},
          {"of open files", of_open_files}, {"counting", counting})
