/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "abi/proto/file.h"
#include "lib/rt/kernel.h"
#include "servers/audio/audio.h"

static struct { /* of the open file, and not worth keeping */
    bool nonblocking;
    uint64_t blocks_told; /* fragments, by DSP_GETOPTR */
} file;

void dsp_opened(void)
{
    memset(&file, 0, sizeof file);
}

bool dsp_is_nonblocking(void)
{
    return file.nonblocking;
}

static long give(const struct message *m, const void *value, size_t size)
{
    const struct file_ioctl_request *r = message_words(m);

    return copy_to(message_caller(m), r->argument, value, size) < 0 ? -EFAULT : 0;
}

static long give_number(const struct message *m, uint32_t value)
{
    return give(m, &value, sizeof value);
}

static long give_space(const struct message *m)
{
    uint32_t size = stream_fragment_bytes(), room = stream_room();
    struct dsp_space s = {.fragments = (int32_t)(room / size),
                          .fragments_total = (int32_t)(stream_buffer_bytes() / size),
                          .fragment_size = (int32_t)size,
                          .bytes = (int32_t)room};

    return give(m, &s, sizeof s);
}

static long give_position(const struct message *m)
{
    uint64_t played = stream_played(), blocks = played / stream_fragment_bytes();
    struct dsp_position p = {.bytes = (int32_t)played,
                             .blocks = (int32_t)(blocks - file.blocks_told),
                             .offset = (int32_t)(played % stream_buffer_bytes())};

    if (blocks < file.blocks_told)
        p.blocks = (int32_t)blocks;
    file.blocks_told = blocks;
    return give(m, &p, sizeof p);
}

/* ---- settings: the argument in, what is set out ---- */

static long set_format(const struct message *m, uint32_t wanted)
{
    if (wanted == DSP_U8 || wanted == DSP_S16_LE)
        stream_set_format(wanted);
    return give_number(m, stream_kept()->format);
}

static long set_channels(const struct message *m, uint32_t wanted)
{
    stream_set_channels(wanted == 1 || (int32_t)wanted < 1 ? 1 : 2);
    return give_number(m, stream_kept()->channels);
}

static long set_stereo(const struct message *m, uint32_t wanted)
{
    stream_set_channels(wanted ? 2 : 1);
    return give_number(m, stream_kept()->channels - 1);
}

static long set_fragments(const struct message *m, uint32_t wanted)
{
    uint32_t count = wanted >> 16;
    long result = stream_set_fragments(wanted & 0xffff, count < 2 ? 2 : count);

    return result < 0 ? result : give_number(m, wanted);
}

/* Smaller fragments, as many more. */
static long subdivide(const struct message *m, uint32_t wanted)
{
    uint32_t bytes = stream_fragment_bytes() / (wanted ? wanted : 1), shift = 0;

    if (wanted != 1 && wanted != 2 && wanted != 4)
        return -EINVAL;
    while (bytes >> (shift + 1))
        shift++;
    if (stream_set_fragments(shift, stream_buffer_bytes() >> shift) < 0)
        return -EINVAL;
    return give_number(m, wanted);
}

static long set_trigger(const struct message *m, uint32_t wanted)
{
    (void)m;
    card_pause(!(wanted & DSP_TRIGGER_OUTPUT));
    return 0;
}

/* (The answer is the driver's: dsp_finish().) */
static long set_rate(const struct message *m, uint32_t wanted)
{
    (void)m;
    if (wanted)
        stream_set_rate((int32_t)wanted < 0 ? 0 : wanted);
    return 0;
}

static const struct setting {
    uint32_t request;
    long (*set)(const struct message *m, uint32_t wanted);
    enum dsp_wait wait;
} settings[] = {
    {DSP_SPEED, set_rate, DSP_WAITS_COMMAND},   {DSP_SETFMT, set_format, DSP_DONE},
    {DSP_CHANNELS, set_channels, DSP_DONE},     {DSP_STEREO, set_stereo, DSP_DONE},
    {DSP_SETFRAGMENT, set_fragments, DSP_DONE}, {DSP_SUBDIVIDE, subdivide, DSP_DONE},
    {DSP_SETTRIGGER, set_trigger, DSP_DONE},
};

/* -EINVAL also for those of recording, of mapping, of full duplex. */
static long set(const struct message *m, enum dsp_wait *wait)
{
    const struct file_ioctl_request *r = message_words(m);

    for (const struct setting *s = settings; s < settings + sizeof settings / sizeof *s; s++) {
        uint32_t wanted;

        if (s->request != (uint32_t)r->request)
            continue;
        if (copy_from(message_caller(m), r->argument, &wanted, sizeof wanted) < 0)
            return -EFAULT;
        *wait = s->wait;
        return s->set(m, wanted);
    }
    return -EINVAL;
}

/* ---- questions ---- */

static long ask(const struct message *m, enum dsp_wait *wait)
{
    const struct file_ioctl_request *r = message_words(m);

    switch ((uint32_t)r->request) {
    case DSP_GETBLKSIZE:
        return give_number(m, stream_fragment_bytes());
    case DSP_GETFMTS:
        return give_number(m, DSP_U8 | DSP_S16_LE);
    case DSP_GETOSPACE:
        return give_space(m);
    case DSP_GETCAPS:
        return give_number(m, DSP_CAN_REALTIME | DSP_CAN_TRIGGER);
    case DSP_GETTRIGGER:
        return give_number(m, card.is_paused ? 0 : DSP_TRIGGER_OUTPUT);
    case DSP_GETOPTR:
        return give_position(m);
    case DSP_GETODELAY:
        return give_number(m, stream_delay());
    case DSP_READ_RATE:
        *wait = DSP_WAITS_COMMAND;
        return 0;
    case DSP_READ_CHANNELS:
        return give_number(m, stream_kept()->channels);
    case DSP_READ_BITS:
        return give_number(m, stream_kept()->format);
    case DSP_GET_WRITTEN:
        return give(m, &stream_kept()->accepted, sizeof stream_kept()->accepted);
    default:
        return set(m, wait);
    }
}

long dsp_ioctl(const struct message *m, enum dsp_wait *wait)
{
    const struct file_ioctl_request *r = message_words(m);
    uint32_t request = (uint32_t)r->request;

    *wait = DSP_DONE;
    switch (request) {
    case DSP_RESET:
        stream_drop();
        file.blocks_told = 0;
        *wait = DSP_WAITS_COMMAND;
        return 0;
    case DSP_SYNC:
        stream_flush();
        *wait = DSP_WAITS_DRAIN;
        return 0;
    case DSP_POST:
        stream_flush();
        return 0;
    case DSP_NONBLOCK:
        file.nonblocking = true;
        return 0;
    default:
        break;
    }
    if ((request & 0xff00) == 0x4d00) /* 'M' */
        return mixer_ioctl(message_caller(m), request, r->argument);
    return (request & 0xff00) == 0x5000 ? ask(m, wait) : -ENOTTY; /* 'P' */
}

long dsp_finish(const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    uint32_t request = (uint32_t)r->request;

    return request == DSP_SPEED || request == DSP_READ_RATE ? give_number(m, card.queue->rate) : 0;
}
