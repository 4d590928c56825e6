/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "programs/lpd/lpd.h"

#define NUMBER_MAX 999999u
#define UNFINISHED "new" /* a file that PID is about to write is UNFINISHED.PID */

static const char *path_of(unsigned number, const char *kind)
{
    static char path[32];

    snprintf(path, sizeof path, "%06u.%s", number, kind);
    return path;
}

/* The number of a file of that kind; 0: it is none. */
static unsigned number_of(const char *name, const char *kind)
{
    char *end;
    unsigned long n = strtoul(name, &end, 10);

    return end == name + 6 && *end == '.' && strcmp(end + 1, kind) == 0 && n <= NUMBER_MAX
               ? (unsigned)n
               : 0;
}

static ssize_t read_file(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return n;
}

/* Whole or not at all. */
static int write_file(const char *path, const char *text)
{
    char new[32];
    size_t length = strlen(text);
    int fd, result;

    snprintf(new, sizeof new, UNFINISHED ".%d", (int)getpid());
    fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    result = write(fd, text, length) == (ssize_t)length ? 0 : -1;
    close(fd);
    if (result == 0)
        result = rename(new, path);
    if (result < 0)
        unlink(new);
    return result;
}

static bool job_read(unsigned number, struct job *job)
{
    char text[LPD_LINE], done[32];
    unsigned long bytes;
    int title = 0;

    memset(job, 0, sizeof *job);
    job->number = number;
    if (read_file(path_of(number, "job"), text, sizeof text) <= 0 ||
        sscanf(text, "%u %lu %n", &job->uid, &bytes, &title) < 2 || !title)
        return false;
    job->bytes = bytes;
    snprintf(job->title, sizeof job->title, "%s", text + title);
    if (read_file(path_of(number, "done"), done, sizeof done) > 0)
        job->done = strtoull(done, NULL, 10);
    return true;
}

static int by_number(const void *a, const void *b)
{
    const struct job *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

unsigned queue_list(struct job *jobs, unsigned room)
{
    DIR *directory = opendir(".");
    const struct dirent *entry;
    unsigned count = 0;

    while (directory && count < room && (entry = readdir(directory))) {
        unsigned number = number_of(entry->d_name, "job");

        if (number && job_read(number, &jobs[count]))
            count++;
    }
    if (directory)
        closedir(directory);
    qsort(jobs, count, sizeof *jobs, by_number);
    return count;
}

/* A file of that name, whose lock says that the job is being received; -1: errno (EEXIST: others
 * were first). */
static int data_new(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat s;

    if (fd >= 0 && flock(fd, LOCK_EX) == 0 && fstat(fd, &s) == 0 && s.st_nlink == 0) {
        close(fd); /* swept away before it was locked */
        errno = EEXIST;
        return -1;
    }
    return fd;
}

/* The number after the highest that there is: two at a time may want the same. */
int queue_new(unsigned *number)
{
    for (;;) {
        DIR *directory = opendir(".");
        const struct dirent *entry;
        unsigned count = 0, highest = 0;
        int fd;

        while (directory && (entry = readdir(directory))) {
            unsigned n = number_of(entry->d_name, "data");

            count += n != 0;
            highest = n > highest ? n : highest;
        }
        if (directory)
            closedir(directory);
        errno = ENOSPC;
        if (count >= LPD_JOBS || highest == NUMBER_MAX)
            return -1;
        *number = highest + 1;
        fd = data_new(path_of(*number, "data"));
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
}

int queue_commit(const struct job *job)
{
    char text[LPD_LINE];

    snprintf(text, sizeof text, "%u %lu %s", job->uid, (unsigned long)job->bytes, job->title);
    return write_file(path_of(job->number, "job"), text);
}

/* The data last: its number is in use as long as any of it is there. */
static void drop(unsigned number)
{
    unlink(path_of(number, "job"));
    unlink(path_of(number, "done"));
    unlink(path_of(number, "data"));
}

/* The lock keeps out who sweeps, after whom another job might have the number already. */
void queue_drop(unsigned number)
{
    int fd = queue_open(number);

    if (fd >= 0)
        flock(fd, LOCK_EX);
    drop(number);
    if (fd >= 0)
        close(fd);
}

/* Without a job, and nobody receives it. */
static void sweep_data(unsigned number)
{
    int fd = queue_has(number) ? -1 : queue_open(number);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && !queue_has(number))
        drop(number);
    close(fd);
}

static void sweep(const char *name)
{
    unsigned data = number_of(name, "data"), done = number_of(name, "done");
    int pid;

    if (data)
        sweep_data(data);
    else if (done ? access(path_of(done, "data"), F_OK) < 0
                  : sscanf(name, UNFINISHED ".%d", &pid) == 1 && kill(pid, 0) < 0 && errno == ESRCH)
        unlink(name);
}

void queue_sweep(void)
{
    DIR *directory = opendir(".");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        sweep(entry->d_name);
    if (directory)
        closedir(directory);
}

bool queue_has(unsigned number)
{
    return access(path_of(number, "job"), F_OK) == 0;
}

int queue_open(unsigned number)
{
    return open(path_of(number, "data"), O_RDONLY | O_CLOEXEC);
}

void queue_set_done(unsigned number, uint64_t done)
{
    char text[32];

    snprintf(text, sizeof text, "%lu", (unsigned long)done);
    write_file(path_of(number, "done"), text);
}

bool queue_begun(unsigned number)
{
    return access(path_of(number, "done"), F_OK) == 0;
}

void queue_set_state(const char *text)
{
    write_file("state", text);
}

void queue_get_state(char *text, size_t room)
{
    if (read_file("state", text, room) <= 0)
        snprintf(text, room, "idle");
}
