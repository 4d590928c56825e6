/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps the file for running it, and says what the system says; and whether access() says that it may be run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *word(int failed)
{
    return failed ? strerror(errno) : "yes";
}

int main(int argc, char **argv)
{
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

    printf("%s, ", word(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED));
    printf("%s\n", word(access(argv[1], X_OK)));
    return 0;
}
