/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pm/*.c lib/random/pool.c lib/service/*.c tests/unit/host/coro.c
// includes: servers/pm/main.c
// flags: -Itests/unit/host -D_GNU_SOURCE=
/*
 * The whole of PM over a kernel that the test plays, under ASan; VFS, VM and RS by script. Each test
 * is in a process of its own, with a PM that has just begun, an init, its child `one` and that one's
 * child `two`. Then anything, by seeds: PM_SEED=n runs that alone, PM_SEEDS and PM_STEPS say how many
 * of each; what is in pm_invariants.h holds after each step, and at the end nothing is left but init.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pm_call_tests.h"
#include "tests/unit/pm_random.h"

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

int __lsan_do_recoverable_leak_check(void);

static void outside(void)
{
    struct message m =
        message_of(PM_LIST, (struct pm_list_request){.first = 0, .grant = 1, .count = 20});

    switch (chance(4)) {
    case 0:
        server_signals(EP_OTHER, (percent(30) ? -some_pid() : some_pid()), some_signal());
        break;
    case 1:
        vm_victim = programs[chance((uint64_t)(top - programs))].ep;
        notified_bits |= NOTIFY_BIT(NOTIFY_BIT_MEMORY);
        break;
    case 2:
        check(server_calls(EP_OTHER, &m) > 0, "a list without init");
        break;
    default:
        server_names(EP_OTHER, PM_CREDENTIALS, programs[0].ep);
    }
}

static void something(void)
{
    struct program *p = &programs[chance((uint64_t)(top - programs))], *queued;
    unsigned what = (unsigned)chance(100);

    now += chance(20000);
    alarm_check();
    if (what < 30) {
        pm_step();
    } else if (what < 45) {
        queued = first_for(EP_VFS);
        if (queued)
            vfs_takes(queued);
    } else if (what < 58 && p->ep) {
        vfs_works(p);
    } else if (what < 65 && p->ep) {
        vm_works(p);
    } else if (what < 93 && p->ep && !p->blocked) {
        program_runs(p);
    } else if (what == 93) {
        now += chance(3000000);
    } else if (what == 94 && !is_ending_all) {
        outside();
    }
}

static unsigned processes_left(void)
{
    unsigned n = 0;

    for_processes (p)
        n++;
    return n;
}

static void run_random(uint64_t seed, long steps)
{
    calm = true;
    chance_begin(seed);
    world_begin();
    calm = false;
    for (long n = 0; n < steps; n++) {
        something();
        all_holds();
    }
    calm = is_ending_all = true;
    for (unsigned n = 0; processes_left() > 1; n++) {
        check(n < 200000, "there is no end");
        for_programs (p)
            if (n % 1000 == 0 && thread_of(p->ep) && !is_init(p))
                server_signals(EP_OTHER, process_of(p)->pid, SIGKILL);
        something();
        all_holds();
    }
    check(slots_used == 1 && !rs_shutdowns, "a slot is left");
    check(!__lsan_do_recoverable_leak_check(), "memory is left");
    if (verbose)
        fprintf(stderr, "seed %lu: pid %d, %u handlers, %u calls made again\n", (unsigned long)seed,
                pid_new(), handlers_run, calls_repeated);
}

static void test_anything(void **state)
{
    assert_int_equal(seeds_run("PM", run_random, 12, 10000), 0);
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
        DIRECTED(kept_by_a_server),
        DIRECTED(mask_of_a_call),
        DIRECTED(in_vm),
        DIRECTED(vforking),
        DIRECTED(executing),
        DIRECTED(timers),
        DIRECTED(timers_taken),
        DIRECTED(orphaned_groups),
        DIRECTED(futexes),
        DIRECTED(times_of_years),
        DIRECTED(failing_forks),
        DIRECTED(forks_in_parts),
        cmocka_unit_test(test_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
