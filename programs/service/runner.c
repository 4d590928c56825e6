/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy runner. RS has lines "NUMBER DEADLINE PATH COMPONENT DEFECT FAILURES PARAMETERS..."
 * for it in SCRIPTS_FILE, and when fs/proc is away in SCRIPTS_DEVICE; a read waits until there is one. Each is run by the shell in a process of
 * its own, so a script that hangs holds up no other, and in a process group of its own: at its
 * deadline (ms) it is ended with all that it has started, and at its end with what it has left
 * running in its group. One that is missing, or not executable, is not run.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/proto/script.h"
#include "programs/service/service.h"

#define WORDS_MAX 32
#define FAILED_READ_US 200000 /* before the next try */
enum { NUMBER, DEADLINE, PATH, COMPONENT, DEFECT, FAILURES, FIXED_WORDS };

static volatile sig_atomic_t is_over; /* the deadline has passed */

static void note_deadline(int signal)
{
    (void)signal;
    is_over = 1;
}

/* SIGALRM after so long, and again and again: one may come just before the wait begins. */
static void set_deadline(unsigned long ms)
{
    struct sigaction act = {.sa_handler = note_deadline};
    struct itimerval timer = {.it_value = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)},
                              .it_interval = {.tv_usec = 100000}};

    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static int run_script(char **word)
{
    int status;
    pid_t child;

    if (access(word[PATH], X_OK) != 0)
        return errno == ENOENT || errno == ENOTDIR ? SCRIPT_MISSING : SCRIPT_NOT_EXECUTABLE;
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        word[PATH - 1] = "sh"; /* sh PATH COMPONENT DEFECT FAILURES PARAMETERS... */
        execv(SHELL, &word[PATH - 1]);
        _exit(127);
    }
    if (child < 0)
        return 126;
    setpgid(child, child); /* whoever is first */
    set_deadline(strtoul(word[DEADLINE], NULL, 10));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return 126;
        if (is_over)
            kill(-child, SIGKILL);
    }
    kill(-child, SIGKILL); /* what it has left behind */
    if (is_over)
        return SCRIPT_TOO_LATE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In a process of its own: runs it and tells RS how it went. */
static void serve(char *line)
{
    char *word[WORDS_MAX + 1], *rest, done[64], number[16];
    int words = 0, status;

    for (char *w = strtok_r(line, " \n", &rest); w && words < WORDS_MAX;
         w = strtok_r(NULL, " \n", &rest))
        word[words++] = w;
    word[words] = NULL;
    if (words < FIXED_WORDS)
        return;
    snprintf(number, sizeof number, "%s", word[NUMBER]);
    status = run_script(word);
    snprintf(done, sizeof done, "done %s %d\n", number, status);
    control(done); /* ESRCH: it has decided already, or its deadline has passed */
}

static ssize_t read_script(const char *path, char *line, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, line, room) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return n;
}

int run_policies(void)
{
    static char line[1024];

    setsid();
    for (;;) {
        ssize_t n = read_script(SCRIPTS_FILE, line, sizeof line - 1);

        if (n < 0 && proc_is_away(errno))
            n = read_script(SCRIPTS_DEVICE, line, sizeof line - 1);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (n <= 0) { /* both are being replaced, say */
            usleep(FAILED_READ_US);
            continue;
        }
        line[n] = 0;
        if (fork() == 0) {
            serve(line);
            _exit(0);
        }
    }
}
