/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What servers of character devices share. They speak the file protocol (abi/proto/file.h) with VFS
 * and with programs, but have no tree of nodes, as file servers have (fs.h); programs wait in them.
 */
#ifndef FS_DEVICE_H
#define FS_DEVICE_H

#include "lib/fs/fs.h"

/* The program goes back to VFS with a result; the words of m behind the first are the request's
 * results. VFS itself may be the caller. To be returned by the handler. */
long device_back(struct message *m, long result);
/* The same for a request that has waited: its handler has returned long ago. */
void device_back_later(const struct message *request, long result);
/* A request that goes back only if it says so (FILE_BACK): the program, or VFS, gets the result. With
 * SERVICE_NO_REPLY nothing happens. Always returns that. */
long device_answer(const struct message *request, long result);

/* FILE_STAT of a device: `mode` is its permissions. */
long device_stat(struct message *m, uint64_t rdev, uint32_t mode, uint32_t gid);

/* A read or write, also of a vector: the piece of the program's memory behind the first `done` bytes.
 * *length 0: that was all. 0, -EINVAL (too many segments), -EFAULT. */
long device_piece(const struct message *m, uint64_t done, uint64_t *address, uint64_t *length);

/* What no device does: FILE_SYNC, and FILE_READ of one that is only written; FILE_TRUNCATE and
 * FILE_SET_ATTRIBUTES; FILE_MAP. */
long device_no_sync(struct message *m);
long device_no_change(struct message *m);
long device_no_map(struct message *m);

#endif
