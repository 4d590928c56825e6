/* SPDX-License-Identifier: BSD-2-Clause */
// sources: kernel/ipc.c kernel/seize.c kernel/clock.c
/* Messages between processes, and seizing: services and programs that call, answer, hand on, notify,
 * are seized, wait too long and die, in random order; after each step what must always hold. */
#include "ipc_world.h"

#define SERVICES 6 /* slots 1..; the last is PM, which seizes */
#define PROGRAMS 6 /* slots after those */
#define ALL (SERVICES + PROGRAMS)
#define PM SERVICES

static uint64_t token; /* each call's own, in its last word */
static struct {
    uint64_t token; /* of the call that it is blocked in */
    bool is_seized;
} known[ALL + 1];

static unsigned number(const struct slot *s)
{
    return (unsigned)(s - slots);
}

static bool is_in(const struct list *list, const struct list *link)
{
    for (const struct list *l = list->next; l != list; l = l->next)
        if (l == link)
            return true;
    return false;
}

static void check_slot(const struct slot *s)
{
    const struct slot *peer = slot_find(s->peer);

    assert_ptr_equal(slot_find(s->payer->endpoint), s->payer);
    switch (s->state) {
    case SLOT_CALLING_STATE:
        assert_non_null(peer); /* nobody waits for the dead */
        if (!list_empty(&s->link))
            assert_true(is_in(&peer->callers, &s->link));
        break;
    case SLOT_RECEIVING_ONE:
        assert_non_null(peer);
        for (struct list *l = s->callers.next; l != &s->callers; l = l->next)
            assert_int_not_equal(list_entry(l, struct slot, link)->endpoint, s->peer);
        break;
    case SLOT_RECEIVING: /* there is nothing that it could have received */
        assert_true(list_empty(&s->callers));
        assert_int_equal(s->pending, 0);
        break;
    default:
        break;
    }
    for (struct list *l = s->callers.next; l != &s->callers; l = l->next) {
        const struct slot *caller = list_entry(l, struct slot, link);

        assert_int_equal(caller->state, SLOT_CALLING_STATE);
        assert_int_equal(caller->peer, s->endpoint);
    }
    if (s->deadline) {
        assert_false(list_empty(&s->timed));
        assert_true(clock_earliest <= s->deadline);
    }
}

static void check_all(void)
{
    for (unsigned i = 1; i <= ALL; i++)
        if (slots[i].state != SLOT_FREE)
            check_slot(&slots[i]);
}

/* s has just received, or was just woken from a receive, with a message. */
static void check_received(const struct slot *s)
{
    endpoint_t from = (endpoint_t)(uint32_t)s->registers.rdi;
    const struct slot *caller = slot_find(from);

    if (from == ENDPOINT_KERNEL) {
        assert_int_equal(s->registers.rsi, MESSAGE_NOTIFY);
        return;
    }
    assert_non_null(caller);
    assert_true(ipc_blocked_on(caller, s));
    assert_true(s->registers.rsi == MESSAGE_BOUNCED || s->registers.rsi == MESSAGE_EXCEPTION ||
                s->registers.r13 == known[number(caller)].token ||
                s->registers.r9 == known[number(caller)].token);
}

static struct slot *any(unsigned first, unsigned count)
{
    return &slots[first + (unsigned)rand() % count];
}

/* One whose call s has received and not answered. */
static struct slot *held_by(const struct slot *s)
{
    unsigned from = (unsigned)rand() % ALL;

    for (unsigned i = 0; i < ALL; i++) {
        struct slot *c = &slots[1 + (from + i) % ALL];

        if (c->state != SLOT_FREE && ipc_in_hands_of(c, s))
            return c;
    }
    return NULL;
}

static void call_any(struct slot *s)
{
    struct slot *to = any(1, SERVICES);

    known[number(s)].token = ++token;
    s->registers =
        (struct registers){.rdi = (uint64_t)to->endpoint, .rsi = 1000, .r13 = token, .r9 = token};
    s->registers.r14 = rand() % 3 ? 0 : (uint64_t)(1 + rand() % 50);
    ipc_call(s);
    if (s->state == SLOT_READY)
        assert_true((int64_t)s->registers.rax < 0);
}

static void receive_some(struct slot *s)
{
    endpoint_t from = rand() % 4 ? ENDPOINT_ANY : any(1, ALL)->endpoint;

    s->registers = (struct registers){.rdi = (uint64_t)from};
    s->registers.r14 = (uint64_t[]){0, 20, RECEIVE_POLL}[rand() % 3];
    ipc_receive(s);
    if (s->state == SLOT_READY && s->registers.rax == 0)
        check_received(s);
}

