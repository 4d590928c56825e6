/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps the file for running it, at once and for reading at first, and says what the system says; whether
 * access() says that it may be run; and what flags statvfs() has of its file system. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *word(int failed)
{
    return failed ? strerror(errno) : "yes";
}

int main(int argc, char **argv)
{
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    void *read = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    struct statvfs s = {0};

    printf("%s, ", word(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED));
    printf("%s, ", word(mprotect(read, 4096, PROT_READ | PROT_EXEC)));
    printf("%s, ", word(access(argv[1], X_OK)));
    printf("%s", statvfs(argv[1], &s) ? strerror(errno) : "flags");
    for (unsigned long n = 0; n < 4; n++)
        if (s.f_flag & 1ul << n)
            printf(" %s", (const char *[]){"ro", "nosuid", "nodev", "noexec"}[n]);
    puts("");
    return 0;
}
