/* SPDX-License-Identifier: BSD-2-Clause */
// sources: kernel/ipc.c kernel/seize.c kernel/clock.c
/* Messages between processes, who pays for what is done, and seizing: each rule by itself. */
#include "ipc_world.h"

static struct slot *a, *b, *c;

static int setup(void **state)
{
    for (unsigned i = 1; i < 8; i++)
        if (slots[i].state != SLOT_FREE)
            ipc_dying(&slots[i]);
    a = world_slot(1, 1);
    b = world_slot(2, 2);
    c = world_slot(3, 3);
    return 0;
}

static void call(struct slot *from, const struct slot *to, uint64_t type)
{
    from->registers = (struct registers){.rdi = (uint64_t)to->endpoint, .rsi = type};
    ipc_call(from);
}

static void receive(struct slot *s)
{
    s->registers = (struct registers){.rdi = (uint64_t)ENDPOINT_ANY};
    ipc_receive(s);
}

static void test_order_of_arrival(void **state)
{
    struct slot *d = world_slot(4, 4);

    call(b, a, 20);
    call(c, a, 30);
    call(d, a, 40);
    for (uint64_t type = 20; type <= 40; type += 10) {
        receive(a);
        assert_int_equal(a->registers.rsi, type);
    }
}

static void test_notifications_come_first(void **state)
{
    call(b, a, 20);
    ipc_notify(a, 4);
    ipc_notify(a, 8);
    receive(a);
    assert_int_equal(a->registers.rsi, MESSAGE_NOTIFY);
    assert_int_equal(a->registers.rdx, 12); /* both at once */
    receive(a);
    assert_int_equal(a->registers.rsi, 20);
}

static void test_no_right_to_call(void **state)
{
    a->rights.may_call = 0;
    call(a, b, 20);
    assert_int_equal(a->registers.rax, (uint64_t)-EPERM);
    assert_int_equal(a->state, SLOT_READY);
    b->rights.may_forward = 0;
    call(c, b, 20);
    receive(b);
    b->registers = (struct registers){.rdi = (uint64_t)c->endpoint, .r14 = (uint64_t)a->endpoint};
    ipc_forward(b);
    assert_int_equal(b->registers.rax, (uint64_t)-EPERM);
    assert_true(ipc_blocked_on(c, b)); /* it has it still */
}

static void test_answer_of_somebody_else(void **state)
{
    call(b, a, 20);
    receive(a);
    c->registers = (struct registers){.rdi = (uint64_t)b->endpoint, .rsi = 1};
    ipc_reply(c);
    assert_int_equal(c->registers.rax, (uint64_t)-ENOTREADY);
    assert_int_equal(b->state, SLOT_CALLING_STATE);
}

static void test_callee_dies(void **state)
{
    call(b, a, 20);
    call(c, a, 30);
    receive(a); /* one received, one not */
    ipc_dying(a);
    assert_int_equal(b->registers.rax, (uint64_t)-EDEADSRCDST);
    assert_int_equal(c->registers.rax, (uint64_t)-EDEADSRCDST);
    assert_int_equal(b->state, SLOT_READY);
}

/* They learn of it in parts; meanwhile nobody finds the dead one. */
static void test_callee_of_many_dies(void **state)
{
    unsigned parts = 1, told = 0;

    for (unsigned i = 10; i < 900; i++)
        call(world_slot(i, 3), a, 20);
    while (ipc_dying(a)) {
        parts++;
        call(b, a, 20);
        assert_int_equal(b->registers.rax, (uint64_t)-EDEADSRCDST);
    }
    for (unsigned i = 10; i < 900; i++) {
        told += slots[i].registers.rax == (uint64_t)-EDEADSRCDST && slots[i].state == SLOT_READY;
        ipc_dying(&slots[i]);
    }
    assert_int_equal(told, 890);
    assert_in_range(parts, 4, 20);
}

/* What one has handed on comes back to it when the other dies; it knows whose it was. */
static void test_bounce(void **state)
{
    call(c, b, 20);
    receive(b);
    b->registers = (struct registers){
        .rdi = (uint64_t)c->endpoint, .rsi = 21, .rdx = 5, .r14 = (uint64_t)a->endpoint};
    ipc_forward(b);
    receive(a);
    assert_int_equal(a->registers.rsi, 21);
    assert_int_equal(a->registers.rdi >> 32, (uint32_t)b->endpoint);
    ipc_dying(a);
    receive(b);
    assert_int_equal(b->registers.rsi, MESSAGE_BOUNCED);
    assert_int_equal((endpoint_t)b->registers.rdi, c->endpoint);
    assert_int_equal(b->registers.rdx, (uint32_t)a->endpoint);
    assert_int_equal(b->registers.r10, 21);
    assert_int_equal(b->registers.r8, 5);
}

