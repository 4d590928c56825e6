/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NET_TABLES_H
#define NET_TABLES_H

#include "abi/message.h"

long tables_request(struct message *m); /* NET_TABLE */

#endif
