/* SPDX-License-Identifier: BSD-2-Clause */
/* accept_all PORT PROCESSES: so many processes accept what comes, as much as their descriptors allow, and do no more. */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 3)
        return 2;
    name.sin_port = htons((uint16_t)atoi(argv[1]));
    if (listening < 0 || bind(listening, (void *)&name, sizeof name) < 0 ||
        listen(listening, 100) < 0)
        return 1;
    for (int n = 1; n < atoi(argv[2]); n++)
        if (fork() == 0)
            break;
    while (accept(listening, NULL, NULL) >= 0)
        ;
    for (;;)
        pause();
}
