/* SPDX-License-Identifier: BSD-2-Clause */
// includes: lib/driver/driverloop.c
// flags: -Itests/unit/host
/*
 * The loop of all drivers against a device, an interrupt line and a kernel that are played here.
 * Something comes to the device at each of the loop's steps in turn; whenever the driver sleeps it
 * must have served all of it. Each time with a line that is an edge, a level, and an MSI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static jmp_buf over;
enum over { OVER_NONE, OVER_SLEEPS, OVER_EXIT, OVER_PANIC, OVER_REFUSED };

static _Noreturn void host_exit(int status)
{
    longjmp(over, status ? OVER_REFUSED : OVER_EXIT);
}
#define exit host_exit
#include "lib/driver/driverloop.c"
#undef exit

enum { ROUNDS = 3, CALLER = 0x77, CLIENT = 0x55, STEPS_MAX = 400, STEPS_APART = 40 };

enum line { LEVEL, EDGE, MSI };

static struct {
    /* the device */
    enum line line;
    unsigned here; /* of what has come, and is not served */
    bool cause, masks; /* latched; the chip's own mask */
    bool was_up;
    /* the controller */
    bool line_masked;
    unsigned interrupts; /* raised, in all */
    uint64_t acknowledged; /* bits */
    /* the kernel */
    uint64_t bits, alarm, now;
    unsigned requests, replies, published, told, receives;
    uint64_t published_at;
    bool is_ready;
    /* the script */
    unsigned step, at, then; /* something comes at these steps */
    unsigned rounds; /* something that comes while the driver sleeps, so many times */
    unsigned brings; /* each thing that is served brings so many more, at once */
    bool shutdown_soon, requests_pour, settles_never, rest_never, moves_ever;
    unsigned shutdown_after; /* receives */
    /* what the class has done */
    unsigned served, turns, silenced, starts;
} world;

static struct service_info info;
static struct queue_header header;

const struct service_info *service_info(void)
{
    return &info;
}

/* ---- the line ---- */

static bool raises(bool up, bool rises)
{
    if (world.line == MSI)
        return rises;
    return !world.line_masked && (world.line == EDGE ? rises : up);
}

static void look(void)
{
    bool up = world.cause && !world.masks, rises = up && !world.was_up;

    world.was_up = up;
    if (!raises(up, rises))
        return;
    world.line_masked = world.line != MSI;
    world.interrupts++;
    world.bits |= NOTIFY_BIT(NOTIFY_BIT_IRQ);
}

static void come(void)
{
    world.here++;
    world.cause = true;
    look();
}

static void step(void)
{
    world.step++;
    if (world.step == world.at || world.step == world.then)
        come();
}

/* ---- the kernel ---- */

long irq_ack(unsigned n)
{
    step();
    world.acknowledged |= 1ull << n;
    if (n == 0) {
        world.line_masked = false;
        look(); /* (An edge that came meanwhile is gone.) */
    }
    step();
    return 0;
}

long ipc_receive(endpoint_t from, struct message *m, uint64_t timeout)
{
    step();
    world.receives++;
    assert_in_range(world.receives, 0, 100000); /* it spins */
    if (world.shutdown_after && world.receives >= world.shutdown_after)
        world.bits |= NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN);
    if (world.requests && (world.requests_pour || !world.bits)) {
        world.requests--;
        *m = (struct message){.source = CALLER, .type = 42};
        return 0;
    }
    if (!world.bits && timeout == RECEIVE_POLL)
        return -EAGAIN;
    info.stands_by = 0;
    if (!world.bits) { /* it sleeps */
        assert_int_equal(world.here, 0);
        if (world.alarm) {
            world.now = world.alarm > world.now ? world.alarm : world.now;
            world.alarm = 0;
            world.bits = NOTIFY_BIT(NOTIFY_BIT_ALARM);
        } else if (world.rounds) {
            world.rounds--;
            come();
            assert_int_not_equal(world.bits, 0); /* it is not deaf */
        } else {
            longjmp(over, OVER_SLEEPS);
        }
    }
    *m = (struct message){.type = MESSAGE_NOTIFY, .w = {world.bits}};
    world.bits = 0;
    return 0;
}

