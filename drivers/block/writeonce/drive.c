/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See drive.h. A transfer goes sector by sector: the drive says that it wants one, or has one, then
 * come 256 words. A drive whose driver died between two words waits for the rest without end; the
 * reset that each start begins with takes it out of that, and what had come of the sector is lost.
 */
#include "drivers/block/writeonce/drive.h"

#include <errno.h>
#include <string.h>

#include "lib/driver/ata.h"
#include "lib/driver/ata_ports.h"
#include "lib/driver/driver.h"
#include "lib/rt/log.h"

#define US 1000ull
#define MS 1000000ull
#define SELECT_PATIENCE (10 * MS) /* for a drive at rest: ATA8-APT allows no more */
#define STATUS_PATIENCE (300 * MS) /* for a status that says that somebody is there */
#define READY_PATIENCE (5000 * MS) /* for a drive that spins up */
#define SECTOR_PATIENCE (5000 * MS) /* and for one that looks for a place, or empties its cache */

static uint8_t get(enum ide_register r)
{
    return pio_read8(DRIVE_PORTS + r);
}

static void put(enum ide_register r, uint8_t value)
{
    pio_write8(DRIVE_PORTS + r, value);
}

static uint8_t peek(void)
{
    return pio_read8(DRIVE_CONTROL);
}

/* Until none of the bits is set; false: it did not come to that. */
static bool wait_without(uint8_t bits, uint64_t patience)
{
    struct driver_wait wait = {.patience = patience};

    while (peek() & bits)
        if (!driver_waits(&wait))
            return false;
    return true;
}

/* For a moment after a reset the status of QEMU's drives is 0: they do it when the emulator comes
 * round to it, and take no command before. 0 to the end, or a bus that nobody drives: no drive. */
static int reset(void)
{
    struct driver_wait wait = {.patience = STATUS_PATIENCE};

    if (peek() == STATUS_NOBODY)
        return -ENODEV;
    pio_write8(DRIVE_CONTROL, CONTROL_QUIET | CONTROL_RESET);
    driver_delay(5 * US); /* ATA8-APT: at least; and 2 ms after */
    pio_write8(DRIVE_CONTROL, CONTROL_QUIET);
    driver_delay(2 * MS);
    while (peek() == 0 && driver_waits(&wait))
        put(IDE_DEVICE, DEVICE_LBA);
    if (peek() == 0 || peek() == STATUS_NOBODY)
        return -ENODEV;
    return wait_without(STATUS_BSY | STATUS_DRQ, READY_PATIENCE) ? 0 : -EIO;
}

/* ---- commands ---- */

static bool give(enum ata_command command, uint64_t sector, unsigned sectors)
{
    put(IDE_DEVICE, DEVICE_LBA);
    peek(); /* which takes longer than the status needs to be that drive's: 400 ns */
    if (!wait_without(STATUS_BSY | STATUS_DRQ, SELECT_PATIENCE))
        return false;
    put(IDE_COUNT, (uint8_t)(sectors >> 8));
    for (unsigned i = 0; i < 3; i++)
        put(IDE_SECTOR + i, (uint8_t)(sector >> (24 + 8 * i)));
    put(IDE_COUNT, (uint8_t)sectors);
    for (unsigned i = 0; i < 3; i++)
        put(IDE_SECTOR + i, (uint8_t)(sector >> 8 * i));
    put(IDE_COMMAND, command);
    peek(); /* for 400 ns the status may not be that of the command yet */
    return true;
}

/* The drive is at the point where it wants data or has them (STATUS_DRQ), or where all is over (0). */
static bool arrives(uint8_t at)
{
    return wait_without(STATUS_BSY, SECTOR_PATIENCE) &&
           (peek() & (STATUS_DRQ | STATUS_ERR | STATUS_DF)) == at;
}

/* The end of a command. One that has gone wrong leaves nothing behind for the next. */
static bool ends(const char *what, uint64_t sector, bool is_good)
{
    uint8_t status = get(IDE_STATUS);

    if (is_good)
        return true;
    log_info("sector %llu: %s: status %#x, error %#x", (unsigned long long)sector, what, status,
             get(IDE_ERROR));
    if (reset() < 0)
        log_info("the drive does not answer any more");
    return false;
}

static void read_words(uint8_t *to)
{
    for (unsigned i = 0; i < BLOCK_SECTOR; i += 2) {
        uint16_t word = pio_read16(DRIVE_PORTS + IDE_DATA);

        memcpy(to + i, &word, sizeof word);
    }
}

static void write_words(const uint8_t *from)
{
    for (unsigned i = 0; i < BLOCK_SECTOR; i += 2) {
        uint16_t word;

        memcpy(&word, from + i, sizeof word);
        pio_write16(DRIVE_PORTS + IDE_DATA, word);
    }
}

bool drive_read(uint64_t sector, unsigned sectors, void *bytes)
{
    bool good = give(ATA_READ_EXT, sector, sectors);

    for (unsigned n = 0; good && n < sectors; n++) {
        good = arrives(STATUS_DRQ);
        if (good)
            read_words((uint8_t *)bytes + n * BLOCK_SECTOR);
    }
    return ends("read", sector, good && arrives(0));
}

bool drive_write(uint64_t sector, unsigned sectors, const void *bytes)
{
    bool good = give(ATA_WRITE_EXT, sector, sectors);

    for (unsigned n = 0; good && n < sectors; n++) {
        good = arrives(STATUS_DRQ);
        if (good)
            write_words((const uint8_t *)bytes + n * BLOCK_SECTOR);
    }
    return ends("write", sector, good && arrives(0));
}

bool drive_flush(void)
{
    return ends("flush", 0, give(ATA_FLUSH_EXT, 0, 0) && arrives(0));
}

/* ---- start ---- */

int drive_start(struct block_unit *unit)
{
    uint16_t words[ATA_IDENTITY_WORDS];
    int status = reset();

    if (status < 0)
        return status;
    if (!give(ATA_IDENTIFY, 0, 0))
        return -EIO;
    if (!arrives(STATUS_DRQ)) /* one with packet commands, which is no disk, refuses this one */
        return get(IDE_STATUS) & STATUS_ERR ? -ENODEV : -EIO;
    read_words((uint8_t *)words);
    get(IDE_STATUS);
    *unit = ata_unit(words);
    return ata_is_wide(words) && unit->logical_size == BLOCK_SECTOR ? 0 : -EOPNOTSUPP;
}