static void test_caller_dies(void **state)
{
    call(b, a, 20);
    receive(a);
    ipc_dying(b);
    a->registers = (struct registers){.rdi = (uint64_t)endpoint_make(2, b->generation)};
    ipc_reply(a);
    assert_int_equal(a->registers.rax, (uint64_t)-EDEADSRCDST);
    call(c, a, 30);
    ipc_dying(c); /* not yet received */
    a->registers = (struct registers){.rdi = (uint64_t)ENDPOINT_ANY, .r14 = RECEIVE_POLL};
    ipc_receive(a);
    assert_int_equal(a->registers.rax, (uint64_t)-EAGAIN);
}

static void reply(struct slot *from, const struct slot *to)
{
    from->registers = (struct registers){.rdi = (uint64_t)to->endpoint};
    ipc_reply(from);
}

/* Along the chain of those who wait. */
static void test_who_asked_pays(void **state)
{
    uint64_t before;

    call(a, b, 20);
    receive(b);
    assert_ptr_equal(b->payer, a);
    call(b, c, 30);
    receive(c);
    assert_ptr_equal(c->payer, a);
    before = a->paid_ticks;
    reply(c, b);
    assert_int_equal(a->paid_ticks, before);
    receive(c); /* what it has done so far has been done for a */
    assert_true(a->paid_ticks > before);
    assert_ptr_equal(c->payer, c);
    assert_ptr_equal(b->payer, a);
}

/* A request that was put aside, and is done after a notification. */
static void test_who_is_answered_pays(void **state)
{
    uint64_t before;

    call(a, c, 20);
    receive(c);
    ipc_notify(c, 4);
    receive(c);
    assert_ptr_equal(c->payer, c);
    before = a->paid_ticks;
    reply(c, a);
    assert_true(a->paid_ticks > before);
    assert_ptr_equal(c->payer, c);
    call(a, c, 20);
    receive(c);
    before = b->paid_ticks;
    call(b, c, 30);
    receive(c);
    assert_int_equal(b->paid_ticks, before);
    reply(c, a); /* asked by b: a, who gets his at this occasion, does not pay */
    receive(c);
    assert_true(b->paid_ticks > before);
}

static void test_payer_dies(void **state)
{
    call(a, b, 20);
    receive(b);
    ipc_dying(a);
    assert_ptr_equal(b->payer, b);
}

static void test_deadline(void **state)
{
    b->registers = (struct registers){.rdi = (uint64_t)a->endpoint, .r14 = 100};
    ipc_call(b);
    world_now += 99;
    clock_timer();
    assert_int_equal(b->state, SLOT_CALLING_STATE);
    world_now += 1;
    clock_timer();
    assert_int_equal(b->registers.rax, (uint64_t)-ETIMEDOUT);
    assert_true(list_empty(&a->callers));
    /* the longest that there is never ends, and never overflows */
    b->registers = (struct registers){.rdi = (uint64_t)a->endpoint, .r14 = ~0ull - 1};
    ipc_call(b);
    world_now += 1ull << 60;
    clock_timer();
    assert_int_equal(b->state, SLOT_CALLING_STATE);
}

/* ---- seizing: a is PM, b a server that has the program c in a system call ---- */

static void begin_seized(void)
{
    endpoint_t server;

    c->registers = (struct registers){.rax = 39};
    ipc_linux(c, b);
    receive(b);
    assert_int_equal(ipc_seize(c, a, &server), SEIZED_SYSCALL);
    assert_int_equal(server, b->endpoint);
    assert_true(ipc_in_hands_of(c, b)); /* it may still copy */
    assert_false(ipc_blocked_on(c, b));
}

static long answered(struct slot *by, long result)
{
    by->registers = (struct registers){.rdi = (uint64_t)c->endpoint, .rsi = (uint64_t)result};
    ipc_reply(by);
    return (long)by->registers.rax;
}

static void hand_on(struct slot *from, const struct slot *to, uint64_t type)
{
    from->registers = (struct registers){
        .rdi = (uint64_t)c->endpoint, .rsi = type, .r14 = (uint64_t)to->endpoint};
    ipc_forward(from);
    assert_int_equal(from->registers.rax, 0);
}

static long late(void)
{
    a->registers = (struct registers){.rdi = (uint64_t)c->endpoint};
    ipc_late_answer(a);
    return (long)a->registers.rax;
}

static void test_late_answer(void **state)
{
    begin_seized();
    assert_int_equal(answered(b, 55), 0);
    assert_int_equal(answered(b, 56), -ENOTREADY); /* once */
    assert_int_equal(late(), 0);
    assert_int_equal(a->registers.rsi, 55);
    assert_int_equal((endpoint_t)a->registers.rdi, b->endpoint);
    assert_int_equal(late(), -ENOENT);
    assert_int_equal(answered(a, 7), 0);
    assert_int_equal(c->registers.rax, 7);
}

