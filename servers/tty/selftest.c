/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/tty/selftest.h"

#define SECOND 1000000000ull

/* ---- when ---- */

void selftest_begin(struct selftest *s, uint64_t now)
{
    s->is_out = false;
    s->fails = s->busy = 0;
    s->last = s->moved_at = s->heard_at = s->window_at = now;
    s->held_at = 0;
    s->window_heard = s->heard;
    s->is_flood = false;
    s->rest = SELFTEST_FIRST;
    s->look_at = 0;
}

static void note_moved(struct selftest *s, const struct selftest_view *v)
{
    if (v->heard == s->heard && v->sent == s->sent)
        return;
    if (v->heard != s->heard) {
        s->was_heard = true;
        s->heard_at = v->now;
        s->rest = s->rest < SELFTEST_EVERY ? s->rest : SELFTEST_EVERY;
    } else if (v->now - s->moved_at > SELFTEST_EVERY) {
        s->rest = SELFTEST_FIRST; /* somebody is at work again */
    }
    s->heard = v->heard;
    s->sent = v->sent;
    s->moved_at = v->now;
}

static void note_flood(struct selftest *s, const struct selftest_view *v)
{
    uint64_t time = v->now - s->window_at;

    if (time < SECOND)
        return;
    s->is_flood = v->dry == s->window_dry &&
                  (uint64_t)(v->heard - s->window_heard) * 1000000 > SELFTEST_FLOOD * (time / 1000);
    s->window_dry = v->dry;
    s->window_at = v->now;
    s->window_heard = v->heard;
}

static uint64_t due(const struct selftest *s)
{
    uint64_t next = s->last + (s->fails ? SELFTEST_RETRY : s->rest);
    uint64_t quiet = s->moved_at + SELFTEST_QUIET;

    return next > quiet || s->is_flood ? next : quiet;
}

/* The next one will not be so soon, unless we hear of the other end. */
static void rest(struct selftest *s)
{
    s->rest = 2 * s->rest < SELFTEST_REST ? 2 * s->rest : SELFTEST_REST;
    if (s->was_heard)
        s->rest = SELFTEST_EVERY;
    s->was_heard = false;
}

/* Whether a further driver is to be blamed for what two have failed in. */
static bool is_patient(const struct selftest *s)
{
    bool may_be_right = s->answer == SELFTEST_BUSY || !s->was_good;

    return s->complaints >= SELFTEST_COMPLAINTS && !s->is_stuck && may_be_right;
}

static enum selftest_step conclude(struct selftest *s, enum selftest_answer answer, uint64_t now)
{
    s->is_out = false;
    if (answer == SELFTEST_GOOD && s->is_stuck && !s->is_flood && s->sent == s->asked_sent)
        answer = SELFTEST_UNSENT;
    s->answer = answer;
    s->last = now;
    if (answer == SELFTEST_GOOD) {
        s->fails = s->busy = s->complaints = 0;
        s->was_good = true;
        rest(s);
        return SELFTEST_NOTHING;
    }
    if (answer == SELFTEST_BUSY && s->is_stuck)
        rest(s);
    if (answer == SELFTEST_BUSY && (s->is_flood || s->is_stuck)) /* of course */
        return SELFTEST_NOTHING;
    if (answer == SELFTEST_BUSY ? ++s->busy < SELFTEST_BUSY_FAILS : ++s->fails < SELFTEST_FAILS)
        return SELFTEST_NOTHING;
    s->fails = s->busy = 0;
    rest(s);
    if (is_patient(s))
        return SELFTEST_NOTHING;
    s->complaints++;
    return SELFTEST_COMPLAIN;
}

/* No test has been possible for long (or not that which shows whether the last was wrong), but one
 * would be if nothing more were sent. */
static void note_hold(struct selftest *s, const struct selftest_view *v)
{
    uint64_t patience = s->fails ? SELFTEST_RETRY : SELFTEST_REST;
    bool is_time = v->now - s->last >= patience && !s->is_out;

    if (!is_time || s->is_flood || !v->has_taken || v->now - s->heard_at < SELFTEST_QUIET)
        s->held_at = 0;
    else if (s->held_at == 0)
        s->held_at = v->now;
    else if (v->now - s->held_at >= SELFTEST_HOLD)
        selftest_give_up(s, v->now);
}

/* What counts is how often we looked: a machine that stood still proves nothing. */
static enum selftest_step look_for_answer(struct selftest *s, const struct selftest_view *v)
{
    if (v->answer != SELFTEST_NONE)
        return conclude(s, v->answer, v->now);
    if (v->now < s->look_at)
        return SELFTEST_NOTHING;
    s->look_at = v->now + SELFTEST_LOOK;
    return ++s->looks < SELFTEST_LOOKS ? SELFTEST_NOTHING : conclude(s, SELFTEST_LATE, v->now);
}

