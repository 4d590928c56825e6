/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client pays for looks at a queue of which nothing comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/service/account.h"

#define US 1000ull
#define MS 1000000ull
#define SHARE 500

static struct queue_account account;

static int setup(void **state)
{
    account_open(&account, SHARE, 7 * MS);
    account_fill(&account, 1000 * MS);
    return 0;
}

/* One look in each so many ns, each of which takes so long, until it is to be deferred: how long it could go on; 0: a
 * second, and no end. */
static uint64_t until_overdrawn(uint64_t each, uint64_t took)
{
    uint64_t begin = account.filled, now = begin;

    for (; now - begin < 1000 * MS; now += each)
        if (account_pay(&account, took) && account_fill(&account, now))
            return now - begin;
    return 0;
}

static void test_what_was_paid_before_counts_on(void **state)
{
    account_pay(&account, 3 * US);
    assert_int_equal(account.in_vain, 7 * MS + 3 * US);
}

/* More than its share: what it had is used up sooner or later. Less: never. */
static void test_share(void **state)
{
    assert_in_range(until_overdrawn(100 * US, 100 * US), 9 * MS, 11 * MS);
    setup(state);
    assert_in_range(until_overdrawn(100 * US, 60 * US), 45 * MS, 55 * MS);
    setup(state);
    assert_int_equal(until_overdrawn(100 * US, 49 * US), 0);
}

/* After a pause there is some again, and in the long run it has its share and no more. */
static void test_deferred(void **state)
{
    uint64_t now = account.filled, spent = 0, end = now + 1000 * MS;

    while (now < end) {
        now += 20 * US;
        if (account.is_deferred) {
            now += ACCOUNT_PAUSE;
            account.is_deferred = account_fill(&account, now);
            continue;
        }
        spent += 20 * US;
        account.is_deferred = account_pay(&account, 20 * US) && account_fill(&account, now);
    }
    assert_in_range(spent, 1000 * MS * SHARE / 1000 * 9 / 10, 1000 * MS * SHARE / 1000 * 11 / 10);
}

/* Whatever it owes, and however long it was left alone: it is looked at again soon, and has no more than a burst. */
static void test_bounds(void **state)
{
    uint64_t now = account.filled;

    for (unsigned n = 0; n < 1000; n++)
        account_pay(&account, 1000 * MS);
    assert_int_equal(account.in_vain, 7 * MS + 1000 * ACCOUNT_LOOK_MOST);
    assert_true(account_fill(&account, now + ACCOUNT_PAUSE));
    assert_false(account_fill(&account, now + 3 * ACCOUNT_PAUSE));
    account_fill(&account, now + 3600000 * MS);
    assert_int_equal(account.credit, ACCOUNT_BURST);
    account_fill(&account, UINT64_MAX);
    assert_int_equal(account.credit, ACCOUNT_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_was_paid_before_counts_on, setup),
        cmocka_unit_test_setup(test_share, setup),
        cmocka_unit_test_setup(test_deferred, setup),
        cmocka_unit_test_setup(test_bounds, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
