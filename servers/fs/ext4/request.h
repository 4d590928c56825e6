/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that were put off, and the one that is being handled. */
#ifndef EXT4_REQUEST_H
#define EXT4_REQUEST_H

#include "abi/message.h"
#include "lib/fs/fs.h"
#include "servers/fs/ext4/cache.h"

/* A request begins, or is run again: as fs_operations.begin. */
long request_begin(const struct message *m, uint64_t *node);
/* It was put off: what it waits for is in `missing`. */
void request_later(const struct message *m);
/* Run those again that have what they waited for. True: some were. */
bool requests_retry(void);
/* As fs_operations.cancel. */
long request_cancel(endpoint_t program);
/* As fs_operations.waits. */
long request_waits(endpoint_t program, uint64_t *moves);
/* A new request comes (main.c). */
void turn_begin(void);
/* Does any of them wait for memory, or for a commit? */
bool requests_want(enum missing_what what);

#endif
