/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors and open files: dup, fcntl, positions, O_APPEND, what happens to open files that lose
 * their names. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cases.h"

static char bytes[65536];

static int make(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
          lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static bool holds(int fd, const char *text)
{
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);

    return n == (ssize_t)strlen(text) && memcmp(bytes, text, (size_t)n) == 0;
}

static void duplicates(void)
{
    int fd = make("file", "abcdef"), copy = dup(fd), other = open("file", O_RDONLY);

    CHECK(read(fd, bytes, 2) == 2 && lseek(copy, 0, SEEK_CUR) == 2 &&
          lseek(other, 0, SEEK_CUR) == 0);
    CHECK(dup2(fd, fd) == fd && dup2(fd, 50) == 50 && lseek(50, 1, SEEK_CUR) == 3 &&
          lseek(fd, 0, SEEK_CUR) == 3);
    FAILS(dup2(77, 78), EBADF);
    FAILS(dup2(77, 77), EBADF);
    FAILS(dup2(fd, -1), EBADF);
    FAILS(syscall(SYS_dup2, fd, 5000000), EBADF);
    FAILS(dup3(fd, fd, 0), EINVAL);
    CHECK(dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC &&
          fcntl(50, F_GETFD) == 0);
    CHECK(fcntl(fd, F_DUPFD, 50) == 52 && fcntl(fd, F_DUPFD_CLOEXEC, 50) == 53 &&
          fcntl(53, F_GETFD) == FD_CLOEXEC);
    FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK(dup2(other, 50) == 50 && lseek(50, 0, SEEK_CUR) == 0);
    CHECK(close(fd) == 0 && lseek(copy, 0, SEEK_CUR) == 3);
    FAILS(close(fd), EBADF);
    CHECK(dup(copy) == fd); /* the lowest one that is free */
    CHECK(unlink("file") == 0);
}

static void flags_of_descriptors(void)
{
    int fd = make("file", ""), copy = dup(fd);

    CHECK(fcntl(fd, F_GETFD) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
    CHECK((fcntl(fd, F_GETFL) & ~O_LARGEFILE) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_EXCL) == 0);
    CHECK((fcntl(copy, F_GETFL) & ~O_LARGEFILE) == (O_RDWR | O_APPEND | O_NONBLOCK));
    FAILS(fcntl(fd, 9999), EINVAL);
    FAILS(fcntl(77, F_GETFD), EBADF);
    CHECK(unlink("file") == 0);
}

static void too_many(void)
{
    struct rlimit limit = {20, 20};
    int fd, p[2];

    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    do
        fd = dup(0);
    while (fd >= 0 && fd < 19);
    CHECK(fd == 19);
    FAILS(dup(0), EMFILE);
    FAILS(open("/", O_RDONLY), EMFILE);
    FAILS(pipe(p), EMFILE);
    FAILS(fcntl(0, F_DUPFD, 20), EINVAL);
    FAILS(dup2(0, 20), EBADF);
    CHECK(close(18) == 0);
    FAILS(pipe(p), EMFILE);
    CHECK(dup(0) == 18);
}

