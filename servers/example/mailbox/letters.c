/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/example/mailbox/letters.h"

#include <errno.h>

#include "lib/fs/device.h"
#include "lib/rt/kernel.h"

static struct {
    uint32_t begin, end; /* of what nobody has read */
    uint8_t bytes[LETTER_BYTES];
} letters[LETTERS];
static uint32_t oldest, count;

bool letters_full(void)
{
    return count == LETTERS;
}

bool letters_empty(void)
{
    return count == 0;
}

long letters_write(const struct message *request)
{
    uint32_t to = (oldest + count) % LETTERS;
    uint64_t done = 0;

    if (letters_full())
        return -EAGAIN;
    for (;;) {
        uint64_t address, length;
        long error = device_piece(request, done, &address, &length);

        if (error < 0)
            return error;
        if (length == 0)
            break;
        if (length > LETTER_BYTES - done)
            return -EMSGSIZE;
        if (copy_from(message_caller(request), address, letters[to].bytes + done, length) < 0)
            return -EFAULT;
        done += length;
    }
    if (done != 0) {
        letters[to].begin = 0;
        letters[to].end = (uint32_t)done;
        count++;
    }
    return (long)done;
}

/* Nothing is taken off before all of it is copied: a reader whose memory ends halfway gets an
 * error, and the letter stays whole. */
long letters_read(const struct message *request)
{
    uint32_t left = letters[oldest].end - letters[oldest].begin;
    uint64_t done = 0;

    if (letters_empty())
        return -EAGAIN;
    while (left != 0) {
        uint64_t address, length;
        long error = device_piece(request, done, &address, &length);

        if (error < 0)
            return error;
        if (length == 0)
            break;
        if (length > left)
            length = left;
        if (copy_to(message_caller(request), address,
                    letters[oldest].bytes + letters[oldest].begin + done, length) < 0)
            return -EFAULT;
        done += length;
        left -= (uint32_t)length;
    }
    letters[oldest].begin += (uint32_t)done;
    if (left == 0) {
        oldest = (oldest + 1) % LETTERS;
        count--;
    }
    return (long)done;
}