long ipc_reply(endpoint_t to, struct message *m, long result)
{
    assert_int_equal(to, CALLER);
    assert_int_equal(result, -ENOSYS);
    world.replies++;
    return 0;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    step();
    assert_int_equal(to, CLIENT);
    assert_int_equal(bits, NOTIFY_BIT(NOTIFY_BIT_PEER + 3));
    world.told++;
    return 0;
}

long clock_alarm(uint64_t when)
{
    world.alarm = when;
    return 0;
}

uint64_t clock_now(void)
{
    return world.now;
}

void service_ready(enum rs_ready how)
{
    assert_int_equal(how, RS_READY_ADOPTED);
    world.is_ready = true;
    step();
}

long service_publish(const char *key)
{
    assert_string_equal(key, "net/card");
    world.published++;
    world.published_at = world.now;
    return 0;
}

void log_info(const char *format, ...)
{
}

void panic(const char *format, ...)
{
    longjmp(over, OVER_PANIC);
}

void driver_start_failed(int status)
{
    assert_int_equal(status, -EIO);
    host_exit(1);
}

/* ---- two classes: one takes the causes back in each turn, one by clear() ---- */

static int device_open(const void *driver, const struct service_info *of,
                       struct driver_start *start)
{
    assert_ptr_equal(of, &info);
    *start = (struct driver_start){
        .device = &world, .header = &header, .class = "net", .state = QUEUE_DRIVER_ADOPTED};
    return driver ? -EIO : 0;
}

static void device_started(void *device)
{
    assert_true(world.is_ready);
    world.starts++;
    world.masks = false;
    look();
}

static unsigned device_serve(void *device)
{
    unsigned taken = world.here;

    step();
    world.turns++;
    world.here -= taken;
    world.served += taken;
    for (; taken && world.brings; world.brings--)
        come();
    step();
    return (taken || world.moves_ever ? DRIVER_MOVED : 0) | (taken ? DRIVER_TELL : 0);
}

static unsigned device_clear(void *device)
{
    step();
    world.cause = false;
    look();
    step();
    return 0;
}

static unsigned device_clear_and_serve(void *device)
{
    device_clear(device);
    return device_serve(device);
}

static bool device_settle(void *device)
{
    step();
    return !world.settles_never;
}

static void device_begin(void *device, const struct driver_wake *w)
{
    step();
    if (!w->interrupted || world.line == MSI) {
        world.masks = true;
        look();
    }
}

static bool device_rest(void *device, struct driver_wake *w)
{
    step();
    world.masks = false;
    look();
    return !world.rest_never;
}

static void device_silence(void *device)
{
    world.silenced++;
}

static const struct driver_class edge_class = {.interrupts = DRIVER_INTERRUPTS_EDGE,
                                               .turns = 8,
                                               .open = device_open,
                                               .started = device_started,
                                               .serve = device_clear_and_serve,
                                               .settle = device_settle,
                                               .silence = device_silence};

static const struct driver_class level_class = {.interrupts = DRIVER_INTERRUPTS_LEVEL,
                                                .turns = 8,
                                                .serves_first = true,
                                                .empty = "nothing is found",
                                                .open = device_open,
                                                .begin = device_begin,
                                                .serve = device_serve,
                                                .clear = device_clear,
                                                .settle = device_settle,
                                                .rest = device_rest,
                                                .silence = device_silence};

static int setup(void **state)
{
    memset(&world, 0, sizeof world);
    memset(&info, 0, sizeof info);
    memset(&header, 0, sizeof header);
    world.now = 1000;
    world.masks = true; /* as open() leaves it */
    info.queue.client = CLIENT;
    info.queue.number = 3;
    info.incarnation = 5;
    strcpy(info.name, "card");
    alarm_at = early = 0;
    return 0;
}

static enum over run(const struct driver_class *class)
{
    int how = setjmp(over);

    if (how == OVER_NONE)
        driver_loop_run(class, NULL);
    return (enum over)how;
}

/* ---- no interrupt is lost ---- */

/* Two things more come, at steps `at` and `then`, for all of both; and some while it sleeps. False:
 * there are not so many steps. */
