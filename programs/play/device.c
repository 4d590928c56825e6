/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sound device. A write that fails with EIO was interrupted: the device says how much it has
 * taken (DSP_GET_WRITTEN), and from there on it is written again, so that nothing is heard twice and
 * nothing is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "abi/sound.h"
#include "programs/play/play.h"

#define LOOK_NS 100000000 /* from one try to the next */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool may_come_back(int error)
{
    return error == EIO || error == ENODEV || error == ENXIO;
}

/* After such an error: false when it has been away for too long. *since: 0 at the first. */
static bool wait_for_it(const struct device *d, double *since)
{
    if (*since == 0)
        *since = now();
    if (now() - *since > d->patience)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    return true;
}

static const char *reason(int error)
{
    if (error == ENODEV || error == ENXIO)
        return "there is no sound card, or its driver does not work";
    if (error == EBUSY)
        return "somebody else is playing";
    return strerror(error);
}

void device_open(struct device *d)
{
    d->fd = open(d->name, O_WRONLY | O_CLOEXEC);
    if (d->fd < 0)
        fail(d->name, reason(errno));
}

static void control(struct device *d, unsigned request, void *argument)
{
    double since = 0;

    while (ioctl(d->fd, (int)request, argument) < 0) {
        if (errno == ENOTTY || errno == EINVAL)
            fail(d->name, "is no sound device");
        if (errno == EINTR)
            continue;
        if (!may_come_back(errno) || !wait_for_it(d, &since))
            fail(d->name, reason(errno));
    }
}

void device_set(struct device *d, const char *file, const struct wav *wav)
{
    int format = (int)wav->bits, channels = (int)wav->channels, rate = (int)wav->rate;

    control(d, DSP_RESET, NULL);
    control(d, DSP_SETFMT, &format);
    control(d, DSP_CHANNELS, &channels);
    control(d, DSP_SPEED, &rate);
    if (format != (int)wav->bits || channels != (int)wav->channels)
        fail(file, "the sound card cannot play this format");
    if (abs(rate - (int)wav->rate) * 200 > (int)wav->rate) /* more than half a per cent */
        fprintf(stderr, "play: %s: is played at %d Hz in place of %u\n", file, rate, wav->rate);
    d->sent = 0;
}

/* How far it has got. `pending` bytes behind d->sent were being written. */
static size_t ask_written(struct device *d, size_t pending)
{
    uint64_t written = 0;

    control(d, DSP_GET_WRITTEN, &written);
    if (written < d->sent || written > d->sent + pending)
        fail(d->name, "somebody else has played something meanwhile");
    return (size_t)(written - d->sent);
}

void device_play(struct device *d, const uint8_t *bytes, size_t count)
{
    double since = 0;

    while (count) {
        ssize_t n = write(d->fd, bytes, count);
        int error = errno;

        if (n < 0 && error == EINTR)
            continue;
        if (n < 0 && !may_come_back(error))
            fail(d->name, reason(error));
        if (n < 0) {
            d->interruptions++;
            n = (ssize_t)ask_written(d, count);
            if (n == 0 && !wait_for_it(d, &since))
                fail(d->name, reason(ENODEV));
        }
        if (n > 0)
            since = 0;
        d->sent += (uint64_t)n;
        bytes += n;
        count -= (size_t)n;
    }
}

void device_finish(struct device *d)
{
    control(d, DSP_SYNC, NULL);
}

void device_stop(struct device *d)
{
    ioctl(d->fd, (int)DSP_RESET, NULL);
}
