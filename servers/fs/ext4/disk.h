/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue to the disk server, for main.c. */
#ifndef EXT4_DISK_H
#define EXT4_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk {
    void *memory; /* for the box: outlives the server */
    size_t size;
    uint64_t bytes; /* of the device, once attached */
    bool read_only; /* the device is */
};
extern struct disk disk;

void disk_find_memory(void); /* first: fills in memory and size */
/* Take the queue over. device: "8:1". stays: a predecessor has attached it. */
void disk_open(const char *device, bool wants_write, bool stays);
/* 1: the device is there, `disk` is complete; 0: not yet; -errno: it will not come. */
long disk_attached(void);
/* After box_adopt(): which buffers the requests under way are about. False: something does not
 * check out. */
bool disk_adopt(void);
bool disk_has_orphans(void); /* other requests of a predecessor that have not ended yet */
/* What has ended. True: something has. */
bool disk_serve(void);
uint64_t disk_ended(void); /* requests, so far, well or not */
/* Post what waits, wake the disk server. False: something has ended meanwhile. */
bool disk_settle(void);
bool disk_is_quiet(void); /* nothing is under way */

#endif
