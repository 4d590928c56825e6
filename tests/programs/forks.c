/* SPDX-License-Identifier: BSD-2-Clause */
/* forks N: reads a line, then so many forks, one after the other; says how many there were, and how many failed with EIO. Status 1: with another error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 1, made = 0, refused = 0;

    while (getchar() != '\n' && !feof(stdin))
        ;
    while (made + refused < wanted) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid < 0 && errno != EIO) {
            perror("forks");
            return 1;
        }
        made += pid > 0 && waitpid(pid, NULL, 0) == pid;
        refused += pid < 0;
    }
    printf("%d made, %d refused\n", made, refused);
    return 0;
}
