/* SPDX-License-Identifier: BSD-2-Clause */
/* getxattr(2) and its family, where there are no attributes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/xattr.h>

#include "cases.h"

static void nothing_there(void)
{
    char value[100];
    int fd = open("file", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0);
    FAILS(getxattr("nothing", "user.a", value, sizeof value), ENOENT);
    FAILS(getxattr("file", "", value, sizeof value), ERANGE);
    FAILS(fgetxattr(-1, "user.a", value, sizeof value), EBADF);
    FAILS(getxattr("file", "a", value, sizeof value), EOPNOTSUPP);
    FAILS(listxattr("nothing", value, sizeof value), ENOENT);
    CHECK(listxattr("file", value, sizeof value) >= 0);
    CHECK(flistxattr(fd, NULL, 0) >= 0);
    CHECK(close(fd) == 0 && unlink("file") == 0);
}

RUN_CASES({"nothing there", nothing_there})
