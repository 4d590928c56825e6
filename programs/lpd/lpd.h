/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The print spooler: what its files and its clients (lpr, lpq, lprm) share.
 *
 *     main.c    its start; one process for each client, one that prints
 *     serve.c   what clients ask
 *     queue.c   jobs as files in LPD_SPOOL
 *     print.c   jobs onto the printer
 *
 * Requests come over a stream socket, a line of text, and are answered with lines of text:
 *
 *     print TITLE     followed by the data, up to the end of the stream
 *                     -> "ok NUMBER"
 *     list            -> a line about the printer, then for each job
 *                     "NUMBER UID BYTES DONE TITLE"
 *     remove NUMBER   -> "ok"
 *
 * or "error WHY". Who asks is known from the socket: root may remove any job, others their own.
 *
 * A job is three files: NUMBER.data, NUMBER.job (uid, bytes and title; while it is there the job is)
 * and, once it was begun, NUMBER.done (bytes of the pages that are known to be printed). All
 * of the spooler's state is in them: any of its processes may die at any time, and what it was about
 * to write is swept away.
 */
#ifndef LPD_LPD_H
#define LPD_LPD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LPD_SPOOL "/var/spool/lpd"
#define LPD_SOCKET "/var/run/lpd"
#define LPD_DEVICE "/dev/lp0"
#define LPD_LINE 160 /* bytes of a request or an answer, with the newline */
enum {
    LPD_UID = 7, /* lp, of /etc/passwd and /etc/group */
    LPD_GID = 7,
    LPD_TITLE = 64, /* with the NUL */
    LPD_JOBS = 100, /* that wait, at most */
    LPD_JOB_BYTES = 16 << 20, /* of one */
    LPD_ALL_BYTES = 32 << 20, /* of all: the spool may be in memory */
    LPD_CLIENTS = 8, /* at a time; others wait */
    LPD_CLIENT_SECONDS = 10, /* without a byte from one, then it is given up */
    LPD_PAGE_LINES = 66, /* where a page ends that has no form feed, */
    LPD_PAGE_BYTES = 1 << 18, /* or has no line ends either: a longer one is repeated in pieces */
};

struct job {
    unsigned number;
    uint32_t uid;
    uint64_t bytes, done;
    char title[LPD_TITLE];
};

/* ---- queue.c: all in the current directory, which is the spool ---- */
/* The jobs, lowest number first; how many, at most `room`. */
unsigned queue_list(struct job *jobs, unsigned room);
/* A file for a job's data; its number. -1: errno (ENOSPC: too many jobs). */
int queue_new(unsigned *number);
int queue_commit(const struct job *job); /* it is complete, and waits from now on. -1: errno */
void queue_drop(unsigned number); /* done, or not wanted */
void queue_sweep(void); /* what processes left that died: received, written or dropped in part */
bool queue_has(unsigned number);
int queue_open(unsigned number); /* its data, for reading */
void queue_set_done(unsigned number, uint64_t done);
bool queue_begun(unsigned number); /* has some process begun to print it? */
void queue_set_state(const char *text); /* what the one that prints is doing */
void queue_get_state(char *text, size_t room);

/* ---- serve.c ---- */
void client_serve(int fd, pid_t printing); /* one client, to its end */

/* ---- print.c ---- */
/* SIGUSR1: there is a new one. Ends when `parent` does: another may have been started since. */
void jobs_print(pid_t parent) __attribute__((noreturn));

#endif
