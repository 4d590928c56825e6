/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that grows while it is written. When memory runs out, the rest is left out. */
#ifndef FS_TEXT_H
#define FS_TEXT_H

#include <stddef.h>

struct text {
    char *bytes;
    size_t length, room;
};

void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *t, const void *bytes, size_t length);
void text_free(struct text *t);

#endif
