/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/service/queues.c
// flags: -Itests/unit/host
/* What a client of drivers' queues hears of RS: each queue once, and who is gone for good. RS is
 * played. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"
#include "lib/service/queues.h"
#include "lib/service/service.h"

static unsigned there; /* queues that RS has */
static long answer; /* to RS_LOOKUP */
static char looked_up[SERVICE_NAME_MAX];
static void *lent; /* NULL: nothing is */
static bool full; /* the table of grants */
static unsigned taken[8], count;

const struct service_info *service_info(void)
{
    static const struct service_info info = {.rs = 7};

    return &info;
}

long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags)
{
    assert_int_equal(to, 7);
    assert_null(lent);
    assert_int_equal(length, sizeof(struct service_queue));
    assert_int_equal(flags, GRANT_WRITE);
    if (full)
        return -ENOSPC;
    lent = (void *)address;
    return 3;
}

void grant_revoke(long index)
{
    assert_int_equal(index, 3);
    assert_non_null(lent);
    lent = NULL;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    assert_int_equal(to, 7);
    if (m->type == RS_LOOKUP) {
        unpack_text(looked_up, m->w, sizeof looked_up);
        return answer;
    }
    assert_int_equal(m->type, RS_QUEUE);
    assert_int_equal(m->w[1], 3);
    if (m->w[0] >= there)
        return -ENOENT;
    *(struct service_queue *)lent = (struct service_queue){.number = (uint32_t)m->w[0]};
    memset(((struct service_queue *)lent)->driver, 'x', SERVICE_NAME_MAX); /* without an end */
    return 0;
}

static void take(const struct service_queue *where)
{
    assert_int_equal(strlen(where->driver), SERVICE_NAME_MAX - 1);
    assert_true(count < sizeof taken / sizeof *taken);
    taken[count++] = where->number;
}

static void test_each_once(void **state)
{
    queues_find(take);
    assert_int_equal(count, 0);
    there = 2;
    full = true;
    queues_find(take);
    assert_int_equal(count, 0);
    full = false;
    queues_find(take);
    queues_find(take);
    assert_int_equal(count, 2);
    there = 3;
    queues_find(take);
    assert_int_equal(count, 3);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(taken[i], i);
    assert_null(lent);
}

/* -EAGAIN: down just now. -EDEADSRCDST and the like: RS could not be asked. */
static void test_gone_for_good(void **state)
{
    static const struct {
        long answer;
        bool is_gone;
    } answers[] = {{9, false},      {-EAGAIN, false}, {-EDEADSRCDST, false}, {-EINTR, false},
                   {-EPERM, false}, {-ENXIO, true},   {-ESRCH, true}};

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer = answers[i].answer;
        assert_int_equal(queue_driver("e1000"), answer);
        assert_string_equal(looked_up, "e1000");
        assert_int_equal(queue_driver_is_gone("e1000"), answers[i].is_gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_once),
                                       cmocka_unit_test(test_gone_for_good)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