enum selftest_step selftest_look(struct selftest *s, const struct selftest_view *v)
{
    enum selftest_step step = SELFTEST_NOTHING;

    note_moved(s, v);
    note_flood(s, v);
    note_hold(s, v);
    if (s->is_out) {
        step = look_for_answer(s, v);
        if (s->is_out)
            return step;
        s->look_at = 0;
    }
    if (v->now < s->look_at && s->look_at <= due(s))
        return step; /* (bytes that move put it off, but not the alarm, each time) */
    s->look_at = due(s);
    if (v->now < s->look_at)
        return step;
    s->look_at = v->now + SELFTEST_FIRST;
    if (!v->has_taken && !s->is_flood)
        return step;
    s->look_at = v->now + SELFTEST_LOOK;
    s->held_at = 0;
    s->is_out = true;
    s->is_stuck = !v->has_sent;
    s->asked_sent = v->sent;
    s->looks = 0;
    return SELFTEST_ASK;
}

void selftest_give_up(struct selftest *s, uint64_t now)
{
    s->is_out = false;
    s->held_at = 0;
    s->last = now;
    rest(s);
    s->look_at = due(s);
}

/* ---- what ---- */

/* Others in each test, so that none is taken for another; all five are different, and such as are
 * in no text of UTF-8, so nobody types them in the middle of a test. */
static uint8_t byte_of(uint32_t number, uint32_t i)
{
    static const uint8_t strange[] = {0xc0, 0xc1, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9,
                                      0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};

    return strange[(number * 7 + i * (1 + number % 12)) % sizeof strange];
}

/* Wherever in the ring, also across its end. */
static uint32_t begin_of(uint32_t number)
{
    return number * 13;
}

/* What lies behind the bytes of a test: a driver that sends more than it is given sends these. */
static uint8_t beyond(uint32_t i)
{
    return (uint8_t)(0xff - i);
}

void selftest_fill(struct selftest *s, struct char_queue *q, uint32_t written)
{
    struct char_test *t = &q->test;
    uint32_t number = ++s->number;

    for (uint32_t i = 0; i < SELFTEST_BYTES; i++)
        q->transmit_bytes[(written + i) % CHAR_TRANSMIT_SIZE] = byte_of(number, i);
    for (uint32_t i = 0; i < SELFTEST_BEYOND; i++)
        q->transmit_bytes[(written + SELFTEST_BYTES + i) % CHAR_TRANSMIT_SIZE] = beyond(i);
    for (uint32_t i = 0; i < CHAR_TEST_SIZE; i++)
        t->receive_bytes[i] = char_blank(number, i);
    t->receive.taken = t->receive.written = begin_of(number);
    t->transmit.taken = s->from = written;
    t->transmit.written = written + SELFTEST_BYTES;
    queue_publish(&t->asked, number);
}

/* (What the driver has written may be anything.) */
enum selftest_answer selftest_judge(const struct selftest *s, const struct char_test *t)
{
    uint32_t begin = begin_of(s->number), came, found = 0, blanks = 0, more = 0;

    if (queue_read(&t->told) != s->number)
        return SELFTEST_NONE;
    if (t->result == CHAR_TEST_BUSY)
        return SELFTEST_BUSY;
    if (t->ring_at != offsetof(struct char_queue, receive)) /* what comes, nobody will see */
        return SELFTEST_WRONG;
    came = queue_read(&t->receive.written) - begin;
    if (came == 0)
        return SELFTEST_LOST;
    if (came > CHAR_TEST_SIZE || queue_read(&t->transmit.taken) != s->from + SELFTEST_BYTES)
        return SELFTEST_WRONG;
    for (uint32_t k = begin; k != begin + came; k++) {
        uint32_t at = k % CHAR_TEST_SIZE;

        if (found < SELFTEST_BYTES && t->receive_bytes[at] == byte_of(s->number, found))
            found++;
        else
            blanks += t->receive_bytes[at] == char_blank(s->number, at);
        if (more == SELFTEST_BEYOND)
            continue;
        more = t->receive_bytes[at] == beyond(more) ? more + 1 : t->receive_bytes[at] == beyond(0);
    }
    /* (What comes from outside may look like either, but not often.) */
    if (found != SELFTEST_BYTES || blanks >= SELFTEST_BLANKS || more == SELFTEST_BEYOND)
        return SELFTEST_WRONG;
    return SELFTEST_GOOD;
}
