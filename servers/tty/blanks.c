/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/tty/blanks.h"

void blanks_fill(const struct blanks *b, struct char_queue *q, uint32_t taken)
{
    for (uint32_t at = taken + CHAR_RECEIVE_SIZE;
         (int32_t)(--at - queue_read(&q->receive.written)) > BLANKS_AWAY;)
        q->receive_bytes[at % CHAR_RECEIVE_SIZE] = char_blank(b->key, at);
}

void blanks_cover(const struct blanks *b, struct char_queue *q, uint32_t from, uint32_t to)
{
    for (; from != to; from++)
        q->receive_bytes[from % CHAR_RECEIVE_SIZE] = char_blank(b->key, from);
}

/* What its predecessor has stored and not told may lie ahead of it. */
void blanks_begin(struct blanks *b, uint32_t written, uint32_t waiting)
{
    b->leftover = b->is_blamed ? waiting : 0;
    b->is_blamed = false;
    b->came = b->around = 0;
    b->look_from = written + BLANKS_AWAY;
}

/* Signs count up, their absence counts down slowly. */
static bool is_too_much(uint32_t *count, bool sign)
{
    if (sign)
        *count += BLANKS_WEIGHT;
    else if (*count)
        --*count;
    if (*count < BLANKS_MOST)
        return false;
    *count = 0;
    return true;
}

/* From then on blanks are passed over, also what is left of them when the driver has been replaced;
 * what its successor counts is judged anew. */
bool blanks_has_come(struct blanks *b, uint32_t at, uint8_t c, bool *found)
{
    bool blank = c == char_blank(b->key, at);

    if (b->leftover) {
        b->leftover--;
        return !blank;
    }
    if (is_too_much(&b->came, blank)) {
        b->is_blamed = *found = true;
        return false;
    }
    return !(blank && b->is_blamed);
}

static bool is_written(const struct blanks *b, const struct char_queue *q, uint32_t at)
{
    return q->receive_bytes[at % CHAR_RECEIVE_SIZE] != char_blank(b->key, at);
}

/* (Of a full ring the next place is the one to be taken first, the one before is the last.) */
bool blanks_look_around(struct blanks *b, const struct char_queue *q, uint32_t taken)
{
    uint32_t next = queue_read(&q->receive.written);

    if (next - taken >= CHAR_RECEIVE_SIZE || (int32_t)(next - b->look_from) < 0)
        return false;
    if (!is_too_much(&b->around, is_written(b, q, next) || is_written(b, q, taken - 1)))
        return false;
    b->is_blamed = true;
    return true;
}
