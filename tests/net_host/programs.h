/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the halves of the host: programs.c and host.c. */
#ifndef NET_HOST_PROGRAMS_H
#define NET_HOST_PROGRAMS_H

#include <stdbool.h>

#include "abi/message.h"

void programs_start(void);
bool programs_work(void); /* true: some did something */
long program_answered(endpoint_t program, const struct message *m);
long host_message(struct message *m); /* to net's handler of its type */
void host_idle(void);
void *host_granted(void); /* memory that net lent last */

#endif
