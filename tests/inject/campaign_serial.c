/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work for the serial port: lines, each of which comes back as though it were typed (both ends of the
 * wire are one FIFO of the host's).
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "campaign.h"

enum { LINE = 80, PATIENCE = 200 /* ms for an answer */, TEXT = 40 };

static void write_line(char *line, uint64_t number)
{
    uint8_t bytes[TEXT / 2];
    int n = snprintf(line, LINE, "line %llu ", (unsigned long long)number);

    pattern(bytes, sizeof bytes, number, 0);
    for (unsigned i = 0; i < sizeof bytes; i++)
        n += snprintf(line + n, (size_t)(LINE - n), "%02x", bytes[i]);
    snprintf(line + n, (size_t)(LINE - n), ".\n");
}

/* Characters may get lost while a driver is replaced, and then the line is not complete; a complete
 * one has the right contents. */
static void check(struct progress *p, const char *line)
{
    char expected[LINE];
    unsigned long long number;
    size_t n = strlen(line);

    if (sscanf(line, "line %llu ", &number) != 1 || n < TEXT || line[n - 2] != '.')
        return;
    write_line(expected, number);
    if (strcmp(line, expected) == 0)
        unit_done(p);
    else if (n == strlen(expected))
        p->wrong++;
}

void work_serial(struct progress *p, const char *argument)
{
    struct termios raw;
    char line[LINE], answer[4 * LINE];
    size_t have = 0;
    int fd = open(argument, O_RDWR | O_NOCTTY | O_NONBLOCK);

    tcgetattr(fd, &raw);
    cfmakeraw(&raw);
    tcsetattr(fd, TCSANOW, &raw);
    for (uint64_t number = 1;; number++) {
        uint64_t until = now() + PATIENCE * MS;
        uint64_t before = p->done;
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        unit_pause(p);
        p->check = 0; /* each unit is checked when it comes */
        write_line(line, number);
        unit_told(p, write(fd, line, strlen(line)));
        while (p->done == before && now() < until) {
            char *end;
            ssize_t n;

            if (poll(&wait, 1, PATIENCE) <= 0)
                continue;
            if (have == sizeof answer - 1)
                have = 0;
            n = read(fd, answer + have, sizeof answer - 1 - have);
            unit_told(p, n);
            have += n > 0 ? (size_t)n : 0;
            answer[have] = 0;
            while ((end = strchr(answer, '\n')) != NULL) {
                char one[4 * LINE];
                size_t length = (size_t)(end + 1 - answer);

                memcpy(one, answer, length);
                one[length] = 0;
                memmove(answer, end + 1, have - length + 1);
                have -= length;
                check(p, one);
            }
        }
        usleep(2000);
    }
}
