/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "programs/lpd/lpd.h"

static void say(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(int fd, const char *format, ...)
{
    char text[LPD_LINE];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n >= (int)sizeof text)
        n = sizeof text - 1;
    (void)!write(fd, text, (size_t)n); /* it may have gone: then nobody is there to be told */
}

/* 0: the end; -1: nothing came in time, or an error. */
static ssize_t receive(int fd, char *to, size_t room)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, LPD_CLIENT_SECONDS * 1000) != 1)
        return -1;
    return read(fd, to, room);
}

/* The first line, without its end; what came behind it stays. Byte by byte would be too slow for
 * the data, and is not for this. */
static bool receive_line(int fd, char line[LPD_LINE])
{
    for (size_t n = 0; n < LPD_LINE; n++) {
        if (receive(fd, &line[n], 1) != 1)
            return false;
        if (line[n] == '\n') {
            line[n] = 0;
            return true;
        }
    }
    return false;
}

static uint64_t bytes_waiting(void)
{
    static struct job jobs[LPD_JOBS];
    unsigned count = queue_list(jobs, LPD_JOBS);
    uint64_t all = 0;

    for (unsigned i = 0; i < count; i++)
        all += jobs[i].bytes;
    return all;
}

/* NULL, or why not. */
static const char *take_data(int fd, int to, struct job *job)
{
    static char bytes[16384];
    uint64_t most = LPD_ALL_BYTES, waiting = bytes_waiting();
    ssize_t n;

    most = waiting < most ? most - waiting : 0;
    if (most > LPD_JOB_BYTES)
        most = LPD_JOB_BYTES;
    while ((n = receive(fd, bytes, sizeof bytes)) > 0) {
        if (job->bytes + (uint64_t)n > most)
            return most == LPD_JOB_BYTES ? "the job is too long" : "the spool is full";
        if (write(to, bytes, (size_t)n) != n)
            return strerror(errno);
        job->bytes += (uint64_t)n;
    }
    if (n < 0)
        return "the data ended too early";
    return job->bytes ? NULL : "there is nothing to print";
}

static void print(int fd, const char *title, uint32_t uid, pid_t printing)
{
    struct job job = {.uid = uid};
    const char *wrong;
    int to = queue_new(&job.number);

    if (to < 0) {
        say(fd, "error %s\n", errno == ENOSPC ? "too many jobs are waiting" : strerror(errno));
        return;
    }
    snprintf(job.title, sizeof job.title, "%.*s", LPD_TITLE - 1, *title ? title : "(no title)");
    for (char *c = job.title; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    wrong = take_data(fd, to, &job);
    close(to);
    if (!wrong && queue_commit(&job) < 0)
        wrong = strerror(errno);
    if (wrong) {
        queue_drop(job.number);
        say(fd, "error %s\n", wrong);
        return;
    }
    kill(printing, SIGUSR1);
    say(fd, "ok %u\n", job.number);
}

static void list(int fd)
{
    static struct job jobs[LPD_JOBS];
    unsigned count = queue_list(jobs, LPD_JOBS);
    char state[LPD_LINE / 2];

    queue_get_state(state, sizeof state);
    say(fd, "%s\n", state);
    for (unsigned i = 0; i < count; i++)
        say(fd, "%u %u %lu %lu %s\n", jobs[i].number, jobs[i].uid, (unsigned long)jobs[i].bytes,
            (unsigned long)jobs[i].done, jobs[i].title);
}

static void remove_job(int fd, const char *text, uint32_t uid, pid_t printing)
{
    static struct job jobs[LPD_JOBS];
    unsigned count = queue_list(jobs, LPD_JOBS), i = 0;
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    while (i < count && jobs[i].number != number)
        i++;
    if (*end || end == text || i == count) {
        say(fd, "error no such job: %s\n", text);
    } else if (uid != 0 && uid != jobs[i].uid) {
        say(fd, "error job %lu is somebody else's\n", number);
    } else {
        queue_drop(jobs[i].number);
        kill(printing, SIGUSR1);
        say(fd, "ok\n");
    }
}

void client_serve(int fd, pid_t printing)
{
    struct ucred who;
    socklen_t size = sizeof who;
    char line[LPD_LINE];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
        say(fd, "error who are you?\n");
        return;
    }
    if (!receive_line(fd, line)) {
        say(fd, "error no request came\n");
        return;
    }
    if (strncmp(line, "print ", 6) == 0)
        print(fd, line + 6, who.uid, printing);
    else if (strcmp(line, "list") == 0)
        list(fd);
    else if (strncmp(line, "remove ", 7) == 0)
        remove_job(fd, line + 7, who.uid, printing);
    else
        say(fd, "error unknown request\n");
}
