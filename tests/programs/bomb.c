/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fork bomb, of one user or several, each a group of its own: bomb UID... Every process forks as
 * long as it can, then waits and tries again. Its first line of output is their groups.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void explode(void)
{
    for (;;)
        if (fork() < 0)
            sleep(1);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        unsigned id = (unsigned)atoi(argv[i]);
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid)
            printf("-%d ", (int)pid);
        else if (setpgid(0, 0) || setgid(id) || setuid(id))
            return 1;
        else
            explode();
    }
    printf("\n");
    return 0;
}
