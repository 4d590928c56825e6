/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits with poll() until somebody connects to port 7000, and says so. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7000)};
    struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};

    if (p.fd < 0 || bind(p.fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(p.fd, 1) < 0) {
        perror("poll_listen");
        return 1;
    }
    if (poll(&p, 1, -1) == 1 && (p.revents & POLLIN))
        puts("ready");
    return 0;
}
