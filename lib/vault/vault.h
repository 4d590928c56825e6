/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for what a server keeps for others and never looks at: the bytes of files and pipes. The
 * server can neither read nor write it, only have it copied by the kernel (MAP_VAULT of
 * abi/kernel.h): so no wild store of the server's can change what a program has written, it is an
 * exception as one to nowhere is. copy_from_again() and copy_to() reach it, from and to programs;
 * and the functions below. Needs `linux memory` in the manifest.
 */
#ifndef VAULT_VAULT_H
#define VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Pages, zeroed; bytes: a multiple of 4096. needed: when memory is short also of what is kept for
 * services. NULL: no memory. */
void *vault_map(size_t bytes, bool needed);
void vault_unmap(void *at, size_t bytes);

/*
 * Within our own memory; both sides may be in a vault, and do not overlap. What is in a vault is not
 * logged: who may have to take it back says vault_log() before. An address that is not there is the
 * end of the service.
 */
void vault_copy(void *to, const void *from, size_t bytes);
void vault_clear(void *at, size_t bytes);

/* What is there comes back when the step is undone (lib/undo). For services that keep their memory;
 * nothing in others. */
void vault_log(const void *at, size_t bytes);
void vault_log_zero(const void *at, size_t bytes); /* the same of zeros: costs nothing */

#endif
