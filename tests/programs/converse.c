/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * converse MS ADDRESS PORT PAUSE: for so long a block goes to somebody who echoes, and comes back, again and again,
 * with so many ms between. "converse ROUNDS LONGEST": how often, and how long that took at most, in us. Time is
 * the machine's own.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1000 };

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void round_trip(int fd)
{
    char block[BLOCK] = {0};

    if (write(fd, block, sizeof block) != sizeof block)
        exit(1);
    for (ssize_t n, got = 0; got < BLOCK; got += n)
        if ((n = read(fd, block, sizeof block)) <= 0)
            exit(2);
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long end, longest = 0, rounds = 0;

    if (argc < 5 || !inet_aton(argv[2], &to.sin_addr))
        return 3;
    to.sin_port = htons((uint16_t)atoi(argv[3]));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 4;
    for (end = now_us() + atol(argv[1]) * 1000; now_us() < end; rounds++) {
        long began = now_us(), took;

        round_trip(fd);
        took = now_us() - began;
        longest = took > longest ? took : longest;
        usleep((useconds_t)atoi(argv[4]) * 1000);
    }
    printf("converse %ld %ld\n", rounds, longest);
    return 0;
}
