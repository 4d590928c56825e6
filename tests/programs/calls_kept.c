/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers keep for who comes for it later: connections that nobody has accepted yet, with what was sent through
 * them; datagrams; the directory that somebody is in. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cases.h"

enum { ROUNDS = 8, WAITING = 6, DATAGRAMS = 12, LENGTH = 600, DEPTH = 4 };

static unsigned char data[LENGTH], expected[LENGTH];

static void fill(unsigned char *to, int round, int number)
{
    for (int i = 0; i < LENGTH; i++)
        to[i] = (unsigned char)(round * 31 + number * 7 + i + i / 256);
}

static int bound(int type, struct sockaddr_in *at)
{
    socklen_t length = sizeof *at;
    int fd = socket(AF_INET, type, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0 && bind(fd, (void *)at, length) == 0);
    CHECK(getsockname(fd, (void *)at, &length) == 0);
    return fd;
}

/* ---- connections ---- */

/* One that waits to be accepted: by its first byte it is known which. */
static void check_waiting(int fd, int round, bool *seen)
{
    ssize_t n = recv(fd, data, LENGTH, MSG_WAITALL);
    int number = 0;

    CHECK(n == LENGTH);
    for (; number < WAITING; number++) {
        fill(expected, round, number);
        if (data[0] == expected[0])
            break;
    }
    CHECK(number < WAITING && !seen[number] && memcmp(data, expected, LENGTH) == 0);
    seen[number] = true;
    if (number % 3 == 0) { /* that one had hung up already */
        CHECK(read(fd, data, 1) == 0);
    } else {
        CHECK(send(fd, expected, LENGTH, MSG_NOSIGNAL) == LENGTH);
    }
    CHECK(close(fd) == 0);
}

static void waits_to_be_accepted(void)
{
    struct sockaddr_in at;
    int listener = bound(SOCK_STREAM, &at), fd[WAITING];

    CHECK(listen(listener, WAITING) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        bool seen[WAITING] = {false};

        for (int n = 0; n < WAITING; n++) {
            fill(data, round, n);
            fd[n] = socket(AF_INET, SOCK_STREAM, 0);
            CHECK(fd[n] >= 0 && connect(fd[n], (void *)&at, sizeof at) == 0);
            CHECK(send(fd[n], data, LENGTH, MSG_NOSIGNAL) == LENGTH);
            if (n % 3 == 0)
                CHECK(close(fd[n]) == 0);
        }
        sleep_ms(5);
        CHECK(ready(listener, POLLIN) == POLLIN);
        for (int n = 0; n < WAITING; n++)
            check_waiting(accept(listener, NULL, NULL), round, seen);
        CHECK(ready(listener, POLLIN) == 0);
        for (int n = 0; n < WAITING; n++)
            if (n % 3) {
                fill(expected, round, n);
                CHECK(recv(fd[n], data, LENGTH, MSG_WAITALL) == LENGTH);
                CHECK(memcmp(data, expected, LENGTH) == 0 && read(fd[n], data, 1) == 0);
                CHECK(close(fd[n]) == 0);
            }
    }
}

/* ---- datagrams ---- */

/* In order, each once, each from whom it is; a socket that is connected hears nobody else. */
static void datagrams(void)
{
    struct sockaddr_in at, from, first, other;
    int to = bound(SOCK_DGRAM, &at), a = bound(SOCK_DGRAM, &first), b = bound(SOCK_DGRAM, &other);
    socklen_t length = sizeof from;

    CHECK(connect(a, (void *)&at, sizeof at) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int n = 0; n < DATAGRAMS; n++) {
            fill(data, round, n);
            if (n % 2)
                CHECK(sendto(b, data, LENGTH - (size_t)n, 0, (void *)&at, sizeof at) == LENGTH - n);
            else
                CHECK(send(a, data, LENGTH - (size_t)n, 0) == LENGTH - n);
        }
        CHECK(sendto(b, "x", 1, 0, (void *)&first, sizeof first) == 1); /* not from its peer */
        sleep_ms(5);
        for (int n = 0; n < DATAGRAMS; n++) {
            fill(expected, round, n);
            CHECK(recvfrom(to, data, LENGTH, 0, (void *)&from, &length) == LENGTH - n);
            CHECK(memcmp(data, expected, LENGTH - (size_t)n) == 0);
            CHECK(from.sin_port == (n % 2 ? other : first).sin_port);
        }
        CHECK(ready(to, POLLIN) == 0 && ready(a, POLLIN) == 0);
        CHECK(sendto(to, "y", 1, 0, (void *)&first, sizeof first) == 1);
        CHECK(recv(a, data, LENGTH, 0) == 1 && data[0] == 'y');
    }
}

/* ---- the directory that somebody is in ---- */

static void is_in(const char *top, const char *below, int round)
{
    char path[300];
    struct stat s;
    int fd;

    snprintf(path, sizeof path, "%s/%s", top, below);
    fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, &round, sizeof round) == sizeof round && close(fd) == 0);
    strcat(path, "/file");
    CHECK(stat(path, &s) == 0 && s.st_size == sizeof round && unlink("file") == 0);
}

/* A process stays where it has gone, or was born, whatever the names above it become. */
static void stays_in_its_directory(void)
{
    char top[200], text[300], below[100] = "d0";
    pid_t pid;
    int up;

    CHECK(getcwd(top, sizeof top) != NULL && (up = open(".", O_RDONLY | O_DIRECTORY)) >= 0);
    CHECK(mkdir("d0", 0700) == 0 && chdir("d0") == 0);
    for (int n = 1; n < DEPTH; n++) {
        CHECK(mkdir("d", 0700) == 0 && chdir("d") == 0);
        strcat(below, "/d");
    }
    CHECK(getcwd(text, sizeof text) != NULL && strcmp(text + strlen(top) + 1, below) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        char old[4], new[4];

        is_in(top, below, round);
        snprintf(old, sizeof old, "d%d", round % 2);
        snprintf(new, sizeof new, "d%d", (round + 1) % 2);
        CHECK(renameat(up, old, up, new) == 0);
        memcpy(below, new, 2);
        CHILD(pid)
        {
            is_in(top, below, round);
            CHECK(chdir("..") == 0);
        }
        check_child(pid);
        is_in(top, below, round);
    }
    for (int n = 1; n < DEPTH; n++)
        CHECK(chdir("..") == 0 && rmdir("d") == 0);
    CHECK(fchdir(up) == 0 && rmdir("d0") == 0);
}

RUN_CASES({"waits to be accepted", waits_to_be_accepted}, {"datagrams", datagrams},
          {"stays in its directory", stays_in_its_directory})
