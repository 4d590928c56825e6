/* SPDX-License-Identifier: BSD-2-Clause */
/* abi/sound.h has Linux's numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <linux/soundcard.h>

#include "abi/sound.h"

static void test_numbers(void **state)
{
    static const unsigned numbers[][2] = {
        {SNDCTL_DSP_RESET, DSP_RESET},
        {SNDCTL_DSP_SYNC, DSP_SYNC},
        {SNDCTL_DSP_POST, DSP_POST},
        {SNDCTL_DSP_NONBLOCK, DSP_NONBLOCK},
        {SNDCTL_DSP_SPEED, DSP_SPEED},
        {SNDCTL_DSP_STEREO, DSP_STEREO},
        {SNDCTL_DSP_CHANNELS, DSP_CHANNELS},
        {SNDCTL_DSP_SETFMT, DSP_SETFMT},
        {SNDCTL_DSP_SUBDIVIDE, DSP_SUBDIVIDE},
        {SNDCTL_DSP_SETFRAGMENT, DSP_SETFRAGMENT},
        {SNDCTL_DSP_GETBLKSIZE, DSP_GETBLKSIZE},
        {SNDCTL_DSP_GETFMTS, DSP_GETFMTS},
        {SNDCTL_DSP_GETOSPACE, DSP_GETOSPACE},
        {SNDCTL_DSP_GETCAPS, DSP_GETCAPS},
        {SNDCTL_DSP_GETTRIGGER, DSP_GETTRIGGER},
        {SNDCTL_DSP_SETTRIGGER, DSP_SETTRIGGER},
        {SNDCTL_DSP_GETOPTR, DSP_GETOPTR},
        {SNDCTL_DSP_GETODELAY, DSP_GETODELAY},
        {SOUND_PCM_READ_RATE, DSP_READ_RATE},
        {SOUND_PCM_READ_CHANNELS, DSP_READ_CHANNELS},
        {SOUND_PCM_READ_BITS, DSP_READ_BITS},
        {OSS_GETVERSION, SOUND_GET_VERSION},
        {SOUND_VERSION, SOUND_OSS_VERSION},
        {AFMT_QUERY, DSP_QUERY},
        {AFMT_U8, DSP_U8},
        {AFMT_S16_LE, DSP_S16_LE},
        {DSP_CAP_REALTIME, DSP_CAN_REALTIME},
        {DSP_CAP_TRIGGER, DSP_CAN_TRIGGER},
        {PCM_ENABLE_OUTPUT, DSP_TRIGGER_OUTPUT},
        {SOUND_MIXER_INFO, MIXER_ABOUT},
        {SOUND_MIXER_READ_VOLUME, MIXER_GET(MIXER_VOLUME)},
        {SOUND_MIXER_READ_PCM, MIXER_GET(MIXER_PCM)},
        {SOUND_MIXER_WRITE_VOLUME, MIXER_SET(MIXER_VOLUME)},
        {SOUND_MIXER_WRITE_PCM, MIXER_SET(MIXER_PCM)},
        {SOUND_MIXER_READ_DEVMASK, MIXER_GET(MIXER_DEVICES)},
        {SOUND_MIXER_READ_STEREODEVS, MIXER_GET(MIXER_STEREO_DEVICES)},
        {SOUND_MIXER_READ_CAPS, MIXER_GET(MIXER_CAPABILITIES)},
        {SOUND_MIXER_READ_RECMASK, MIXER_GET(MIXER_RECORD_MASK)},
        {SOUND_MIXER_READ_RECSRC, MIXER_GET(MIXER_RECORD_SOURCE)},
    };

    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(numbers[i][0], numbers[i][1]);
}

static void test_structures(void **state)
{
    assert_int_equal(sizeof(audio_buf_info), sizeof(struct dsp_space));
    assert_int_equal(offsetof(audio_buf_info, fragsize), offsetof(struct dsp_space, fragment_size));
    assert_int_equal(offsetof(audio_buf_info, bytes), offsetof(struct dsp_space, bytes));
    assert_int_equal(sizeof(count_info), sizeof(struct dsp_position));
    assert_int_equal(offsetof(count_info, ptr), offsetof(struct dsp_position, offset));
    assert_int_equal(sizeof(mixer_info), sizeof(struct sound_mixer_info));
    assert_int_equal(offsetof(mixer_info, modify_counter),
                     offsetof(struct sound_mixer_info, modified));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_structures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
