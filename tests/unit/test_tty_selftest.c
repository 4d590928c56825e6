/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/selftest.c
/* When tty asks for the test of a serial port, and when it complains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "servers/tty/selftest.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static struct selftest s;
static struct char_queue queue;
static struct selftest_view v;
static unsigned asked, complained;

static int setup(void **state)
{
    memset(&s, 0, sizeof s);
    memset(&queue, 0, sizeof queue);
    v = (struct selftest_view){.now = 7 * SECOND, .has_sent = true, .has_taken = true};
    asked = complained = 0;
    selftest_begin(&s, v.now);
    return 0;
}

/* Every ms for so long; each test gets that answer, at the next look. */
static void pass(uint64_t time, enum selftest_answer answer)
{
    for (uint64_t end = v.now + time; v.now < end; v.now += MS) {
        enum selftest_step step;

        v.answer = s.is_out ? answer : SELFTEST_NONE;
        step = selftest_look(&s, &v);
        asked += step == SELFTEST_ASK;
        complained += step == SELFTEST_COMPLAIN;
        assert_true(s.look_at > v.now);
        assert_true(s.look_at <= v.now + SELFTEST_REST);
    }
}

static void test_rest(void **state)
{
    pass(900 * MS, SELFTEST_GOOD);
    assert_int_equal(asked, 0);
    pass(200 * MS, SELFTEST_GOOD);
    assert_int_equal(asked, 1);
    pass(62 * SECOND, SELFTEST_GOOD); /* after 2, 4, 8, 16, 32 s more */
    assert_int_equal(asked, 6);
    pass(600 * SECOND, SELFTEST_GOOD);
    assert_in_range(asked, 15, 17);
    assert_int_equal(complained, 0);
}

static void test_never_while_bytes_move(void **state)
{
    for (int i = 0; i < 1000; i++) {
        v.heard += i & 1;
        v.sent += 3;
        pass(40 * MS, SELFTEST_GOOD);
    }
    assert_int_equal(asked, 0);
    pass(100 * MS, SELFTEST_GOOD);
    assert_int_equal(asked, 1);
}

static void test_while_somebody_types(void **state)
{
    for (int i = 0; i < 600; i++) {
        v.heard++;
        v.sent++;
        pass(100 * MS, SELFTEST_GOOD);
    }
    assert_in_range(asked, 11, 14); /* a minute */
    pass(6 * SECOND, SELFTEST_GOOD);
    asked = 0;
    pass(60 * SECOND, SELFTEST_GOOD);
    assert_in_range(asked, 3, 5); /* then seldom again */
}

/* After a long rest something is sent: does it get out? */
static void test_sent_after_a_rest(void **state)
{
    pass(300 * SECOND, SELFTEST_GOOD);
    v.now = s.last + SECOND / 2;
    s.look_at = 0;
    asked = 0;
    v.sent++;
    pass(SECOND, SELFTEST_GOOD);
    assert_int_equal(asked, 1);
}

static void test_not_when_something_waits(void **state)
{
    v.has_taken = false;
    pass(100 * SECOND, SELFTEST_GOOD);
    assert_int_equal(asked, 0);
    v.has_taken = true;
    pass(SECOND + MS, SELFTEST_GOOD);
    assert_int_equal(asked, 1);
}

/* What is sent never ends. The driver is given nothing more for a moment, once in a minute, and not
 * while something comes in. */
static void send_without_end(uint64_t seconds, uint32_t heard, bool may_end, uint64_t *held,
                             enum selftest_answer answer)
{
    bool is_drained = false;

    for (uint64_t i = 0; i < seconds * 100; i++) {
        uint64_t ms = 10;

        is_drained = s.held_at && may_end && (is_drained || v.now - s.held_at > SECOND);
        v.has_sent = is_drained;
        v.sent += !is_drained;
        v.heard += heard;
        pass(ms * MS, answer);
        *held += s.held_at ? ms : 0;
    }
    v.has_sent = true;
}

