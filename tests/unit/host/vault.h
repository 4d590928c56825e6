/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/vault on the host: memory that cannot be touched where the code under test has it, and can be
 * by the test at another address. */
#ifndef HOST_VAULT_H
#define HOST_VAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Where the test finds what is there; any other address is its own. */
void *vault_inside(const void *at);
size_t vault_in_use(void); /* bytes that are mapped */
void vault_refuse(bool refuse); /* vault_map() has no memory any more */

#endif
