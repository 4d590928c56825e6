/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * play: WAV files to /dev/dsp.
 *
 *     main.c     options, one file after the other
 *     wav.c      what is in a file
 *     device.c   the sound device: what is taken, and going on when it was interrupted
 */
#ifndef PLAY_PLAY_H
#define PLAY_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- wav.c ---- */

struct wav {
    unsigned rate, channels, bits; /* Hz; 1 or 2; 8 or 16 */
    uint64_t bytes; /* of sound; UINT64_MAX: to the end of the file */
};

/* Reads up to the first byte of sound. NULL, or why it cannot be played. */
const char *wav_begin(int fd, struct wav *wav);
/* As much as there is, up to `room`: bytes; 0 at the end; -1: errno. */
ptrdiff_t read_all(int fd, void *to, size_t room);

/* ---- device.c ---- */

struct device {
    const char *name;
    unsigned patience; /* s: how long it may be away */
    int fd;
    uint64_t sent; /* bytes that it has taken of this file */
    unsigned interruptions;
};

/* All of these end the program (status 1) when it cannot be done. */
void device_open(struct device *d);
void device_set(struct device *d, const char *file, const struct wav *wav);
void device_play(struct device *d, const uint8_t *bytes, size_t count);
void device_finish(struct device *d); /* waits until all is played */
void device_stop(struct device *d); /* drops what is not */

_Noreturn void fail(const char *what, const char *why);

#endif
