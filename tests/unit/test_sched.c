/* SPDX-License-Identifier: BSD-2-Clause */
// includes: kernel/sched.c kernel/guard.c
/* Who runs: priorities, turns, and, over random events, that nobody who is better waits for somebody
 * worse, and nobody for ever. A tick of the TSC is a nanosecond here. */
#include "kernel_world.h"

static uint64_t tsc = 1000;
#define arch_tsc() tsc

#include "kernel/guard.c"
#include "kernel/sched.c"

#define SLOTS 12
#define TURN (TURN_MS * 1000000ull)

uint64_t arch_tsc_hz = 1000000000, clock_earliest = ~0ull;
static uint64_t timer_set_to; /* what the kernel has asked for */
static struct slot *wakes_from_idle;
static unsigned idles;

void arch_timer_set(uint64_t when)
{
    timer_set_to = when;
}

uint64_t arch_clock(uint64_t at)
{
    return arch_scale(at - kernel_page.tsc_boot, 1000000000, kernel_page.tsc_hz);
}

uint64_t arch_clock_ticks(uint64_t ns)
{
    return kernel_page.tsc_boot + arch_scale(ns, kernel_page.tsc_hz, 1000000000);
}

bool frame_clear_ahead(void)
{
    return false;
}

void arch_idle(bool halt)
{
    idles++;
    tsc += 500;
    sched_timer();
    if (wakes_from_idle)
        sched_ready(wakes_from_idle);
    wakes_from_idle = NULL;
}

static struct slot *process(unsigned index, uint8_t priority)
{
    struct slot *s = world_slot(index, SERVICE_ID_PROGRAM);

    s->priority = priority;
    s->state = SLOT_CALLING_STATE;
    return s;
}

static int setup(void **state)
{
    memset(slots, 0, sizeof slots);
    memset(turns, 0, sizeof turns);
    current = woken = NULL;
    schedule = (struct schedule){.timer = ~0ull};
    timer_at = ~0ull;
    sched_start();
    return 0;
}

static void test_priority(void **state)
{
    struct slot *low = process(1, 5), *high = process(2, 1);

    sched_ready(low);
    sched_ready(high);
    assert_ptr_equal(sched_next(NULL), high);
    high->state = SLOT_RECEIVING;
    assert_ptr_equal(sched_next(high), low);
    sched_ready(high); /* an interrupt: it comes at once */
    assert_ptr_equal(sched_next(low), high);
}

static void test_call_and_return_go_straight(void **state)
{
    struct slot *program = process(1, 5), *server = process(2, 2), *other = process(3, 5);

    sched_ready(program);
    program->turn_end = tsc + TURN;
    sched_ready(other);
    assert_ptr_equal(sched_next(NULL), program);
    for (unsigned i = 0; i < 10; i++) { /* it calls, is answered: the other is not next */
        program->state = SLOT_CALLING_STATE;
        sched_ready(server);
        assert_ptr_equal(sched_next(program), server);
        server->state = SLOT_RECEIVING;
        sched_ready(program);
        assert_ptr_equal(sched_next(server), program);
        tsc += 10;
    }
}

