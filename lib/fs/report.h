/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RS knows of services, their deaths and the PCI bus's devices, as lines of text: fs/proc has it as
 * /proc/bardo/services, /proc/recovery and /proc/bardo/devices, fs/dev as /dev/bardo, /dev/bardo-recovery and
 * /dev/bardo-devices for when the other is away; and what DS holds, fs/dev's /dev/bardo-store. For servers
 * that may call RS.
 */
#ifndef FS_REPORT_H
#define FS_REPORT_H

#include "abi/proto/rs.h"
#include "lib/fs/text.h"

/*
 * Each adds lines to the text until it is longer than `room` bytes, never a part of one, and counts them
 * in *from: 0 is the first, and what it has become is where to go on. 0: that was all; 1: the next one does
 * not fit; or RS's error.
 */
typedef long (*report_writer)(struct text *t, uint64_t *from, size_t room);

/* name pid state uptime_ms restarts last_defect last_detail recovery_mean_us recovery_max_us cpu_ms
 * memory_kb failures rung messages class program description... */
long report_services(struct text *t, uint64_t *from, size_t room);

/* A heading, then a line each; steps as clock in ns (since boot), then as us since detected; "-": not
 * taken (yet). */
long report_recoveries(struct text *t, uint64_t *from, size_t room);

/* address vendor:device class driver state class in words... (no driver: "-", and "no-driver", or
 * "unneeded" where none is wanted) */
long report_devices(struct text *t, uint64_t *from, size_t room);

/* What is in the data store: key owner type length [value...], unsorted; owner "-": it has just died; of
 * snapshots there is no value. For servers that may call DS. */
long report_store(struct text *t, uint64_t *from, size_t room);

/* Services from number `first` on: how many were filled in, or RS's error (-ENOENT: past the end). */
long services_from(uint64_t first, struct rs_service *out, unsigned count);

#endif
