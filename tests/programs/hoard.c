/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hoard DIRECTORY [FILE]: in the directory as many symbolic links as there may be, each with a name and
 * a target as long as they may be; or as many such names for the file. Says how many, and what came then.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *name_of(unsigned n)
{
    static char name[NAME_MAX + 1];

    memset(name, 'n', NAME_MAX);
    snprintf(name, 9, "%08u", n);
    name[8] = 'n';
    return name;
}

int main(int count, char **arguments)
{
    static char target[PATH_MAX];
    unsigned n = 0;

    if (count < 2 || chdir(arguments[1]))
        return 2;
    memset(target, 't', sizeof target - 1);
    while (!(count > 2 ? link(arguments[2], name_of(n)) : symlink(target, name_of(n))))
        n++;
    printf("%u %s\n", n, strerror(errno));
    return 0;
}