static bool at_steps(const struct driver_class *class, enum line line, unsigned at, unsigned then)
{
    setup(NULL);
    world.line = line;
    world.at = at;
    world.then = then;
    world.rounds = ROUNDS;
    assert_int_equal(run(class), OVER_SLEEPS);
    if (world.step < then)
        return false;
    assert_int_equal(world.served, ROUNDS + 2);
    return true;
}

static void at_each_step(const struct driver_class *class, enum line line)
{
    unsigned at = 1;

    for (unsigned then = at + 1; at_steps(class, line, at, then); at++, then = at + 1)
        while (then < at + STEPS_APART && at_steps(class, line, at, then))
            then++;
    assert_in_range(at, 30, STEPS_MAX);
}

static void test_edge(void **state)
{
    at_each_step(&edge_class, EDGE);
}

static void test_edge_that_is_a_level(void **state)
{
    at_each_step(&edge_class, LEVEL);
}

static void test_edge_that_is_an_msi(void **state)
{
    at_each_step(&edge_class, MSI);
}

static void test_level(void **state)
{
    at_each_step(&level_class, LEVEL);
}

static void test_level_that_is_an_msi(void **state)
{
    at_each_step(&level_class, MSI);
}

/* An interrupt each: none comes a second time because it was acknowledged too early. */
static void test_none_comes_twice(void **state)
{
    static const struct driver_class *const classes[] = {&edge_class, &level_class};

    for (unsigned i = 0; i < 2; i++) {
        setup(NULL);
        world.line = LEVEL;
        world.rounds = ROUNDS;
        assert_int_equal(run(classes[i]), OVER_SLEEPS);
        assert_int_equal(world.interrupts, ROUNDS);
    }
}

/* What our own work brings does not interrupt it, where that can be had. */
static void test_answers_do_not_interrupt(void **state)
{
    world.line = LEVEL;
    world.rounds = 1;
    world.brings = 5;
    assert_int_equal(run(&level_class), OVER_SLEEPS);
    assert_int_equal(world.served, 6);
    assert_int_equal(world.interrupts, 1);
}

static void test_all_are_acknowledged(void **state)
{
    world.bits = NOTIFY_BIT(NOTIFY_BIT_IRQ) | NOTIFY_BIT(NOTIFY_BIT_IRQ + 7);
    assert_int_equal(run(&edge_class), OVER_SLEEPS);
    assert_int_equal(world.acknowledged, 1 | 1 << 7);
    setup(state);
    world.bits = NOTIFY_BIT(NOTIFY_BIT_IRQ + 2);
    assert_int_equal(run(&level_class), OVER_SLEEPS);
    assert_int_equal(world.acknowledged, 1 << 2);
}

/* Its predecessor's last interrupt is the first thing that one hears that has stood by. */
static void stood_by(const struct driver_class *class)
{
    setup(NULL);
    info.stands_by = 1;
    world.line = LEVEL;
    world.masks = false;
    world.rounds = ROUNDS;
    come();
    stand_by();
    assert_true(world.line_masked);
    world.masks = true; /* by open() */
    assert_int_equal(run(class), OVER_SLEEPS);
    assert_int_equal(world.served, ROUNDS + 1);
}

static void test_stood_by(void **state)
{
    stood_by(&edge_class);
    stood_by(&level_class);
}

/* ---- alarms ---- */

static void alarm_started(void *device)
{
    driver_wake_in(50000000);
    assert_int_equal(world.alarm, 1000 + 50000000);
    driver_wake_in(1000000);
    assert_int_equal(world.alarm, 1000 + 1000000); /* "at the latest" */
    driver_wake_in(2000000);
    assert_int_equal(world.alarm, 1000 + 1000000);
}

static uint64_t woken[8];
static unsigned wakes;

static bool alarm_rest(void *device, struct driver_wake *w)
{
    if (wakes < 8)
        woken[wakes++] = world.now;
    w->alarm_ns = wakes < 5 ? 3000000 : 0;
    return true;
}