static void test_sent_without_end(void **state)
{
    uint64_t held = 0;

    send_without_end(59, 0, true, &held, SELFTEST_GOOD);
    assert_int_equal(held, 0);
    send_without_end(541, 0, true, &held, SELFTEST_GOOD);
    assert_in_range(asked, 9, 10);
    assert_in_range(held, 9 * 1000, 10 * 1150);
    held = asked = 0;
    send_without_end(600, 1, true, &held, SELFTEST_GOOD);
    assert_int_equal(asked + held, 0);
    send_without_end(600, 0, false, &held, SELFTEST_GOOD); /* the other end does not let it end */
    assert_int_equal(asked, 0);
    assert_in_range(held, 8 * 9900, 10 * 10100);
    assert_int_equal(complained, 0);
    send_without_end(64, 0, true, &held, SELFTEST_WRONG);
    assert_int_equal(complained, 1); /* all three tests in one hold, or nearly so */
}

/* More comes than a line can carry, all the time, and the device never runs dry: there are tests
 * nevertheless. */
static void test_flood(void **state)
{
    v.has_taken = false;
    for (int i = 0; i < 500; i++) {
        v.heard += 100; /* 10 kB/s: a busy line */
        pass(10 * MS, SELFTEST_LOST);
    }
    assert_int_equal(asked, 0);
    for (int i = 0; i < 1000; i++) {
        v.heard += 200;
        pass(10 * MS, SELFTEST_GOOD);
    }
    assert_in_range(asked, 2, 3);
    asked = 0;
    for (int i = 0; i < 1000; i++) { /* QEMU's, with a busy sender */
        v.heard += 200;
        v.dry++;
        pass(10 * MS, SELFTEST_GOOD);
    }
    assert_int_equal(asked, 0);
    for (int i = 0; i < 1000; i++) { /* it is held up: so it is while much is moving */
        v.heard += 200;
        pass(10 * MS, SELFTEST_BUSY);
    }
    assert_int_equal(complained, 0);
    for (int i = 0; i < 900 && !complained; i++) {
        v.heard += 200;
        pass(10 * MS, SELFTEST_WRONG);
    }
    assert_int_equal(complained, 1);
}

/* It is asked again, soon. */
static void test_wrong(void **state)
{
    pass(SECOND + 10 * MS, SELFTEST_WRONG);
    assert_int_equal(asked, 1);
    pass(105 * MS, SELFTEST_GOOD);
    assert_int_equal(asked, 2);
    pass(100 * SECOND, SELFTEST_GOOD);
    assert_int_equal(complained, 0);
    pass(100 * SECOND, SELFTEST_WRONG);
    assert_int_equal(complained, 2);
}

static void test_found_in_time(void **state)
{
    v.heard++;
    pass(20 * SECOND, SELFTEST_GOOD);
    v.heard++;
    for (int i = 0; i < 30 && !complained; i++) { /* lines are sent, none comes */
        pass(200 * MS, SELFTEST_LOST);
        v.sent += 80;
    }
    assert_int_equal(complained, 1);
    assert_int_equal(s.answer, SELFTEST_LOST);
}

static void test_no_answer(void **state)
{
    pass(SECOND + 10 * MS, SELFTEST_NONE);
    pass(2 * SECOND, SELFTEST_NONE);
    assert_int_equal(complained, 1);
    assert_int_equal(s.answer, SELFTEST_LATE);
    selftest_begin(&s, v.now); /* its successor */
    pass(SECOND + 10 * MS, SELFTEST_GOOD);
    assert_int_equal(s.complaints, 0);
}

static void test_busy_has_patience(void **state)
{
    pass(7 * SECOND, SELFTEST_BUSY);
    assert_int_equal(complained, 0);
    pass(2 * SECOND, SELFTEST_BUSY);
    assert_int_equal(complained, 1);
    assert_int_equal(s.answer, SELFTEST_BUSY);
}

