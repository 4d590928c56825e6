/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast bytes go through a TCP connection, checked: they are a pattern that both ends know.
 *
 *     stream get HOST PORT MB SIZE [PAGES]     from bench/streams.py at the host, SIZE bytes (at most 1 MB) in a read()
 *     stream put HOST PORT MB SIZE             to it, SIZE bytes in a write(), until it has said that all were right
 *     stream loop MB SIZE                      from a child of ours over 127.0.0.1, both as above
 *
 * PAGES (0 to 255): the buffer begins so many pages further on.
 *
 * Prints "BENCH WHAT size=SIZE bytes=N ns=N", from the request to the last byte. Exit status 1:
 * something is wrong, and said. A plain static program: it runs on Linux as well.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PERIOD (1u << 20) /* bytes, after which the pattern begins anew */
#define WORDS (PERIOD / 8)

static union {
    uint64_t
        word[2 * WORDS]; /* twice, so that a piece from anywhere in the first is in one piece */
    char byte[2 * PERIOD];
} pattern;
static char memory[2 * PERIOD] __attribute__((aligned(PERIOD)));
static char *buffer = memory;

static void fail(const char *what)
{
    fprintf(stderr, "stream: %s: %s\n", what, errno ? strerror(errno) : "the connection has ended");
    exit(1);
}

/* xorshift64; bench/streams.py has the same. */
static void make_pattern(void)
{
    uint64_t x = 88172645463325252u;

    for (unsigned i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern.word[i] = pattern.word[WORDS + i] = x;
    }
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (!inet_aton(host, &a.sin_addr)) {
        fprintf(stderr, "stream: %s: not an IPv4 address\n", host);
        exit(2);
    }
    return a;
}

static int connection(const struct sockaddr_in *a)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (s < 0 || connect(s, (const struct sockaddr *)a, sizeof *a) < 0)
        fail("connect");
    return s;
}

static void receive(int s, uint64_t bytes, size_t size)
{
    uint64_t got = 0;

    while (got < bytes) {
        size_t most = bytes - got < size ? (size_t)(bytes - got) : size;
        ssize_t n;

        errno = 0;
        n = read(s, buffer, most);
        if (n <= 0)
            fail("read");
        if (memcmp(buffer, pattern.byte + got % PERIOD, (size_t)n) != 0) {
            fprintf(stderr, "stream: wrong bytes between %llu and %llu\n", (unsigned long long)got,
                    (unsigned long long)got + (unsigned long long)n);
            exit(1);
        }
        got += (uint64_t)n;
    }
}

static void send_all(int s, uint64_t bytes, size_t size)
{
    uint64_t sent = 0;

    while (sent < bytes) {
        size_t most = bytes - sent < size ? (size_t)(bytes - sent) : size;
        ssize_t n = write(s, pattern.byte + sent % PERIOD, most);

        if (n < 0)
            fail("write");
        sent += (uint64_t)n;
    }
}

static void expect_ok(int s)
{
    char answer[64] = "";

    errno = 0;
    if (read(s, answer, sizeof answer - 1) <= 0)
        fail("the answer");
    if (strcmp(answer, "ok\n") != 0) {
        fprintf(stderr, "stream: the other side: %s", answer);
        exit(1);
    }
}

static void transfer(const char *what, const struct sockaddr_in *a, uint64_t bytes, size_t size)
{
    int s = connection(a);
    uint64_t begin = now();

    dprintf(s, "%s %llu\n", what, (unsigned long long)bytes);
    if (strcmp(what, "get") == 0)
        receive(s, bytes, size);
    else {
        send_all(s, bytes, size);
        expect_ok(s);
    }
    printf("BENCH %s size=%zu bytes=%llu ns=%llu\n", what, size, (unsigned long long)bytes,
           (unsigned long long)(now() - begin));
    close(s);
}

static void loop(uint64_t bytes, size_t size)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0), s, status;
    uint64_t begin;
    pid_t child;

    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&a, &length) < 0)
        fail("listen");
    fflush(stdout);
    child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        send_all(connection(&a), bytes, size);
        _exit(0);
    }
    s = accept(listener, NULL, NULL);
    if (s < 0)
        fail("accept");
    begin = now();
    receive(s, bytes, size);
    printf("BENCH loop size=%zu bytes=%llu ns=%llu\n", size, (unsigned long long)bytes,
           (unsigned long long)(now() - begin));
    if (waitpid(child, &status, 0) < 0 || status != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int is_loop = strcmp(what, "loop") == 0, words = is_loop ? 4 : 6;
    int has_pages = argc == 7 && strcmp(what, "get") == 0;
    uint64_t bytes = argc >= words ? strtoull(argv[words - 2], NULL, 10) << 20 : 0;
    size_t size = argc >= words ? strtoul(argv[words - 1], NULL, 10) : 0;
    size_t pages = has_pages ? strtoul(argv[6], NULL, 10) : 0;

    if (bytes == 0 || size == 0 || size > PERIOD || argc != words + has_pages || pages >= 256 ||
        (!is_loop && strcmp(what, "get") != 0 && strcmp(what, "put") != 0)) {
        fprintf(stderr, "usage: stream get HOST PORT MB SIZE [PAGES], stream put HOST PORT MB "
                        "SIZE, stream loop MB SIZE (SIZE: bytes of a call, 1 to 1048576; "
                        "PAGES: where the buffer is, 0 to 255)\n");
        return 2;
    }
    buffer += pages * 4096;
    make_pattern();
    if (is_loop)
        loop(bytes, size);
    else {
        struct sockaddr_in a = address(argv[2], argv[3]);

        transfer(what, &a, bytes, size);
    }
    return 0;
}
