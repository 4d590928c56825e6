/* SPDX-License-Identifier: BSD-2-Clause */
/* A line that the host has left in the machine's configuration. */
#ifndef INJECT_HOST_H
#define INJECT_HOST_H

/* Without its end, in `room` bytes. -EAGAIN: it begins with '-', for "not yet"; -ENODEV: no such
 * file. */
long host_read(char *line, unsigned room);

#endif