/* The device itself is at fault, or whoever is at the other end: no driver mends that. */
static void test_nobody_can_help(void **state)
{
    for (int i = 0; i < 50; i++) {
        unsigned before = complained;

        pass(SELFTEST_REST, SELFTEST_LOST);
        if (complained != before)
            selftest_begin(&s, v.now);
    }
    assert_int_equal(complained, SELFTEST_COMPLAINTS);
}

/* Tests have ended well: then a fault is not the device's nature, and each copy that fails is blamed, soon, whatever it
 * fails in. Only who is held up by the other end never is. */
static void test_every_copy_is_ill(void **state)
{
    static const enum selftest_answer ill[] = {SELFTEST_LOST, SELFTEST_WRONG, SELFTEST_NONE};

    for (size_t n = 0; n < sizeof ill / sizeof *ill; n++) {
        setup(NULL);
        pass(2 * SELFTEST_REST, SELFTEST_GOOD);
        for (unsigned copy = 1; copy <= 30; copy++) {
            selftest_begin(&s, v.now);
            pass(2 * SECOND, ill[n]);
            assert_int_equal(complained, copy);
        }
    }
    setup(NULL);
    pass(2 * SELFTEST_REST, SELFTEST_GOOD);
    for (unsigned copy = 0; copy < 30; copy++) {
        selftest_begin(&s, v.now);
        pass(100 * SECOND, SELFTEST_BUSY);
    }
    assert_int_equal(complained, SELFTEST_COMPLAINTS);
}

/* Something waits to be sent. The other end does not read: */
static void test_stuck_and_busy(void **state)
{
    v.has_sent = false;
    pass(1000 * SECOND, SELFTEST_BUSY);
    assert_in_range(asked, 15, 25);
    assert_int_equal(complained, 0);
}

/* The device has sent all that it was given, and yet no copy of the driver sends: each is blamed. */
static void test_stuck_and_lost(void **state)
{
    v.has_sent = false;
    for (unsigned copy = 1; copy <= 50; copy++) {
        pass(1500 * MS, SELFTEST_LOST);
        assert_int_equal(complained, copy);
        selftest_begin(&s, v.now);
    }
}

/* The device has sent all, and carries the test, but what waits does so still, copy after copy. Where something has moved
 * meanwhile all is well. */
static void test_stuck_though_good(void **state)
{
    v.has_sent = false;
    for (unsigned copy = 1; copy <= 50; copy++) {
        pass(1500 * MS, SELFTEST_GOOD);
        assert_int_equal(complained, copy);
        assert_int_equal(s.answer, SELFTEST_UNSENT);
        selftest_begin(&s, v.now);
    }
    complained = asked = 0;
    for (unsigned i = 0; i < 100000; i++) { /* it moves with each test */
        pass(MS, s.is_out ? SELFTEST_GOOD : SELFTEST_NONE);
        v.sent += s.is_out;
    }
    assert_int_equal(complained, 0);
    assert_in_range(asked, 5, 50);
}

/* A machine that stood still has not been looked at. */
static void test_a_pause_proves_nothing(void **state)
{
    pass(SECOND + 10 * MS, SELFTEST_NONE);
    v.now += 1000 * SECOND;
    pass(100 * MS, SELFTEST_NONE);
    assert_true(s.is_out);
    pass(100 * MS, SELFTEST_GOOD);
    assert_int_equal(s.fails, 0);
}

static void test_nobody_to_ask(void **state)
{
    unsigned count = 0;

    for (uint64_t end = v.now + 100 * SECOND; v.now < end; v.now += MS)
        if (selftest_look(&s, &v) == SELFTEST_ASK) {
            selftest_give_up(&s, v.now);
            count++;
        }
    assert_in_range(count, 2, 8);
}