static void positions(void)
{
    int fd = make("file", "0123456789");
    struct iovec parts[2] = {{bytes, 3}, {bytes + 10, 4}};

    CHECK(pread(fd, bytes, 3, 4) == 3 && memcmp(bytes, "456", 3) == 0 &&
          lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(pwrite(fd, "ab", 2, 8) == 2 && pwrite(fd, "cd", 2, 12) == 2);
    CHECK(lseek(fd, 0, SEEK_END) == 14 && read(fd, bytes, 1) == 0);
    CHECK(lseek(fd, -4, SEEK_END) == 10 && read(fd, bytes, 10) == 4 &&
          memcmp(bytes, "\0\0cd", 4) == 0);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    FAILS(lseek(fd, 0, 99), EINVAL);
    FAILS(pread(fd, bytes, 1, -1), EINVAL);
    CHECK(lseek(fd, 1, SEEK_SET) == 1 && readv(fd, parts, 2) == 7 && memcmp(bytes, "123", 3) == 0 &&
          memcmp(bytes + 10, "4567", 4) == 0);
    CHECK(lseek(fd, 100, SEEK_SET) == 100 && read(fd, bytes, 1) == 0 && write(fd, "", 0) == 0 &&
          lseek(fd, 0, SEEK_END) == 14);
    CHECK(preadv(fd, parts, 2, 7) == 7 && memcmp(bytes, "7ab", 3) == 0);
    FAILS(pread(fd, (void *)16, 1, 0), EFAULT);
    FAILS(write(fd, (void *)16, 1), EFAULT);
    CHECK(unlink("file") == 0);
}

static void appends(void)
{
    enum { CHILDREN = 3, TIMES = 40 };
    int fd = make("file", "start "), end = open("file", O_WRONLY | O_APPEND);
    pid_t pids[CHILDREN];
    struct stat s;

    CHECK(write(end, "one ", 4) == 4 && pwrite(fd, "S", 1, 0) == 1 && lseek(end, 0, SEEK_SET) == 0);
    CHECK(write(end, "two", 3) == 3 && lseek(end, 0, SEEK_CUR) == 13);
    CHECK(holds(fd, "Start one two"));
    CHECK(ftruncate(fd, 5) == 0 && write(end, "!", 1) == 1 && holds(fd, "Start!"));
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
          write(fd, "?", 1) == 1 && holds(fd, "Start!?"));
    CHECK(ftruncate(fd, 0) == 0);
    for (int i = 0; i < CHILDREN; i++)
        CHILD(pids[i])
        {
            int own = open("file", O_WRONLY | O_APPEND);

            memset(bytes, 'a' + i, 100);
            for (int k = 0; k < TIMES; k++)
                CHECK(write(own, bytes, 100) == 100);
        }
    for (int i = 0; i < CHILDREN; i++)
        check_child(pids[i]);
    CHECK(fstat(fd, &s) == 0 && s.st_size == CHILDREN * TIMES * 100);
    CHECK(pread(fd, bytes, sizeof bytes, 0) == s.st_size);
    for (int i = 0; i < s.st_size; i++)
        CHECK(bytes[i] == bytes[i / 100 * 100]);
    CHECK(unlink("file") == 0);
}

/* One open file, two processes: one position, every write in a place of its own. */
static void shared_position(void)
{
    enum { TIMES = 60 };
    int fd = make("file", "");
    pid_t pid;
    struct stat s;

    CHILD(pid)
    for (int i = 0; i < TIMES; i++)
        CHECK(write(fd, "child", 5) == 5);
    for (int i = 0; i < TIMES; i++)
        CHECK(write(fd, "owner", 5) == 5);
    check_child(pid);
    CHECK(fstat(fd, &s) == 0 && s.st_size == 2 * TIMES * 5);
    CHECK(unlink("file") == 0);
}

static void loses_its_name(void)
{
    int fd = make("file", "kept"), other;
    struct stat s;

    CHECK(unlink("file") == 0);
    FAILS(open("file", O_RDONLY), ENOENT);
    CHECK(fstat(fd, &s) == 0 && s.st_nlink == 0 && s.st_size == 4);
    CHECK(pwrite(fd, "!", 1, 4) == 1 && holds(fd, "kept!"));
    other = make("file", "fresh");
    CHECK(holds(fd, "kept!") && holds(other, "fresh"));
    CHECK(ftruncate(fd, 0) == 0 && holds(other, "fresh"));
    CHECK(unlink("file") == 0);
}

