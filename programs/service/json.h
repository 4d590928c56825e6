/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON, as all that tell programs of services write it: service --json, and the dashboard. */
#ifndef SERVICE_JSON_H
#define SERVICE_JSON_H

#include <stdio.h>

/* In quotes. Bytes that are no UTF-8 become U+FFFD each, so that what anybody wrote into the log is
 * read by every parser. */
void json_text(FILE *out, const char *text);

#endif
