/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fault in a service's program itself: in the frames of its text that RS starts every copy from,
 * and that all copies share, and in its file of the boot archive, by which RS would mend them. So it
 * is as though the file had been made with it.
 */
#ifndef INJECT_ILL_H
#define INJECT_ILL_H

#include "abi/message.h"

#define ILL_MAX 16 /* bytes */

/* `bytes` at `address` of the service's text, and at `offset` of the archive. 0; 1: they are what is
 * there already, and nothing has changed; -ESTALE: the two places do not hold the same. */
long ill_make(endpoint_t service, uint64_t address, uint64_t offset, const uint8_t *bytes,
              unsigned count);
void ill_heal(void); /* as it was */

#endif
