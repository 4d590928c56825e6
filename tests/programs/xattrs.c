/* SPDX-License-Identifier: BSD-2-Clause */
/* xattrs FILE: its extended attributes, NAME=VALUE a line. */
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

int main(int argc, char **argv)
{
    static char names[65536], value[65536];
    ssize_t length = argc == 2 ? listxattr(argv[1], names, sizeof names) : -1;

    if (length < 0)
        return 1;
    for (char *name = names; name < names + length; name += strlen(name) + 1) {
        ssize_t n = getxattr(argv[1], name, value, sizeof value);

        if (n < 0 || getxattr(argv[1], name, NULL, 0) != n)
            return 1;
        printf("%s=%.*s\n", name, (int)n, value);
    }
    return 0;
}
