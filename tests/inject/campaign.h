/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The work that goes on in the booted system while faults are put into a driver. It runs in a child
 * process, so that it may get stuck; what it has done is in memory that both share.
 */
#ifndef INJECT_CAMPAIGN_H
#define INJECT_CAMPAIGN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define MS 1000000ull

enum { WORK_KINDS = 2 };

struct progress {
    volatile uint64_t done; /* units of work that came to a good end */
    volatile uint64_t wrong; /* what was reported as right and is not */
    volatile uint64_t errors; /* that a program was told of */
    volatile uint64_t told; /* errors of calls that may well fail: a frame is lost, say */
    volatile int32_t told_error; /* errno of the last one */
    volatile uint64_t last; /* clock when the last unit was done, of the kind that waits longest */
    volatile uint64_t last_of[WORK_KINDS]; /* the same of each kind; 0: there is no such work */
    volatile uint64_t gap; /* the longest time between two; the parent clears it */
    volatile uint32_t pause, paused; /* by the parent; by the child */
    volatile uint32_t check; /* by the parent: look at everything once; the child clears it */
};

uint64_t now(void); /* ns; the guest's clock */
void unit_done(struct progress *p);
/* The same where there are several kinds of work, from 0: all of them have to go on. */
void unit_done_of(struct progress *p, unsigned kind);
void unit_told(struct progress *p, long result); /* of a call: negative is an error, by errno */
/* Between two units: stands still while the parent wants it, and says whether it did. */
bool unit_pause(struct progress *p);
/* Pseudo-random bytes that depend on the two numbers. */
void pattern(void *to, unsigned bytes, uint64_t a, uint64_t b);

/* A line to the kernel's log, which reaches the host whatever the serial port does. */
bool say_begin(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned say_errors(void); /* how often that has failed */

/* The works: they never return. */
void work_net(struct progress *p, const char *argument);
void work_disk(struct progress *p, const char *argument);
void work_serial(struct progress *p, const char *argument);

/* ---- campaign_stream.c: TCP ---- */
struct pollfd stream_poll(void); /* to be waited for before the next step */
void stream_step(struct progress *p, const char *address); /* connects, sends, receives */
void stream_close(void);

/* ---- campaign_files.c: files of a mounted disk ---- */
bool files_mount(const char *device);
void files_work(struct progress *p); /* one piece of it */
/* From the disk and not from anybody's memory: unmounts, mounts, reads and compares, unmounts. */
void files_check(struct progress *p);

#endif
