/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: nearly as many processes as there can be, all of which wait for one, are handed on by
 * one, or are woken at the same ns.
 */
#include "bench/services/probe.h"

#include "lib/service/service.h"

#define LEAST 900 /* processes, as many as there are slots left */
#define LEFT 10 /* which others may need */
#define UNMAPPED 0x10000000ull /* an address in our space where nothing is */
#define SETTLE_NS 30000000ull /* until all of them have come to where they wait */

static endpoint_t crowd[ENDPOINT_SLOTS], server, silent;
static unsigned many;
static volatile endpoint_t target; /* whom the crowd calls */
static uint64_t wake_at;

/* One after the other; who fails or is let go waits for ever. */
static void calls(void)
{
    struct message m = {.type = PROTOCOL_TEST};

    (void)ipc_call(target, &m);
    for (;;)
        (void)ipc_receive(silent, &m, 0);
}
static void sleeps(void)
{
    struct message m = {0};

    for (;;)
        (void)ipc_receive(silent, &m, 0);
}
static void wakes(void)
{
    struct message m = {0};

    clock_alarm(wake_at);
    (void)ipc_receive(ENDPOINT_ANY, &m, 0);
    for (;;)
        (void)ipc_receive(silent, &m, 0);
}
/* A deadline that is the same instant for all, however late each comes to say so. */
static void expires(void)
{
    struct message m = {0};

    (void)ipc_receive(silent, &m, wake_at - clock_now());
    for (;;)
        (void)ipc_receive(silent, &m, 0);
}
static void faults(void)
{
    *(volatile char *)UNMAPPED = 0;
}
static void answers(void)
{
    struct message m = {0};
    endpoint_t to = 0;

    for (;;) {
        m.type = 0;
        if (ipc_reply_receive(to, &m, 0) == 0)
            to = message_caller(&m);
    }
}

/* pager: of those that have one. */
static long crowd_start(void (*entry)(void), endpoint_t pager)
{
    endpoint_t last = 0;

    many = 0;
    while (many < ENDPOINT_SLOTS &&
           (last = thread_start(entry, service_info()->service_id, pager)) > 0)
        crowd[many++] = last;
    for (unsigned i = 0; i < LEFT && many; i++)
        slot_destroy(crowd[--many]);
    worker_sleep(SETTLE_NS);
    return many < LEAST ? -ENOMEM : 0;
}
static long crowd_end(void)
{
    long result = 0;

    for (unsigned i = 0; i < many; i++)
        result |= slot_destroy(crowd[i]);
    return result;
}
static endpoint_t server_start(void (*entry)(void))
{
    server = thread_start(entry, service_info()->service_id, 0);
    worker_sleep(1000000);
    return server;
}

static long call(void)
{
    silent = space_new();
    if (server_start(answers) < 0)
        return server;
    for (unsigned i = 0; i < 100; i++) {
        struct message m = {.type = PROTOCOL_TEST};
        long result = ipc_call_deadline(server, &m, ~0ull);

        if (result)
            return result;
    }
    return slot_destroy(server);
}
static long notify(void)
{
    server_start(sleeps);
    for (unsigned i = 0; i < 100; i++)
        ipc_notify(server, NOTIFY_USER_BITS & ~NOTIFY_ROOT_BITS);
    return slot_destroy(server);
}

