/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk server. Its devices are files of the file protocol (abi/proto/file.h), under the DS keys
 * "blk/8" (sd), "blk/3" (hd), "blk/254" (vd), "blk/240" (nvme), "blk/241" (wo), "blk/1" (ram) and "blk/259"
 * (partitions from the 16th on, of all of them); the node of FILE_OPEN is the device number. FILE_STAT of it says in
 * `rdev` which is the whole disk (-EAGAIN: not yet). For fs/dev and fs/proc:
 */
#ifndef ABI_PROTO_DISK_H
#define ABI_PROTO_DISK_H

#include "abi/message.h"

enum disk_request {
    /* struct disk_device[] to our grant -> how many; -ENOENT past the end */
    DISK_LIST = PROTOCOL_DISK,
};

struct IN_MESSAGE disk_list_request {
    uint64_t first; /* index */
    uint64_t grant, count; /* how many have room in it */
};
MESSAGE_FITS(struct disk_list_request);

struct disk_device { /* a disk, or a partition of one */
    char name[16]; /* "sda1" */
    uint32_t major, minor;
    uint64_t first, sectors; /* of 512 bytes; first: on its disk */
    uint32_t is_partition, is_read_only;
    /* requests to its driver that were done since boot, and how much they moved; 0 of a partition */
    uint64_t reads, sectors_read, writes, sectors_written;
    char model[41];
};

#endif
