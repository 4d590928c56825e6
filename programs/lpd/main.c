/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "programs/lpd/lpd.h"

static const char usage[] =
    "usage: lpd [-f]\n"
    "\n"
    "The print spooler: takes jobs from lpr, and prints them on " LPD_DEVICE
    " one after the other.\n"
    "It goes to the background (-f: it does not), gives up being root for the user lp, and keeps "
    "its\n"
    "jobs in " LPD_SPOOL ". When the printer's driver dies it goes on at the page that was in\n"
    "progress; what was printed of that is made a sheet of its own.\n";

static volatile sig_atomic_t ends;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "lpd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void end(int signal)
{
    (void)signal;
    ends = 1;
}

static void enter_spool(void)
{
    if (mkdir(LPD_SPOOL, 0700) < 0 && errno != EEXIST)
        fail(LPD_SPOOL);
    if (chown(LPD_SPOOL, LPD_UID, LPD_GID) < 0 || chmod(LPD_SPOOL, 0700) < 0)
        fail(LPD_SPOOL);
    if (chdir(LPD_SPOOL) < 0)
        fail(LPD_SPOOL);
}

static bool somebody_listens(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0;

    if (fd >= 0)
        close(fd);
    return listens;
}

static int socket_listen(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = LPD_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (somebody_listens(&name)) {
        errno = EEXIST;
        fail("another one is at work");
    }
    unlink(LPD_SOCKET);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        chmod(LPD_SOCKET, 0666) < 0 || listen(fd, LPD_CLIENTS) < 0)
        fail(LPD_SOCKET);
    return fd;
}

static void give_up_root(void)
{
    if (setgroups(0, NULL) < 0 || setgid(LPD_GID) < 0 || setuid(LPD_UID) < 0 || setuid(0) == 0)
        fail("cannot become the user lp");
}

/* A process for `what`, with the signals that processes have by themselves. */
static pid_t start(void (*what)(int fd, pid_t printing), int fd, pid_t printing)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    what(fd, printing);
    _exit(0);
}

static void print_all(int fd, pid_t parent)
{
    close(fd);
    jobs_print(parent);
}

/* Another goes on where the one that printed was: it is all in files. */
static void collect(pid_t *printing, unsigned *clients)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == *printing)
            *printing = 0;
        else
            (*clients)--;
        if (WIFSIGNALED(status))
            queue_sweep();
    }
}

static void run(int listener)
{
    pid_t printing = 0;
    unsigned clients = 0;

    queue_sweep();
    while (!ends) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        int fd = -1;

        if (!printing) {
            printing = start(print_all, listener, getpid());
            printing = printing < 0 ? 0 : printing;
        }
        poll(&p, clients < LPD_CLIENTS, clients || !printing ? 100 : 1000);
        collect(&printing, &clients);
        if (clients < LPD_CLIENTS)
            fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        clients += start(client_serve, fd, printing) > 0;
        close(fd);
    }
    if (printing)
        kill(printing, SIGTERM);
}

/* The spool and the socket need root; nothing that a client says is read before root is given up.
 * It listens before it goes to the background: whoever has started it may print as soon as that
 * returns. SIGUSR1 is blocked before the first fork: a process that has not come to wait for it
 * does not die of it. */
int main(int argc, char **argv)
{
    bool foreground = argc == 2 && strcmp(argv[1], "-f") == 0;
    sigset_t usr1;
    int listener;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc != 1 && !foreground) {
        fputs(usage, stderr);
        return 2;
    }
    if (geteuid() != 0) {
        fputs("lpd: only root may start it\n", stderr);
        return 1;
    }
    umask(077);
    enter_spool();
    listener = socket_listen();
    give_up_root();
    if (!foreground && daemon(1, 0) < 0)
        fail("cannot go to the background");
    openlog("lpd", LOG_PID, LOG_LPR);
    sigemptyset(&usr1); /* blocked, and waited for by the one that prints */
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, end);
    signal(SIGINT, end);
    run(listener);
    return 0;
}
