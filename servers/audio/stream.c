/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program plays. Bytes become frames at the end of the ring at once; the driver hears of them
 * fragment by fragment, or when the program says that it waits (POST, SYNC, close).
 */
#include <errno.h>

#include "lib/rt/kernel.h"
#include "servers/audio/audio.h"

#define KEPT_MAGIC 0x4d525453u /* "STRM" */
#define GRACE 2000000000ull /* ns, for who had it open when a predecessor died */
enum { SHIFT_LEAST = 4, SHIFT_MOST = 16, COUNT_LEAST = 2 };

_Static_assert(sizeof(struct stream_kept) <= sizeof((struct sound_queue *)0)->own, "fits");

static struct stream_kept kept; /* the queue has a copy: what a driver does to that is no matter */
static uint8_t carry[4]; /* the bytes of a frame that is not whole */
static uint32_t carried;
static bool is_confirmed; /* who had it open before we were there is there still */
static uint64_t begun; /* clock */

const struct stream_kept *stream_kept(void)
{
    return &kept;
}

/* Valid when its mark is there: a copy of ours that finds none begins afresh. */
static void keep(void)
{
    struct stream_kept *copy = (struct stream_kept *)card.queue->own;
    struct stream_kept unmarked = kept;

    unmarked.magic = 0;
    __atomic_store_n(&copy->magic, 0, __ATOMIC_SEQ_CST);
    *copy = unmarked;
    __atomic_store_n(&copy->magic, KEPT_MAGIC, __ATOMIC_SEQ_CST);
}

static void keep_accepted(void)
{
    struct stream_kept *copy = (struct stream_kept *)card.queue->own;

    __atomic_store_n(&copy->accepted, kept.accepted, __ATOMIC_RELEASE);
}

/* ---- sizes ---- */

static uint32_t frame_bytes(const struct stream_kept *k)
{
    return k->channels * k->format / 8;
}

uint32_t stream_frame_bytes(void)
{
    return frame_bytes(stream_kept());
}

static uint32_t filled(const struct stream_kept *k)
{
    return k->base + (uint32_t)(k->accepted / frame_bytes(k));
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    if (value < least)
        return least;
    return value < most ? value : most;
}

/* 12 to 23 ms each, if nobody has set it. */
static uint32_t fragment_frames(const struct stream_kept *k)
{
    uint32_t frames = 64;

    if (k->shift)
        return clamp((1u << k->shift) / frame_bytes(k), 4, SOUND_RING / 4);
    while (frames * 2 <= k->rate / 43)
        frames *= 2;
    return frames;
}

/* At least 80 ms, since the card takes what it is given in pieces of up to 42 ms. */
static uint32_t buffer_frames(const struct stream_kept *k)
{
    uint32_t size = fragment_frames(k), most = SOUND_RING / size;
    uint32_t least = clamp((k->rate / 12 + size - 1) / size, COUNT_LEAST, most);

    return size * clamp(k->count ? k->count : 16, least, most);
}

uint32_t stream_fragment_bytes(void)
{
    return fragment_frames(stream_kept()) * stream_frame_bytes();
}

uint32_t stream_buffer_bytes(void)
{
    return buffer_frames(stream_kept()) * stream_frame_bytes();
}

uint32_t stream_delay(void)
{
    const struct stream_kept *k = stream_kept();

    return (filled(k) - card.played) * frame_bytes(k) + carried;
}

uint32_t stream_room(void)
{
    uint32_t size = stream_buffer_bytes(), delay = stream_delay();

    return delay < size ? size - delay : 0;
}

uint64_t stream_played(void)
{
    const struct stream_kept *k = stream_kept();

    return (uint64_t)(card.played - k->base) * frame_bytes(k);
}

/* ---- bytes to frames ---- */

static int16_t sample(const uint8_t *bytes, uint32_t format, bool right)
{
    int value = format == DSP_U8 ? (bytes[0] - 128) * 256 : (int16_t)(bytes[0] | bytes[1] << 8);

    return (int16_t)(value * (int)mixer_pcm(right) / (int)SOUND_LOUDEST);
}

static struct sound_frame frame(const struct stream_kept *k)
{
    const uint8_t *right = k->channels == 2 ? carry + k->format / 8 : carry;

    return (struct sound_frame){sample(carry, k->format, false), sample(right, k->format, true)};
}

