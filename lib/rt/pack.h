/* SPDX-License-Identifier: BSD-2-Clause */
/* Short strings in message words: names (16 bytes, two words) and keys (32 bytes, four).
 * NUL-padded; always terminated when unpacked. */
#ifndef RT_PACK_H
#define RT_PACK_H

#include <string.h>

#include "abi/message.h"

/* Longer text is cut to bytes - 1. */
static inline void pack_text(uint64_t *words, const char *text, unsigned bytes)
{
    size_t n = strnlen(text, bytes - 1);

    memset(words, 0, bytes);
    memcpy(words, text, n);
}
static inline void unpack_text(char *text, const uint64_t *words, unsigned bytes)
{
    memcpy(text, words, bytes);
    text[bytes - 1] = 0;
}

#endif
