/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ended PROGRAM [ARGUMENT...]: runs it, and says with what status it ended, and when, in ns of the
 * clock that /proc/recovery has, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    int status;
    pid_t child = argc > 1 ? fork() : -1;

    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("ended with %d at %lld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
           (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    return 0;
}
