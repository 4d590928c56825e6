/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioctls of /dev/dsp and /dev/mixer, for programs and the audio server: those of the Open Sound
 * System, with the numbers of Linux (linux/soundcard.h; 4Front Technologies, "Open Sound System
 * Programmer's Guide"). An argument is the address of an int where no other type is named. Errors:
 * EIO: there is no driver any more; EINVAL: not in this way; ENOTTY: not at all.
 */
#ifndef ABI_SOUND_H
#define ABI_SOUND_H

#include <stdint.h>

#define DSP_RESET 0x5000u /* no argument: drop what is not played */
#define DSP_SYNC 0x5001u /* no argument: wait until all is played */
#define DSP_POST 0x5008u /* no argument: play what there is, more comes later */
#define DSP_NONBLOCK 0x500eu /* no argument: as O_NONBLOCK */
/* These answer with what is set. A change of the first three drops what is not played. */
#define DSP_SPEED 0xc0045002u /* Hz */
#define DSP_STEREO 0xc0045003u /* 0 or 1 */
#define DSP_CHANNELS 0xc0045006u /* 1 or 2 */
#define DSP_SETFMT 0xc0045005u /* enum dsp_format */
#define DSP_SUBDIVIDE 0xc0045009u /* 1, 2, 4: of a fragment, before anything is written */
#define DSP_SETFRAGMENT 0xc004500au /* how many << 16 | log2(bytes of one) */
#define DSP_GETBLKSIZE 0xc0045004u /* bytes of a fragment */
#define DSP_GETFMTS 0x8004500bu /* mask of enum dsp_format */
#define DSP_GETOSPACE 0x8010500cu /* struct dsp_space */
#define DSP_GETCAPS 0x8004500fu /* mask of enum dsp_capability */
#define DSP_GETTRIGGER 0x80045010u
#define DSP_SETTRIGGER 0x40045010u /* DSP_TRIGGER_OUTPUT or 0: play, or stand still */
#define DSP_GETOPTR 0x800c5012u /* struct dsp_position */
#define DSP_GETODELAY 0x80045017u /* bytes that are written and not played */
#define DSP_READ_RATE 0x80045002u
#define DSP_READ_CHANNELS 0x80045006u
#define DSP_READ_BITS 0x80045005u
#define SOUND_GET_VERSION 0x80044d76u
#define SOUND_OSS_VERSION 0x030802
/*
 * Ours. uint64_t: bytes of this open file that the audio server has taken, since it was opened or
 * what was not played was dropped (DSP_RESET, or a change of format or rate). It says after an EIO
 * of write() with which byte to go on: the one before is played, the one after it is not there.
 */
#define DSP_GET_WRITTEN 0x80085080u

enum dsp_format { DSP_QUERY = 0, DSP_U8 = 8, DSP_S16_LE = 16 };
enum dsp_capability { DSP_CAN_REALTIME = 0x200, DSP_CAN_TRIGGER = 0x1000 };
#define DSP_TRIGGER_OUTPUT 2

struct dsp_space {
    int32_t fragments, fragments_total, fragment_size,
        bytes; /* bytes: that can be written at once */
};

struct dsp_position {
    int32_t bytes; /* played */
    int32_t blocks; /* fragments that were played since it was asked last */
    int32_t offset; /* `bytes` modulo the buffer's size */
};

/* Volumes: left | right << 8, each 0 to 100. Also with an open /dev/dsp. */
#define MIXER_GET(device) (0x80044d00u | (device))
#define MIXER_SET(device) (0xc0044d00u | (device))
#define MIXER_ABOUT 0x805c4d65u /* struct sound_mixer_info */
enum mixer_device {
    MIXER_VOLUME = 0, /* of the card */
    MIXER_PCM = 4, /* of what is written to /dev/dsp, from then on */
    MIXER_STEREO_DEVICES = 0xfb, /* masks of the above, to be read */
    MIXER_CAPABILITIES = 0xfc,
    MIXER_RECORD_MASK = 0xfd,
    MIXER_DEVICES = 0xfe,
    MIXER_RECORD_SOURCE = 0xff,
};

struct sound_mixer_info {
    char id[16], name[32];
    int32_t modified; /* counts changes */
    int32_t pad[10];
};

#endif
