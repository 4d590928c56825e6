/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs onto the printer, page by page. A page counts as printed when PRINTER_DRAIN says so. When the
 * driver dies over one (EIO), or this process does, that page is printed again as a whole, behind a
 * form feed: what there is of it on paper is a sheet of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "abi/printer.h"
#include "programs/lpd/lpd.h"

enum { LOOK_MS = 500 }; /* at a printer that takes nothing, at most; at an empty queue twice that */

static int printer = -1;
static pid_t parent;

/* The job stays as it is: the next spooler goes on with it. */
static void end_with_parent(void)
{
    if (getppid() != parent)
        _exit(0);
}

static void pause_ms(unsigned ms)
{
    sigset_t set;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigtimedwait(&set, NULL, &t);
}

static void printer_close(void)
{
    if (printer >= 0)
        close(printer);
    printer = -1;
}

/* Waits for it as long as the job is wanted. False: it is not any more. */
static bool printer_open(unsigned number)
{
    static int last_error;

    while (printer < 0) {
        end_with_parent();
        printer = open(LPD_DEVICE, O_WRONLY | O_CLOEXEC);
        if (printer >= 0) {
            last_error = 0;
            break;
        }
        if (errno != last_error) {
            char text[LPD_LINE / 2];

            last_error = errno;
            snprintf(text, sizeof text, "waiting for " LPD_DEVICE ": %s", strerror(errno));
            queue_set_state(text);
        }
        pause_ms(LOOK_MS);
        if (!queue_has(number))
            return false;
    }
    return true;
}

static void tell_progress(const struct job *job)
{
    char text[LPD_LINE / 2];
    int status = 0;
    const char *what = "printing";

    if (ioctl(printer, PRINTER_GET_STATUS, &status) < 0)
        what = "the printer's driver is away; waiting";
    else if (status & PRINTER_OUT_OF_PAPER)
        what = "out of paper";
    else if (!(status & PRINTER_ONLINE))
        what = "the printer is off-line";
    else if (!(status & PRINTER_NO_ERROR))
        what = "the printer says that something is wrong";
    snprintf(text, sizeof text, "%s; job %u", what, job->number);
    queue_set_state(text);
}

/* 0, or -1: EIO when the driver has died, ECANCELED when the job is not wanted any more. The alarm
 * clock interrupts a write to a printer that takes nothing. */
static int put(const struct job *job, const char *bytes, size_t count)
{
    size_t done = 0;

    for (;;) {
        ssize_t n = done < count ? write(printer, bytes + done, count - done)
                                 : ioctl(printer, PRINTER_DRAIN);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n >= 0 && done == count)
            return 0;
        if (n > 0)
            done += (size_t)n;
        if (n < 0 || done < count) {
            end_with_parent();
            tell_progress(job);
            if (!queue_has(job->number)) {
                errno = ECANCELED;
                return -1;
            }
        }
    }
}

/* The page that begins at what is done; *length: what of it is the file's. It ends behind a form
 * feed, or where the sheet is full, or is a piece of what has no lines at all. A form feed of ours
 * ends a job that has none at its end. Returns its size, 0 at the end, -1: errno. */
static ssize_t page_read(int fd, const struct job *job, char page[LPD_PAGE_BYTES + 1],
                         uint64_t *length)
{
    ssize_t n = pread(fd, page, LPD_PAGE_BYTES, (off_t)job->done);
    unsigned lines = 0;
    size_t end = 0;

    if (n <= 0)
        return n;
    while (end < (size_t)n && lines < LPD_PAGE_LINES) {
        char c = page[end++];

        lines += c == '\n';
        if (c == '\f')
            break;
    }
    if (end < (size_t)n && page[end - 1] != '\f' && page[end] == '\f')
        end++; /* it would make a sheet of its own */
    *length = end;
    if (page[end - 1] != '\f' && job->done + end == job->bytes)
        page[end++] = '\f';
    return (ssize_t)end;
}

static void note_death(const struct job *job)
{
    uint64_t known = 0;

    if (ioctl(printer, PRINTER_GET_DONE, &known) == 0)
        syslog(LOG_WARNING,
               "job %u: the printer's driver has died; %lu bytes known to be printed since it was "
               "opened, going on at byte %lu",
               job->number, (unsigned long)known, (unsigned long)job->done);
    else
        syslog(LOG_WARNING, "job %u: the printer is lost; going on at byte %lu", job->number,
               (unsigned long)job->done);
}

/* True: it is printed. */
static bool pages_print(int fd, struct job *job)
{
    static char page[LPD_PAGE_BYTES + 1];
    bool repeats = queue_begun(job->number);

    queue_set_done(job->number, job->done);
    while (job->done < job->bytes) {
        uint64_t length = 0;
        ssize_t size = page_read(fd, job, page, &length);

        if (size <= 0) {
            syslog(LOG_ERR, "job %u cannot be read", job->number);
            return true; /* nothing will become of it */
        }
        end_with_parent();
        if (!printer_open(job->number))
            return false;
        tell_progress(job);
        if ((repeats && put(job, "\f", 1) < 0) || put(job, page, (size_t)size) < 0) {
            if (errno == ECANCELED) {
                put(job, "\f", 1);
                printer_close();
                return false;
            }
            if (errno != EIO) { /* no death: paper is not to be wasted on it */
                syslog(LOG_ERR, "job %u: %s", job->number, strerror(errno));
                pause_ms(2 * LOOK_MS);
            }
            note_death(job);
            printer_close();
            repeats = true;
            continue;
        }
        repeats = false;
        job->done += length;
        if (!queue_has(job->number))
            return false;
        queue_set_done(job->number, job->done);
    }
    return true;
}

static void job_print(struct job *job)
{
    int fd = queue_open(job->number);

    if (fd < 0)
        syslog(LOG_ERR, "job %u: %s", job->number, strerror(errno));
    else if (pages_print(fd, job))
        syslog(LOG_INFO, "job %u (%s) is printed", job->number, job->title);
    else
        syslog(LOG_INFO, "job %u (%s) was removed", job->number, job->title);
    if (fd >= 0)
        close(fd);
    queue_drop(job->number);
}

static void interrupt(int signal)
{
    (void)signal;
}

void jobs_print(pid_t of)
{
    struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
    struct itimerval every = {.it_interval.tv_usec = LOOK_MS * 1000,
                              .it_value.tv_usec = LOOK_MS * 1000};
    struct itimerval never = {0};

    parent = of;
    sigaction(SIGALRM, &action, NULL);
    for (;;) {
        static struct job jobs[LPD_JOBS];

        if (queue_list(jobs, LPD_JOBS) == 0) {
            printer_close();
            queue_set_state("idle");
            setitimer(ITIMER_REAL, &never, NULL);
            while (queue_list(jobs, LPD_JOBS) == 0) {
                end_with_parent();
                pause_ms(2 * LOOK_MS);
            }
            setitimer(ITIMER_REAL, &every, NULL);
        }
        job_print(&jobs[0]);
    }
}
