/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audio server: /dev/dsp and /dev/mixer, at the other end of a sound card's queue.
 *
 *     main.c     the file protocol, programs that wait, the loop
 *     dsp.c      ioctls of /dev/dsp
 *     stream.c   what a program plays: its format, its frames in the queue
 *     card.c     the queue: commands, the driver's death
 *     mixer.c    volumes; they are kept in DS
 *
 * One program at a time has /dev/dsp open. What it writes becomes frames of 16 bits in the queue's
 * memory, which outlives the driver and this server; so does struct stream_kept. A driver's death
 * is nobody's business: its successor goes on at the card's position. It is told (EIO) when none
 * will come; what is in the queue is played should one be started later.
 *
 * When the server itself dies a write that was in progress fails with EIO (abi/proto/file.h: writes
 * are done once); the program goes on behind DSP_GET_WRITTEN, with the same open file. What is in
 * the queue goes on meanwhile.
 */
#ifndef AUDIO_AUDIO_H
#define AUDIO_AUDIO_H

#include <stdbool.h>

#include "abi/message.h"
#include "abi/service.h"
#include "abi/sound.h"
#include "abi/sound_queue.h"

enum { AUDIO_MAJOR = 14, MINOR_MIXER = 0, MINOR_DSP = 3, NODE_MIXER = 1, GROUP_AUDIO = 29 };

/* ---- card.c ---- */

struct card {
    struct service_queue where;
    struct sound_queue *queue; /* NULL: no driver was ever there */
    uint32_t written, played; /* frames; as in the queue, but checked */
    uint32_t asked, rate_asked;
    bool busy; /* a command is under way */
    bool is_paused;
    uint32_t incarnation; /* of the driver, as we know it; 0: none yet */
    endpoint_t driver;
    bool kick; /* it is to be notified */
    bool fresh; /* it has played nothing yet */
    uint64_t patience; /* clock: when it is complained of; 0: nothing is expected */
};

extern struct card card;

void card_find(void); /* its queue, from RS; again after NOTIFY_BIT_SERVICES */
void card_look(void); /* what the driver has done, and whether it is another */
/* Asks RS whether there is a driver, or one will be back: 0; -ENODEV: neither. */
long card_ask_for_driver(void);
/* Drops all that is not played; then it has that rate, or one near it. */
void card_command(uint32_t rate);
void card_publish(uint32_t written);
void card_pause(bool pause);
void card_set_volume(uint32_t volume); /* left | right << 8, 0 to 100 */
/* Before sleeping; waits: for `played` to move. False: there is more to do. */
uint64_t card_settle(bool waits);
/* Is the driver to do something? Then this is to be called every 100 ms or so: it complains of one
 * that does nothing. */
bool card_watch(void);

/* ---- stream.c ---- */

/* All of it that a fresh copy of this server needs: in the queue's memory. */
struct stream_kept {
    uint32_t magic;
    uint32_t format; /* enum dsp_format: bits */
    uint32_t channels; /* 1, 2 */
    uint32_t rate; /* Hz, as asked for */
    uint32_t shift, count; /* of fragments, log2(bytes); 0: whatever is good */
    uint32_t base; /* index of the first frame since what was not played was dropped */
    uint32_t pad;
    uint64_t accepted; /* bytes since then */
    uint64_t node; /* of the open file; 0: nobody has it open */
    endpoint_t program; /* that has opened it */
};

void stream_begin(void); /* once there is a queue */
bool stream_is_ready(void); /* no command is under way: bytes can be taken */
uint32_t stream_frame_bytes(void);
uint32_t stream_fragment_bytes(void);
uint32_t stream_buffer_bytes(void);
uint32_t stream_room(void); /* bytes */
uint32_t stream_delay(void); /* bytes that are not played */
uint64_t stream_played(void); /* bytes */
/* There is room for them. */
void stream_put(const uint8_t *bytes, uint32_t count);
void stream_flush(void); /* also what fills no fragment is to be played */
bool stream_is_drained(void);
/* Drops what is not played. */
void stream_drop(void);

/* The open file. 0 and *node; -EBUSY: somebody else has it. Once all is played that was. */
long stream_open(endpoint_t program, uint64_t *node);
bool stream_is_open(uint64_t node);
bool stream_is_busy(endpoint_t program); /* somebody else has it */
void stream_close(void);
const struct stream_kept *stream_kept(void);
/* 0, or -EINVAL. A change drops what is not played. */
void stream_set_rate(uint32_t rate);
void stream_set_format(uint32_t format);
void stream_set_channels(uint32_t channels);
long stream_set_fragments(uint32_t shift, uint32_t count);

/* ---- mixer.c ---- */

void mixer_begin(void);
void mixer_tell_card(void);
/* 0 to SOUND_LOUDEST, for what is written. */
uint32_t mixer_pcm(bool right);
long mixer_ioctl(endpoint_t program, uint32_t request, uint64_t argument);

/* ---- dsp.c ---- */

enum dsp_wait { DSP_DONE, DSP_WAITS_COMMAND, DSP_WAITS_DRAIN };

/* Does what is asked: its result; or *wait: for what, then dsp_finish(). */
long dsp_ioctl(const struct message *m, enum dsp_wait *wait);
long dsp_finish(const struct message *m);
bool dsp_is_nonblocking(void);
void dsp_opened(void); /* afresh */

#endif
