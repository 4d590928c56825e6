/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ATA drive at ports, by PIO, with a cache that a cut of the power empties, and death of its
 * driver at a chosen access: for the unit tests of the write-once disc.
 */
#ifndef FAKE_ATA_H
#define FAKE_ATA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/block/writeonce/disc.h"
#include "drivers/block/writeonce/drive.h"
#include "lib/driver/ata.h"
#include "lib/driver/ata_ports.h"
#include "tests/unit/fake_clock.h"

enum { SECTOR = BLOCK_SECTOR, DISK_SECTORS = 512, READY = 0x50, CACHED = 64, FIRST_DATA = 128 };

static uint8_t medium[DISK_SECTORS][SECTOR];
static uint8_t begun[DISK_SECTORS]; /* how often a command was given that writes it */

static struct {
    uint8_t registers[8], before[8]; /* as written last, and the time before */
    uint8_t control, status, error, running;
    uint16_t words[SECTOR / 2];
    unsigned at, left; /* words of this sector, sectors that come after it */
    uint64_t sector;
    bool is_absent, is_empty, is_packet, is_narrow, is_mute;
    bool is_stuck; /* wants more data after a failure */
    unsigned is_late, silent; /* looks at the status until a reset is done, as with QEMU's drives */
    unsigned resets, writes, flushes;
    uint64_t bad; /* a sector that cannot be read or written */
    unsigned cached; /* sectors that are written, and not on the medium */
    struct {
        uint64_t sector;
        uint8_t bytes[SECTOR];
    } cache[CACHED];
} chip;

static jmp_buf fake_death;
static long fake_accesses_left; /* the driver dies before so many more; < 0: never */

static void chip_power_on(void)
{
    memset(&chip, 0, sizeof chip);
    chip.status = READY;
    chip.bad = ~0ull;
    fake_accesses_left = -1;
}

/* Those of the cached sectors whose bits are set have come onto the medium. */
static void empty_cache(uint64_t kept)
{
    for (unsigned i = 0; i < chip.cached; i++)
        if (kept >> i & 1)
            memcpy(medium[chip.cache[i].sector], chip.cache[i].bytes, SECTOR);
    chip.cached = 0;
}

static void __attribute__((unused)) power_is_cut(uint64_t kept)
{
    empty_cache(kept);
    chip_power_on();
}

static void fetch(uint64_t sector, uint8_t *bytes)
{
    memcpy(bytes, medium[sector], SECTOR);
    for (unsigned i = 0; i < chip.cached; i++)
        if (chip.cache[i].sector == sector)
            memcpy(bytes, chip.cache[i].bytes, SECTOR);
}

static void end_command(bool is_good)
{
    chip.running = 0;
    chip.status = is_good ? READY : READY | STATUS_ERR;
    if (!is_good && chip.is_stuck)
        chip.status |= STATUS_DRQ;
    chip.error = is_good ? 0 : 0x40;
}

static void next_sector(void)
{
    chip.at = 0;
    if (chip.left == 0) {
        end_command(true);
        return;
    }
    chip.left--;
    if (chip.running != ATA_IDENTIFY) {
        assert_true(chip.sector < DISK_SECTORS);
        if (chip.sector == chip.bad) {
            end_command(false);
            return;
        }
        if (chip.running == ATA_READ_EXT)
            fetch(chip.sector++, (uint8_t *)chip.words);
    }
    chip.status = READY | STATUS_DRQ;
}

static void sector_has_come(void)
{
    assert_true(chip.cached < CACHED);
    chip.cache[chip.cached].sector = chip.sector++;
    memcpy(chip.cache[chip.cached++].bytes, chip.words, SECTOR);
    chip.writes++;
    next_sector();
}

static void identify(void)
{
    uint16_t *w = chip.words;

    memset(w, 0, sizeof chip.words);
    memset(w + 10, ' ', 20);
    w[10] = 'S' << 8 | '1';
    w[83] = chip.is_narrow ? 0 : 1 << 10;
    w[60] = w[100] = DISK_SECTORS;
    chip.left = 1;
}