static void test_asked_too_early(void **state)
{
    begin_seized();
    assert_int_equal(late(), -ENOENT);
    assert_int_equal(answered(b, 55), -ENOTREADY); /* from the question on it has it no more */
    assert_false(ipc_in_hands_of(c, b));
}

static void test_seizer_answers(void **state)
{
    begin_seized();
    assert_int_equal(answered(a, 7), 0);
    assert_int_equal(c->state, SLOT_READY);
    assert_false(ipc_in_hands_of(c, b));
    assert_int_equal(answered(b, 55), -ENOTREADY);
    assert_int_equal(c->registers.rax, 7);
}

static void test_late_answer_of_an_earlier_call(void **state)
{
    endpoint_t server;

    begin_seized();
    answered(b, 55);
    assert_int_equal(ipc_seize(c, a, &server), SEIZED_SYSCALL); /* once more: a's own now */
    assert_int_equal(late(), -ENOENT);
}

/* c was handed on to d (VFS) because of a signal, and is killed now, before d has received it or afterwards, and before
 * b's answer or afterwards: d learns of that all the same. */
static void test_seized_twice(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        struct slot *d = world_slot(4, 4);
        endpoint_t server;

        begin_seized();
        if (i & 1)
            assert_int_equal(answered(b, 55), 0);
        hand_on(a, d, 20);
        if (i & 2)
            receive(d);
        assert_int_equal(ipc_seize(c, a, &server), SEIZED_SYSCALL);
        assert_int_equal(server, d->endpoint);
        if (!(i & 1))
            assert_int_equal(answered(b, 55), 0);
        hand_on(a, d, 30);
        receive(d);
        assert_int_equal(d->registers.rsi, 30);
        d->registers = (struct registers){.rdi = (uint64_t)c->endpoint};
        ipc_late_answer(d);
        assert_int_equal(d->registers.rax, 0);
        assert_int_equal(d->registers.rsi, 55);
        assert_int_equal((endpoint_t)d->registers.rdi, b->endpoint);
        setup(state);
    }
}

static void test_seized_before_it_was_received(void **state)
{
    endpoint_t server;

    c->registers = (struct registers){.rax = 39};
    ipc_linux(c, b);
    assert_int_equal(ipc_seize(c, a, &server), SEIZED_SYSCALL);
    assert_true(list_empty(&b->callers));
    assert_false(ipc_in_hands_of(c, b));
    assert_int_equal(late(), -ENOENT);
}

static void test_seized_while_it_ran(void **state)
{
    endpoint_t server;

    c->registers = (struct registers){.rax = 1234};
    assert_int_equal(ipc_seize(c, a, &server), SEIZED_RUNNING);
    assert_int_equal(answered(a, 7), 0);
    assert_int_equal(c->registers.rax, 1234); /* it goes on as it was */
}

static void test_services_are_not_seized(void **state)
{
    endpoint_t server;

    call(c, b, 20);
    assert_int_equal(ipc_seize(c, a, &server), -EINVAL);
    receive(b);
    receive(b);
    assert_int_equal(ipc_seize(b, a, &server), -EINVAL);
    assert_int_equal(ipc_seize(a, a, &server), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order_of_arrival, setup),
        cmocka_unit_test_setup(test_notifications_come_first, setup),
        cmocka_unit_test_setup(test_no_right_to_call, setup),
        cmocka_unit_test_setup(test_answer_of_somebody_else, setup),
        cmocka_unit_test_setup(test_callee_dies, setup),
        cmocka_unit_test_setup(test_callee_of_many_dies, setup),
        cmocka_unit_test_setup(test_bounce, setup),
        cmocka_unit_test_setup(test_caller_dies, setup),
        cmocka_unit_test_setup(test_who_asked_pays, setup),
        cmocka_unit_test_setup(test_who_is_answered_pays, setup),
        cmocka_unit_test_setup(test_payer_dies, setup),
        cmocka_unit_test_setup(test_deadline, setup),
        cmocka_unit_test_setup(test_late_answer, setup),
        cmocka_unit_test_setup(test_asked_too_early, setup),
        cmocka_unit_test_setup(test_seizer_answers, setup),
        cmocka_unit_test_setup(test_late_answer_of_an_earlier_call, setup),
        cmocka_unit_test_setup(test_seized_twice, setup),
        cmocka_unit_test_setup(test_seized_before_it_was_received, setup),
        cmocka_unit_test_setup(test_seized_while_it_ran, setup),
        cmocka_unit_test_setup(test_services_are_not_seized, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
