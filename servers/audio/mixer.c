/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes: that of the card, by its codec, and that of what is written to /dev/dsp, in its samples.
 * They are in DS, and so outlive this server; the card's is in the queue, too, and so outlives the
 * driver.
 */
#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/service/service.h"
#include "servers/audio/audio.h"

static struct {
    uint32_t card, pcm; /* left | right << 8 */
    uint32_t modified;
} mixer = {.card = SOUND_LOUDEST | SOUND_LOUDEST << 8, .pcm = SOUND_LOUDEST | SOUND_LOUDEST << 8};

static uint32_t limited(uint32_t volume)
{
    uint32_t left = volume & 0xff, right = volume >> 8 & 0xff;

    return (left < SOUND_LOUDEST ? left : SOUND_LOUDEST) |
           (right < SOUND_LOUDEST ? right : SOUND_LOUDEST) << 8;
}

void mixer_begin(void)
{
    if (service_restore("mixer", &mixer, sizeof mixer) < 0)
        return;
    mixer.card = limited(mixer.card);
    mixer.pcm = limited(mixer.pcm);
}

void mixer_tell_card(void)
{
    card_set_volume(mixer.card);
}

uint32_t mixer_pcm(bool right)
{
    return right ? mixer.pcm >> 8 : mixer.pcm & 0xff;
}

static long give(endpoint_t program, uint64_t address, uint32_t value)
{
    return copy_to(program, address, &value, sizeof value) < 0 ? -EFAULT : 0;
}

static long set(endpoint_t program, uint32_t *volume, uint64_t address)
{
    uint32_t wanted;

    if (copy_from(program, address, &wanted, sizeof wanted) < 0)
        return -EFAULT;
    wanted = limited(wanted);
    if (*volume != wanted) {
        *volume = wanted;
        mixer.modified++;
        service_save("mixer", &mixer, sizeof mixer);
        mixer_tell_card();
    }
    return give(program, address, wanted);
}

static long give_info(endpoint_t program, uint64_t address)
{
    struct sound_mixer_info info = {.modified = (int32_t)mixer.modified};

    strcpy(info.id, "bardo");
    strncpy(info.name, card.queue ? card.where.driver : "no card", sizeof info.name - 1);
    return copy_to(program, address, &info, sizeof info) < 0 ? -EFAULT : 0;
}

long mixer_ioctl(endpoint_t program, uint32_t request, uint64_t argument)
{
    const uint32_t devices = 1u << MIXER_VOLUME | 1u << MIXER_PCM;

    switch (request) {
    case SOUND_GET_VERSION:
        return give(program, argument, SOUND_OSS_VERSION);
    case MIXER_ABOUT:
        return give_info(program, argument);
    case MIXER_GET(MIXER_DEVICES):
    case MIXER_GET(MIXER_STEREO_DEVICES):
        return give(program, argument, devices);
    case MIXER_GET(MIXER_CAPABILITIES):
    case MIXER_GET(MIXER_RECORD_MASK):
    case MIXER_GET(MIXER_RECORD_SOURCE):
        return give(program, argument, 0);
    case MIXER_GET(MIXER_VOLUME):
        return give(program, argument, mixer.card);
    case MIXER_GET(MIXER_PCM):
        return give(program, argument, mixer.pcm);
    case MIXER_SET(MIXER_VOLUME):
        return set(program, &mixer.card, argument);
    case MIXER_SET(MIXER_PCM):
        return set(program, &mixer.pcm, argument);
    default:
        return (request & 0xff00) == 0x4d00 ? -EINVAL : -ENOTTY;
    }
}
