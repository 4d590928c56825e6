/* SPDX-License-Identifier: BSD-2-Clause */
/* walkers N: N processes begin to walk paths at once, /mnt/0/file and so on; how many found theirs,
 * and the errors of the others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int walk(int number, int gate)
{
    char path[64], byte;
    struct stat s;

    snprintf(path, sizeof path, "/mnt/%d/file", number);
    if (read(gate, &byte, 1) != 0) /* until it is closed */
        return 255;
    return stat(path, &s) < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1, gate[2], status, found = 0;

    if (pipe(gate))
        return 1;
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid == 0) {
            close(gate[1]);
            _exit(walk(i, gate[0]));
        }
    }
    close(gate[1]);
    while (wait(&status) > 0) {
        if (status == 0)
            found++;
        else
            printf("%s\n", WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
    }
    printf("%d found\n", found);
    return 0;
}
