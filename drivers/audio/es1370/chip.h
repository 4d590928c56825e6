/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ES1370, and the AK4531 codec behind it. Register and bit names as in Ensoniq, "AudioPCI ES1370
 * Specification"; of the codec as in Asahi Kasei, AK4531 data sheet. Only DAC2 is used: it has any
 * rate, 1411200 / (PCLKDIV + 2) Hz.
 *
 *     chip.c   registers
 *     ring.c   the queue (abi/sound_queue.h): what is played, what is to be played, a predecessor's death
 *     main.c   the loop
 */
#ifndef ES1370_CHIP_H
#define ES1370_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/sound_queue.h"

#define NS 1000000000ull

/* Ports, relative to the first; 32 bits each. */
enum es1370_register {
    CONTROL = 0x00,
    STATUS = 0x04,
    MEMORY_PAGE = 0x0c, /* which registers 0x30 to 0x3f are */
    CODEC = 0x10, /* write: register << 8 | value */
    SERIAL = 0x20,
    DAC2_SAMPLE_COUNT =
        0x28, /* frames to the interrupt, less one; how many are left in the upper half */
    DAC2_FRAME_ADDRESS = 0x38, /* page 0xc */
    DAC2_FRAME_COUNT =
        0x3c, /* page 0xc; words of 4 bytes, less one; the current one in the upper half */
    PHANTOM_ADDRESS = 0x38, /* page 0xd: a channel that nobody uses, and that writes nevertheless */
    PHANTOM_COUNT = 0x3c, /* page 0xd */
};
enum { PAGE_DAC = 0xc, PAGE_ADC = 0xd };

enum {
    CONTROL_CODEC_EN = 1 << 1,
    CONTROL_DAC2_EN = 1 << 5,
    CONTROL_PCLKDIV_SHIFT = 16, /* 13 bits */

    STATUS_DAC2 = 1 << 1, /* its interrupt; cleared by taking SERIAL_P2_INTR_EN away */
    STATUS_CODEC_BUSY = 1 << 10, /* CSTAT */

    SERIAL_P2_STEREO = 1 << 2,
    SERIAL_P2_16BIT = 1 << 3,
    SERIAL_P2_INTR_EN = 1 << 9,
    SERIAL_P2_END_INC_SHIFT = 19, /* bytes from one sample to the next: 2 */
};

/* Of the codec. */
enum {
    MASTER_LEFT = 0x00, /* and right behind it; bit 7 mute, bits 0-4: 2 dB each, down from 0 dB */
    VOICE_LEFT = 0x02, /* and right; bit 7 mute, bits 0-4: 2 dB each, down from 12 dB */
    OUTPUT_1 = 0x10, /* what is heard: FM, line, CD, microphone */
    OUTPUT_2 = 0x11, /* voice, auxiliary, mono */
    RESET_POWER_DOWN = 0x16, /* both bits 1: neither */
    CLOCK_SELECT = 0x17, /* 0: that of DAC2 */

    CODEC_MUTE = 0x80,
    CODEC_DARKEST = 31,
    VOICE_0_DB = 6,
    OUTPUT_2_VOICES = 0x0c,
};

/* ---- chip.c ---- */

struct es1370 {
    unsigned ports;
    uint32_t memory; /* what it reads, SOUND_CHIP_RING frames: physical address */
};

/* Is there one at all? */
bool es1370_answers(const struct es1370 *c);
/* The rate that is nearest, of SOUND_RATE_LEAST to SOUND_RATE_MOST Hz. */
uint32_t es1370_rate(uint32_t wanted);
/* Frames from one interrupt to the next: 12 to 42 ms. */
uint32_t es1370_period(uint32_t rate);

/* Is it set up as es1370_set_up() does, whether it plays or not? */
bool es1370_is_set_up(const struct es1370 *c, uint32_t rate);
/* Does it read our memory, so that es1370_position() says something? */
bool es1370_reads_ours(const struct es1370 *c);
/* From any state to: silent, and not set up. */
void es1370_abandon(const struct es1370 *c);
/* To: silent, at frame `at`. scratch: physical address of 16 bytes. */
void es1370_set_up(const struct es1370 *c, uint32_t rate, uint32_t at, uint32_t scratch);

bool es1370_plays(const struct es1370 *c);
void es1370_start(const struct es1370 *c, uint32_t rate); /* from the frame where it is */
void es1370_stop(const struct es1370 *c);
/* The frame that is read next, 0 to SOUND_CHIP_RING - 1. */
uint32_t es1370_position(const struct es1370 *c);
/* While it does not play: */
void es1370_set_position(const struct es1370 *c, uint32_t at);
void es1370_set_rate(const struct es1370 *c, uint32_t rate);

/* Takes its interrupt back, if there is one. */
void es1370_acknowledge(const struct es1370 *c);
/* left | right << 8, 0 to 100. */
void es1370_set_volume(const struct es1370 *c, uint32_t volume);

/* ---- ring.c: pure logic, but for panic() ---- */

struct sound_device {
    struct es1370 chip;
    struct sound_queue *queue;
    uint32_t scratch; /* physical address of the queue's */
    uint32_t taken, played, rate; /* as in the queue */
    uint32_t volume; /* as told to the card */
    bool plays;
    bool has_news; /* for the client */
};

/* Takes in the queue. Ends the driver when there is none. physical: where the queue is. */
void sound_open(struct sound_device *d, unsigned ports, void *queue, uint64_t size,
                uint64_t physical);
/* Adopts (when `may_adopt`) or resets; counts it in the queue. now: clock, in ns. -ENODEV: no such
 * card. */
int sound_start(struct sound_device *d, bool may_adopt, uint64_t now,
                enum queue_driver_state *state);
/* One turn: all that is asked, played and to be played. */
void sound_serve(struct sound_device *d, uint64_t now);
/* The card stands still: what is not played waits. */
void sound_halt(struct sound_device *d, uint64_t now);

#endif