/* A test that is answered as it should be: with `step` - 1 places between two of its bytes. */
static void answer_test(uint32_t written, uint32_t step)
{
    struct char_test *t = &queue.test;

    selftest_fill(&s, &queue, written);
    assert_int_equal(selftest_judge(&s, t), SELFTEST_NONE);
    assert_int_equal(t->transmit.taken, written);
    assert_int_equal(t->transmit.written, written + SELFTEST_BYTES);
    t->told = t->asked;
    t->ring_at = offsetof(struct char_queue, transmit); /* the driver's ring is another than ours */
    assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
    t->ring_at = offsetof(struct char_queue, receive);
    assert_int_equal(selftest_judge(&s, t), SELFTEST_LOST);
    t->transmit.taken += SELFTEST_BYTES;
    for (uint32_t k = 0; k < SELFTEST_BYTES; k++)
        t->receive_bytes[(t->receive.written + k * step) % CHAR_TEST_SIZE] =
            queue.transmit_bytes[(written + k) % CHAR_TRANSMIT_SIZE];
    t->receive.written += step * SELFTEST_BYTES;
}

/* Between the test's bytes come others: such as a driver wrote there, or such as it only counted. */
static void test_judge_others(void **state)
{
    for (uint32_t i = 0; i < 300; i++) {
        struct char_test *t = &queue.test;
        uint32_t begin;

        answer_test(i * 7777, 17);
        begin = t->receive.taken;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
        for (uint32_t k = 0; k < 17 * SELFTEST_BYTES; k++)
            if (k % 17 != 0)
                t->receive_bytes[(begin + k) % CHAR_TEST_SIZE] = (uint8_t)('a' + k % 26);
        assert_int_equal(selftest_judge(&s, t), SELFTEST_GOOD);
    }
}

/* A driver that sends more than there is: what lies behind comes back, too. */
static void test_judge_more(void **state)
{
    for (uint32_t i = 0; i < 300; i++) {
        struct char_test *t = &queue.test;
        uint32_t written = CHAR_TRANSMIT_SIZE - 8 + i;

        answer_test(written, 1);
        assert_int_equal(selftest_judge(&s, t), SELFTEST_GOOD);
        for (uint32_t k = 0; k < SELFTEST_BEYOND; k++)
            t->receive_bytes[t->receive.written++ % CHAR_TEST_SIZE] =
                queue.transmit_bytes[(written + SELFTEST_BYTES + k) % CHAR_TRANSMIT_SIZE];
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
    }
}

/* Whatever a driver writes there. */
static void test_judge(void **state)
{
    for (uint32_t i = 0; i < 300; i++) {
        struct char_test *t = &queue.test;
        uint32_t begin;

        answer_test(i * 7777, 1);
        begin = t->receive.taken;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_GOOD);
        t->receive_bytes[(begin + 2) % CHAR_TEST_SIZE] ^= 4;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
        t->receive_bytes[(begin + 2) % CHAR_TEST_SIZE] ^= 4;
        t->transmit.taken--;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
        t->transmit.taken++;
        t->receive.written--;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
        t->receive.written = begin + 0x80000000u;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_WRONG);
        t->result = CHAR_TEST_BUSY;
        assert_int_equal(selftest_judge(&s, t), SELFTEST_BUSY);
        t->result = CHAR_TEST_DONE;
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rest),
        TEST(test_never_while_bytes_move),
        TEST(test_while_somebody_types),
        TEST(test_sent_after_a_rest),
        TEST(test_not_when_something_waits),
        TEST(test_sent_without_end),
        TEST(test_flood),
        TEST(test_wrong),
        TEST(test_found_in_time),
        TEST(test_no_answer),
        TEST(test_busy_has_patience),
        TEST(test_nobody_can_help),
        TEST(test_every_copy_is_ill),
        TEST(test_stuck_and_busy),
        TEST(test_stuck_and_lost),
        TEST(test_stuck_though_good),
        TEST(test_a_pause_proves_nothing),
        TEST(test_nobody_to_ask),
        TEST(test_judge),
        TEST(test_judge_others),
        TEST(test_judge_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
