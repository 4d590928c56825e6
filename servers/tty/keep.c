/* SPDX-License-Identifier: BSD-2-Clause */
/* A line discipline as bytes and back, for the successor of a server that dies. */
#include <string.h>

#include "servers/tty/line.h"

struct kept {
    uint32_t head, tail, edit, column, edit_column;
    uint8_t literal, stopped, held, padding;
};

size_t line_keep(const struct line *l, uint8_t *to)
{
    struct kept k = {.head = l->head,
                     .tail = l->tail,
                     .edit = l->edit,
                     .column = l->column,
                     .edit_column = l->edit_column,
                     .literal = l->literal,
                     .stopped = l->stopped,
                     .held = l->held};
    size_t length = sizeof k;

    memcpy(to, &k, sizeof k);
    for (uint32_t at = l->head; at != l->tail; at++) {
        to[length++] = l->byte[at % LINE_INPUT];
        to[length++] = l->mark[at % LINE_INPUT];
    }
    return length;
}

bool line_take_over(struct line *l, const uint8_t *from, size_t length)
{
    struct kept k;
    uint32_t count;

    if (length < sizeof k)
        return false;
    memcpy(&k, from, sizeof k);
    count = k.tail - k.head;
    if (count > LINE_INPUT || k.edit - k.head > count || length != sizeof k + 2 * (size_t)count)
        return false;
    l->head = k.head, l->tail = k.tail, l->edit = k.edit;
    l->column = k.column, l->edit_column = k.edit_column;
    l->literal = k.literal, l->stopped = k.stopped, l->held = k.held;
    l->ends = 0;
    from += sizeof k;
    for (uint32_t at = k.head; at != k.tail; at++) {
        l->byte[at % LINE_INPUT] = *from++;
        l->mark[at % LINE_INPUT] = *from++;
        l->ends += l->mark[at % LINE_INPUT] != MARK_NONE;
    }
    return true;
}
