/* SPDX-License-Identifier: BSD-2-Clause */
/* fifo(7): who waits for whom when a FIFO is opened. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "cases.h"

static void make(void)
{
    struct stat s;

    CHECK(mkfifo("fifo", 0640) == 0);
    CHECK(stat("fifo", &s) == 0 && s.st_mode == (S_IFIFO | 0640));
    FAILS(mkfifo("fifo", 0600), EEXIST);
}

static void each_waits_for_the_other(void)
{
    int fd;
    char c;
    pid_t pid;
    unsigned begin = now_ms();

    make();
    CHILD(pid)
    {
        sleep_ms(150);
        CHECK((fd = open("fifo", O_WRONLY)) >= 0);
        CHECK(write(fd, "1", 1) == 1);
        CHECK(close(fd) == 0);
        sleep_ms(150);
        CHECK((fd = open("fifo", O_RDONLY)) >= 0);
        CHECK(read(fd, &c, 1) == 1 && c == '2');
    }
    CHECK((fd = open("fifo", O_RDONLY)) >= 0 && now_ms() - begin >= 149);
    CHECK(read(fd, &c, 1) == 1 && c == '1' && read(fd, &c, 1) == 0);
    CHECK(close(fd) == 0);
    begin = now_ms();
    CHECK((fd = open("fifo", O_WRONLY)) >= 0 && now_ms() - begin >= 100);
    CHECK(write(fd, "2", 1) == 1);
    check_child(pid);
    CHECK(unlink("fifo") == 0);
}

static void does_not_wait(void)
{
    int reader, writer;
    struct pollfd p;
    char c;

    make();
    FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    CHECK((reader = open("fifo", O_RDONLY | O_NONBLOCK)) >= 0);
    p = (struct pollfd){reader, POLLIN, 0};
    CHECK(read(reader, &c, 1) == 0); /* nobody has it open for writing: its end */
    CHECK(poll(&p, 1, 0) == 0);
    CHECK((writer = open("fifo", O_WRONLY | O_NONBLOCK)) >= 0);
    FAILS(read(reader, &c, 1), EAGAIN);
    CHECK(write(writer, "x", 1) == 1);
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
    CHECK(close(writer) == 0 && read(reader, &c, 1) == 1 && c == 'x');
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLHUP);
    CHECK((writer = open("fifo", O_WRONLY)) >= 0); /* there is a reader: no waiting */
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(unlink("fifo") == 0);
}

static void both_in_one(void)
{
    int fd, writer;
    char text[4];

    make();
    CHECK((fd = open("fifo", O_RDWR)) >= 0);
    CHECK((writer = open("fifo", O_WRONLY)) >= 0);
    CHECK(write(writer, "ab", 2) == 2 && write(fd, "cd", 2) == 2);
    CHECK(read(fd, text, 4) == 4 && memcmp(text, "abcd", 4) == 0);
    CHECK(unlink("fifo") == 0);
}

/* What is in it is lost when nobody has it open; two names are one FIFO; without a name it lives
 * on. */
static void contents(void)
{
    int reader, writer;
    char c;
    struct stat s;

    make();
    CHECK((reader = open("fifo", O_RDONLY | O_NONBLOCK)) >= 0 &&
          (writer = open("fifo", O_WRONLY)) >= 0);
    CHECK(write(writer, "x", 1) == 1 && close(reader) == 0 && close(writer) == 0);
    CHECK(link("fifo", "other") == 0);
    CHECK((reader = open("fifo", O_RDONLY | O_NONBLOCK)) >= 0 &&
          (writer = open("other", O_WRONLY)) >= 0);
    FAILS(read(reader, &c, 1), EAGAIN);
    CHECK(unlink("fifo") == 0 && unlink("other") == 0);
    CHECK(write(writer, "y", 1) == 1 && read(reader, &c, 1) == 1 && c == 'y');
    CHECK(fstat(reader, &s) == 0 && S_ISFIFO(s.st_mode) && s.st_nlink == 0);
    FAILS(lseek(reader, 0, SEEK_SET), ESPIPE);
}

static void is_broken(void)
{
    int reader, writer;

    make();
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK((reader = open("fifo", O_RDONLY | O_NONBLOCK)) >= 0 &&
          (writer = open("fifo", O_WRONLY)) >= 0);
    CHECK(close(reader) == 0);
    FAILS(write(writer, "x", 1), EPIPE);
    CHECK((reader = open("fifo", O_RDONLY)) >= 0);
    CHECK(write(writer, "x", 1) == 1);
    CHECK(unlink("fifo") == 0);
}

static void open_is_interrupted(void)
{
    make();
    interrupt_after(100);
    FAILS(open("fifo", O_RDONLY), EINTR);
    interrupt_after(100);
    FAILS(open("fifo", O_WRONLY), EINTR);
    FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO); /* the reader that gave up is not there */
    CHECK(unlink("fifo") == 0);
}

/* A process that waits in open() is killed. */
static void opener_is_killed(void)
{
    pid_t pid;
    int status;

    make();
    CHILD(pid)
    open("fifo", O_RDONLY);
    sleep_ms(100);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    CHECK(unlink("fifo") == 0);
}

static void permissions(void)
{
    int status;
    pid_t pid;

    if (getuid())
        return;
    make();
    CHECK(chmod("fifo", 0600) == 0 && chmod(".", 0755) == 0);
    CHILD(pid)
    {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        FAILS(open("fifo", O_RDONLY | O_NONBLOCK), EACCES);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(unlink("fifo") == 0);
}

/* One writer for several readers, one after the other, and a reader for several writers. */
static void many(void)
{
    enum { WRITERS = 5 };
    pid_t pids[WRITERS];
    int fd;
    char c;
    unsigned sum = 0, n = 0;

    make();
    for (int i = 0; i < WRITERS; i++)
        CHILD(pids[i])
        {
            CHECK((fd = open("fifo", O_WRONLY)) >= 0);
            sleep_ms(50);
            CHECK(write(fd, &(char){(char)(1 << i)}, 1) == 1);
        }
    while (n < WRITERS) {
        CHECK((fd = open("fifo", O_RDONLY)) >= 0);
        while (read(fd, &c, 1) == 1)
            sum += (unsigned char)c, n++;
        CHECK(close(fd) == 0);
    }
    CHECK(sum == (1 << WRITERS) - 1);
    for (int i = 0; i < WRITERS; i++)
        check_child(pids[i]);
    CHECK(unlink("fifo") == 0);
}

RUN_CASES({"each waits for the other", each_waits_for_the_other}, {"does not wait", does_not_wait},
          {"both in one", both_in_one}, {"contents", contents}, {"is broken", is_broken},
          {"open is interrupted", open_is_interrupted}, {"opener is killed", opener_is_killed},
          {"permissions", permissions}, {"many", many})
