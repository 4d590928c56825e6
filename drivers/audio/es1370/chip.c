/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/audio/es1370/chip.h"

#include "lib/driver/driver.h"

#define CLOCK 1411200u /* Hz; 22.5792 MHz, divided by 16 */
#define CODEC_PATIENCE 100000 /* ns, until it takes a value: 50 us, if it is in order */

/* 16 bits, stereo, not paused; round and round, not once */
#define SERIAL_OURS                                                                                \
    (SERIAL_P2_STEREO | SERIAL_P2_16BIT | SERIAL_P2_INTR_EN | 2u << SERIAL_P2_END_INC_SHIFT)

static uint32_t get(const struct es1370 *c, enum es1370_register r)
{
    return pio_read32(c->ports + r);
}

static void put(const struct es1370 *c, enum es1370_register r, uint32_t value)
{
    pio_write32(c->ports + r, value);
}

static void put_paged(const struct es1370 *c, unsigned page, enum es1370_register r, uint32_t value)
{
    put(c, MEMORY_PAGE, page);
    put(c, r, value);
}

static void put_codec(const struct es1370 *c, unsigned r, unsigned value)
{
    struct driver_wait wait = {.patience = CODEC_PATIENCE};

    while ((get(c, STATUS) & STATUS_CODEC_BUSY) && driver_waits(&wait)) {
    }
    pio_write16(c->ports + CODEC, (uint16_t)(r << 8 | value));
}

static uint32_t divider_of(uint32_t rate)
{
    return (CLOCK + rate / 2) / rate - 2;
}

uint32_t es1370_rate(uint32_t wanted)
{
    if (wanted < SOUND_RATE_LEAST)
        wanted = SOUND_RATE_LEAST;
    if (wanted > SOUND_RATE_MOST)
        wanted = SOUND_RATE_MOST;
    return CLOCK / (divider_of(wanted) + 2);
}

static uint32_t control_of(uint32_t rate)
{
    return divider_of(rate) << CONTROL_PCLKDIV_SHIFT | CONTROL_CODEC_EN;
}

bool es1370_answers(const struct es1370 *c)
{
    return get(c, STATUS) != 0xffffffff || get(c, CONTROL) != 0xffffffff;
}

bool es1370_reads_ours(const struct es1370 *c)
{
    put(c, MEMORY_PAGE, PAGE_DAC);
    return get(c, DAC2_FRAME_ADDRESS) == c->memory &&
           (get(c, DAC2_FRAME_COUNT) & 0xffff) == SOUND_CHIP_RING - 1;
}

bool es1370_is_set_up(const struct es1370 *c, uint32_t rate)
{
    return (get(c, CONTROL) & ~(uint32_t)CONTROL_DAC2_EN) == control_of(rate) &&
           get(c, SERIAL) == SERIAL_OURS && es1370_reads_ours(c);
}

bool es1370_plays(const struct es1370 *c)
{
    return get(c, CONTROL) & CONTROL_DAC2_EN;
}

uint32_t es1370_position(const struct es1370 *c)
{
    put(c, MEMORY_PAGE, PAGE_DAC);
    return (get(c, DAC2_FRAME_COUNT) >> 16) % SOUND_CHIP_RING;
}

uint32_t es1370_period(uint32_t rate)
{
    uint32_t period = 64;

    while (period * 2 <= rate / 24)
        period *= 2;
    return period;
}

void es1370_set_position(const struct es1370 *c, uint32_t at)
{
    put_paged(c, PAGE_DAC, DAC2_FRAME_COUNT, at << 16 | (SOUND_CHIP_RING - 1));
}

void es1370_set_rate(const struct es1370 *c, uint32_t rate)
{
    put(c, CONTROL, control_of(rate));
}

void es1370_start(const struct es1370 *c, uint32_t rate)
{
    put(c, DAC2_SAMPLE_COUNT, es1370_period(rate) - 1);
    put(c, CONTROL, control_of(rate) | CONTROL_DAC2_EN);
}

void es1370_stop(const struct es1370 *c)
{
    put(c, CONTROL, get(c, CONTROL) & ~(uint32_t)CONTROL_DAC2_EN);
}

void es1370_acknowledge(const struct es1370 *c)
{
    if (!(get(c, STATUS) & STATUS_DAC2))
        return;
    put(c, SERIAL, SERIAL_OURS & ~(uint32_t)SERIAL_P2_INTR_EN);
    put(c, SERIAL, SERIAL_OURS);
}

static unsigned attenuation_of(uint32_t volume)
{
    if (volume == 0)
        return CODEC_MUTE | CODEC_DARKEST;
    return volume < 100 ? ((100 - volume) * CODEC_DARKEST + 50) / 100 : 0;
}

/* (The codec cannot be read: it is told each time.) */
void es1370_set_volume(const struct es1370 *c, uint32_t volume)
{
    put_codec(c, MASTER_LEFT, attenuation_of(volume & 0xff));
    put_codec(c, MASTER_LEFT + 1, attenuation_of(volume >> 8 & 0xff));
}

/* (The address comes first here, and last when it is set up: so one that a predecessor has died
 * over is not set up.) */
void es1370_abandon(const struct es1370 *c)
{
    es1370_stop(c);
    put_paged(c, PAGE_DAC, DAC2_FRAME_ADDRESS, 0);
}

void es1370_set_up(const struct es1370 *c, uint32_t rate, uint32_t at, uint32_t scratch)
{
    es1370_set_rate(c, rate);
    put(c, SERIAL, SERIAL_OURS);
    put_paged(c, PAGE_ADC, PHANTOM_ADDRESS, scratch);
    put(c, PHANTOM_COUNT, 0);
    put_codec(c, RESET_POWER_DOWN, 3);
    put_codec(c, CLOCK_SELECT, 0);
    put_codec(c, OUTPUT_1, 0);
    put_codec(c, OUTPUT_2, OUTPUT_2_VOICES);
    put_codec(c, VOICE_LEFT, VOICE_0_DB);
    put_codec(c, VOICE_LEFT + 1, VOICE_0_DB);
    es1370_set_position(c, at);
    put_paged(c, PAGE_DAC, DAC2_FRAME_ADDRESS, c->memory);
}
