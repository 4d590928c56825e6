/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of files: who may set them, and how late they may be. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

#include "cases.h"

enum { GROUP = 1234, OWNER = 4321, OTHER = 5678 };

/* May a program of that group, which does not own it, set them to now? (Only root can find out.) */
static bool may_touch(unsigned mode, unsigned group)
{
    pid_t pid;
    int fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0600), status;

    CHECK(fd >= 0 && fchown(fd, OWNER, GROUP) == 0 && fchmod(fd, mode) == 0);
    CHILD(pid)
    {
        CHECK(setgroups(0, NULL) == 0 && setgid(group) == 0 && setuid(OTHER) == 0);
        errno = 0;
        _exit(futimens(fd, NULL) == 0 ? 0 : errno);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK(close(fd) == 0 && unlink("file") == 0);
    CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EACCES);
    return WEXITSTATUS(status) == 0;
}

static void set_to_now(void)
{
    CHECK(may_touch(0620, GROUP) && !may_touch(0602, GROUP));
    CHECK(may_touch(0602, OTHER) && !may_touch(0620, OTHER));
}

static void very_late(void)
{
    const struct timespec late[2] = {{20000000000l, 0}, {20000000000l, 0}};
    int fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0600);
    struct stat s;

    CHECK(fd >= 0 && futimens(fd, late) == 0 && fstat(fd, &s) == 0);
    CHECK(s.st_mtim.tv_sec > 4000000000l && s.st_atim.tv_sec > 4000000000l);
    CHECK(unlink("file") == 0);
}

RUN_CASES({"set to now", set_to_now}, {"very late", very_late})
