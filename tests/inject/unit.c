/* SPDX-License-Identifier: BSD-2-Clause */
/* What every work shares, and who has it go on. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "campaign.h"

enum { SAY_TRIES = 3 };

uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void pattern(void *to, unsigned bytes, uint64_t a, uint64_t b)
{
    uint64_t x = (a * 0x9e3779b97f4a7c15ull) ^ (b * 0xbf58476d1ce4e5b9ull) ^ 0x94d049bb133111ebull;

    for (unsigned i = 0; i < bytes; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ((uint8_t *)to)[i] = (uint8_t)(x >> 32);
    }
}

void unit_done(struct progress *p)
{
    uint64_t at = now();

    if (at - p->last > p->gap)
        p->gap = at - p->last;
    p->last = at;
    p->done++;
}

void unit_done_of(struct progress *p, unsigned kind)
{
    uint64_t oldest, at = now();

    p->last_of[kind] = oldest = at;
    for (unsigned i = 0; i < WORK_KINDS; i++)
        if (p->last_of[i] && p->last_of[i] < oldest)
            oldest = p->last_of[i];
    if (at - p->last > p->gap && oldest > p->last)
        p->gap = at - p->last;
    p->last = oldest;
    p->done++;
}

void unit_told(struct progress *p, long result)
{
    if (result >= 0 || errno == EAGAIN || errno == EINTR || errno == EINPROGRESS)
        return;
    p->told_error = errno;
    p->told++;
}

bool unit_pause(struct progress *p)
{
    bool paused = false;

    for (; p->pause; paused = true) {
        p->paused = 1;
        usleep(1000);
    }
    p->paused = 0;
    return paused;
}

/* ---- to the host, by the kernel's log ---- */

static FILE *kmsg;
static unsigned unheard;

bool say_begin(void)
{
    kmsg = fopen("/dev/kmsg", "w");
    return kmsg;
}

/* (What it is said through may be what is damaged.) */
void say(const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (unsigned tries = 0; tries < SAY_TRIES; tries++) {
        if (kmsg && fputs(line, kmsg) >= 0 && fflush(kmsg) == 0)
            return;
        unheard++;
        if (kmsg)
            fclose(kmsg);
        kmsg = fopen("/dev/kmsg", "w");
    }
}

unsigned say_errors(void)
{
    return unheard;
}
