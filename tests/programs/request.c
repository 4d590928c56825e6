/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request NAME...: makes each of these requests, and says what became of it: "NAME: ok" or why not. A test
 * plants what kills a server in the function that one of them comes to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* To VM: what is in there must be so afterwards, whatever became of it. */
static long move(void)
{
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to;

    if (at == MAP_FAILED)
        return -1;
    at[PAGE] = 'x';
    to = mremap(at, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    if ((to == MAP_FAILED ? at : to)[PAGE] != 'x')
        puts("BAD: not what was there");
    return to == MAP_FAILED ? -1 : 0;
}

static long nice_of(void) /* to PM */
{
    return syscall(SYS_getpriority, 0, 0) < 0 ? -1 : 0;
}

static long link_to(void) /* to VFS, and ram */
{
    long result = symlink("x", "/tmp/request");

    if (result == 0)
        unlink("/tmp/request");
    return result;
}

static long listens(void) /* to net; its socket is closed afterwards, and forgotten */
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long result = fd < 0 ? -1 : listen(fd, 3);
    int error = errno;

    close(fd);
    errno = error;
    return result;
}

static const struct request {
    const char *name;
    long (*make)(void);
} requests[] = {{"move", move}, {"nice", nice_of}, {"link", link_to}, {"listen", listens}};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        for (size_t r = 0; r < sizeof requests / sizeof *requests; r++)
            if (strcmp(argv[i], requests[r].name) == 0)
                printf("%s: %s\n", argv[i], requests[r].make() == 0 ? "ok" : strerror(errno));
    return 0;
}