static void answer_one(struct slot *s)
{
    struct slot *c = held_by(s);
    bool had = c && ipc_blocked_on(c, s);
    enum call_kind kind = c ? (enum call_kind)c->call_kind : CALL_NONE;

    if (!c)
        return;
    s->registers = (struct registers){.rdi = (uint64_t)c->endpoint, .rsi = 77, .r13 = ++token};
    ipc_reply(s);
    assert_int_equal(s->registers.rax, 0); /* also when it has been seized meanwhile */
    if (!had)
        assert_int_equal(c->late.from, s->endpoint);
    else {
        assert_int_equal(c->state, SLOT_READY);
        if (kind == CALL_IPC) {
            assert_int_equal(c->registers.rsi, 77);
            assert_int_equal(c->registers.r13, token);
        } else if (kind == CALL_LINUX)
            assert_int_equal(c->registers.rax, 77);
        known[number(c)].is_seized = false;
    }
}

static void hand_on(struct slot *s)
{
    struct slot *c = held_by(s), *to = any(1, SERVICES);

    if (!c || c->call_kind == CALL_SEIZED)
        return;
    s->registers = (struct registers){.rdi = (uint64_t)c->endpoint, .r14 = (uint64_t)to->endpoint};
    s->registers.rsi = 2000;
    s->registers.r9 = s->registers.r13 = known[number(c)].token;
    ipc_forward(s);
    if (c == to)
        assert_int_equal(s->registers.rax, (uint64_t)-EINVAL);
    else
        assert_int_equal(s->registers.rax, 0);
}

static void seize_one(struct slot *pm)
{
    struct slot *of = any(SERVICES + 1, PROGRAMS);
    endpoint_t server;
    long how;

    if (of->state == SLOT_FREE)
        return;
    how = ipc_seize(of, pm, &server);
    assert_true(how >= 0);
    assert_true(ipc_blocked_on(of, pm));
    if (how == SEIZED_SYSCALL)
        assert_non_null(slot_find(server));
    known[number(of)].is_seized = true;
}

static void ask_late(struct slot *pm)
{
    struct slot *of = any(SERVICES + 1, PROGRAMS);
    bool has = of->state != SLOT_FREE && ipc_blocked_on(of, pm) && of->late.from;

    pm->registers = (struct registers){.rdi = (uint64_t)of->endpoint};
    ipc_late_answer(pm);
    if (has)
        assert_int_equal((endpoint_t)(uint32_t)pm->registers.rdi > 0, 1);
    else
        assert_true((int64_t)pm->registers.rax < 0);
    assert_int_equal(of->late.from,
                     of->state != SLOT_FREE && !ipc_blocked_on(of, pm) ? of->late.from : 0);
}

static void notify_any(struct slot *s)
{
    ipc_notify(any(1, SERVICES), 1ull << (rand() % 8));
    (void)s;
}

static void program_runs(struct slot *s)
{
    struct slot *to = any(1, SERVICES);

    if (to->state == SLOT_FREE)
        return;
    known[number(s)].token = ++token;
    s->registers = (struct registers){.rax = 39, .r8 = token, .r9 = token};
    if (rand() % 4)
        ipc_linux(s, to);
    else {
        uint64_t words[4] = {1, 2, 3, token};

        assert_int_equal(ipc_fault(s, to->endpoint, MESSAGE_PAGE_FAULT, words), 0);
    }
}

static void dies(struct slot *s)
{
    unsigned index = number(s);

    if (s->state != SLOT_CALLING_STATE)
        sched_remove(s);
    ipc_dying(s);
    known[index].is_seized = false;
    if (index == PM || rand() % 2)
        world_slot(index, index <= SERVICES ? index : SERVICE_ID_PROGRAM);
}

static void step(void)
{
    struct slot *s = any(1, ALL);
    bool is_service = number(s) <= SERVICES;

    if (s->state == SLOT_FREE)
        world_slot(number(s), is_service ? number(s) : SERVICE_ID_PROGRAM);
    else if (rand() % 300 == 0)
        dies(s);
    else if (rand() % 50 == 0) {
        world_now += (uint64_t)(rand() % 30);
        clock_timer();
    } else if (s->state != SLOT_READY)
        return;
    else if (!is_service)
        program_runs(s);
    else if (number(s) == PM && rand() % 3 == 0)
        seize_one(s);
    else if (number(s) == PM && rand() % 3 == 0)
        ask_late(s);
    else {
        static void (*const does[])(struct slot *) = {
            call_any, receive_some, receive_some, answer_one, answer_one, hand_on, notify_any};

        does[(unsigned)rand() % (sizeof does / sizeof *does)](s);
    }
}

static void test_random(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        srand(seed);
        for (unsigned i = 1; i <= ALL; i++)
            world_slot(i, i <= SERVICES ? i : SERVICE_ID_PROGRAM);
        for (unsigned i = 0; i < 20000; i++) {
            step();
            check_all();
        }
        for (unsigned i = 1; i <= ALL; i++)
            if (slots[i].state != SLOT_FREE)
                ipc_dying(&slots[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