static void another_name(void)
{
    int a = make("a", "text of a"), b = make("b", "text of b"), fd;
    struct stat s;

    CHECK(rename("a", "b") == 0);
    FAILS(open("a", O_RDONLY), ENOENT);
    CHECK(holds(a, "text of a") && holds(b, "text of b"));
    CHECK((fd = open("b", O_RDWR)) >= 0 && holds(fd, "text of a") && fstat(b, &s) == 0 &&
          s.st_nlink == 0);
    CHECK(pwrite(fd, "T", 1, 0) == 1 && holds(a, "Text of a"));
    CHECK(link("b", "c") == 0 && fstat(a, &s) == 0 && s.st_nlink == 2);
    CHECK(rename("b", "c") == 0 && access("b", F_OK) == 0 &&
          access("c", F_OK) == 0); /* two names of one file: nothing happens */
    CHECK(mkdir("d", 0755) == 0);
    FAILS(rename("c", "d"), EISDIR);
    FAILS(rename("d", "c"), ENOTDIR);
    FAILS(rename("d", "d/e"), EINVAL);
    FAILS(rename("none", "c"), ENOENT);
    CHECK(rename("c", "d/c") == 0 && holds(a, "Text of a"));
    FAILS(rmdir("d"), ENOTEMPTY);
    CHECK(unlink("d/c") == 0 && unlink("b") == 0 && rmdir("d") == 0);
}

