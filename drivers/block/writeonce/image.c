/* SPDX-License-Identifier: BSD-2-Clause */
/* See image.h. */
#include "drivers/block/writeonce/image.h"

#include <errno.h>
#include <stddef.h>

#include "drivers/block/writeonce/drive.h"
#include "lib/rt/log.h"

#define SECTORS (DISC_BLOCK / BLOCK_SECTOR) /* in a block */

static struct disc header; /* what is in the disk's first sectors, as far as it is used */

/* The sector of the header with the block's mark. */
static uint32_t sector_of(uint32_t block)
{
    return ((uint32_t)offsetof(struct disc, written) + block / 8) / BLOCK_SECTOR;
}

static bool put_header(uint32_t sector)
{
    return drive_write(sector, 1, (const uint8_t *)&header + sector * BLOCK_SECTOR);
}

static bool get_header(uint32_t from, uint32_t to)
{
    uint8_t *at = (uint8_t *)&header + from * BLOCK_SECTOR;

    return from == to || drive_read(from, to - from, at);
}

static const struct disc *is_none(int *error, int what)
{
    *error = what;
    return NULL;
}

const struct disc *image_open(struct block_unit *disk, int *error)
{
    int status = drive_start(disk);
    uint32_t blocks = status < 0 ? 0 : disc_fit(disk->sectors * BLOCK_SECTOR);

    if (status == -EOPNOTSUPP)
        log_info("a disk of another kind: left alone");
    if (status < 0)
        return is_none(error, status);
    if (!get_header(0, 1))
        return is_none(error, -EIO);
    if (header.magic != DISC_MAGIC || header.blocks > blocks || blocks == 0) {
        log_info(header.magic != DISC_MAGIC ? "a disk without the label of a disc: left alone"
                                            : "a disk that is too small for its disc: left alone");
        return is_none(error, -EOPNOTSUPP);
    }
    if (header.blocks == 0)
        header.blocks = blocks; /* it goes out with the first mark */
    if (!get_header(1, sector_of(header.blocks - 1) + 1))
        return is_none(error, -EIO);
    return &header;
}

/* The mark is out, and on the medium, before a byte of the block is: whoever dies then, driver or
 * machine, leaves a block that is not begun again. */
bool image_write(uint32_t block, const uint8_t bytes[DISC_BLOCK])
{
    if (!disc_mark(&header, block)) {
        put_header(0); /* with the count */
        return false;
    }
    return put_header(sector_of(block)) && drive_flush() &&
           drive_write((DISC_HEADER + (uint64_t)block * DISC_BLOCK) / BLOCK_SECTOR, SECTORS, bytes);
}

bool image_read(uint32_t block, uint8_t bytes[DISC_BLOCK])
{
    return drive_read((DISC_HEADER + (uint64_t)block * DISC_BLOCK) / BLOCK_SECTOR, SECTORS, bytes);
}

bool image_flush(void)
{
    return drive_flush();
}
