/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WAV: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", RIFF and
 * WAVE; WAVEFORMATEXTENSIBLE as in Microsoft, "Multiple Channel Audio Data and WAVE Files".
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "programs/play/play.h"

enum { FORMAT_PCM = 1, FORMAT_EXTENSIBLE = 0xfffe, FORMAT_LEAST = 16, FORMAT_MOST = 64 };
enum { CHUNKS_MOST = 1000 }; /* ahead of the sound */
static const char too_short[] = "the file ends before the sound begins";

ptrdiff_t read_all(int fd, void *to, size_t room)
{
    size_t n = 0;
    ssize_t k;

    while (n < room && (k = read(fd, (char *)to + n, room - n)) != 0) {
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        n += (size_t)k;
    }
    return (ptrdiff_t)n;
}

static unsigned number16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t number32(const uint8_t *p)
{
    return number16(p) | (uint32_t)number16(p + 2) << 16;
}

/* NULL, or what went wrong. */
static const char *need(int fd, void *to, size_t count)
{
    ptrdiff_t n = read_all(fd, to, count);

    if (n < 0)
        return strerror(errno);
    return (size_t)n == count ? NULL : too_short;
}

static const char *skip(int fd, uint64_t count)
{
    static uint8_t ignored[4096];
    const char *why = NULL;

    while (count && !why) {
        size_t n = count < sizeof ignored ? (size_t)count : sizeof ignored;

        why = need(fd, ignored, n);
        count -= n;
    }
    return why;
}

static const char *read_format(int fd, uint32_t size, struct wav *wav)
{
    /* of the sub-format's GUID what is behind the format */
    static const uint8_t guid[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    uint8_t f[FORMAT_MOST] = {0};
    unsigned format;
    const char *why;

    if (size < FORMAT_LEAST || size > FORMAT_MOST)
        return "its format is described in a way that is not known";
    why = need(fd, f, size);
    if (why)
        return why;
    format = number16(f);
    wav->channels = number16(f + 2);
    wav->rate = number32(f + 4);
    wav->bits = number16(f + 14);
    if (format == FORMAT_EXTENSIBLE && size >= 40 && memcmp(f + 26, guid, sizeof guid) == 0)
        format = number16(f + 24);
    if (format != FORMAT_PCM)
        return "it is compressed, or not of whole numbers: only PCM can be played";
    if (wav->channels != 1 && wav->channels != 2)
        return "it is neither mono nor stereo";
    if (wav->bits != 8 && wav->bits != 16)
        return "its samples have neither 8 nor 16 bits";
    if (number16(f + 12) != wav->channels * wav->bits / 8)
        return "its frames are not of the size that channels and bits give";
    if (wav->rate < 4000 || wav->rate > 48000)
        return "its rate is not between 4000 and 48000 Hz";
    return NULL;
}

/* A pipe cannot go back, so the chunks are taken as they come: a format behind the sound is of no
 * use any more. Whatever else there is is read and dropped; but a file that has nothing else is
 * given up. */
const char *wav_begin(int fd, struct wav *wav)
{
    uint8_t head[12];
    const char *why = need(fd, head, sizeof head);

    *wav = (struct wav){0};
    if (why && why != too_short)
        return why;
    if (why || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0)
        return "it is no WAV file";
    for (int i = 0; i < CHUNKS_MOST; i++) {
        uint8_t chunk[8];
        uint32_t size;

        why = need(fd, chunk, sizeof chunk);
        if (why)
            return why;
        size = number32(chunk + 4);
        if (memcmp(chunk, "data", 4) == 0) {
            /* of one that was written to a pipe nobody knew the size */
            wav->bytes = size == 0xffffffff ? UINT64_MAX : size;
            return wav->rate ? NULL : "the sound comes before its format";
        }
        if (memcmp(chunk, "fmt ", 4) == 0)
            why = read_format(fd, size, wav);
        else
            why = skip(fd, size);
        if (!why && size % 2)
            why = skip(fd, 1);
        if (why)
            return why;
    }
    return "there is no sound in it";
}
