/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what with files: supplementary groups, and access(2), which asks for the real user. Only
 * root can become others. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cases.h"

enum { USER = 1000, GROUP = 1234, ANOTHER = 4321, MANY = 32 };

static void make(const char *name, mode_t mode, gid_t group)
{
    int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);

    CHECK(fd >= 0 && fchown(fd, 0, group) == 0 && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void make_folder(const char *name, mode_t mode, gid_t group)
{
    CHECK(mkdir(name, 0700) == 0 && chown(name, 0, group) == 0 && chmod(name, mode) == 0);
}

/* A user with that last of `count` groups; the others are nobody's. */
static void become(gid_t group, size_t count)
{
    gid_t groups[MANY];

    for (size_t n = 0; n < count; n++)
        groups[n] = n + 1 < count ? 50000 + (gid_t)n : group;
    CHECK(setgroups(count, groups) == 0 && setgid(USER) == 0 && setuid(USER) == 0);
}

static int opens(const char *name, int flags)
{
    int fd = open(name, flags);

    return fd < 0 ? -1 : close(fd);
}

static void files_of_a_group(void)
{
    pid_t pid;

    CHECK(chmod(".", 0755) == 0);
    make("shared", 0660, GROUP);
    make("denied", 0606, GROUP);
    for (size_t count = 1; count <= MANY; count += count == 1 ? 12 : 19) {
        CHILD(pid)
        {
            become(GROUP, count);
            CHECK(opens("shared", O_RDWR) == 0 && access("shared", R_OK | W_OK) == 0);
            CHECK(truncate("shared", 3) == 0 && utimensat(AT_FDCWD, "shared", NULL, 0) == 0);
            FAILS(opens("denied", O_RDONLY), EACCES);
            FAILS(chmod("shared", 0666), EPERM);
            CHILD(pid) /* is in them, too */
            CHECK(opens("shared", O_RDWR) == 0);
            check_child(pid);
        }
        check_child(pid);
        CHILD(pid)
        {
            become(ANOTHER, count);
            FAILS(opens("shared", O_RDONLY), EACCES);
            CHECK(opens("denied", O_RDWR) == 0);
        }
        check_child(pid);
    }
    CHECK(unlink("shared") == 0 && unlink("denied") == 0);
}

static void folders_of_a_group(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "folder/socket"};
    pid_t pid;

    CHECK(chmod(".", 0755) == 0);
    make_folder("folder", 0770, GROUP);
    CHILD(pid)
    {
        int fd;

        become(GROUP, 2);
        CHECK(access("folder", R_OK | W_OK | X_OK) == 0);
        fd = open("folder/file", O_CREAT | O_EXCL | O_RDWR, 0600);
        CHECK(fd >= 0 && mkdir("folder/in", 0700) == 0 && symlink("in", "folder/link") == 0);
        CHECK(link("folder/file", "folder/link/second") == 0);
        CHECK(rename("folder/in/second", "folder/moved") == 0);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(bind(fd, (void *)&name, sizeof name) == 0 && listen(fd, 1) == 0);
        CHECK(unlink("folder/file") == 0 && unlink("folder/moved") == 0);
        CHECK(unlink("folder/link") == 0 && rmdir("folder/in") == 0);
        CHECK(unlink(name.sun_path) == 0 && chdir("folder") == 0);
    }
    check_child(pid);
    CHILD(pid)
    {
        become(ANOTHER, 2);
        FAILS(mkdir("folder/in", 0700), EACCES);
        FAILS(chdir("folder"), EACCES);
    }
    check_child(pid);
    CHECK(rmdir("folder") == 0);
}

static void gives_its_groups(void)
{
    struct stat s;
    pid_t pid;

    make("file", 0640, USER);
    CHECK(chmod(".", 0755) == 0 && chown("file", USER, USER) == 0);
    CHILD(pid)
    {
        become(GROUP, 2);
        CHECK(chown("file", (uid_t)-1, GROUP) == 0);
        FAILS(chown("file", (uid_t)-1, ANOTHER), EPERM);
    }
    check_child(pid);
    CHECK(stat("file", &s) == 0 && s.st_gid == GROUP && unlink("file") == 0);
}

static void leaves_them(void)
{
    gid_t group = GROUP;

    CHECK(chmod(".", 0755) == 0);
    make("file", 0060, GROUP);
    CHECK(setgroups(1, &group) == 0 && seteuid(USER) == 0 && opens("file", O_RDWR) == 0);
    CHECK(seteuid(0) == 0 && setgroups(0, NULL) == 0 && seteuid(USER) == 0);
    FAILS(opens("file", O_RDWR), EACCES);
    CHECK(seteuid(0) == 0 && unlink("file") == 0);
}

/* What a set-uid program of root's asks, and one that root lets be another. */
static void access_is_real(void)
{
    CHECK(chmod(".", 0755) == 0);
    make("file", 0600, 0);
    make_folder("folder", 0700, 0);
    make("folder/in", 0666, 0);
    CHECK(setgroups(0, NULL) == 0 && setresuid(USER, 0, 0) == 0);
    FAILS(access("file", R_OK), EACCES);
    FAILS(access("folder/in", F_OK), EACCES);
    CHECK(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS) == 0 && opens("file", O_RDWR) == 0);
    CHECK(setresuid(0, USER, 0) == 0 && access("file", R_OK) == 0 &&
          access("folder/in", W_OK) == 0);
    FAILS(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS), EACCES);
    FAILS(opens("file", O_RDONLY), EACCES);
    CHECK(setresuid(0, 0, 0) == 0);
    CHECK(unlink("file") == 0 && unlink("folder/in") == 0 && rmdir("folder") == 0);
}

RUN_CASES({"files of a group", files_of_a_group}, {"folders of a group", folders_of_a_group},
          {"gives its groups", gives_its_groups}, {"leaves them", leaves_them},
          {"access is real", access_is_real})
