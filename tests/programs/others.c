/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * others COMMAND: who has nothing to do with it. Works of some kinds go on, each checks every answer; when all
 * have begun COMMAND is run by the shell, and when it has ended all must go on as before. What is wrong is a
 * line "BAD WORK LINE: ...", at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 6000, UNITS = 3, PATIENCE = 60000 /* ms */, PORT = 7001 };

static struct progress {
    volatile unsigned long done;
} * works;
static volatile sig_atomic_t signals;
static const char *work;
static char data[BYTES], back[BYTES];

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("BAD %s %d: %s (%m)\n", work, __LINE__, #condition);                            \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void make_data(unsigned long n)
{
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)((i * 7 + n) ^ i >> 8);
    memset(back, 0, BYTES);
}

static void put_and_get(int out, int in, size_t bytes)
{
    size_t got = 0;

    MUST(write(out, data, bytes) == (ssize_t)bytes);
    while (got < bytes) {
        ssize_t n = read(in, back + got, bytes - got);

        MUST(n > 0);
        got += (size_t)n;
    }
    MUST(memcmp(data, back, bytes) == 0);
}

static void files(unsigned long n)
{
    struct stat s;
    int fd;

    (void)n;
    MUST((fd = open("/tmp/others", O_RDWR | O_CREAT | O_EXCL, 0600)) >= 0);
    MUST(write(fd, data, BYTES) == BYTES && fstat(fd, &s) == 0 && s.st_size == BYTES);
    MUST(rename("/tmp/others", "/tmp/others2") == 0);
    MUST(pread(fd, back, BYTES, 0) == BYTES && memcmp(data, back, BYTES) == 0);
    MUST(close(fd) == 0 && unlink("/tmp/others2") == 0 && stat("/tmp/others2", &s) == -1);
}

static void pipes(unsigned long n)
{
    int p[2];

    (void)n;
    MUST(pipe(p) == 0);
    put_and_get(p[1], p[0], BYTES);
    MUST(close(p[0]) == 0 && close(p[1]) == 0);
}

/* One connection for all the time, and a datagram each time. */
static void talk(unsigned long n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    static int one, other, datagrams;
    int one_more = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (n == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one_more, sizeof one_more) == 0);
        MUST(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 3) == 0);
        MUST((one = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
        MUST(connect(one, (struct sockaddr *)&a, sizeof a) == 0);
        MUST((other = accept(fd, NULL, NULL)) >= 0 && close(fd) == 0);
        MUST((datagrams = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
        MUST(bind(datagrams, (struct sockaddr *)&a, sizeof a) == 0);
        MUST(connect(datagrams, (struct sockaddr *)&a, sizeof a) == 0);
    }
    put_and_get(one, other, BYTES);
    put_and_get(datagrams, datagrams, 1000);
}

static void memory(unsigned long n)
{
    char *at = mmap(NULL, 4 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid;

    (void)n;
    MUST(at != MAP_FAILED);
    memcpy(at, data, BYTES);
    MUST((pid = fork()) >= 0);
    if (pid == 0) {
        MUST(memcmp(at, data, BYTES) == 0);
        memset(at, 0, BYTES);
        _exit(0);
    }
    MUST(waitpid(pid, &status, 0) == pid && status == 0 && memcmp(at, data, BYTES) == 0);
    MUST(mprotect(at, 4 * BYTES, PROT_READ) == 0 && munmap(at, 4 * BYTES) == 0);
}

static void count(int signal)
{
    (void)signal;
    signals++;
}

static void processes(unsigned long n)
{
    struct sigaction action = {.sa_handler = count};
    int status, before = signals;
    pid_t pid, us = getpid(); /* (who is killed by main() has init for a parent's place) */

    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST((pid = fork()) >= 0);
    if (pid == 0) {
        kill(us, SIGUSR1);
        _exit((int)(n % 100));
    }
    while (waitpid(pid, &status, 0) != pid)
        continue;
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == (int)(n % 100) && signals == before + 1);
}

static const struct kind {
    const char *name;
    void (*unit)(unsigned long n);
} kinds[] = {{"files", files},
             {"pipes", pipes},
             {"talk", talk},
             {"memory", memory},
             {"processes", processes}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static pid_t pids[KINDS];

static void run(unsigned kind)
{
    work = kinds[kind].name;
    for (unsigned long n = 0;; n++) {
        make_data(n);
        kinds[kind].unit(n);
        works[kind].done++;
        usleep(1000);
    }
}

/* Each has done so many more. */
static void go_on(void)
{
    unsigned long before[KINDS];

    for (unsigned i = 0; i < KINDS; i++)
        before[i] = works[i].done;
    for (unsigned i = 0, ms = 0; i < KINDS; i++)
        for (; works[i].done < before[i] + UNITS; ms++) {
            if (ms > PATIENCE || waitpid(pids[i], NULL, WNOHANG) != 0) {
                printf("BAD %s: it goes on no more\n", kinds[i].name);
                return;
            }
            usleep(1000);
        }
}

int main(int argc, char **argv)
{
    works = mmap(NULL, sizeof *works * KINDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    if (argc != 2 || works == MAP_FAILED)
        return 2;
    for (unsigned i = 0; i < KINDS; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            return 2;
        if (pids[i] == 0)
            run(i);
    }
    go_on();
    if (system(argv[1]) < 0)
        puts("BAD: no shell");
    go_on();
    for (unsigned i = 0; i < KINDS; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    unlink("/tmp/others");
    unlink("/tmp/others2");
    return 0;
}