/* All call us; from the one that came last. */
static long receive_last(void)
{
    struct message m = {0};
    long result;

    target = probe_worker;
    result = crowd_start(calls, 0);
    for (unsigned i = 0; i < 100 && !result; i++)
        result = ipc_receive(crowd[many - 1 - i], &m, 1);
    return result;
}
static long reply(void)
{
    long result = 0;

    for (unsigned i = 0; i < 50 && !result; i++)
        result = ipc_reply_result(crowd[many - 1 - i], 0);
    return result;
}
static long reply_receive(void)
{
    long result = 0;

    for (unsigned i = 50; i < 100 && !result; i++) {
        struct message m = {.type = 0};

        result = ipc_reply_receive(crowd[many - 1 - i], &m, RECEIVE_POLL);
        if (!result && m.type != MESSAGE_NOTIFY)
            result = ipc_reply_result(message_caller(&m), 0);
    }
    return result;
}
/* The rest is handed on to one that does not receive, */
static long forward(void)
{
    struct message m = {0};
    long n = 0;

    server_start(sleeps);
    while (ipc_receive(ENDPOINT_ANY, &m, RECEIVE_POLL) == 0)
        if (m.type != MESSAGE_NOTIFY)
            n += ipc_forward(message_caller(&m), server, &m) == 0;
    return n > (long)many - 200 ? 0 : -EPROTO;
}
/* which dies: they all come back to us. */
static long destroy_forwarded(void)
{
    return slot_destroy(server);
}
static long destroy_crowd(void)
{
    return crowd_end();
}
static long crowd_called(void)
{
    target = server_start(sleeps);
    return crowd_start(calls, 0);
}
static long destroy_called(void)
{
    return slot_destroy(server);
}
static long destroy_waited_for(void)
{
    long result = crowd_end();

    target = silent;
    if (!result)
        result = crowd_start(sleeps, 0);
    if (!result)
        result = slot_destroy(silent);
    silent = space_new();
    return result ? result : crowd_end();
}
/* Their pager: they all have an exception, for their guardian. */
static long destroy_pager(void)
{
    long result;

    server_start(sleeps);
    result = crowd_start(faults, server);
    if (!result)
        result = slot_destroy(server);
    return result ? result : crowd_end();
}
static long alarms_at_once(void)
{
    wake_at = clock_now() + 2 * SETTLE_NS;
    if (crowd_start(wakes, 0))
        return -EAGAIN;
    worker_sleep(2 * SETTLE_NS);
    return crowd_end();
}
static long deadlines_at_once(void)
{
    wake_at = clock_now() + 2 * SETTLE_NS;
    if (crowd_start(expires, 0))
        return -EAGAIN;
    worker_sleep(2 * SETTLE_NS);
    return crowd_end();
}

/* One in a system call, handed on, and taken from where it is before that has received it. */
static long late_answer(void)
{
    struct slot_config c = {.name = "caller",
                            .guardian = service_info()->rs,
                            .service_id = SERVICE_ID_PROGRAM,
                            .priority = PRIORITIES - 1,
                            .flags = SLOT_CALLING};
    endpoint_t caller = slot_create(&c);
    long result = 0;

    server_start(sleeps);
    for (unsigned i = 0; i < 100 && result >= 0; i++) {
        struct message m = {.type = PROTOCOL_TEST};
        uint64_t by;

        result = ipc_forward(caller, server, &m);
        if (!result)
            result = slot_seize(caller, &by);
        if (result >= 0)
            result = ipc_late_answer(caller, &m);
    }
    slot_destroy(caller);
    slot_destroy(server);
    slot_destroy(silent);
    return result;
}

static const struct probe_case cases[] = {
    PROBE_CASE(CALL, call),
    PROBE_CASE(NOTIFY, notify),
    PROBE_CASE(RECEIVE, receive_last),
    PROBE_CASE(REPLY, reply),
    PROBE_CASE(REPLY_RECEIVE, reply_receive),
    PROBE_CASE(FORWARD, forward),
    PROBE_CASE(SLOT_DESTROY, destroy_forwarded),
    PROBE_CASE(SLOT_DESTROY, destroy_crowd),
    PROBE_CASE(CALL, crowd_called),
    PROBE_CASE(SLOT_DESTROY, destroy_called),
    PROBE_CASE(SLOT_DESTROY, destroy_waited_for),
    PROBE_CASE(SLOT_DESTROY, destroy_pager),
    PROBE_CASE(ALARM, alarms_at_once),
    PROBE_CASE(RECEIVE, deadlines_at_once),
    PROBE_CASE(LATE_ANSWER, late_answer),
};
const struct probe_list probe_talk = {cases, sizeof cases / sizeof *cases};