static void test_turns(void **state)
{
    struct slot *s[3], *runs = NULL;
    uint64_t begin = tsc;

    for (unsigned i = 0; i < 3; i++)
        sched_ready(s[i] = process(1 + i, 5));
    for (unsigned i = 0; i < 3000; i++) {
        runs = sched_next(runs);
        assert_true(timer_set_to <= runs->turn_end); /* its turn will be ended */
        tsc += TURN / 10;
        if (tsc >= timer_set_to)
            sched_timer();
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(s[i]->cpu_ticks, (tsc - begin) / 3 - 2 * TURN,
                        (tsc - begin) / 3 + 2 * TURN);
}

/* One that calls a server all the time does not keep the others of its priority out by it. */
static void test_turns_of_one_that_calls(void **state)
{
    struct slot *calls = process(1, 5), *server = process(2, 2), *other = process(3, 5);
    struct slot *runs = NULL;
    uint64_t theirs = 0, others = 0;

    sched_ready(calls);
    sched_ready(other);
    for (unsigned i = 0; i < 20000; i++) {
        runs = sched_next(runs);
        tsc += TURN / 20;
        *(runs == other ? &others : &theirs) += TURN / 20;
        if (tsc >= timer_set_to)
            sched_timer();
        if (runs == calls && i % 3 == 0) {
            calls->state = SLOT_CALLING_STATE;
            sched_ready(server);
        } else if (runs == server) {
            server->state = SLOT_RECEIVING;
            sched_ready(calls);
        }
    }
    assert_in_range(others, (others + theirs) / 4, (others + theirs) * 3 / 4);
}

/* The server that has answered has others waiting, always: the caller still has all of its turn, and
 * not one call each time that all others have had theirs. */
static void test_turn_goes_on_though_the_server_is_busy(void **state)
{
    struct slot *calls = process(1, 5), *server = process(2, 2), *other = process(3, 5);
    struct slot *runs = NULL;
    uint64_t theirs = 0, others = 0;
    unsigned answered = 0;

    sched_ready(calls);
    sched_ready(other);
    for (unsigned i = 0; i < 20000; i++) {
        runs = sched_next(runs);
        tsc += TURN / 50;
        *(runs == other ? &others : &theirs) += TURN / 50;
        if (tsc >= timer_set_to)
            sched_timer();
        if (runs == calls) {
            calls->state = SLOT_CALLING_STATE;
            sched_ready(server);
        } else if (runs == server && calls->state != SLOT_READY) {
            sched_ready(calls); /* and it goes on, with the next one's request */
            answered++;
        } else if (runs == server)
            server->state = SLOT_RECEIVING;
    }
    assert_in_range(others, (others + theirs) / 4, (others + theirs) * 3 / 4);
    assert_true(answered > others / TURN * 10); /* (one for each of the other's turns) */
}

/* Nor does it get a turn more when it has always called shortly before its end. */
static void test_turn_that_ends_in_the_queue(void **state)
{
    struct slot *calls = process(1, 5), *server = process(2, 2), *other = process(3, 5);
    struct slot *runs = NULL;
    uint64_t others = 0, begin = tsc;

    sched_ready(calls);
    sched_ready(other);
    for (unsigned i = 0; i < 20000; i++) {
        runs = sched_next(runs);
        if (runs == calls) { /* to just before its end */
            tsc = runs->turn_end - 1000;
            calls->state = SLOT_CALLING_STATE;
            sched_ready(server);
        } else if (runs == server && calls->state != SLOT_READY)
            sched_ready(calls);
        else if (runs == server) {
            tsc += 2000;
            server->state = SLOT_RECEIVING;
        } else {
            tsc += TURN / 10;
            others += TURN / 10;
        }
        if (tsc >= timer_set_to)
            sched_timer();
    }
    assert_in_range(others, (tsc - begin) / 4, (tsc - begin) * 3 / 4);
}

static void test_stopped(void **state)
{
    struct slot *a = process(1, 5), *b = process(2, 5);

    a->stopped = true;
    sched_ready(a);
    sched_ready(b);
    assert_ptr_equal(sched_next(NULL), b);
    b->stopped = true;
    wakes_from_idle = process(3, 5);
    idles = 0;
    assert_ptr_equal(sched_next(b), &slots[3]);
    assert_int_equal(idles, 1);
    assert_int_equal(b->cpu_ticks, 0); /* nobody pays for an idle processor */
}

static void test_deadline_sets_the_timer(void **state)
{
    struct slot *a = process(1, 5);

    sched_ready(a);
    clock_earliest = tsc + 100;
    assert_ptr_equal(sched_next(NULL), a);
    assert_int_equal(timer_set_to, clock_earliest);
    clock_earliest = ~0ull;
}

static bool may_run(const struct slot *s)
{
    return s->state == SLOT_READY && !s->stopped;
}

/* What happens to the one that runs, and to others, by chance. */
static void happens(struct slot *runs)
{
    struct slot *other = &slots[1 + (unsigned)rand() % SLOTS];

    tsc += (uint64_t)rand() % (TURN / 4);
    if (tsc >= timer_set_to)
        sched_timer();
    switch (rand() % 6) {
    case 0:
        runs->state = SLOT_CALLING_STATE;
        break;
    case 1:
        if (other->state != SLOT_READY)
            sched_ready(other);
        break;
    case 2: /* as proc.c does it */
        other->stopped = !other->stopped;
        if (other->state == SLOT_READY)
            (other->stopped ? sched_remove : sched_ready)(other);
        break;
    case 3: /* a call */
        if (other->state != SLOT_READY && !other->stopped) {
            runs->state = SLOT_CALLING_STATE;
            sched_ready(other);
        }
        break;
    default:
        break;
    }
}

static void test_random(void **state)
{
    static uint64_t waits[SLOTS + 1];
    struct slot *runs = NULL;

    srand(1);
    memset(waits, 0, sizeof waits);
    for (unsigned i = 1; i <= SLOTS; i++)
        sched_ready(process(i, (uint8_t)(i % 3)));
    for (unsigned i = 0; i < 100000; i++) {
        bool nobody = true;

        for (unsigned k = 1; k <= SLOTS; k++)
            nobody &= !may_run(&slots[k]);
        if (nobody) {
            wakes_from_idle = &slots[1 + (unsigned)rand() % SLOTS];
            wakes_from_idle->stopped = false;
            wakes_from_idle->state = SLOT_CALLING_STATE;
        }
        runs = sched_next(runs);
        assert_true(may_run(runs));
        assert_ptr_equal(current, runs);
        for (unsigned k = 1; k <= SLOTS; k++) {
            bool waits_now = may_run(&slots[k]) && &slots[k] != runs;

            if (waits_now)
                assert_true(slots[k].priority >= runs->priority);
            waits[k] = waits_now && slots[k].priority == runs->priority ? waits[k] + 1 : 0;
            assert_true(waits[k] < 400); /* its equals do not keep it out */
        }
        for (int events = rand() % 4; events-- > 0;)
            happens(runs);
    }
}

/* Other rates at any time: it never goes back, and what is waited for is waited for at the new one. */
static void test_clock_rate(void **state)
{
    const uint64_t wrong = arch_tsc_hz / 50;
    uint64_t before, rate[1] = {arch_tsc_hz + wrong};

    assert_int_equal(call_clock_rate(NULL, rate), -EINVAL);
    rate[0] = arch_tsc_hz - wrong;
    assert_int_equal(call_clock_rate(NULL, rate), -EINVAL);
    for (unsigned i = 0; i < 100000; i++) {
        before = arch_clock(tsc);
        rate[0] = arch_tsc_hz - wrong / 2 + (uint64_t)rand() % wrong;
        assert_int_equal(call_clock_rate(NULL, rate), 0);
        assert_in_range(arch_clock(tsc), before, before + 2);
        tsc += (uint64_t)rand() % 3000;
    }
    before = arch_clock(tsc); /* from now on twelve hours at one rate */
    tsc += rate[0] * 43200;
    assert_in_range(arch_clock(tsc) - before, 43200000000000 - 2, 43200000000000 + 2);
    kernel_page = (struct kernel_page){.tsc_hz = arch_tsc_hz};
}

/* The root task spins, and nobody else has anything to wait for: it is sent to where it has said. It is not after each word from it, and not for ever when it has none. */
static void test_guard(void **state)
{
    const uint64_t wants[] = {0x400000, 50000000}, too_much[] = {0, GUARD_NS_MAX + 1},
                   nowhere[] = {USER_END, 1};
    struct slot *root = world_slot(1, SERVICE_ID_ROOT), *other = process(2, 5);
    unsigned times;

    assert_false(guard_enter(root, 6)); /* it has not said anything */
    assert_int_equal(call_guard(other, wants), -EPERM);
    assert_int_equal(call_guard(root, too_much), -EINVAL);
    assert_int_equal(call_guard(root, nowhere), -EINVAL);
    assert_int_equal(call_guard(root, wants), 0);
    assert_false(guard_enter(other, 6));
    root->priority = 1;
    root->registers.rip = 0x1234;
    sched_ready(root);
    clock_earliest = arch_clock(tsc) + 1000000000; /* clock.c's LONGEST */
    assert_ptr_equal(sched_next(NULL), root);
    for (int words = 0; words < 3; words++) {
        assert_ptr_equal(sched_next(root), root);
        assert_true(timer_set_to <= arch_clock(tsc) + 50000000);
        tsc += 49999000;
        sched_timer();
        guard_time(root);
        assert_int_equal(root->registers.rip, 0x1234);
        assert_int_equal(call_guard(root, wants), 0);
    }
    sched_next(root);
    tsc += 50000000;
    sched_timer();
    guard_time(other);
    guard_time(root);
    assert_int_equal(root->registers.rip, 0x400000);
    assert_int_equal(root->registers.rcx, 0x1234);
    assert_int_equal(root->registers.r11, GUARD_TIME);
    for (times = 1; guard_enter(root, 14); times++)
        assert_int_equal(root->registers.r11, 14);
    assert_int_equal(times, DEATHS_MAX);
    clock_earliest = ~0ull;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_priority, setup),
        cmocka_unit_test_setup(test_call_and_return_go_straight, setup),
        cmocka_unit_test_setup(test_turns, setup),
        cmocka_unit_test_setup(test_turns_of_one_that_calls, setup),
        cmocka_unit_test_setup(test_turn_goes_on_though_the_server_is_busy, setup),
        cmocka_unit_test_setup(test_turn_that_ends_in_the_queue, setup),
        cmocka_unit_test_setup(test_stopped, setup),
        cmocka_unit_test_setup(test_deadline_sets_the_timer, setup),
        cmocka_unit_test_setup(test_random, setup),
        cmocka_unit_test_setup(test_clock_rate, setup),
        cmocka_unit_test_setup(test_guard, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
