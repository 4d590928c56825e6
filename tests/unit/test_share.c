/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vfs/share.c
/* What users may have of what VFS keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "servers/vfs/share.h"

static size_t take_all(uint32_t uid, enum share_kind kind)
{
    size_t n = 0;

    while (share_take(share_of(uid), kind, 1))
        n++;
    return n;
}

static void give_all(uint32_t uid, enum share_kind kind)
{
    share_give(share_of(uid), kind, share_of(uid)->has[kind]);
}

/* One has half, any number of them seven eighths, root the rest. */
static void test_parts(void **state)
{
    for (enum share_kind kind = 0; kind < SHARE_KINDS; kind++) {
        size_t one = take_all(1000, kind), more = take_all(1001, kind), none = take_all(1002, kind),
               root = take_all(0, kind), most = one + more + root;

        assert_int_equal(one, most / 2);
        assert_int_equal(one + more, most - most / 8);
        assert_int_equal(none, 0);
        give_all(1001, kind);
        assert_int_equal(take_all(1000, kind), 0);
        assert_int_equal(take_all(1002, kind), more);
        for (uint32_t uid = 1000; uid < 1003; uid++)
            give_all(uid, kind);
        assert_int_equal(take_all(0, kind), most - root);
        give_all(0, kind);
    }
}

/* Too much at once takes nothing. */
static void test_much(void **state)
{
    struct share *s = share_of(1000);

    assert_false(share_take(s, SHARE_PATHS, SIZE_MAX));
    assert_false(share_take(s, SHARE_PATHS, SIZE_MAX / 2));
    assert_false(share_take(NULL, SHARE_PATHS, 1));
    assert_int_equal(s->has[SHARE_PATHS], 0);
    assert_true(share_take(s, SHARE_PATHS, 4096));
    assert_ptr_equal(share_of(1000), s); /* it stays, whoever comes */
    assert_true(share_take(share_of(7), SHARE_PATHS, 1));
    assert_ptr_equal(share_of(1000), s);
    give_all(7, SHARE_PATHS);
    give_all(1000, SHARE_PATHS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_much)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
