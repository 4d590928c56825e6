/* SPDX-License-Identifier: BSD-2-Clause */
/* renameat2() with RENAME_NOREPLACE: a name that is there stays, whoever asks, from wherever, and
 * whenever it was made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cases.h"

enum { NOREPLACE = 1, NOBODY = 65534 };

static long rename_gently(int from, const char *old_name, int to, const char *new_name)
{
    return syscall(SYS_renameat2, from, old_name, to, new_name, NOREPLACE);
}

static void make(const char *name)
{
    CHECK(close(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644)) == 0);
}

static void replaces_nothing(void)
{
    struct stat a, b;

    make("a");
    make("b");
    CHECK(stat("a", &a) == 0 && stat("b", &b) == 0);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "b"), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "a"), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "none", AT_FDCWD, "b"), ENOENT);
    CHECK(stat("b", &a) == 0 && a.st_ino == b.st_ino);
    CHECK(link("a", "same") == 0 && mkdir("d", 0755) == 0 && symlink("nowhere", "l") == 0);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "same"), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "d"), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "l"), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "a", AT_FDCWD, "d/."), EEXIST);
    FAILS(rename_gently(AT_FDCWD, "d/.", AT_FDCWD, "e"), EBUSY);
    FAILS(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "e", 1u << 31), EINVAL);
    CHECK(rename_gently(AT_FDCWD, "a", AT_FDCWD, "d/a") == 0 && access("d/a", F_OK) == 0 &&
          access("a", F_OK) == -1);
    CHECK(unlink("d/a") == 0 && unlink("b") == 0 && unlink("same") == 0 && unlink("l") == 0 &&
          rmdir("d") == 0);
}

/* (Only root may do so, which the system's tests are.) */
static void under_another_root(void)
{
    int status;
    pid_t pid;

    CHECK(mkdir("r", 0755) == 0 && mkdir("r/d", 0755) == 0);
    make("r/d/a");
    make("r/d/b");
    if (geteuid() == 0) {
        CHILD(pid)
        {
            CHECK(chroot("r") == 0 && chdir("/") == 0);
            FAILS(rename_gently(AT_FDCWD, "/d/a", AT_FDCWD, "/d/b"), EEXIST);
            FAILS(rename_gently(AT_FDCWD, "d/a", AT_FDCWD, "d/b"), EEXIST);
            CHECK(rename_gently(AT_FDCWD, "/d/a", AT_FDCWD, "/d/c") == 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        CHECK(access("r/d/b", F_OK) == 0 && access("r/d/a", F_OK) == -1 && unlink("r/d/c") == 0);
    } else {
        CHECK(unlink("r/d/a") == 0);
    }
    CHECK(unlink("r/d/b") == 0 && rmdir("r/d") == 0 && rmdir("r") == 0);
}

/* What lies above a directory that is open is not looked at. */
static void below_what_may_not_be_searched(void)
{
    int status, fd;
    pid_t pid;

    CHECK(chmod(".", 0755) == 0 && mkdir("p", 0755) == 0 && mkdir("p/q", 0777) == 0 &&
          chmod("p/q", 0777) == 0);
    make("p/q/x");
    make("p/q/z");
    CHECK((fd = open("p/q", O_RDONLY | O_DIRECTORY)) >= 0 && chmod("p", 0) == 0);
    CHILD(pid)
    {
        if (geteuid() == 0)
            CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        FAILS(access("p/q", F_OK), EACCES);
        FAILS(rename_gently(fd, "x", fd, "z"), EEXIST);
        CHECK(rename_gently(fd, "x", fd, "y") == 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0 && chmod("p", 0755) == 0);
    CHECK(unlink("p/q/y") == 0 && unlink("p/q/z") == 0 && rmdir("p/q") == 0 && rmdir("p") == 0);
}

/* Who may not change a directory learns all the same that the name is taken. */
static void in_what_may_not_be_changed(void)
{
    int status;
    pid_t pid;

    CHECK(chmod(".", 0755) == 0 && mkdir("from", 0777) == 0 && chmod("from", 0777) == 0 &&
          mkdir("to", 0755) == 0);
    make("from/x");
    make("to/taken");
    CHILD(pid)
    {
        if (geteuid() == 0)
            CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        else
            CHECK(chmod("to", 0555) == 0);
        FAILS(rename_gently(AT_FDCWD, "from/x", AT_FDCWD, "to/taken"), EEXIST);
        FAILS(rename_gently(AT_FDCWD, "from/x", AT_FDCWD, "to/free"), EACCES);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0 && chmod("to", 0755) == 0);
    CHECK(unlink("from/x") == 0 && unlink("to/taken") == 0 && rmdir("from") == 0 &&
          rmdir("to") == 0);
}

/* Of several who give a file the same name at the same moment one succeeds. */
static void one_of_many(void)
{
    enum { MANY = 4, ROUNDS = 150 };
    pid_t pid[MANY];
    int won = 0, status, go[2];
    char name[20], mine[20];

    CHECK(pipe(go) == 0);
    for (int n = 0; n < MANY; n++) {
        CHILD(pid[n])
        {
            snprintf(mine, sizeof mine, "s%d", n);
            CHECK(close(go[1]) == 0 && read(go[0], name, 1) == 0);
            for (int round = 0; round < ROUNDS; round++) {
                snprintf(name, sizeof name, "t%d", round);
                make(mine);
                if (rename_gently(AT_FDCWD, mine, AT_FDCWD, name) == 0)
                    won++;
                else
                    CHECK(unlink(mine) == 0);
            }
            _exit(won);
        }
    }
    CHECK(close(go[1]) == 0);
    for (int n = 0; n < MANY; n++) {
        CHECK(waitpid(pid[n], &status, 0) == pid[n] && WIFEXITED(status));
        won += WEXITSTATUS(status);
    }
    CHECK(won == ROUNDS);
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof name, "t%d", round);
        CHECK(unlink(name) == 0);
    }
}

RUN_CASES({"replaces nothing", replaces_nothing}, {"under another root", under_another_root},
          {"below what may not be searched", below_what_may_not_be_searched},
          {"in what may not be changed", in_what_may_not_be_changed}, {"one of many", one_of_many})