/* The frames first, then the count that makes them valid. */
void stream_put(const uint8_t *bytes, uint32_t count)
{
    struct stream_kept *k = &kept;
    uint32_t size = frame_bytes(k), at = filled(k), whole;

    for (uint32_t i = 0; i < count; i++) {
        carry[carried++] = bytes[i];
        if (carried < size)
            continue;
        carried = 0;
        card.queue->ring[at++ % SOUND_RING] = frame(k);
    }
    k->accepted += count;
    keep_accepted();
    whole = at - (at - k->base) % fragment_frames(k);
    if ((int32_t)(whole - card.written) > 0)
        card_publish(whole);
}

void stream_flush(void)
{
    uint32_t end = filled(stream_kept());

    if (end != card.written)
        card_publish(end);
}

bool stream_is_ready(void)
{
    return card.queue && !card.busy;
}

bool stream_is_drained(void)
{
    return !card.busy && filled(stream_kept()) == card.played;
}

/* ---- from its beginning ---- */

/* Frames that the driver has not heard of are forgotten; it drops the others. */
void stream_drop(void)
{
    carried = 0;
    kept.accepted = 0;
    kept.base = card.written;
    keep();
    card_command(kept.rate);
}

/* A change in the midst of it, or only ahead of the first byte? */
static void drop_if_begun(void)
{
    if (kept.accepted || card.played != card.written)
        stream_drop();
}

void stream_set_rate(uint32_t rate)
{
    rate = clamp(rate, SOUND_RATE_LEAST, SOUND_RATE_MOST);
    if (rate == kept.rate)
        return;
    kept.rate = rate;
    stream_drop();
}

void stream_set_format(uint32_t format)
{
    if (format == kept.format)
        return;
    drop_if_begun();
    kept.format = format;
    keep();
}

void stream_set_channels(uint32_t channels)
{
    if (channels == kept.channels)
        return;
    drop_if_begun();
    kept.channels = channels;
    keep();
}

long stream_set_fragments(uint32_t shift, uint32_t count)
{
    if (shift < SHIFT_LEAST)
        return -EINVAL;
    kept.shift = shift < SHIFT_MOST ? shift : SHIFT_MOST;
    kept.count = count;
    keep();
    return 0;
}

/* ---- open and close ---- */

static bool is_sane(const struct stream_kept *k)
{
    return k->magic == KEPT_MAGIC && (k->format == DSP_U8 || k->format == DSP_S16_LE) &&
           (k->channels == 1 || k->channels == 2) && k->rate >= SOUND_RATE_LEAST &&
           k->rate <= SOUND_RATE_MOST && k->shift <= SHIFT_MOST &&
           filled(k) - card.played <= SOUND_RING && filled(k) - card.written <= SOUND_RING;
}

static void set_defaults(void)
{
    kept =
        (struct stream_kept){.format = DSP_U8, .channels = 1, .rate = 8000, .base = card.written};
}

/* We may be a fresh copy: what is open, and its format, goes on. Bytes of a frame that was not whole
 * are lost, and were not accepted. */
void stream_begin(void)
{
    begun = clock_now();
    kept = *(const struct stream_kept *)card.queue->own;
    if (is_sane(&kept))
        kept.accepted -= kept.accepted % frame_bytes(&kept);
    else
        set_defaults();
    keep();
}

static bool is_free(void)
{
    return kept.node == 0 || (!is_confirmed && clock_now() - begun > GRACE);
}

bool stream_is_open(uint64_t node)
{
    if (!card.queue || !node || kept.node != node)
        return false;
    is_confirmed = true;
    return true;
}

bool stream_is_busy(endpoint_t program)
{
    return !is_free() && (is_confirmed || kept.program != program);
}

long stream_open(endpoint_t program, uint64_t *node)
{
    if (stream_is_busy(program))
        return -EBUSY;
    if (is_free()) {
        card_pause(false);
        set_defaults();
        kept.program = program;
        kept.node = clock_now();
        stream_drop();
        dsp_opened();
    }
    is_confirmed = true;
    *node = kept.node;
    return 0;
}

/* What is written is played to its end, but by a card that was told to stand still. */
void stream_close(void)
{
    kept.node = 0;
    keep();
    if (card.is_paused)
        stream_drop();
    card_pause(false);
}
