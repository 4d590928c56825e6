/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/rt/format.c under names of its own, so that it can be compared with the host's functions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

int bardo_vsnprintf(char *restrict text, size_t room, const char *restrict format,
                    va_list arguments);
int bardo_snprintf(char *restrict text, size_t room, const char *restrict format, ...);
#define vsnprintf bardo_vsnprintf
#define snprintf bardo_snprintf
#include "lib/rt/format.c"
