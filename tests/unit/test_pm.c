/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pm/*.c lib/random/pool.c lib/service/*.c tests/unit/host/coro.c
// includes: servers/pm/main.c
// flags: -Itests/unit/host -D_GNU_SOURCE=
/*
 * The whole of PM over a kernel that the test plays, under ASan; VFS, VM and RS by script. Each test
 * is in a process of its own, with a PM that has just begun, an init, its child `one` and that one's
 * child `two`.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pm_call_tests.h"

static void (*directed)(void);

static void run(uint64_t seed, long steps)
{
    test_begin();
    directed();
}

static void test_directed(void **state)
{
    directed = *state;
    verbose = number_of("PM", "VERBOSE", 0);
    assert_int_equal(apart(run, 0, 0), 0);
}

#define DIRECTED(name)                                                                             \
    {                                                                                              \
#name, test_directed, NULL, NULL, (void *)(name)                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIRECTED(handler_returns),
        DIRECTED(order),
        DIRECTED(nodefer),
        DIRECTED(resethand),
        DIRECTED(alternate_stack),
        DIRECTED(masks),
        DIRECTED(ignoring_discards),
        DIRECTED(restart),
        DIRECTED(sleeping),
        DIRECTED(suspend),
        DIRECTED(taking),
        DIRECTED(not_taking),
        DIRECTED(exceptions),
        DIRECTED(bad_frames),
        DIRECTED(stopping),
        DIRECTED(stop_against_continue),
        DIRECTED(continuing),
        DIRECTED(sleeping_stopped),
        DIRECTED(children),
        DIRECTED(orphans),
        DIRECTED(permission),
        DIRECTED(groups),
        DIRECTED(to_oneself),
        DIRECTED(threads_stop),
        DIRECTED(threads_choose),
        DIRECTED(threads_pass_on),
        DIRECTED(in_vfs),
        DIRECTED(mask_of_a_call),
        DIRECTED(in_vm),
        DIRECTED(vforking),
        DIRECTED(executing),
        DIRECTED(timers),
        DIRECTED(futexes),
        DIRECTED(failing_forks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