static void begin_command(uint8_t command)
{
    uint64_t sector = 0;

    assert_false(chip.status & (STATUS_BSY | STATUS_DRQ)); /* or a drive does what it likes */
    assert_int_equal(chip.silent, 0);
    assert_int_equal(chip.registers[IDE_DEVICE], DEVICE_LBA);
    for (unsigned i = 0; i < 3; i++)
        sector |= (uint64_t)chip.registers[IDE_SECTOR + i] << 8 * i |
                  (uint64_t)chip.before[IDE_SECTOR + i] << (24 + 8 * i);
    chip.running = command;
    chip.sector = sector;
    chip.left = chip.registers[IDE_COUNT] | chip.before[IDE_COUNT] << 8;
    if (command == ATA_WRITE_EXT)
        for (unsigned i = 0; i < chip.left; i++)
            begun[sector + i]++;
    if (command == ATA_IDENTIFY)
        identify();
    else if (command == ATA_FLUSH_EXT)
        empty_cache(~0ull);
    else
        assert_true(command == ATA_READ_EXT || command == ATA_WRITE_EXT);
    chip.flushes += command == ATA_FLUSH_EXT;
    if (command == ATA_FLUSH_EXT || (command == ATA_IDENTIFY && chip.is_packet))
        end_command(command == ATA_FLUSH_EXT);
    else
        next_sector();
}

static uint8_t status_now(void)
{
    if (chip.is_absent)
        return STATUS_NOBODY;
    if (chip.is_empty || (chip.silent && chip.silent--))
        return 0;
    return chip.is_mute ? STATUS_BSY : chip.status;
}

/* ---- ports ---- */

static void fake_step(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (fake_accesses_left > 0 && --fake_accesses_left == 0) {
        fake_accesses_left = -1;
        longjmp(fake_death, 1);
    }
}

uint8_t pio_read8(unsigned port)
{
    fake_step();
    if (port == DRIVE_CONTROL || port == DRIVE_PORTS + IDE_STATUS)
        return status_now();
    assert_int_equal(port, DRIVE_PORTS + IDE_ERROR);
    return chip.error;
}

void pio_write8(unsigned port, uint8_t value)
{
    fake_step();
    if (port == DRIVE_CONTROL) {
        assert_true(value & CONTROL_QUIET); /* nobody would hear an interrupt */
        if ((chip.control & CONTROL_RESET) && !(value & CONTROL_RESET)) {
            chip.resets++;
            chip.silent = chip.is_late;
            end_command(true);
        }
        chip.control = value;
        return;
    }
    assert_in_range(port, DRIVE_PORTS + 1, DRIVE_PORTS + 7);
    port -= DRIVE_PORTS;
    if (port == IDE_COMMAND) {
        begin_command(value);
        return;
    }
    chip.before[port] = chip.registers[port];
    chip.registers[port] = value;
}

uint16_t pio_read16(unsigned port)
{
    uint16_t word;

    fake_step();
    assert_int_equal(port, DRIVE_PORTS);
    assert_true(chip.status & STATUS_DRQ && chip.running != ATA_WRITE_EXT);
    word = chip.words[chip.at++];
    if (chip.at == SECTOR / 2)
        next_sector();
    return word;
}

void pio_write16(unsigned port, uint16_t value)
{
    fake_step();
    assert_int_equal(port, DRIVE_PORTS);
    assert_true(chip.status & STATUS_DRQ && chip.running == ATA_WRITE_EXT);
    chip.words[chip.at++] = value;
    if (chip.at == SECTOR / 2)
        sector_has_come();
}

void log_info(const char *format, ...)
{
    (void)format;
}

void panic(const char *format, ...)
{
    (void)format;
    abort();
}

#endif
