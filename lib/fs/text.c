/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_add_bytes(struct text *t, const void *bytes, size_t length)
{
    size_t room = t->room ? t->room : 512;

    while (room - t->length < length)
        room *= 2;
    if (room > t->room) {
        char *grown = realloc(t->bytes, room);

        if (!grown)
            return;
        t->bytes = grown;
        t->room = room;
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
}

void text_add(struct text *t, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n > 0)
        text_add_bytes(t, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void text_free(struct text *t)
{
    free(t->bytes);
    *t = (struct text){0};
}
