/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue between the audio server and a driver of a sound card: one ring of frames (a sample for
 * the left, one for the right), 16 bits each. As with abi/queue.h, RS makes the memory before the
 * driver's first start (manifest: `queue 200K audio`), it belongs to the client, and it outlives
 * every incarnation of both sides.
 *
 * Indices are free-running and count frames; frame k is ring[k % SOUND_RING], and when the chip has
 * it, chip[k % SOUND_CHIP_RING], which is what the card reads by itself, round and round:
 *
 *     played <= taken <= written <= played + SOUND_RING
 *
 * The client fills in frames and publishes `written`. The driver copies them to chip[], publishes
 * `taken`, and publishes as `played` what the card has read. Outside of [played, taken) chip[] is
 * silence: a card whose driver is dead plays what it has, and then nothing, for as long as it takes
 * to go round (SOUND_CHIP_RING frames, 0.7 s at 44100 Hz), and only then what it had played before.
 *
 * All frames that are not played are in ring[], whatever becomes of chip[]. A fresh driver finds the
 * position in the card's register, as the first frame at or behind `played` that is at that place
 * of chip[]. Where its predecessor died over a copy and the card has overtaken `taken`, what was
 * played of ring[] is what is found in chip[].
 *
 * A command (`asked`, a fresh number) drops what is not played, and sets the rate: played = taken =
 * written. A fresh driver does (again) what was asked and not told. While one is under way the
 * client does not move `written`.
 *
 * Trust: the client checks that `played` is between what it was and `written`; the driver that
 * written - played <= SOUND_RING.
 *
 * Waking: the client notifies the driver (NOTIFY_BIT_QUEUE) after whatever it has published; the
 * driver the client (NOTIFY_BIT_PEER + number) when a command is done, when all is played, and when
 * `played` has moved while `client_waits` is set, which it clears.
 */
#ifndef ABI_SOUND_QUEUE_H
#define ABI_SOUND_QUEUE_H

#include "abi/queue.h"

#define SOUND_QUEUE_MAGIC 0x51444e53u /* "SNDQ" */
#define SOUND_RING 16384u /* frames; powers of two */
#define SOUND_CHIP_RING 32768u
/* Hz that a client may ask for; what it gets is the nearest that the card has. */
#define SOUND_RATE_LEAST 4000u
#define SOUND_RATE_MOST 48000u
#define SOUND_LOUDEST 100u /* of a volume; 0 is silence */

struct sound_frame {
    int16_t left, right;
};

struct sound_queue {
    struct queue_header header; /* errors: how often the card had nothing to play between frames */
    /* by the client */
    _Alignas(64) uint32_t written;
    uint32_t client_waits;
    uint32_t is_paused; /* 1: play nothing */
    uint32_t volume; /* of the card: left | right << 8, each up to SOUND_LOUDEST */
    uint32_t asked; /* number of the last command */
    uint32_t rate_asked; /* Hz */
    /* by the driver */
    _Alignas(64) uint32_t taken;
    uint32_t played;
    uint64_t played_ns; /* clock when the card was there, or not yet beyond */
    uint32_t told; /* number of the last command that is done */
    uint32_t rate; /* Hz, as it is; 0: none was ever set */
    /* by the client, for its successor alone */
    _Alignas(64) uint8_t own[256];
    _Alignas(4096) struct sound_frame ring[SOUND_RING];
    /* the card reads this */
    _Alignas(4096) struct sound_frame chip[SOUND_CHIP_RING];
    uint8_t scratch[4096]; /* for a card that writes where it should not */
};
#define SOUND_QUEUE_BYTES sizeof(struct sound_queue)

_Static_assert(sizeof(struct sound_queue) <= 200 << 10, "fits 200K");

#endif
