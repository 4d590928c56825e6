/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * many N FOLDER: N processes make a symbolic link there, all at the same time. What became of them, and of how
 * many the same: "N I/O error".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_link(const char *folder, int n, int start)
{
    char path[256], c;

    snprintf(path, sizeof path, "%s/many%d", folder, n);
    read(start, &c, 1); /* until the other end is closed */
    _exit(symlink("x", path) == 0 ? 0 : errno);
}

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[1]) : 0, start[2], ended[256] = {0}, status;

    if (pipe(start) < 0)
        return 1;
    for (int n = 0; n < count; n++) {
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid == 0) {
            close(start[1]);
            make_link(argv[2], n, start[0]);
        }
    }
    close(start[1]);
    while (wait(&status) > 0)
        ended[WIFEXITED(status) ? WEXITSTATUS(status) : 255]++;
    for (int error = 0; error < 256; error++)
        if (ended[error])
            printf("%d %s\n", ended[error], error ? strerror(error) : "ok");
    return 0;
}
