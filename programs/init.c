/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init [COMMAND...]: the first program, once /sbin/init has done what is done once.
 *
 * Keeps a shell on the console, and on each of the machine's own screen, if it has one; with a
 * COMMAND it runs that in place of the former, once, and powers off. Reaps orphans.
 * Goes down in order when it is told to, by the signals that busybox's `halt`, `poweroff` and
 * `reboot` send (SIGUSR1, SIGUSR2, SIGTERM) or by SIGINT (reboot): programs are asked to end, then
 * made to, disks are unmounted. Each step has its time, so that nothing that hangs keeps the
 * machine from ending.
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TERM_SECONDS = 2, /* for programs to end by themselves */
    KILL_SECONDS = 2, /* for the system to end them */
    UNMOUNT_SECONDS = 30, /* for what is not yet on the disks */
    RESPAWN_SECONDS = 1, /* between two shells at least */
    SCREEN_TRIES = 3, /* a second each: so long a screen may take to show up */
    MOUNTS_MAX = 64
};

static sigset_t awaited;

static struct session {
    const char *terminal;
    pid_t child; /* 0: none is running */
    double started; /* seconds, of now() */
    int tries; /* to open it; 0: it is there, or never will be */
    bool absent;
} sessions[] = {{"/dev/console", 0, -RESPAWN_SECONDS, 0, false},
                {"/dev/tty1", 0, -RESPAWN_SECONDS, SCREEN_TRIES, false},
                {"/dev/tty2", 0, -RESPAWN_SECONDS, SCREEN_TRIES, false},
                {"/dev/tty3", 0, -RESPAWN_SECONDS, SCREEN_TRIES, false},
                {"/dev/tty4", 0, -RESPAWN_SECONDS, SCREEN_TRIES, false}};
enum { SESSIONS = sizeof sessions / sizeof *sessions };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The next signal, or -1 when the time is over; a negative time is for ever. */
static int await(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};

    if (seconds < 0)
        return sigwaitinfo(&awaited, NULL);
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    return sigtimedwait(&awaited, NULL, &t);
}

static void handler(int signal)
{
    (void)signal;
}

/* The signals stay blocked and are waited for. They have a handler all the same: init is sent
 * nothing else (servers/pm/deliver.c). */
static void prepare_signals(void)
{
    static const int signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = handler};

    sigemptyset(&awaited);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&awaited, signals[i]);
        sigaction(signals[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &awaited, NULL);
}

static void use_terminal(const char *terminal)
{
    int fd;

    setsid();
    fd = open(terminal, O_RDWR);
    if (fd < 0)
        return;
    ioctl(fd, TIOCSCTTY, 1);
    for (int i = 0; i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
}

/* A shell on that terminal, or the command. -1: too little memory, or too many processes, for
 * now. */
static pid_t start(const char *terminal, char **command)
{
    static char *shell[] = {"sh", "-l", NULL};
    pid_t child = fork();

    if (child)
        return child;
    if (!command[0]) {
        use_terminal(terminal);
        command = shell;
        if (chdir("/root") < 0)
            fprintf(stderr, "init: /root: %s\n", strerror(errno));
    }
    sigprocmask(SIG_UNBLOCK, &awaited, NULL);
    execvp(command[0], command);
    fprintf(stderr, "init: %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

/* A screen shows up when its driver has found it, or not at all. */
static bool is_there(struct session *s)
{
    int fd;

    if (s->tries == 0)
        return true;
    fd = open(s->terminal, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
        s->tries = 0;
        return true;
    }
    s->absent = --s->tries == 0;
    return false;
}

/* What is due is started. True: it has to be looked at again in a while. */
static bool sessions_start(char **command)
{
    static char *shell[] = {NULL};
    bool again = false;

    for (int i = 0; i < SESSIONS; i++) {
        struct session *s = &sessions[i];

        if (s->absent || s->child > 0)
            continue;
        if (now() - s->started >= RESPAWN_SECONDS) {
            s->started = now();
            if (is_there(s))
                s->child = start(s->terminal, i == 0 ? command : shell);
        }
        again |= s->child <= 0 && !s->absent;
    }
    return again;
}

static void session_ended(pid_t child)
{
    for (int i = 0; i < SESSIONS; i++)
        if (sessions[i].child == child)
            sessions[i].child = 0;
}

/* ---- the end ---- */

/* True: nobody is left, or of `only` that it is not. Whoever loses its parent becomes a child of
 * ours. */
static bool have_ended(pid_t only, double seconds)
{
    double end = now() + seconds, left;
    pid_t child;

    for (;;) {
        while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
            if (child == only)
                return true;
        if (child < 0 && errno == ECHILD)
            return true;
        left = end - now();
        if (left <= 0)
            return false;
        await(left);
    }
}

static void end_programs(void)
{
    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
    if (have_ended(0, TERM_SECONDS))
        return;
    kill(-1, SIGKILL);
    have_ended(0, KILL_SECONDS);
}

/* Again and again, since what is mounted on a disk must go before it. A disk that can't be
 * unmounted (it is our own root) has been synced. */
static void unmount_all(void)
{
    static char *places[MOUNTS_MAX];
    FILE *mounts = setmntent("/proc/mounts", "r");
    struct mntent *m;
    int count = 0;

    sync();
    if (!mounts)
        return;
    while (count < MOUNTS_MAX && (m = getmntent(mounts)))
        if (strcmp(m->mnt_dir, "/") != 0)
            places[count++] = strdup(m->mnt_dir);
    endmntent(mounts);
    for (bool some = true; some;) {
        some = false;
        for (int i = 0; i < count; i++)
            if (places[i] && (umount2(places[i], 0) == 0 || umount2(places[i], MNT_DETACH) == 0)) {
                places[i] = NULL;
                some = true;
            }
    }
}

/* In a process of its own: it may have to wait for a disk that never answers. Others may still be
 * there that a server keeps; they are not waited for. */
static void end_disks(void)
{
    pid_t child = fork();

    if (child > 0) {
        if (!have_ended(child, UNMOUNT_SECONDS))
            fprintf(stderr, "init: the disks are not unmounted after %d s: going down without\n",
                    UNMOUNT_SECONDS);
        return;
    }
    unmount_all();
    if (child == 0)
        _exit(0);
}

static void go_down(int how)
{
    if (chdir("/") < 0)
        fprintf(stderr, "init: /: %s\n", strerror(errno));
    end_programs();
    end_disks();
    reboot(how);
}

static int meaning(int signal)
{
    switch (signal) {
    case SIGUSR1:
        return RB_HALT_SYSTEM;
    case SIGUSR2:
        return RB_POWER_OFF;
    default:
        return RB_AUTOBOOT;
    }
}

int main(int argc, char **argv)
{
    pid_t ended;

    (void)argc;
    if (getpid() != 1) {
        fprintf(stderr, "init: process 1 only (poweroff, reboot, halt end the system)\n");
        return 1;
    }
    prepare_signals();
    for (;;) {
        bool again = sessions_start(argv + 1);
        int signal = await(again ? RESPAWN_SECONDS : -1);

        if (signal > 0 && signal != SIGCHLD)
            go_down(meaning(signal));
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
            if (ended == sessions[0].child && argv[1])
                go_down(RB_POWER_OFF);
            session_ended(ended);
        }
    }
}
