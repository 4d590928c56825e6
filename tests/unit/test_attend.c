/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/service/attend.c lib/service/attend_loop.c
// flags: -Itests/unit/host
/* What the loop of a client does for drivers that keep it busy for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "abi/message.h"
#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/service/attend.h"

#define US 1000ull
#define MS 1000000ull
#define QUEUES 3 /* two drivers', and a file server's */
#define BIT(n) NOTIFY_BIT(NOTIFY_BIT_PEER + (n))

static struct queue_header headers[QUEUES];
static uint64_t now;
static uint64_t told; /* what we have notified ourselves of */
static unsigned said;

uint64_t clock_now(void)
{
    return now;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    told |= bits;
    return 0;
}

const struct service_info *service_info(void)
{
    static const struct service_info info = {.self = 77};

    return &info;
}

void log_info(const char *format, ...)
{
    said++;
}

/* A turn with these notifications, which takes so long: what is left of them. */
static uint64_t turn(uint64_t bits, uint64_t ns)
{
    uint64_t left = attend_begin(bits);

    now += ns;
    attend_end();
    attend_wait();
    return left;
}

/* Nothing comes but what we tell ourselves, until then. */
static void rest(uint64_t until)
{
    while (now < until) {
        uint64_t wait = attend_wait();

        now += wait ? wait : until - now;
    }
    attend_wait();
}

static int setup(void **state)
{
    static const uint32_t class[QUEUES] = {CLASS_CHAR, CLASS_BLOCK, CLASS_FS};

    rest(now + 1000 * MS); /* what the one before owes */
    turn(BIT(0) | BIT(1) | NOTIFY_BIT(NOTIFY_BIT_SERVICES), 0);
    for (uint32_t n = 0; n < QUEUES; n++)
        attend_queue(&(struct service_queue){.driver = "a driver",
                                             .address = (uintptr_t)&headers[n],
                                             .number = n,
                                             .class = class[n],
                                             .share = 500});
    headers[0].useful++;
    headers[1].useful++;
    turn(BIT(0) | BIT(1), 1 * US);
    told = 0;
    return 0;
}

/* It notifies each 20 us, and a look takes half of that and more. ms until it is deferred; 0: never in a second. */
static uint64_t until_deferred(uint64_t bits, void (*before)(void))
{
    for (uint64_t begin = now; now - begin < 1000 * MS; now += 8 * US) {
        if (before)
            before();
        turn(bits, 12 * US);
        if (attend_defers(0))
            return (now - begin) / MS;
    }
    return 0;
}

static void is_of_use(void)
{
    headers[0].useful++;
}

static void renews(void)
{
    headers[0].incarnation++;
    headers[0].useful++;
}

static void test_nothing_comes(void **state)
{
    uint64_t ms = until_deferred(BIT(0), NULL), vain = headers[0].in_vain_ns;

    assert_in_range(ms, 10, 60); /* 5 ms, of 10 per cent of the time more than half of it */
    assert_in_range(vain, 5 * MS, 40 * MS);
    assert_false(attend_defers(1));
    assert_int_equal(turn(BIT(0), 1 * US), 0); /* it is kept, but paid */
    assert_int_equal(headers[0].in_vain_ns, vain + 1 * US);
    assert_int_equal(turn(BIT(0) | BIT(1), 0), BIT(1));
    assert_int_equal(attend_more(0), 0);
    assert_int_equal(attend_more(1), BIT(1));
}

static void test_it_is_looked_at_again(void **state)
{
    assert_int_not_equal(until_deferred(BIT(0), NULL), 0);
    told = 0;
    for (uint64_t begin = now; attend_defers(0);) {
        uint64_t wait = attend_wait();

        assert_in_range(wait, 1, ACCOUNT_PAUSE);
        now += wait;
        attend_wait();
        assert_true(now - begin <= 20 * MS);
    }
    assert_int_equal(told, BIT(0)); /* though its notifications are gone */
    assert_int_equal(attend_wait(), 0);
}

static void test_who_is_of_use_pays_nothing(void **state)
{
    uint64_t vain = headers[0].in_vain_ns;

    assert_int_equal(until_deferred(BIT(0), is_of_use), 0);
    assert_int_equal(headers[0].in_vain_ns, vain);
}

static void test_a_fresh_copy_is_no_use_by_itself(void **state)
{
    assert_int_not_equal(until_deferred(BIT(0), renews), 0);
}

/* What else there is to do, an alarm or a file server's requests, is not its. */
static void test_turns_that_are_not_its(void **state)
{
    uint64_t vain = headers[0].in_vain_ns;

    assert_int_equal(until_deferred(BIT(0) | BIT(2), NULL), 0);
    assert_int_equal(until_deferred(BIT(0) | NOTIFY_BIT(NOTIFY_BIT_ALARM), NULL), 0);
    attend_begin(BIT(2));
    now += 5 * MS;
    attend_end();
    assert_int_equal(headers[0].in_vain_ns, vain);
    assert_int_equal(headers[2].in_vain_ns, 0);
}

/* Of a turn of two each pays its part; who was of use, nothing. */
static void test_two_in_a_turn(void **state)
{
    uint64_t vain = headers[0].in_vain_ns, other = headers[1].in_vain_ns;

    headers[1].useful++;
    turn(BIT(0) | BIT(1), 100 * US);
    assert_int_equal(headers[0].in_vain_ns, vain + 50 * US);
    assert_int_equal(headers[1].in_vain_ns, other);
}

/* The next copy does not wait for what the one before has done. */
static void test_news_of_services(void **state)
{
    assert_int_not_equal(until_deferred(BIT(0), NULL), 0);
    assert_int_equal(turn(BIT(0) | NOTIFY_BIT(NOTIFY_BIT_SERVICES), 0),
                     BIT(0) | NOTIFY_BIT(NOTIFY_BIT_SERVICES));
    assert_false(attend_defers(0));
}

static void test_the_log_is_told_once(void **state)
{
    said = 0;
    now += 20000 * MS;
    for (unsigned i = 0; i < 20; i++) {
        until_deferred(BIT(0), NULL);
        rest(now + 30 * MS);
    }
    assert_int_equal(said, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_comes, setup),
        cmocka_unit_test_setup(test_it_is_looked_at_again, setup),
        cmocka_unit_test_setup(test_who_is_of_use_pays_nothing, setup),
        cmocka_unit_test_setup(test_a_fresh_copy_is_no_use_by_itself, setup),
        cmocka_unit_test_setup(test_turns_that_are_not_its, setup),
        cmocka_unit_test_setup(test_two_in_a_turn, setup),
        cmocka_unit_test_setup(test_news_of_services, setup),
        cmocka_unit_test_setup(test_the_log_is_told_once, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
