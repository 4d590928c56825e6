/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server of docs/writing-a-server.md does for programs; /tmp/m is its device. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "cases.h"

static char page[4096];

static int mailbox(int flags)
{
    int fd = open("/tmp/m", flags);

    CHECK(fd >= 0);
    return fd;
}

static void letters_and_pieces(void)
{
    int fd = mailbox(O_RDWR | O_NONBLOCK);

    CHECK(write(fd, "one", 3) == 3 && write(fd, "another", 7) == 7 && write(fd, "", 0) == 0);
    CHECK(read(fd, page, sizeof page) == 3 && memcmp(page, "one", 3) == 0);
    CHECK(read(fd, page, 4) == 4 && memcmp(page, "anot", 4) == 0);
    CHECK(read(fd, page, 4) == 3 && memcmp(page, "her", 3) == 0);
    FAILS(read(fd, page, 4), EAGAIN);
}

static void vectors(void)
{
    char a[3], b[5];
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}}, in[] = {{a, 3}, {b, 5}};
    int fd = mailbox(O_RDWR | O_NONBLOCK);

    CHECK(writev(fd, out, 3) == 6);
    CHECK(readv(fd, in, 2) == 6 && memcmp(a, "abc", 3) == 0 && memcmp(b, "def", 3) == 0);
    FAILS(readv(fd, in, 2), EAGAIN);
}

static void refused(void)
{
    char long_one[4097] = "";
    struct iovec two[] = {{long_one, 4096}, {long_one, 1}};
    int fd = mailbox(O_RDWR | O_NONBLOCK);

    FAILS(write(fd, long_one, 4097), EMSGSIZE);
    FAILS(writev(fd, two, 2), EMSGSIZE);
    FAILS(write(fd, (void *)8, 10), EFAULT);
    FAILS(read(fd, page, 10), EAGAIN); /* nothing came of them */
    CHECK(write(fd, "x", 1) == 1);
    FAILS(read(fd, (void *)8, 10), EFAULT);
    CHECK(read(fd, page, 10) == 1); /* it is still there */
    FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
    FAILS(ioctl(fd, 0x5401), ENOTTY);
}

static void full(void)
{
    int fd = mailbox(O_RDWR | O_NONBLOCK);
    pid_t child;

    CHECK(ready(fd, POLLIN | POLLOUT) == POLLOUT);
    for (int i = 0; i < 64; i++)
        CHECK(write(fd, page, sizeof page) == sizeof page);
    FAILS(write(fd, "x", 1), EAGAIN);
    CHECK(ready(fd, POLLIN | POLLOUT) == POLLIN);
    CHILD(child)
    CHECK(write(mailbox(O_WRONLY), "last", 4) == 4);
    usleep(50000);
    for (int i = 0; i < 64; i++)
        CHECK(read(fd, page, sizeof page) == sizeof page);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(read(fd, page, sizeof page) == 4);
}

static void waits(void)
{
    struct pollfd p = {mailbox(O_RDWR), POLLIN, 0};
    pid_t reader, writer;

    CHILD(writer)
    {
        usleep(50000);
        CHECK(write(p.fd, "x", 1) == 1);
    }
    CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
    CHECK(read(p.fd, page, 10) == 1 && waitpid(writer, NULL, 0) == writer);
    CHILD(reader) /* killed while it waits: the letter is for the next */
    read(p.fd, page, 10);
    usleep(50000);
    kill(reader, SIGKILL);
    CHECK(waitpid(reader, NULL, 0) == reader);
    CHECK(write(p.fd, "for nobody", 10) == 10 && read(p.fd, page, 20) == 10);
}

static void what_it_is(void)
{
    struct stat s;

    CHECK(fstat(mailbox(O_RDONLY), &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == makedev(241, 0));
    CHECK(mknod("second", S_IFCHR | 0600, makedev(241, 1)) == 0);
    FAILS(open("second", O_RDONLY), ENXIO);
    CHECK(unlink("second") == 0);
}

RUN_CASES({"letters and pieces", letters_and_pieces}, {"vectors", vectors}, {"refused", refused},
          {"full", full}, {"waits", waits}, {"what it is", what_it_is})
