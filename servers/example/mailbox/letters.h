/* SPDX-License-Identifier: BSD-2-Clause */
/* The letters that nobody has read yet, first in, first out. */
#ifndef MAILBOX_LETTERS_H
#define MAILBOX_LETTERS_H

#include <stdbool.h>

#include "abi/message.h"

enum { LETTER_BYTES = 4096, LETTERS = 64 };

bool letters_full(void);
bool letters_empty(void);
/* What a program writes becomes a letter, if there is room: bytes; -EAGAIN: none; -EMSGSIZE: longer
 * than LETTER_BYTES; -EFAULT, -EINVAL. */
long letters_write(const struct message *request);
/* The oldest one for a program that reads, as much of it as there is room for; the rest is the oldest
 * then. Bytes, -EAGAIN: there is none, -EFAULT, -EINVAL. */
long letters_read(const struct message *request);

#endif
