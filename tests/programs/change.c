/* SPDX-License-Identifier: BSD-2-Clause */
/* change UID HOW FILE: becomes that user, and changes what the file contains. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char much[3 << 20];

int main(int argc, char **argv)
{
    const char *how = argc == 4 ? argv[2] : "";
    struct iovec parts[2] = {{much, 3}, {much, 5}};
    int is = strcmp(how, "append") ? 0 : O_APPEND, fd;
    long done = 0;

    if (!strcmp(how, "trunc"))
        is = O_TRUNC;
    if (argc != 4 || setgid((gid_t)atoi(argv[1])) || setuid((uid_t)atoi(argv[1])))
        return 2;
    fd = open(argv[3], O_RDWR | is);
    if (!strcmp(how, "write") || is == O_APPEND)
        done = write(fd, much, 10) - 10;
    else if (!strcmp(how, "writev"))
        done = writev(fd, parts, 2) - 8;
    else if (!strcmp(how, "parts"))
        done = write(fd, much, sizeof much) - (long)sizeof much;
    else if (!strcmp(how, "truncate"))
        done = truncate(argv[3], 2);
    else if (!strcmp(how, "ftruncate"))
        done = ftruncate(fd, 9000);
    else if (!strcmp(how, "allocate"))
        done = fallocate(fd, 0, 0, 20000);
    else if (!strcmp(how, "nothing"))
        done = write(fd, much, 0);
    else if (!strcmp(how, "read"))
        done = read(fd, much, 4) - 4;
    if (fd < 0 || done)
        perror(how);
    return fd < 0 || done;
}