static void directories_lose_their_names(void)
{
    int folder, fd;
    char path[100];

    CHECK(mkdir("d", 0755) == 0 && (folder = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
    CHECK((fd = openat(folder, "f", O_CREAT | O_WRONLY, 0600)) >= 0 && close(fd) == 0);
    CHECK(rename("d", "e") == 0 && faccessat(folder, "f", F_OK, 0) == 0 &&
          access("e/f", F_OK) == 0);
    CHECK(unlinkat(folder, "f", 0) == 0 && rmdir("e") == 0);
    FAILS(openat(folder, "f", O_CREAT | O_WRONLY, 0600), ENOENT);
    FAILS(openat(folder, "f", O_RDONLY), ENOENT);
    CHECK(mkdir("w", 0755) == 0 && chdir("w") == 0 && rmdir("../w") == 0);
    FAILS(open("new", O_CREAT | O_WRONLY, 0600), ENOENT);
    FAILS(syscall(SYS_getcwd, path, sizeof path), ENOENT);
}

static void ways_to_open(void)
{
    int fd = make("file", "text"), reader = open("file", O_RDONLY), writer = open("file", O_WRONLY),
        p;
    char name[300];

    FAILS(write(reader, "x", 1), EBADF);
    FAILS(read(writer, bytes, 1), EBADF);
    FAILS(ftruncate(reader, 0), EINVAL);
    FAILS(open("file", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    FAILS(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("file/", O_RDONLY), ENOTDIR);
    FAILS(open("file/x", O_RDONLY), ENOTDIR);
    FAILS(open(".", O_WRONLY), EISDIR);
    FAILS(open(".", O_CREAT | O_RDONLY, 0600), EISDIR);
    FAILS(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(open((void *)16, O_RDONLY), EFAULT);
    memset(name, 'n', sizeof name);
    name[256] = 0;
    FAILS(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    CHECK(symlink("file", "link") == 0 && symlink("loop", "loop") == 0 &&
          symlink("new", "ahead") == 0);
    FAILS(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(open("loop", O_RDONLY), ELOOP);
    FAILS(open("ahead", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK((p = open("ahead", O_CREAT | O_RDWR, 0600)) >= 0 &&
          access("new", F_OK) == 0); /* through the link */
    CHECK((p = open("link", O_PATH)) >= 0);
    FAILS(read(p, bytes, 1), EBADF);
    CHECK(open("file", O_WRONLY | O_TRUNC) >= 0 && holds(fd, ""));
    CHECK(unlink("file") == 0 && unlink("link") == 0 && unlink("loop") == 0 &&
          unlink("ahead") == 0 && unlink("new") == 0);
}

static void modes(void)
{
    struct stat s;
    int fd;

    umask(027);
    CHECK((fd = open("file", O_CREAT | O_WRONLY, 0666)) >= 0 && fstat(fd, &s) == 0 &&
          s.st_mode == (S_IFREG | 0640));
    CHECK(fchmod(fd, 0400) == 0 && write(fd, "x", 1) == 1); /* what is open stays so */
    CHECK(open("exclusive", O_CREAT | O_RDWR, 0) >= 0); /* who makes it may use it */
    CHECK(unlink("file") == 0 && unlink("exclusive") == 0);
}

/* The program itself, with descriptors that must be closed or open. */
static void over_exec(void)
{
    pid_t pid;
    int status, keep = make("file", "kept"), drop = dup(keep);
    char fds[2][12];

    CHECK(fcntl(drop, F_SETFD, FD_CLOEXEC) == 0 && lseek(keep, 2, SEEK_SET) == 2);
    snprintf(fds[0], sizeof fds[0], "/dev/fd/%d", keep);
    snprintf(fds[1], sizeof fds[1], "/dev/fd/%d", drop);
    CHILD(pid)
    execl("/bin/sh", "sh", "-c", "read text <&$(basename $1) && [ \"$text\" = pt ] && ! [ -e $2 ]",
          "sh", fds[0], fds[1], NULL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1); /* no newline at its end */
    CHECK(lseek(keep, 0, SEEK_CUR) == 4); /* read by the other program */
    CHECK(unlink("file") == 0);
}

static void reads_directories(void)
{
    enum { FILES = 60 };
    DIR *d;
    char name[20];
    int count = 0;

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        CHECK(close(open(name, O_CREAT | O_WRONLY, 0600)) == 0);
    }
    CHECK((d = opendir(".")) != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        count++;
        if (e->d_name[0] == 'f')
            CHECK(unlink(e->d_name) == 0); /* while it is read: no other name is left out */
    }
    CHECK(count == FILES + 2);
    rewinddir(d);
    for (count = 0; readdir(d); count++)
        ;
    CHECK(count == 2);
    CHECK(read(dirfd(d), bytes, 10) < 0);
    rewinddir(d);
    FAILS(syscall(SYS_getdents64, dirfd(d), bytes, 4), EINVAL);
}

static void is_in_what_is_removed(void)
{
    struct stat s;
    char text[64];
    int fd;

    CHECK(stat(".", &s) == 0 && S_ISDIR(s.st_mode) && s.st_nlink == 0);
    CHECK(access(".", F_OK) == 0 && chdir(".") == 0);
    CHECK(!getcwd(text, sizeof text) && errno == ENOENT);
    FAILS(open("new", O_CREAT | O_RDWR, 0600), ENOENT);
    FAILS(mkdir("new", 0700), ENOENT);
    fd = open(".", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && fchdir(fd) == 0 && fstat(fd, &s) == 0 && s.st_nlink == 0 && close(fd) == 0);
    CHECK(stat(".", &s) == 0 && S_ISDIR(s.st_mode));
}

/* It stays as long as somebody is in it, whoever has gone there. */
static void removed_working_directory(void)
{
    char top[64], text[64];
    pid_t pid;
    int fd;

    CHECK(getcwd(top, sizeof top) != NULL);
    for (int round = 0; round < 3; round++) {
        CHECK(mkdir("gone", 0700) == 0);
        fd = open("gone", round == 0 ? O_RDONLY : O_PATH);
        CHECK(fd >= 0 && (round == 2 ? chdir("gone") : fchdir(fd)) == 0 && close(fd) == 0);
        CHILD(pid)
        {
            sleep_ms(30);
            is_in_what_is_removed();
        }
        CHECK(rmdir("../gone") == 0);
        is_in_what_is_removed();
        CHECK(chdir(top) == 0 && mkdir("gone", 0700) == 0); /* another one */
        CHECK(chdir("gone") == 0 && getcwd(text, sizeof text) != NULL && chdir(top) == 0);
        check_child(pid);
        CHECK(rmdir("gone") == 0);
    }
}

RUN_CASES({"removed working directory", removed_working_directory}, {"duplicates", duplicates},
          {"flags of descriptors", flags_of_descriptors}, {"too many", too_many},
          {"positions", positions}, {"appends", appends}, {"shared position", shared_position},
          {"loses its name", loses_its_name}, {"another name", another_name},
          {"directories lose their names", directories_lose_their_names},
          {"ways to open", ways_to_open}, {"modes", modes}, {"over exec", over_exec},
          {"reads directories", reads_directories})
