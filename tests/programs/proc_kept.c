/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and directories of /proc stay open while its server is killed again and again: at rest, and in the midst of
 * calls. Says what did not go on; "kept" at the end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 5, DIRECTORIES = 3, KILLS = 4 };

static const char *const files[FILES] = {"/proc/meminfo", "/proc/self/status", "/proc/1/stat",
                                         "/proc/bardo/services", "/proc/version"};
static const char *const directories[DIRECTORIES] = {"/proc", "/proc/self", "/proc/self/fd"};
static int fd[FILES], dir[DIRECTORIES], failures;

static void check(int good, const char *what, const char *name)
{
    if (good)
        return;
    printf("%s of %s: %s\n", what, name, strerror(errno));
    failures++;
}

static void kill_proc(void)
{
    check(system("service kill proc >/dev/null") == 0, "killing", "proc");
}

static long entries(int of)
{
    char buffer[4096];
    long n, all = 0;

    if (lseek(of, 0, SEEK_SET) < 0)
        return -1;
    while ((n = getdents64(of, (void *)buffer, sizeof buffer)) > 0)
        all += n;
    return n < 0 ? n : all;
}

static void look_at_all(void)
{
    struct stat st;
    char text[64];

    for (int i = 0; i < FILES; i++) {
        check(fstat(fd[i], &st) == 0 && S_ISREG(st.st_mode), "fstat", files[i]);
        check(pread(fd[i], text, sizeof text, 0) > 3, "pread", files[i]);
        check(lseek(fd[i], 5, SEEK_SET) == 5 && read(fd[i], text, 4) == 4, "read", files[i]);
    }
    for (int i = 0; i < DIRECTORIES; i++) {
        check(fstat(dir[i], &st) == 0 && S_ISDIR(st.st_mode), "fstat", directories[i]);
        check(entries(dir[i]) > 50, "reading", directories[i]);
    }
    check(faccessat(dir[1], "status", R_OK, 0) == 0, "a name", directories[1]);
}

/* Where a reader was, it is: the text is not begun anew. */
static void goes_on(void)
{
    char text[32] = {0};
    int of = open("/proc/version", O_RDONLY);

    check(read(of, text, 6) == 6 && memcmp(text, "Linux ", 6) == 0, "the beginning",
          "/proc/version");
    kill_proc();
    check(read(of, text, 8) == 8 && memcmp(text, "version ", 8) == 0, "what follows",
          "/proc/version");
    close(of);
}

static void under_way(void)
{
    pid_t child = fork();

    if (child == 0) {
        for (int i = 0; i < KILLS; i++) {
            usleep(300000);
            kill_proc();
        }
        _exit(0);
    }
    while (waitpid(child, NULL, WNOHANG) == 0)
        look_at_all();
}

/* Of a process that has ended: as Linux, but that Linux 6.18 says ESRCH of a name in its directory. */
static void ended(void)
{
    char name[32], text[64];
    pid_t child = fork();
    int stat_of, of;

    if (child == 0)
        for (;;)
            pause();
    snprintf(name, sizeof name, "/proc/%d/stat", child);
    stat_of = open(name, O_RDONLY);
    *strrchr(name, '/') = 0;
    of = open(name, O_RDONLY | O_DIRECTORY);
    check(pread(stat_of, text, sizeof text, 0) > 0 && entries(of) > 50, "a process that lives",
          name);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++) {
        check(pread(stat_of, text, sizeof text, 0) == -1 && errno == ESRCH, "ESRCH", name);
        check(openat(of, "stat", O_RDONLY) == -1 && errno == ENOENT, "ENOENT (a name)", name);
        check(entries(of) == -1 && errno == ENOENT, "ENOENT (entries)", name);
        if (i == 0)
            kill_proc();
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < FILES; i++)
        check((fd[i] = open(files[i], O_RDONLY)) >= 0, "open", files[i]);
    for (int i = 0; i < DIRECTORIES; i++)
        check((dir[i] = open(directories[i], O_RDONLY | O_DIRECTORY)) >= 0, "open", directories[i]);
    look_at_all();
    kill_proc();
    look_at_all();
    goes_on();
    under_way();
    ended();
    puts(failures ? "lost" : "kept");
    return failures != 0;
}
