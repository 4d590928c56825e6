/* SPDX-License-Identifier: BSD-2-Clause */
/* names N: empty files 1 to N, with one system call each (touch needs three). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int count, char **arguments)
{
    int last = count > 1 ? atoi(arguments[1]) : 0;

    for (int n = 1; n <= last; n++) {
        char name[16];

        snprintf(name, sizeof name, "%d", n);
        if (mknod(name, S_IFREG | 0644, 0) < 0) {
            perror(name);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
