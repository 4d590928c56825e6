/* SPDX-License-Identifier: BSD-2-Clause */
/* What lpr, lpq and lprm have in common. NAME is the program's. */
#ifndef LPD_CLIENT_H
#define LPD_CLIENT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "programs/lpd/lpd.h"

/* A connection over which the request has been sent; ends the program when there is no spooler. */
static inline int lpd_request(const char *name, const char *request)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = LPD_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t length = strlen(request);

    signal(SIGPIPE, SIG_IGN);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        fprintf(stderr, "%s: the spooler is not running (%s); root starts it: lpd\n", name,
                strerror(errno));
        exit(1);
    }
    if (write(fd, request, length) != (ssize_t)length) {
        fprintf(stderr, "%s: the spooler does not listen: %s\n", name, strerror(errno));
        exit(1);
    }
    return fd;
}

/* No more is sent; the answer, to be read line by line. */
static inline FILE *lpd_answer(const char *name, int fd)
{
    FILE *file;

    shutdown(fd, SHUT_WR);
    file = fdopen(fd, "r");
    if (!file) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        exit(1);
    }
    return file;
}

/* An answer of one line: true: "ok", with what comes behind it; else its reason is told. */
static inline bool lpd_ok(const char *name, const char *what, int fd, char line[LPD_LINE])
{
    FILE *file = lpd_answer(name, fd);
    bool has_line = fgets(line, LPD_LINE, file) != NULL, is_ok;

    fclose(file);
    if (has_line)
        line[strcspn(line, "\n")] = 0;
    is_ok = has_line && strncmp(line, "ok", 2) == 0 && (line[2] == 0 || line[2] == ' ');
    if (!has_line)
        snprintf(line, LPD_LINE, "the spooler has died; look whether the job is there (lpq)");
    if (!is_ok)
        fprintf(stderr, "%s: %s: %s\n", name, what,
                strncmp(line, "error ", 6) == 0 ? line + 6 : line);
    return is_ok;
}

#endif
