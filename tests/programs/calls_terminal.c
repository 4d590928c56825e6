/* SPDX-License-Identifier: BSD-2-Clause */
/* Job control: what a terminal does to who is in its background. On Linux with a pseudo-terminal, in the
 * system with the second serial port. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "cases.h"

static int terminal;
static struct termios settings;
static volatile sig_atomic_t hang_ups;

/* A session with its terminal, in whose foreground we are. */
static void begin(void)
{
    const char *name = "/dev/ttyS1";

    if (access("/dev/bardo", F_OK)) {
        int master = posix_openpt(O_RDWR | O_NOCTTY); /* stays open */

        CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
        name = ptsname(master);
    }
    CHECK(setsid() == getpid());
    terminal = open(name, O_RDWR);
    CHECK(terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) == 0);
    CHECK(tcgetpgrp(terminal) == getpgrp() && tcgetattr(terminal, &settings) == 0);
    settings.c_lflag &= ~(tcflag_t)TOSTOP;
    CHECK(tcsetattr(terminal, TCSANOW, &settings) == 0);
}

/* ttyname(3) looks whether what is there by that name is what is open. */
static void has_a_name(void)
{
    struct stat named, open;
    const char *name;

    begin();
    name = ttyname(terminal);
    CHECK(name && stat(name, &named) == 0 && fstat(terminal, &open) == 0);
    CHECK(named.st_ino == open.st_ino && named.st_dev == open.st_dev);
    CHECK(fchown(terminal, 7, 8) == 0 && fchmod(terminal, 0640) == 0 &&
          fstat(terminal, &open) == 0);
    CHECK(open.st_uid == 7 && open.st_gid == 8 && open.st_mode == (S_IFCHR | 0640));
    CHECK(fchown(terminal, named.st_uid, named.st_gid) == 0);
    CHECK(fchmod(terminal, named.st_mode & 07777) == 0);
}

/* What became of one that does it in the background: its result (0: that has not failed, else errno), or the
 * signal that stopped it, negative. */
static int in_background(long (*what)(void), int disposed, bool ignored)
{
    pid_t pid = check_fork();
    sigset_t set;
    int status;

    if (pid == 0) {
        sigemptyset(&set);
        sigaddset(&set, disposed);
        CHECK(setpgid(0, 0) == 0);
        CHECK(!ignored || signal(disposed, SIG_IGN) != SIG_ERR);
        CHECK(ignored || sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        errno = 0;
        _exit(what() < 0 ? errno : 0);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    if (!WIFSTOPPED(status)) {
        CHECK(WIFEXITED(status));
        return WEXITSTATUS(status);
    }
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    return -WSTOPSIG(status);
}

static long reads(void)
{
    char c;

    return read(terminal, &c, 1);
}
static long writes(void)
{
    return write(terminal, "x", 1);
}
static long sets(void)
{
    return tcsetattr(terminal, TCSANOW, &settings);
}
static long sets_later(void)
{
    return tcsetattr(terminal, TCSADRAIN, &settings);
}
static long takes(void)
{
    return tcsetpgrp(terminal, getpgrp());
}
static long flushes(void)
{
    return tcflush(terminal, TCIFLUSH);
}
static long drains(void)
{
    return tcdrain(terminal);
}

static void background(void)
{
    static long (*const changes[])(void) = {sets, sets_later, flushes, drains, takes};

    begin();
    CHECK(in_background(reads, SIGUSR1, true) == -SIGTTIN);
    CHECK(in_background(reads, SIGTTIN, true) == EIO);
    CHECK(in_background(reads, SIGTTIN, false) == EIO);
    CHECK(in_background(writes, SIGUSR1, true) == 0);
    for (unsigned n = 0; n < sizeof changes / sizeof *changes; n++) {
        CHECK(in_background(changes[n], SIGUSR1, true) == -SIGTTOU);
        CHECK(tcgetpgrp(terminal) == getpgrp());
    }
    for (unsigned n = 0; n < sizeof changes / sizeof *changes; n++) { /* the last leaves us there */
        CHECK(in_background(changes[n], SIGTTOU, true) == 0);
        CHECK(n || in_background(changes[n], SIGTTOU, false) == 0);
    }
}

static void output_that_stops(void)
{
    begin();
    settings.c_lflag |= TOSTOP;
    CHECK(sets() == 0);
    CHECK(in_background(writes, SIGUSR1, true) == -SIGTTOU);
    CHECK(in_background(writes, SIGTTOU, true) == 0);
    CHECK(in_background(writes, SIGTTOU, false) == 0);
    CHECK(writes() == 1);
    settings.c_lflag &= ~(tcflag_t)TOSTOP;
    CHECK(sets() == 0);
}

/* One that was stopped does what it wanted when it is in the foreground. */
static void goes_on(void)
{
    pid_t pid;
    int status;

    begin();
    CHECK(signal(SIGTTOU, SIG_IGN) != SIG_ERR);
    CHILD(pid)
    {
        CHECK(setpgid(0, 0) == 0 && signal(SIGTTOU, SIG_DFL) != SIG_ERR);
        settings.c_cc[VEOF] = 7;
        CHECK(sets() == 0);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    CHECK(tcgetattr(terminal, &settings) == 0 && settings.c_cc[VEOF] != 7);
    CHECK(tcsetpgrp(terminal, pid) == 0 && kill(pid, SIGCONT) == 0);
    check_child(pid);
    CHECK(tcsetpgrp(terminal, getpgrp()) == 0);
    CHECK(tcgetattr(terminal, &settings) == 0 && settings.c_cc[VEOF] == 7);
    settings.c_cc[VEOF] = 4;
    CHECK(sets() == 0);
}

/* Nobody could make it go on: its parent has ended. */
static void orphans(void)
{
    int said[2], results[2] = {-1, -1};
    pid_t pid;

    begin();
    CHECK(pipe(said) == 0);
    CHILD(pid)
    {
        pid_t parent = getpid();

        CHECK(setpgid(0, 0) == 0);
        if (check_fork() == 0) {
            while (getppid() == parent)
                sleep_ms(5);
            results[0] = reads() < 0 ? errno : 0;
            results[1] = sets() < 0 ? errno : 0;
            CHECK(write(said[1], results, sizeof results) == sizeof results);
            _exit(0);
        }
    }
    check_child(pid);
    CHECK(read(said[0], results, sizeof results) == sizeof results);
    CHECK(results[0] == EIO && results[1] == EIO);
}

static void note(int signal)
{
    (void)signal;
    hang_ups++;
}

/* A group of another session is no affair of this terminal: it would get its signals. */
static void foreign_groups(void)
{
    pid_t other;
    int ready[2];
    char c;

    begin();
    CHECK(pipe(ready) == 0);
    other = check_fork();
    if (other == 0) {
        CHECK(setsid() == getpid() && signal(SIGHUP, note) != SIG_ERR);
        CHECK(write(ready[1], "", 1) == 1);
        sleep_ms(200);
        _exit(hang_ups);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    FAILS(tcsetpgrp(terminal, other), EPERM);
    FAILS(tcsetpgrp(terminal, 1), EPERM);
    FAILS(tcsetpgrp(terminal, 99999), ESRCH);
    CHECK(signal(SIGHUP, note) != SIG_ERR && ioctl(terminal, TIOCNOTTY) == 0 && hang_ups == 1);
    FAILS(tcgetpgrp(terminal), ENOTTY);
    check_child(other);
}

RUN_CASES({"has a name", has_a_name}, {"background", background},
          {"output that stops", output_that_stops}, {"goes on", goes_on}, {"orphans", orphans},
          {"foreign groups", foreign_groups})