/* An early alarm wakes, and the name is published when it was to be, once. */
static void test_alarms(void **state)
{
    struct driver_class class = edge_class;

    wakes = 0;
    class.started = alarm_started;
    class.rest = alarm_rest;
    assert_int_equal(run(&class), OVER_SLEEPS);
    assert_int_equal(wakes, 5);
    assert_int_equal(woken[0], 1000);
    assert_int_equal(woken[1], 1001000);
    assert_int_equal(woken[2], 4001000);
    assert_int_equal(woken[3], 1000 + AFTERWARDS);
    assert_int_equal(woken[4], 8001000);
    assert_int_equal(world.published, 1);
    assert_int_equal(world.published_at, 1000 + AFTERWARDS);
}

/* ---- requests, the end ---- */

static void test_request_while_interrupts_pour(void **state)
{
    world.line = LEVEL;
    world.rounds = ROUNDS;
    world.brings = 1000;
    world.requests = 100;
    world.requests_pour = true;
    assert_int_equal(run(&level_class), OVER_SLEEPS);
    assert_int_equal(world.replies, 100);
    assert_int_equal(world.served, ROUNDS + 1000);
}

/* Who calls a driver does not keep it from its work. */
static void test_requests_pour(void **state)
{
    unsigned turns;

    world.moves_ever = true; /* never done */
    world.requests = 100;
    world.requests_pour = true;
    world.shutdown_after = 101;
    assert_int_equal(run(&edge_class), OVER_EXIT);
    assert_int_equal(world.replies, 100);
    turns = world.turns;
    assert_in_range(turns, 101 * 8, 102 * 8);
}

/* A client that posts for ever does not keep it from its end. */
static void test_shutdown(void **state)
{
    static const struct driver_class *const classes[] = {&edge_class, &level_class};

    for (unsigned i = 0; i < 2; i++) {
        setup(state);
        world.settles_never = true;
        world.shutdown_after = 5;
        assert_int_equal(run(classes[i]), OVER_EXIT);
        assert_int_equal(world.silenced, 1);
    }
}

static void test_start(void **state)
{
    assert_int_equal(run(&edge_class), OVER_SLEEPS);
    assert_int_equal(header.incarnation, 5);
    assert_int_equal(header.driver_state, QUEUE_DRIVER_ADOPTED);
    assert_int_equal(header.ready_ns, 1000);
    assert_int_equal(world.told, 1); /* that there is a driver */
    assert_int_equal(world.starts, 1);
    assert_int_equal(world.published, 1);
    setup(state);
    world.here = 1;
    assert_int_equal(run(&level_class), OVER_SLEEPS);
    assert_int_equal(world.told, 1); /* it is told of both at once */
    setup(state);
    if (setjmp(over) == OVER_NONE)
        driver_loop_run(&edge_class, "it does not answer");
    assert_int_equal(header.incarnation, 0);
}

/* A chip that says that it has more, and nothing is found. */
static void test_empty(void **state)
{
    struct driver_class class = level_class;

    world.rest_never = true;
    world.shutdown_after = 3 * EMPTY_MAX;
    assert_int_equal(run(&class), OVER_PANIC);
    assert_in_range(world.receives, EMPTY_MAX, EMPTY_MAX + 2);
    setup(state);
    world.rest_never = true;
    world.shutdown_after = 3 * EMPTY_MAX;
    class.empty = NULL; /* of other classes that is no fault */
    assert_int_equal(run(&class), OVER_EXIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_edge, setup),
        cmocka_unit_test_setup(test_edge_that_is_a_level, setup),
        cmocka_unit_test_setup(test_edge_that_is_an_msi, setup),
        cmocka_unit_test_setup(test_level, setup),
        cmocka_unit_test_setup(test_level_that_is_an_msi, setup),
        cmocka_unit_test_setup(test_none_comes_twice, setup),
        cmocka_unit_test_setup(test_answers_do_not_interrupt, setup),
        cmocka_unit_test_setup(test_all_are_acknowledged, setup),
        cmocka_unit_test_setup(test_stood_by, setup),
        cmocka_unit_test_setup(test_alarms, setup),
        cmocka_unit_test_setup(test_request_while_interrupts_pour, setup),
        cmocka_unit_test_setup(test_requests_pour, setup),
        cmocka_unit_test_setup(test_shutdown, setup),
        cmocka_unit_test_setup(test_start, setup),
        cmocka_unit_test_setup(test_empty, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
