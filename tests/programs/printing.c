/* SPDX-License-Identifier: BSD-2-Clause */
/* printing [server]: prints letters until the printer's driver dies, or the lp server, which it sees
 * to; then what is to be seen of that. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../abi/printer.h"

static char letters[60000];

static const char *outcome(long result)
{
    if (result >= 0)
        return "done";
    return errno == EIO ? "EIO" : "another error";
}

static int again(int fd)
{
    close(fd);
    fd = open("/dev/lp0", O_WRONLY);
    return write(fd, "#reopened", 9) == 9 && ioctl(fd, PRINTER_DRAIN) == 0 ? 0 : 1;
}

/* The server dies while nobody writes: what it knew of the file is gone all the same. */
static int server_dies(int fd)
{
    unsigned long done = 0;

    if (write(fd, letters, 512) != 512)
        return 1;
    system("service kill lp");
    printf("dead: %s", outcome(write(fd, "x", 1)));
    printf(" %s,", outcome(ioctl(fd, PRINTER_GET_DONE, &done)));
    printf(" drained: %s\n", outcome(ioctl(fd, PRINTER_DRAIN)));
    return again(fd);
}

int main(int argc, char **argv)
{
    unsigned long done = 0;
    int status = 0, fd = open("/dev/lp0", O_WRONLY);
    ssize_t n;

    for (unsigned i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i % 26);
    if (fd < 0 || ioctl(fd, PRINTER_GET_STATUS, &status) < 0)
        return 1;
    if (argc > 1 && strcmp(argv[1], "server") == 0)
        return server_dies(fd);
    printf("status %#x\n", status & 0xf8);
    if (fork() == 0) {
        usleep(100000);
        execl("/bin/service", "service", "kill", "printer", (char *)NULL);
        _exit(1);
    }
    n = write(fd, letters, sizeof letters); /* a third of a second */
    if (n >= 0 || errno != EIO || ioctl(fd, PRINTER_GET_DONE, &done) < 0)
        return 1;
    printf("EIO after %lu bytes\n", done);
    printf("dead: %s", outcome(write(fd, "x", 1)));
    printf(" %s,", outcome(write(fd, "x", 1)));
    printf(" drained: %s\n", outcome(ioctl(fd, PRINTER_DRAIN)));
    wait(NULL);
    return again(fd);
}
